"""Default that a bound refuses

Why: a default stands in for a value that the caller did not set, and is held to the bounds like one. A default
    outside the range of a bound that says `outside: reject` (it does when nothing is written) refuses every request
    that did nothing wrong.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    bounds:
      calm: {match: {}, parameters: {temperature: {max: 0.5}}}
    routes:
      everything-else: {match: {}, upstream: main, parameters: {temperature: {default: 0.9}}}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    bounds:
      calm: {match: {}, parameters: {temperature: {max: 0.5, outside: clamp}}}
    routes:
      everything-else: {match: {}, upstream: main, parameters: {temperature: {default: 0.9}}}

Effect: every request that leaves the parameter out is refused.

Fix: move the default into the range of the bound, or let the bound clamp.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.eligible import Way
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy import Parameter
from route_run.table import Attributes, Bound, Outside, Route
from route_run.table.cover import Open

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Defaults outside the range of a bound that refuses, with a request of the route under that bound."""
    for _, route in sorted(facts.table.routes.items()):
        numbers = {p: r.default for p, r in route.rules.items() if isinstance(r.default, int | float)}
        for entry in facts.eligible.entries(route) if numbers else ():
            if entry.way is Way.NAME and route.region is not None:
                continue  # its match says what it is for; callers by name set what they need
            for bound in facts.eligible.bounds_near(entry.region):
                refused = [p for p, default in numbers.items() if _refuses(route, bound, p, default)]
                shared = entry.region & bound.region
                if refused and shared is not None:
                    answer = facts.eligible.landing(route, entry, shared)
                    if isinstance(answer, Open):
                        yield from (_refused(facts, route, bound, p, answer.witness) for p in refused)


def _refuses(route: Route, bound: Bound, parameter: Parameter, default: float) -> bool:
    rule = bound.rules.get(parameter)
    if rule is None or rule.outside is not Outside.REJECT or default in rule.range:
        return False
    own = route.rules[parameter].range
    return default in own and not (own & rule.range).is_empty  # else another finding says so


def _refused(facts: Facts, route: Route, bound: Bound, parameter: Parameter, witness: Attributes) -> Finding:
    allowed = bound.rules[parameter].range
    default = route.rules[parameter].default
    span = facts.policy.origin("bounds", bound.name).key_span("parameters", parameter.value)
    return Finding(
        Code.DEFAULT_REFUSED,
        facts.policy.origin("routes", route.name).span("parameters", parameter.value, "default"),
        f"the bound `{bound.name}` refuses the default {parameter.value} {default} of the route `{route.name}`: "
        f"it allows {allowed}",
        severity=SEVERITY,
        labels=(Label(span, f"`{bound.name}` allows {allowed} and refuses the rest"),),
        help=f"move the default into the range ({allowed}), or write `outside: clamp` in the bound",
        effect=f"a request with {words.request(witness)} that leaves {parameter.value} out is refused",
    )
