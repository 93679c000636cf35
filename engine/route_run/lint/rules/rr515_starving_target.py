"""Last target that starves

Why: every target may take until its own timeouts end it, and the whole request ends at `total`. When the targets
    before use up the total by themselves, the last one is never asked, or has no time to connect: the fallback exists
    on paper.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        timeouts: {first_content: 30s, total: 30s}
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
        timeouts: {first_content: 10s, total: 30s}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: when the targets before hang, the request ends before the last one could answer.

Fix: shorten `first_content`, or lengthen `total`.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Upstream

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams whose first targets, each as slow as it may be, leave the last one no time to connect."""
    for _, routes in sorted(facts.routes_of.items()):
        upstream = routes[0].upstream
        before = len(upstream.targets) - 1
        if before and "timeout" in upstream.fallback_kinds:
            left = upstream.timeouts.total - _slowest(upstream, before)
            if left < upstream.timeouts.connect:
                yield _starving(facts, upstream, before, left)


def _slowest(upstream: Upstream, targets: int) -> float:
    """Seconds until the next target is asked, when each of so many takes as long as it may."""
    again = upstream.timeouts.first_content + min(upstream.backoff_first, upstream.backoff_max)
    return targets * upstream.timeouts.first_content + (again if upstream.attempts > 1 else 0)


def _starving(facts: Facts, upstream: Upstream, before: int, left: float) -> Finding:
    origin = facts.policy.origin("upstreams", upstream.name)
    slowest = upstream.timeouts.total - left
    remains = f"{left:g} s are left to connect" if left > 0 else "nothing is left for it"
    once = " and one retry" if upstream.attempts > 1 else ""
    return Finding(
        Code.STARVING_TARGET,
        facts.target_span(upstream.name, before),
        f"the last target {upstream.targets[-1]} starves: {before} target{'' if before == 1 else 's'}{once} before it "
        f"may take {slowest:g} s of the total of {upstream.timeouts.total:g} s, and {remains}",
        severity=SEVERITY,
        labels=(Label(origin.span("timeouts"), "the times of the upstream"),),
        help=f"shorten `first_content`, or make `total` longer than {slowest + upstream.timeouts.connect:g}s",
        effect="when the targets before it hang, the request fails without an answer from the last one",
    )
