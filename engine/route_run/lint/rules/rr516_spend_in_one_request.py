"""Spend limit that one request can exceed

Why: a request is charged for every exchange it makes, answered or not. When the largest request of a route, sent to
    every target and once more, costs more than a whole spend limit, the limit cannot hold what it promises.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096, price: {input: 10, output: 30}}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    bounds:
      budget: {match: {}, limits: {spend: 1 USD/day}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096, price: {input: 10, output: 30}}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    bounds:
      budget: {match: {}, limits: {spend: 100 USD/day}}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: one request can spend more than the limit of a whole period.

Fix: raise the limit, hold the size of prompts with `prompt_tokens` in the match, or use cheaper models.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.limited import Counted, Limited, limited
from route_run.lint.rule import Confidence
from route_run.lint.sizes import dollars, largest_cost

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Spend limits below the worst case of one request: all exchanges it may make, each as large as it may be."""
    for limit in limited(facts):
        if limit.limits.spend is None:
            continue
        worst = [(*_worst(counted), counted.route.name) for counted in limit.counted]
        too_dear = [found for found in worst if found[0] > limit.limits.spend.usd]
        if too_dear:
            yield _exceeded(limit, *max(too_dear))


def _worst(counted: Counted) -> tuple[Decimal, int]:
    """What one request can cost where it is counted, and by how many exchanges: one each, and one more."""
    targets = [counted.route.upstream.targets[number] for number in counted.targets]
    costs = [cost for t in targets if (cost := largest_cost(counted.route, t, counted.region)) is not None]
    again = [max(costs)] if costs and counted.route.upstream.attempts > 1 else []
    return sum([*costs, *again], Decimal(0)), len(costs) + len(again)


def _exceeded(limit: Limited, cost: Decimal, exchanges: int, route: str) -> Finding:
    assert limit.limits.spend is not None
    spend = limit.limits.spend
    return Finding(
        Code.SPEND_IN_ONE_REQUEST,
        limit.span("spend"),
        f"{limit.whose} allows {spend.usd} USD/{spend.period}, but one request of the route `{route}` can cost "
        f"{dollars(cost)}: {exchanges} exchange{'' if exchanges == 1 else 's'}, each with the largest prompt that fits",
        severity=SEVERITY,
        help="raise the limit, hold prompts with `prompt_tokens` and answers with max_tokens, or use cheaper models",
        effect=f"one request can spend more than is allowed for a whole {spend.period}",
    )
