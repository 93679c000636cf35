"""Maintenance of all targets at once

Why: in a maintenance window an endpoint takes no new attempts. When the windows of all targets of an upstream
    overlap, for that time there is nowhere to go.

Bad:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        maintenance: [{from: "2027-01-09T20:00:00Z", to: "2027-01-09T22:00:00Z", why: CHG-1}]
      second:
        dialect: openai
        base_url: https://second.example.net/v1
        serves: {m: {}}
        maintenance: [{from: "2027-01-09T21:00:00Z", to: "2027-01-09T23:00:00Z", why: CHG-1}]
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
        maintenance: [{from: "2027-01-09T20:00:00Z", to: "2027-01-09T21:00:00Z", why: CHG-1}]
      second:
        dialect: openai
        base_url: https://second.example.net/v1
        serves: {m: {}}
        maintenance: [{from: "2027-01-09T21:00:00Z", to: "2027-01-09T23:00:00Z", why: CHG-1}]
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: every request of the upstream is refused while the windows overlap.

Fix: move one of the windows.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import Window

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams with a moment at which every endpoint is in maintenance."""
    for name in sorted(facts.routes_of):
        endpoints = sorted({target.endpoint for target in facts.written_targets(name)})
        windows = {endpoint: facts.policy.endpoints[endpoint].maintenance for endpoint in endpoints}
        starts = sorted(window.from_ for each in windows.values() for window in each)
        for start in starts:
            at_once = {endpoint: found for endpoint in endpoints if (found := _around(windows[endpoint], start))}
            if len(at_once) == len(endpoints):
                yield _of_all(facts, name, start, at_once)
                break


def _around(windows: tuple[Window, ...], moment: datetime) -> tuple[int, Window] | None:
    found = ((n, w) for n, w in enumerate(windows) if w.from_ <= moment < w.to)
    return next(found, None)


def _of_all(facts: Facts, upstream: str, start: datetime, at_once: dict[str, tuple[int, Window]]) -> Finding:
    end = min(window.to for _, window in at_once.values())
    places = tuple(
        Label(facts.policy.origin("endpoints", name).span("maintenance", number), f"`{name}` is in maintenance")
        for name, (number, _) in sorted(at_once.items())
    )
    return Finding(
        Code.MAINTENANCE_OF_ALL,
        facts.policy.origin("upstreams", upstream).key_span("targets"),
        f"every endpoint of the upstream `{upstream}` is in maintenance from {_shown(start)} to {_shown(end)}",
        severity=SEVERITY,
        labels=places,
        help="move one of the windows, or add a target elsewhere",
        effect="all of its requests are refused in that time",
    )


def _shown(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
