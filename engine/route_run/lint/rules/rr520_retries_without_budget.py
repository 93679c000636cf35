"""Retries that the retry budget never allows

Why: asking an endpoint a second time (a retry, a repair, a hedge) needs its retry budget: the floor, and a share of
    its requests. With a floor of 0 the first retry has to wait until enough other requests came within the stretch
    of time, and with a share of 0% too it is never made.

Bad:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        retry_budget: {share: 0%, floor: 0}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        retry: {attempts: 2}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first:
        dialect: openai
        base_url: https://first.example.com/v1
        serves: {m: {}}
        retry_budget: {share: 10%, floor: 3}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
        retry: {attempts: 2}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: the upstream behaves as if it had no retry, whatever it says.

Fix: give the retry budget a floor of at least 1, or remove what asks for retries.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity, Span
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import RetryBudget
from route_run.table import Route

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Endpoints whose retry budget has no floor, although something means to ask them again."""
    asked: dict[str, tuple[str, Span]] = {}
    for _, routes in sorted(facts.routes_of.items()):
        for route in routes:
            for endpoint, what, span in _asked_again(facts, route):
                asked.setdefault(endpoint, (what, span))
    for name, (what, span) in sorted(asked.items()):
        budget = facts.policy.endpoints[name].retry_budget
        if budget.floor < 1 and budget.share < 1:
            yield Finding(
                Code.RETRIES_WITHOUT_BUDGET,
                facts.policy.origin("endpoints", name).span("retry_budget"),
                f"the endpoint `{name}` {_allowed(budget)}, but {what} need one",
                severity=SEVERITY if not budget.share else Severity.INFO,
                labels=(Label(span, "asked for here"),),
                help="write a `floor` of at least 1; the default is 3",
                effect="it is not asked again when it would help" if budget.share else "it is never asked again",
            )


def _asked_again(facts: Facts, route: Route) -> Iterator[tuple[str, str, Span]]:
    """Endpoints that a route may draw a retry budget for, what does it and where that is said."""
    upstream, origin = route.upstream, facts.policy.origin("upstreams", route.upstream.name)
    for position, target in enumerate(upstream.targets):
        if upstream.attempts > 1:
            yield target.endpoint, f"retries of the upstream `{upstream.name}`", origin.span("retry")
        if route.repairs:
            place = facts.policy.origin("routes", route.name).span("verify")
            yield target.endpoint, f"repairs of the route `{route.name}`", place
        if upstream.hedge_after is not None and position:
            yield target.endpoint, f"hedges of the upstream `{upstream.name}`", origin.span("hedge")


def _allowed(budget: RetryBudget) -> str:
    if not budget.share:
        return "has a retry budget of nothing"
    return f"allows no retry before {1 / budget.share:.0f} requests within {budget.within:g} s"
