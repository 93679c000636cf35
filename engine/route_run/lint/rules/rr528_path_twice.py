"""URL that names its path twice

Why: a request goes to `base_url` and the path of the dialect behind it: `/chat/completions` for openai,
    `/v1/messages` for anthropic. An address that is copied with its path gets it a second time.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1/chat/completions", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: every request is answered with 404, and the endpoint counts as unusable.

Fix: leave out of `base_url` what the path begins with, or write a `path` of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy import TRAITS, Reference

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY


def check(facts: Facts) -> Iterator[Finding]:
    """Endpoints whose `base_url` ends with what the path behind it begins with."""
    for name, endpoint in sorted(facts.policy.endpoints.items()):
        if isinstance(endpoint.base_url, Reference):
            continue
        path = endpoint.path or TRAITS[endpoint.dialect].path
        if twice := _twice(urlsplit(endpoint.base_url).path, path):
            base = endpoint.base_url.rstrip("/")
            yield Finding(
                Code.PATH_TWICE,
                facts.policy.origin("endpoints", name).span("base_url"),
                f"requests to the endpoint `{name}` go to `{base}{path}`: `{twice}` stands there twice",
                severity=SEVERITY,
                help=f"write `{base.removesuffix(twice)}`; `{path}` comes behind it"
                + ("" if endpoint.path else f", as the dialect {endpoint.dialect.value} has it"),
                effect="the server answers 404, and the endpoint is no use",
            )


def _twice(base: str, path: str) -> str:
    """What the one ends with and the other begins with; nothing when that is nothing."""
    before, after = [[part for part in one.split("/") if part] for one in (base, path)]
    for length in range(min(len(before), len(after)), 0, -1):
        if before[-length:] == after[:length]:
            return "/" + "/".join(after[:length])
    return ""
