"""Targets that share one fate

Why: a fallback helps when it does not fail together with what it stands in for. Targets of one endpoint, on one host
    or of one vendor do: an outage there takes all of them.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://first.example.com/second/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: one outage takes every target of the upstream.

Fix: add a target elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import Endpoint
from route_run.policy.reference import Reference
from route_run.text.nearest import listed

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY
VENDOR = "vendor"
"""The label that says who runs an endpoint."""


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams of several targets that are all at one endpoint, on one host, or of one vendor."""
    for name in sorted(facts.routes_of):
        targets = facts.written_targets(name)
        endpoints = {target.endpoint: facts.policy.endpoints[target.endpoint] for target in targets}
        if len(targets) > 1:
            shared = _shared(endpoints)
            if shared:
                yield _one_fate(facts, name, shared, sorted(endpoints))


def _shared(endpoints: dict[str, Endpoint]) -> str:
    """What all endpoints have in common, in words; nothing when they have nothing."""
    if len(endpoints) == 1:
        return f"are at one endpoint, `{next(iter(endpoints))}`"
    of: tuple[tuple[str, Callable[[Endpoint], str]], ...] = (
        ("are on one host", host_of),
        ("are of one vendor", lambda endpoint: endpoint.labels.get(VENDOR, "")),
    )
    for what, fact in of:
        facts = {fact(endpoint) for endpoint in endpoints.values()}
        if len(facts) == 1 and (one := facts.pop()):
            return f"{what}, `{one}`"
    return ""


def host_of(endpoint: Endpoint) -> str:
    """The host of an endpoint; a reference stands for itself, whatever it resolves to."""
    if isinstance(endpoint.base_url, Reference):
        return str(endpoint.base_url)
    return urlsplit(endpoint.base_url).hostname or ""


def _one_fate(facts: Facts, upstream: str, shared: str, endpoints: list[str]) -> Finding:
    return Finding(
        Code.SHARED_FATE,
        facts.policy.origin("upstreams", upstream).key_span("targets"),
        f"all targets of the upstream `{upstream}` {shared}",
        severity=SEVERITY,
        labels=tuple(Label(facts.name_span("endpoints", name), f"`{name}` is here") for name in endpoints[:4]),
        help=f"add a target that does not fail together with {listed(endpoints, most=4)}",
        effect="one outage there takes every target, and the requests fail",
    )
