"""Ranges that leave no value for some requests

Why: the ranges of a route and of all bounds around a request hold together. Where two of them do not meet, a request
    that sets the parameter is refused, whatever it asks for. When it happens to all requests of a route the policy is
    invalid; here it happens to some.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    bounds:
      lively: {match: {tags: {desk: sales}}, parameters: {temperature: {min: 0.8}}}
      strict: {match: {prompt_tokens: {min: 1000}}, parameters: {temperature: {max: 0.5}}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    bounds:
      lively: {match: {tags: {desk: sales}}, parameters: {temperature: {min: 0.8}}}
      strict: {match: {prompt_tokens: {min: 1000}}, parameters: {temperature: {max: 0.9}}}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: such a request is refused as soon as it sets the parameter, or always where the route has a default.

Fix: let the ranges overlap, or the matches not.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.facts import Facts
from route_run.lint.reached import Taken
from route_run.lint.rule import Confidence
from route_run.policy import Parameter
from route_run.table import Attributes, Bound, Route
from route_run.table.cover import Open

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
_MOST_BOUNDS = 400


def check(facts: Facts) -> Iterator[Finding]:
    """Pairs of bounds, and of a route and a bound, that meet in requests but not in values."""
    restricting = [bound for bound in facts.table.bounds if bound.rules][:_MOST_BOUNDS]
    for one, other in combinations(restricting, 2):
        for parameter in (p for p in Parameter if p in one.rules and p in other.rules):
            if not (one.rules[parameter].range & other.rules[parameter].range).is_empty:
                continue
            shared = one.region & other.region
            if shared is not None:
                yield _apart(facts, ("bounds", one.name), other, parameter, shared.witness())
    for _, route in sorted(facts.table.routes.items()):
        if route.rules and route.region is not None and not isinstance(facts.reached.of(route), Taken):
            yield from _of_route(facts, route)


def _of_route(facts: Facts, route: Route) -> Iterator[Finding]:
    assert route.region is not None
    for bound in facts.eligible.bounds_near(route.region):
        if route.region <= bound.region:
            continue  # the compiler has said so, of all its requests
        shared = route.region & bound.region
        for parameter, rule in route.rules.items():
            if parameter in bound.rules and (rule.range & bound.rules[parameter].range).is_empty and shared is not None:
                answer = facts.reached.landing(route, shared)
                if isinstance(answer, Open):
                    yield _apart(facts, ("routes", route.name), bound, parameter, answer.witness)


def _apart(facts: Facts, one: tuple[str, str], other: Bound, parameter: Parameter, witness: Attributes) -> Finding:
    section, name = one
    kind = section.removesuffix("s")
    rule = (facts.table.routes[name] if kind == "route" else facts.bound(name)).rules[parameter]
    span = facts.policy.origin("bounds", other.name).key_span("parameters", parameter.value)
    sets = (
        "is refused" if kind == "route" and rule.default is not None else f"is refused when it sets {parameter.value}"
    )
    return Finding(
        Code.RANGES_APART,
        facts.policy.origin(section, name).key_span("parameters", parameter.value),
        f"no {parameter.value} is left for a request with {words.request(witness)}: the {kind} `{name}` allows "
        f"{rule.range}, the bound `{other.name}` {other.rules[parameter].range}",
        severity=SEVERITY,
        labels=(Label(span, f"`{other.name}` allows {other.rules[parameter].range}"),),
        help="let the ranges overlap, or the matches not",
        effect=f"such a request {sets}",
    )
