"""Retries that are never made

Why: `retry.attempts` counts exchanges per target, but a request makes at most one exchange more than it has targets:
    one spare for the whole request. More than two attempts at one target are therefore never made.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        retry: {attempts: 5}
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
        retry: {attempts: 2}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: the upstream behaves as with two attempts.

Fix: write `attempts: 2`.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Edit, Finding, Fix, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED
_MOST = 2
"""The first exchange with a target, and the one spare that a request has."""


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams that ask for more attempts per target than are ever made."""
    for name, upstream in sorted(facts.policy.upstreams.items()):
        if upstream.retry.attempts > _MOST:
            span = facts.policy.origin("upstreams", name).span("retry", "attempts")
            yield Finding(
                Code.RETRIES_NEVER_MADE,
                span,
                f"{upstream.retry.attempts} attempts per target are never made: beside one exchange for each target a "
                f"request of `{name}` has one to spare, so a target is asked twice at most",
                severity=SEVERITY,
                help=f"write {_MOST}; it does the same",
                effect=f"the upstream behaves as with `attempts: {_MOST}`",
                fix=Fix(f"write {_MOST}", (Edit(span, str(_MOST)),), is_safe=True),
            )
