"""Limit that one request already exceeds

Why: limits on tokens reserve what a request may use before it is sent: its prompt and its answer. A limit that is
    smaller than what a single request of the route reserves can never let it through.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}, limits: {tokens: 2k/min}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}, limits: {tokens: 200k/min}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: such a request is never sent there, or is refused where the limit is a bound's.

Fix: raise the limit, or give the route a default and a maximum of max_tokens that fit into it.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint import words
from route_run.lint.facts import Facts
from route_run.lint.limited import Counted, Limited, limited
from route_run.lint.rule import Confidence
from route_run.lint.sizes import largest_sent, usual_answer

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Token limits below what a route's smallest usual request reserves, or the largest that its match lets in."""
    for limit in limited(facts):
        if limit.limits.tokens is None:
            continue
        needed = [(_reserved(counted), counted.route.name) for counted in limit.counted if counted.targets]
        too_large = [(tokens, name) for tokens, name in needed if tokens > limit.limits.tokens.count]
        if too_large:
            yield _too_low(limit, max(too_large)[0], [name for _, name in too_large])


def _reserved(counted: Counted) -> int:
    """The tokens that the cheapest of the counted targets reserves for the largest request that is surely meant."""
    route, region = counted.route, counted.region
    is_sized = any(one is not None and one.tokens[1] is not None for one in (route.region, region))
    low = max((one.tokens[0] for one in (route.region, region) if one is not None), default=0)
    return min(
        (largest_sent(route, target, region) if is_sized else low) + usual_answer(route, target)
        for target in (route.upstream.targets[number] for number in counted.targets)
    )


def _too_low(limit: Limited, tokens: int, names: list[str]) -> Finding:
    assert limit.limits.tokens is not None
    return Finding(
        Code.LIMIT_TOO_LOW,
        limit.span("tokens"),
        f"{limit.whose} allows {limit.limits.tokens.count:g} tokens at a time, but a single request of "
        f"{words.routes(names)} reserves up to {tokens}",
        severity=SEVERITY,
        help=f"raise the limit above {tokens}, or give the route a default and a `max` of max_tokens that fit into it",
        effect="such a request never fits into the limit, however long it waits",
    )
