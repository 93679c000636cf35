"""Wait for room that is never so long

Why: `wait_at_most` says how long a request waits for room under a limit. It says nothing where `when_exceeded` is
    not `wait`, and what is longer than the `total` of the upstream is cut off there.

Bad:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        limits: {requests: 600/min, when_exceeded: wait, wait_at_most: 90s}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        timeouts: {first_content: 10s, total: 30s}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        limits: {requests: 600/min, when_exceeded: wait, wait_at_most: 10s}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        timeouts: {first_content: 10s, total: 30s}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: requests give up sooner than is written, or do not wait at all.

Fix: write a time below `total`, or `when_exceeded: wait`.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.limited import Limited, limited
from route_run.lint.rule import Confidence
from route_run.table import Upstream

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Limits with a wait that is never made, or longer than every request that is counted."""
    for limit in limited(facts):
        longest = limit.limits.wait_at_most
        if longest is None:
            continue
        if limit.limits.when_exceeded != "wait":
            yield _never(limit)
            continue
        upstreams = {counted.route.upstream.name: counted.route.upstream for counted in limit.counted}
        if upstreams and all(upstream.timeouts.total < longest for upstream in upstreams.values()):
            slowest = max(upstreams.values(), key=lambda upstream: (upstream.timeouts.total, upstream.name))
            yield _too_long(facts, limit, longest, slowest)


def _never(limit: Limited) -> Finding:
    instead = limit.limits.when_exceeded or ("reject" if limit.whose.startswith("the bound") else "next")
    return Finding(
        Code.IDLE_WAIT,
        limit.span("wait_at_most"),
        f"{limit.whose} never waits: `when_exceeded` is {instead}",
        severity=SEVERITY,
        help="write `when_exceeded: wait`, or remove `wait_at_most`",
        effect="a request that finds no room is refused" if instead == "reject" else "the next target is asked at once",
    )


def _too_long(facts: Facts, limit: Limited, longest: float, upstream: Upstream) -> Finding:
    total = upstream.timeouts.total
    origin = facts.policy.origin("upstreams", upstream.name)
    place = origin.span("timeouts") if "timeouts" in origin.raw else origin.key_span()
    return Finding(
        Code.IDLE_WAIT,
        limit.span("wait_at_most"),
        f"{limit.whose} never waits for {longest:g} s: a request of the upstream `{upstream.name}` has "
        f"{total:g} s in all",
        severity=SEVERITY,
        labels=(Label(place, f"`total` is {total:g} s"),),
        help=f"write a time well below {total:g}s, so that something is left for the answer",
        effect="a request that waits so long has no time left for its answer",
    )
