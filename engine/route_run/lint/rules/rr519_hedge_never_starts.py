"""Hedge that never starts

Why: a hedge asks the next target as well when the first has no content after a while. It never does where there is
    no next target, where the whole request is over by then, or, for an answer that is streamed, where the attempt
    has been given up before.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        timeouts: {first_content: 10s, total: 60s}
        hedge: {after: 15s}
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
        timeouts: {first_content: 10s, total: 60s}
        hedge: {after: 3s}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: slow answers are waited for all the same.

Fix: write an `after` well below `first_content` and `total`, and see that there is a second target.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Upstream

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams whose hedge has no target to ask, or comes too late."""
    for name, routes in sorted(facts.routes_of.items()):
        upstream = routes[0].upstream
        if upstream.hedge_after is not None and (reason := _never(upstream, upstream.hedge_after)):
            yield Finding(
                Code.HEDGE_NEVER_STARTS,
                facts.policy.origin("upstreams", name).span("hedge"),
                f"the hedge of the upstream `{name}` never starts{reason}",
                severity=SEVERITY,
                help="write an `after` below both times, such as the one in which nine of ten answers begin",
                effect="slow answers are waited for all the same",
            )


def _never(upstream: Upstream, after: float) -> str:
    """Why no second target is ever asked, in words; nothing when one may be."""
    times = upstream.timeouts
    if len(upstream.targets) == 1:
        return ": there is no second target"
    if after >= times.total:
        return f": after {after:g} s the whole request is over, its `total` is {times.total:g} s"
    if after >= times.first_content:
        return (
            f" for streamed answers: after {after:g} s one without content has been given up, "
            f"`first_content` is {times.first_content:g} s"
        )
    return ""
