"""Maintenance window that is past

Why: a window that is over changes nothing any more. It is either done with and can go, or it was moved and the
    policy was not: then the endpoint is asked while somebody works on it.

Bad:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        maintenance:
          - {from: "2020-01-01T22:00:00+01:00", to: "2020-01-01T23:00:00+01:00", why: CHG-1}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        maintenance:
          - {from: "2090-01-01T22:00:00+01:00", to: "2090-01-01T23:00:00+01:00", why: CHG-1}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: the window keeps nothing away from the endpoint.

Fix: remove the window, or correct its year.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Windows that ended before the day on which lint is asked, in UTC; none when no day is known."""
    if facts.today is None:
        return
    for name, endpoint in sorted(facts.policy.endpoints.items()):
        for number, window in enumerate(endpoint.maintenance):
            end = window.to.astimezone(UTC)
            if window.from_ < window.to and end.date() < facts.today:
                yield Finding(
                    Code.PAST_MAINTENANCE,
                    facts.policy.origin("endpoints", name).span("maintenance", number),
                    f"this maintenance of the endpoint `{name}` ended on {end:%Y-%m-%d}",
                    severity=SEVERITY,
                    help="remove the window, or correct its dates when the work is still to come",
                    effect="it keeps nothing away from the endpoint any more",
                )
