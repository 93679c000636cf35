"""What one table does with requests of one region, as facts.

Decides what is asked and sent by asking the parts of the decision itself: parameters are judged and fitted,
targets are weighed, as for a request that gives no parameters.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from route_run.flow.eligibility import largest_answer, obstacles
from route_run.flow.parameters import Fitted, Judged, Note, fit, judge, shown
from route_run.policy import Capability, Parameter, Range
from route_run.review.diff.fact import Area, Fact, Facts, Topic
from route_run.review.diff.risk import SENT
from route_run.review.diff.settings import (
    endpoint_facts,
    guard_facts,
    hook_facts,
    limit_facts,
    own_limit_facts,
    upstream_facts,
)
from route_run.table import Attributes, Bound, Outside, Region, Route, RoutingTable, Target
from route_run.table.compare import Side


@dataclass(frozen=True, slots=True)
class Weighed:
    """One target for requests without parameters: what it would be sent, and whether it is asked.

    ``with_schema`` says whether it is asked when the JSON that is wanted has a schema.
    """

    target: Target
    fitted: Fitted
    is_asked: bool
    with_schema: bool


def asked(route: Route, bounds: Sequence[Bound], at: Attributes, judged: Judged) -> tuple[Weighed, ...]:
    """The targets of a route, weighed for requests with these attributes."""
    found = []
    for target in route.upstream.targets:
        fitted = fit(judged, target)
        plain, schema = (
            not fitted.skipped and not any(obstacles(target, fitted, at, bounds, has_schema=has))
            for has in (False, True)
        )
        found.append(Weighed(target, fitted, plain, schema))
    return tuple(found)


def facts(table: RoutingTable, side: Side, at: Attributes, labels: frozenset[str]) -> Facts:
    """All facts about requests with these attributes; ``labels`` are those that tell where an endpoint is."""
    if side.bad_tag is not None:
        return dict([_outcome(f"refused: not a value of the tag {side.bad_tag}")])
    heard = dict(hook_facts(table, side.hooks))
    if side.route is None:
        return heard | dict([_outcome("refused: no route takes it")])
    route = side.route
    found = heard | dict([*guard_facts(table, side.bounds), *_allowed(side.bounds), *limit_facts(table, side.bounds)])
    found |= dict([(Topic(Area.ROUTE), Fact(route.name, route.name)), *_ranges(side)])
    judged, refusal = _judged(route, side.bounds)
    if judged is not None:
        found |= dict(_answered(table, side, judged, asked(route, side.bounds, at, judged), labels))
    return found | dict([_outcome(f"refused: {refusal.text}")] if refusal is not None else [])


def _judged(route: Route, bounds: Sequence[Bound]) -> tuple[Judged | None, Note | None]:
    """What is sent by default; where a default is refused, what is sent of a request that gives the parameter."""
    judged = judge({}, route, bounds)
    if isinstance(judged, Judged):
        return judged, None
    rules = {parameter: replace(rule, default=None) for parameter, rule in route.rules.items()}
    given = judge({}, replace(route, rules=rules), bounds)
    return (given if isinstance(given, Judged) else None), judged


def cuts(side: Side) -> Iterator[Region]:
    """Regions that part the requests of a cell by which targets they may ask: by size and by needs."""
    if side.route is None:
        return
    judged, _ = _judged(side.route, side.bounds)
    if judged is None:
        return
    for target in side.route.upstream.targets:
        fitted = fit(judged, target)
        largest = target.context_window - largest_answer(target, fitted)
        yield Region({}, (0, max(0, largest)), {})
        for need in Capability:
            if need not in target.capabilities & target.traits.carries or target.traits.json_needs_schema:
                yield Region({}, (0, None), {need: True})


def _outcome(words: str) -> tuple[Topic, Fact]:
    return Topic(Area.OUTCOME), Fact(words, words)


def _answered(
    table: RoutingTable,
    side: Side,
    judged: Judged,
    weighed: Sequence[Weighed],
    labels: frozenset[str],
) -> Iterator[tuple[Topic, Fact]]:
    assert side.route is not None
    chosen = [w for w in weighed if w.is_asked]
    with_schema = [w for w in weighed if w.with_schema]
    yield _outcome(SENT if chosen else "refused: no target can take it")
    yield Topic(Area.TARGETS), _targets(chosen)
    if with_schema != chosen:
        yield Topic(Area.TARGETS, "with a JSON schema"), _targets(with_schema)
    for label in sorted(labels):
        values = frozenset(w.target.labels.get(label, "none") for w in with_schema)
        yield Topic(Area.REACHES, label), Fact(values, " or ".join(sorted(values)) or "nothing")
    for parameter, value in judged.values.items():
        yield Topic(Area.DEFAULT, parameter.value), Fact(value, shown(value))
    if not with_schema:
        return
    targets = [w.target for w in with_schema]
    yield from _sent(judged, with_schema)
    yield from _models(with_schema, judged)
    yield from _prices(with_schema, judged)
    yield from own_limit_facts(table, side.route, targets)
    yield from _answer(table, side.route)
    yield from upstream_facts(table, side.route)
    for endpoint in sorted({target.endpoint for target in targets}):
        yield from endpoint_facts(table, endpoint, labels)


def _targets(chosen: Sequence[Weighed]) -> Fact:
    names = tuple(str(w.target) for w in chosen)
    return Fact(names, ", then ".join(names) or "none")


def _sent(judged: Judged, weighed: Sequence[Weighed]) -> Iterator[tuple[Topic, Fact]]:
    """What a target is sent where it is not what was judged: clamped, left out, or demanded by its dialect."""
    for w in weighed:
        for parameter in Parameter:
            value = w.fitted.values.get(parameter)
            if value != judged.values.get(parameter):
                words = shown(value) if value is not None else "left out"
                yield Topic(Area.SENT, f"{parameter.value} to {w.target}"), Fact(value, words)
        if w.target.sent_as != w.target.model:
            yield Topic(Area.ENDPOINT, f"{w.target} as"), Fact(w.target.sent_as, w.target.sent_as)


def _models(weighed: Sequence[Weighed], judged: Judged) -> Iterator[tuple[Topic, Fact]]:
    for w in weighed:
        target = w.target
        for name, value in (("context window", target.context_window), ("largest answer", target.max_output_tokens)):
            yield Topic(Area.MODEL, f"{name} of {target}"), Fact(value, f"{value:,} tokens")
        for parameter in Parameter:
            allowed = target.ranges.get(parameter, Range())
            data = ((allowed.min, allowed.max), ())
            yield Topic(Area.MODEL_RANGE, f"{target}: {parameter.value}"), Fact(data, str(allowed))


def _prices(weighed: Sequence[Weighed], judged: Judged) -> Iterator[tuple[Topic, Fact]]:
    """Prices of the targets, and the dearest that a prompt token and an answer can be."""
    prompts: list[float | None] = []
    answers: list[float | None] = []
    allowed = judged.allowed.get(Parameter.MAX_TOKENS, Range())
    for w in weighed:
        price = w.target.price
        words = f"{price.input:g} in, {price.output:g} out" if price is not None else "unknown"
        data = (price.input, price.output) if price is not None else None
        yield Topic(Area.PRICE, str(w.target)), Fact(data, words)
        largest = (Range(None, w.target.max_output_tokens) & allowed).max or 0
        prompts.append(None if price is None else price.input)
        answers.append(None if price is None else round(price.output * largest / 1e6, 9))
    for name, found, unit in (
        ("prompt", prompts, "USD per million tokens"),
        ("answer", answers, "USD for the largest"),
    ):
        highest = None if None in found else max(value for value in found if value is not None)
        words = "unknown" if highest is None else f"{highest:g} {unit}"
        yield Topic(Area.CEILING, name), Fact(highest, words)


def _answer(table: RoutingTable, route: Route) -> Iterator[tuple[Topic, Fact]]:
    yield Topic(Area.DELIVER), Fact(route.deliver.value, route.deliver.value)
    verify = table.policy.routes[route.name].verify
    if verify is None:
        yield Topic(Area.VERIFY), Fact(None, "nothing")
        return
    content = table.policy.files.get(("routes", route.name, "json_schema"), b"")
    words = f"JSON by {verify.json_schema}" if verify.json_schema else "JSON"
    repair = ", repaired once if need be" if verify.repair else ""
    yield Topic(Area.VERIFY), Fact((verify.format, content, verify.repair), words + repair)


def _allowed(bounds: Sequence[Bound]) -> Iterator[tuple[Topic, Fact]]:
    """The label values that the bounds leave, for each label that one of them names."""
    left: dict[str, frozenset[str]] = {}
    for bound in bounds:
        for label, values in bound.labels.items():
            left[label] = left[label] & values if label in left else values
    for label, values in sorted(left.items()):
        yield Topic(Area.ALLOWED, label), Fact(values, " or ".join(sorted(values)) or "nothing")


def _ranges(side: Side) -> Iterator[tuple[Topic, Fact]]:
    """What may be given: the range that is left, and what happens outside of it."""
    assert side.route is not None
    holders: tuple[Route | Bound, ...] = (side.route, *side.bounds)
    for parameter in Parameter:
        rules = [holder.rules[parameter] for holder in holders if parameter in holder.rules]
        together, strict = Range(), Range()
        for rule in rules:
            together &= rule.range
            strict = strict & rule.range if rule.outside is Outside.REJECT else strict
        may_clamp = bool(rules) and all(rule.outside is Outside.CLAMP for rule in rules)
        if together != Range() or may_clamp:
            data = _range_data(together, strict, may_clamp=may_clamp)
            yield Topic(Area.RANGE, parameter.value), Fact(data, _words(together, strict))


def _range_data(together: Range, strict: Range, *, may_clamp: bool) -> tuple[object, ...]:
    # the order of what follows the range says what is stricter: refused beyond it, and not moved for a model
    is_refused = strict == together
    return ((together.min, together.max), (is_refused, not may_clamp, strict.min is not None, strict.max is not None),
            (strict.min, strict.max))  # fmt: skip


def _words(together: Range, strict: Range) -> str:
    if strict == together:
        return f"{together}, else refused"
    if strict == Range():
        return f"{together}, else moved there"
    return f"{together}, else moved there; refused outside of {strict}"
