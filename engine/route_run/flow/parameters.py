"""Parameters: the ranges of route and bounds judged once, then held to each target's model.

Decides which value is sent, or why a request is refused or a target skipped.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from route_run.flow.request import ParameterValue
from route_run.policy import Parameter, Range
from route_run.table import Bound, Outside, Route, Rule, Target

_WHOLE = frozenset({Parameter.MAX_TOKENS, Parameter.SEED})


@dataclass(frozen=True, slots=True)
class Note:
    """What was set, moved or left out, and by what."""

    source: str
    text: str


@dataclass(frozen=True, slots=True)
class Judged:
    """The values after route and bounds; those in ``clampable`` may be moved again to fit a model.

    ``allowed`` are the ranges of route and bounds together, for every parameter that one of them names.
    """

    values: Mapping[Parameter, ParameterValue]
    allowed: Mapping[Parameter, Range]
    clampable: frozenset[Parameter]
    notes: tuple[Note, ...] = ()


@dataclass(frozen=True, slots=True)
class Fitted:
    """The values one target would be sent; ``skipped`` says why the target will not do."""

    values: Mapping[Parameter, ParameterValue]
    notes: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()


def judge(given: Mapping[Parameter, ParameterValue], route: Route, bounds: Sequence[Bound]) -> Judged | Note:
    """Hold what the caller gave, or the route's defaults, to the ranges of the route and of all bounds.

    A Note is the refusal: the rule that no value fits, and why.
    """
    values: dict[Parameter, ParameterValue] = {}
    clampable: set[Parameter] = set()
    notes: list[Note] = []
    for parameter, value in _wanted(given, route, notes):
        rules = list(_rules(parameter, route, bounds))
        moved = _moved(parameter, value, rules)
        if isinstance(moved, Note):
            return moved
        if moved != value:
            broken = ", ".join(rule.source for rule in rules if not _holds(rule.range, value))
            notes.append(Note(broken, f"{parameter.value} clamped from {shown(value)} to {shown(moved)}"))
        values[parameter] = moved
        if rules and all(rule.outside is Outside.CLAMP for rule in rules):
            clampable.add(parameter)
    return Judged(values, _allowed(route, bounds), frozenset(clampable), tuple(notes))


def fit(judged: Judged, target: Target) -> Fitted:
    """Hold judged values to one target's model and dialect.

    A value is moved, or left out where the dialect has no field for it, only if every rule that names
    its parameter says clamp; otherwise the target is skipped.
    """
    values: dict[Parameter, ParameterValue] = {}
    notes: list[str] = []
    skipped: list[str] = []
    for parameter, value in judged.values.items():
        may_change = parameter in judged.clampable
        allowed = target.ranges.get(parameter, Range())
        within_all = allowed & judged.allowed.get(parameter, Range())
        if parameter not in target.traits.parameters:
            reason = f"the dialect {target.dialect.value} has no field for {parameter.value}"
            (notes if may_change else skipped).append(f"{reason}: left out" if may_change else reason)
        elif _holds(allowed, value):
            values[parameter] = value
        elif may_change and isinstance(value, int | float) and not within_all.is_empty:
            values[parameter] = _whole(parameter, within_all.clamp(value))
            notes.append(
                f"{parameter.value} clamped from {shown(value)} to {shown(values[parameter])} for {target.model}"
            )
        else:
            skipped.append(f"{parameter.value} {shown(value)} is outside of {allowed} of the model `{target.model}`")
    if target.traits.needs_max_tokens and Parameter.MAX_TOKENS not in judged.values:
        _demanded(target, judged.allowed.get(Parameter.MAX_TOKENS, Range()), values, notes, skipped)
    return Fitted(values, tuple(notes), tuple(skipped))


def _demanded(
    target: Target,
    allowed: Range,
    values: dict[Parameter, ParameterValue],
    notes: list[str],
    skipped: list[str],
) -> None:
    """The max_tokens that a dialect demands although nobody gave one: as much as model and bounds allow."""
    within_all = Range(1, target.max_output_tokens) & allowed
    if within_all.is_empty:
        skipped.append(f"no max_tokens fits the model `{target.model}` and the bounds ({allowed})")
        return
    values[Parameter.MAX_TOKENS] = int(within_all.clamp(target.max_output_tokens))
    notes.append(f"max_tokens = {values[Parameter.MAX_TOKENS]}: the dialect {target.dialect.value} needs one")


def shown(value: ParameterValue) -> str:
    """A parameter's value for people."""
    return (
        ", ".join(map(repr, value))
        if isinstance(value, tuple)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )


def _wanted(
    given: Mapping[Parameter, ParameterValue], route: Route, notes: list[Note]
) -> Iterator[tuple[Parameter, ParameterValue]]:
    """What is to be judged, in the order of the parameters: given values, else the route's defaults."""
    for parameter in Parameter:
        own = route.rules.get(parameter)
        if parameter in given:
            yield parameter, given[parameter]
        elif own is not None and own.default is not None:
            value = own.default if isinstance(own.default, tuple) else _whole(parameter, own.default)
            notes.append(Note(own.source, f"{parameter.value} = {shown(value)} by default"))
            yield parameter, value


def _allowed(route: Route, bounds: Sequence[Bound]) -> dict[Parameter, Range]:
    found = {parameter: rule.range for parameter, rule in route.rules.items()}
    for bound in bounds:
        for parameter, rule in bound.rules.items():
            found[parameter] = found[parameter] & rule.range if parameter in found else rule.range
    return found


def _rules(parameter: Parameter, route: Route, bounds: Sequence[Bound]) -> Iterator[Rule]:
    if parameter in route.rules:
        yield route.rules[parameter]
    yield from (bound.rules[parameter] for bound in bounds if parameter in bound.rules)


def _moved(parameter: Parameter, value: ParameterValue, rules: Sequence[Rule]) -> ParameterValue | Note:
    """The value within all ranges, or why there is none."""
    if isinstance(value, tuple):
        return value
    together = Range()
    for rule in rules:
        if rule.outside is Outside.REJECT and value not in rule.range:
            return Note(rule.source, f"{parameter.value} {shown(value)} is outside of its range ({rule.range})")
        together &= rule.range
    if together.is_empty:
        sources = ", ".join(rule.source for rule in rules)
        return Note(sources, f"no {parameter.value} fits all of its ranges together")
    return value if value in together else _whole(parameter, together.clamp(value))


def _holds(allowed: Range, value: ParameterValue) -> bool:
    return isinstance(value, tuple) or value in allowed


def _whole(parameter: Parameter, value: float) -> float | int:
    return int(value) if parameter in _WHOLE else value
