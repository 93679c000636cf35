"""How large the requests of a route are for a target: the answer that is reserved, the prompt that fits, the price.

Decides what is usual, not what is possible: the answer is the route's default or, without one, the
largest the model gives, as it is for a request that leaves max_tokens out.
"""

from __future__ import annotations

from decimal import Decimal

from route_run.policy import Parameter
from route_run.table import Region, Route, Target

_MILLION = Decimal(1_000_000)


def usual_answer(route: Route, target: Target) -> int:
    """The tokens reserved for an answer when the caller does not say how long it may be."""
    rule = route.rules.get(Parameter.MAX_TOKENS)
    if rule is None or not isinstance(rule.default, int | float):
        return target.max_output_tokens
    return min(int(rule.default), target.max_output_tokens)


def largest_fitting(route: Route, target: Target) -> int:
    """The largest prompt, in estimated tokens, that fits a target with the usual answer."""
    return target.context_window - usual_answer(route, target)


def largest_sent(route: Route, target: Target, region: Region | None) -> int:
    """The largest prompt that a route's requests of a region can bring to a target."""
    highs = [one.tokens[1] for one in (route.region, region) if one is not None and one.tokens[1] is not None]
    return max(0, min([largest_fitting(route, target), *highs]))


def largest_cost(route: Route, target: Target, region: Region | None) -> Decimal | None:
    """The US dollars that one exchange can cost at most with the usual answer; None without a price."""
    if target.price is None:
        return None
    prompt = largest_sent(route, target, region) * Decimal(str(target.price.input))
    return (prompt + usual_answer(route, target) * Decimal(str(target.price.output))) / _MILLION


def dollars(cost: Decimal) -> str:
    """US dollars in words, with as many digits as a small cost needs."""
    return f"{cost:.2f} USD" if cost >= 1 else f"{cost:.4f}".rstrip("0").rstrip(".") + " USD"
