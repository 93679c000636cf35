"""Parameter that a target cannot be sent

Why: each target holds the parameters of a request to the ranges of its model and to the fields of its dialect. A
    value outside is moved only where every range says `outside: clamp`; otherwise the target is skipped. A default
    that a target cannot take makes it a fallback that takes no ordinary request.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192, parameters: {temperature: {min: 0, max: 2}}}
      small: {context_window: 128000, max_output_tokens: 8192, parameters: {temperature: {min: 0, max: 1}}}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}}
    routes:
      everything-else:
        match: {}
        upstream: main
        parameters: {temperature: {default: 1.5, max: 2}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192, parameters: {temperature: {min: 0, max: 2}}}
      small: {context_window: 128000, max_output_tokens: 8192, parameters: {temperature: {min: 0, max: 1}}}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}}
    routes:
      everything-else:
        match: {}
        upstream: main
        parameters: {temperature: {default: 1.5, max: 2, outside: clamp}}

Effect: the target is skipped for every request that does not set the parameter itself, or for every one that does.

Fix: choose a default that all targets take, write `outside: clamp`, or change the target.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.eligible import Never
from route_run.lint.facts import Facts
from route_run.lint.limited import usable
from route_run.lint.rule import Confidence
from route_run.policy import Parameter, Range
from route_run.table import Outside, Route, Rule, Target

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Targets for which a route's default, or all of its range, is out of the question."""
    for name, routes in sorted(facts.routes_of.items()):
        for number, target in enumerate(routes[0].upstream.targets):
            misfits: dict[tuple[Parameter, str, str], list[str]] = {}
            for route in routes:
                if any(not isinstance(fate, Never) for fate in facts.eligible.fates(route)):
                    for parameter, rule in route.rules.items():
                        if found := _problem(route, parameter, rule, target, number in set(usable(facts, route))):
                            misfits.setdefault((parameter, *found), []).append(route.name)
            for (parameter, problem, effect), names in misfits.items():
                yield _misfit(facts, name, number, target, parameter, problem, effect, names)


def _problem(route: Route, parameter: Parameter, rule: Rule, target: Target, is_usable: bool) -> tuple[str, str] | None:
    """What is wrong and what happens, both in words; None when a target can be sent the parameter."""
    clamps = rule.outside is Outside.CLAMP
    is_sent = rule.default is not None
    skipped = "for every request that does not set it" if is_usable else "for every request"
    if parameter not in target.traits.parameters:
        problem = f"the dialect {target.dialect.value} has no field for {parameter.value}"
        return (problem, skipped) if is_sent and not clamps else None
    if parameter is Parameter.STOP:
        return None
    allowed = target.ranges.get(parameter, Range())
    if (allowed & rule.range).is_empty:
        when = skipped if is_sent else "for every request that sets it"
        return f"the model takes {parameter.value} {allowed}, the route allows {rule.range}", when
    if isinstance(rule.default, int | float) and rule.default not in allowed and not clamps:
        return f"the model takes {parameter.value} {allowed}, the default is {rule.default:g}", skipped
    return None


def _misfit(
    facts: Facts,
    upstream: str,
    number: int,
    target: Target,
    parameter: Parameter,
    problem: str,
    effect: str,
    names: list[str],
) -> Finding:
    origins = [facts.policy.origin("routes", name) for name in sorted(names)[:3]]
    return Finding(
        Code.PARAMETER_MISFIT,
        facts.target_span(upstream, number),
        f"{target} cannot be sent the {parameter.value} of {words.routes(names)}: {problem}",
        severity=SEVERITY,
        labels=tuple(Label(origin.key_span("parameters", parameter.value), "set here") for origin in origins),
        help="choose a value that every target takes, or write `outside: clamp` to have it moved to the nearest one",
        effect=f"the target is skipped {effect}",
    )
