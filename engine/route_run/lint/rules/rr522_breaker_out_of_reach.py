"""Breaker that never opens, or not as written

Why: a breaker leaves an endpoint alone after so many failures in a row, or when the share of failures among the
    last requests is too large. Numbers that nobody reaches switch it off, a share of 0% opens it at the first
    failure, and it never stays open for more than five minutes.

Bad:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        breaker: {consecutive: 100000, of: 1000000}
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
        breaker: {consecutive: 10, of: 100}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: the breaker does something else than is written.

Fix: write numbers that traffic reaches: the defaults are 5 in a row, or 50% of 20 within 20s.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.flow.breaker import LONGEST_OPEN
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import Breaker, Rate

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY
MANY_IN_A_ROW = 1_000
"""So many failed requests before an endpoint is left alone are as good as no breaker."""
MOST_PER_SECOND = 1_000
"""What one engine exchanges with one endpoint at most: a request costs it about a millisecond of CPU."""


def check(facts: Facts) -> Iterator[Finding]:
    """Breakers of endpoints whose numbers cannot be reached, or do not mean what they seem to."""
    for name, endpoint in sorted(facts.policy.endpoints.items()):
        breaker = endpoint.breaker
        requests = endpoint.limits.requests if endpoint.limits is not None else None
        for field, problem, effect in _problems(breaker, requests):
            yield Finding(
                Code.BREAKER_OUT_OF_REACH,
                facts.policy.origin("endpoints", name).span("breaker", field),
                f"the breaker of the endpoint `{name}` {problem}",
                severity=SEVERITY,
                help="the defaults are {consecutive: 5, ratio: 50%, of: 20, within: 20s, open: 10s}",
                effect=effect,
            )


def _problems(breaker: Breaker, requests: Rate | None) -> Iterator[tuple[str, str, str]]:
    """The field at fault, what is wrong with it, and what comes of it."""
    if breaker.open > LONGEST_OPEN:
        yield (
            "open",
            f"stays open for {LONGEST_OPEN:g} s, never for {breaker.open:g} s",
            "it is probed sooner than meant",
        )
    if not breaker.ratio:
        effect = "one failure takes the endpoint out"
        yield (
            "ratio",
            f"opens at the first failure among {breaker.of} requests: a share of 0% is always reached",
            effect,
        )
        return
    most = _most_seen(breaker, requests)
    ratio_is_out = breaker.ratio > 1 or breaker.of > most
    if not ratio_is_out:
        return
    why = (
        f"no share of failures is {breaker.ratio:.0%}"
        if breaker.ratio > 1
        else f"no {breaker.of} requests fit into {breaker.within:g} s, at most {most:.0f} do"
    )
    field = "ratio" if breaker.ratio > 1 else "of"
    if breaker.consecutive >= MANY_IN_A_ROW:
        yield (
            field,
            f"hardly ever opens: {why}, and {breaker.consecutive} failures in a row are many",
            "a dead endpoint is asked again and again",
        )
    else:
        yield field, f"never opens for its share of failures: {why}", "only failures in a row open it"


def _most_seen(breaker: Breaker, requests: Rate | None) -> float:
    """How many requests can be counted at once: what the endpoint's own limit lets through, or one engine sends."""
    of_engine = MOST_PER_SECOND * breaker.within
    if requests is None:
        return of_engine
    return min(of_engine, requests.count + requests.count / requests.seconds * breaker.within)
