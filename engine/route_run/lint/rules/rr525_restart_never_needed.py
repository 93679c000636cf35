"""Restart that is never needed

Why: `after_content: restart` starts an answer over that breaks off after the caller was given some of it. Answers
    that are held until they are verified have given the caller nothing, so they fall back in any case.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        fallback: {after_content: restart}
    routes: {everything-else: {match: {}, upstream: main, verify: {format: json}}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main, verify: {format: json}}}

Effect: nothing changes; the field promises what is never used.

Fix: remove `after_content: restart`, or deliver an answer as it streams.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Deliver

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams that restart, with routes that all hold their answers until they are verified."""
    if not facts.is_whole:
        return
    for name, routes in sorted(facts.routes_of.items()):
        if routes[0].upstream.restarts and all(route.deliver is Deliver.VERIFIED for route in routes):
            yield Finding(
                Code.RESTART_NEVER_NEEDED,
                facts.policy.origin("upstreams", name).span("fallback", "after_content"),
                f"the upstream `{name}` never restarts an answer: its routes all hold answers until they are verified",
                severity=SEVERITY,
                labels=tuple(
                    Label(facts.name_span("routes", route.name), f"`{route.name}` delivers verified answers")
                    for route in routes[:3]
                ),
                help="remove `after_content`; an answer that was held falls back anyway",
                effect="the field changes nothing",
            )
