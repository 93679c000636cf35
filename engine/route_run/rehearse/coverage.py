"""What of a policy its rehearsals exercise: routes, targets, fallback steps, bounds, guards, patterns, protection.

Decides what counts as exercised, line by line of the policy; what is left is a gap, with why.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from route_run.errors import Span
from route_run.flow.plan import Plan, Stage
from route_run.policy import placed_targets
from route_run.rehearse import protection
from route_run.rehearse.covered import Coverage, Gap, Item, Key, What
from route_run.rehearse.play import Played, Run
from route_run.rehearse.protection import Protection
from route_run.rehearse.upstreams import before, failing, rehearsed_upstreams, routes_to
from route_run.rehearse.witness import Witnesses
from route_run.table import Bound, Route, RoutingTable, Rule, Upstream


def measure(table: RoutingTable, played: Iterable[Played]) -> Coverage:
    """What the rehearsals that were played exercise of a policy."""
    counted: Counter[Key] = Counter()
    bounds = {bound.name: bound for bound in table.bounds}
    holders: dict[Key, Key] = {
        (What.PATTERN, guard, identifier): (What.PATTERN, holder, identifier)
        for (holder, identifier), (guards, _) in _patterns(table).items()
        for guard in guards
    }
    protected = Protection(table)
    for one in played:
        for run in one.runs:
            found_in = {*_exercised(run, bounds), *protected.exercised(run)}
            counted.update({holders.get(key, key) for key in found_in})
    found = [(key, Item(key[0], words, span, counted[key])) for key, words, span in _items(table)]
    found.sort(key=lambda pair: (pair[1].span, pair[1].what.value, pair[1].words))
    gaps = _Gaps(table, counted)
    return Coverage(
        tuple(item for _, item in found), tuple(gaps.of(key, item) for key, item in found if not item.is_covered)
    )


# -- what there is -----------------------------------------------------------------------------------


def _items(table: RoutingTable) -> Iterator[tuple[Key, str, Span]]:
    for name, route in table.routes.items():
        yield (What.ROUTE, name, ""), f"route {name}", table.span("routes", name)
        yield from _ranges(table, "routes", name, route.rules.values())
    for name, upstream in rehearsed_upstreams(table).items():
        yield from _steps(table, name, upstream)
    for bound in table.bounds:
        yield (What.BOUND, bound.name, ""), f"bound {bound.name}", table.span("bounds", bound.name)
        origin = table.policy.origin("bounds", bound.name)
        for label in bound.labels:
            words = f"bound {bound.name} keeps a target out by {label}"
            yield (What.LABEL, bound.name, label), words, origin.key_span("targets", label)
        yield from _ranges(table, "bounds", bound.name, bound.rules.values())
    for name in table.scanners:
        yield (What.GUARD, name, ""), f"guard {name} fires", table.span("guards", name)
    for (holder, identifier), (_, span) in _patterns(table).items():
        yield (What.PATTERN, holder, identifier), f"pattern {identifier}", span
    yield from protection.items(table)


def _steps(table: RoutingTable, name: str, upstream: Upstream) -> Iterator[tuple[Key, str, Span]]:
    first_of_all = len(upstream.groups[0].weights) if upstream.groups and not upstream.groups[0].first else 1
    placed = placed_targets(table.policy.upstreams[name])
    for number, (target, (keys, _)) in enumerate(zip(upstream.targets, placed, strict=True)):
        span = table.span("upstreams", name, *keys)
        yield (What.TARGET, name, str(number)), f"target {target} of {name}", span
        if number >= first_of_all:  # of those that stand first together any may be the first
            yield (What.FALLBACK, name, str(number)), f"fallback to {target} in {name}", span
    yield (What.EXHAUSTED, name, ""), f"every target of {name} fails", table.span("upstreams", name)


def _ranges(table: RoutingTable, section: str, name: str, rules: Iterable[Rule]) -> Iterator[tuple[Key, str, Span]]:
    origin = table.policy.origin(section, name)
    parameters = table.policy.routes[name].parameters if section == "routes" else table.policy.bounds[name].parameters
    for parameter, rule in zip(parameters, rules, strict=True):
        written = parameters[parameter].range
        if written.min is not None or written.max is not None:
            words = f"{rule.source.replace('`', '')}: {parameter.value} outside of its range"
            yield (What.RANGE, rule.source, parameter.value), words, origin.key_span("parameters", parameter.value)


def _patterns(table: RoutingTable) -> dict[tuple[str, str], tuple[list[str], Span]]:
    """The patterns that the policy itself holds, by guard or pack and id: the guards that look for them, and where."""
    found: dict[tuple[str, str], tuple[list[str], Span]] = {}
    policy = table.policy
    for name in table.scanners:
        guard = policy.guards[name]
        for number, pattern in enumerate(guard.patterns):
            found[name, pattern.id] = [name], policy.origin("guards", name).span("patterns", number, "id")
        for reference in guard.packs:
            pack = policy.packs.get(reference)
            for number, pattern in enumerate(pack.patterns if pack else ()):
                span = policy.origin("packs", reference).document.span_of(("patterns", number, "id"))
                found.setdefault((reference, pattern.id), ([], span))[0].append(name)
    return found


# -- what happened -----------------------------------------------------------------------------------


def _exercised(run: Run, bounds: Mapping[str, Bound]) -> Iterator[Key]:
    plan = run.plan
    if plan is None:
        return
    for verdict in plan.verdicts:
        if verdict.fired:
            yield What.GUARD, verdict.guard, ""
        for identifier in verdict.hits:
            yield What.PATTERN, verdict.guard, identifier
    for name in plan.bounds:
        yield What.BOUND, name, ""
    if plan.route is None or (plan.stop is not None and plan.stop.stage is Stage.GUARDS):
        return
    yield What.ROUTE, plan.route.name, ""
    holding = [bounds[name] for name in plan.bounds]
    yield from _held(run, plan.route, holding)
    yield from _kept_out(plan, holding)
    yield from _attempted(run, plan.route.upstream)


def _held(run: Run, route: Route, bounds: Sequence[Bound]) -> Iterator[Key]:
    """The ranges that moved or refused what was asked for."""
    given = run.request.parameters.given()
    rules = [*route.rules.items(), *(pair for bound in bounds for pair in bound.rules.items())]
    for parameter, rule in rules:
        value = given.get(parameter, route.rules[parameter].default if parameter in route.rules else None)
        if isinstance(value, int | float) and value not in rule.range:
            yield What.RANGE, rule.source, parameter.value


def _kept_out(plan: Plan, bounds: Sequence[Bound]) -> Iterator[Key]:
    for bound in bounds:
        for label, allowed in bound.labels.items():
            if any(planned.target.labels.get(label) not in allowed for planned in plan.targets):
                yield What.LABEL, bound.name, label


def _attempted(run: Run, upstream: Upstream) -> Iterator[Key]:
    record = run.record
    attempts: Sequence[Mapping[str, Any]] = record["attempts"] if record is not None else ()
    order = {(target.endpoint, target.model): str(number) for number, target in enumerate(upstream.targets)}
    last_asked: str | None = None
    for attempt in attempts:
        number = order[attempt["endpoint"], attempt["model"]]
        yield What.TARGET, upstream.name, number
        if last_asked is not None and last_asked != number:
            yield What.FALLBACK, upstream.name, number
        last_asked = number
    if record is not None and run.plan is not None and attempts and attempts[-1]["failure"] is not None:
        last = run.plan.eligible[-1].target
        if (attempts[-1]["endpoint"], attempts[-1]["model"]) == (last.endpoint, last.model):
            yield What.EXHAUSTED, upstream.name, ""


# -- what did not ------------------------------------------------------------------------------------


class _Gaps:
    """Says of each gap why it is one, and finds a request that would close it."""

    def __init__(self, table: RoutingTable, counted: Mapping[Key, int]) -> None:
        self._table = table
        self._counted = counted
        self._witnesses = Witnesses(table)
        self._protected = Protection(table)

    def of(self, key: Key, item: Item) -> Gap:
        what, name, part = key
        match what:
            case What.ROUTE:
                return self._route(item, name)
            case What.TARGET | What.FALLBACK:
                return self._target(item, name, int(part), falls_back=what is What.FALLBACK)
            case What.EXHAUSTED:
                return self._exhausted(item, name)
            case What.BOUND:
                return self._bound(item, name)
            case What.LABEL:
                return self._label(item, name, part)
            case What.RANGE:
                return self._range(item, name, part)
            case What.GUARD:
                return self._guard(item, name)
            case What.PATTERN:
                return self._pattern(item, name, part)
            case What.LIMIT | What.HEDGE | What.RESTART | What.REPAIR | What.BREAKER:
                return self._protected.gap(item, key)

    def _route(self, item: Item, name: str) -> Gap:
        route = self._table.routes[name]
        witness = self._witnesses.sent_to(route)
        if witness is not None:
            return Gap(item, "no rehearsal's request comes to it", witness)
        for guard, scanner in self._table.scanners.items():
            if scanner.destination == name:
                return Gap(
                    item, f"the guard `{guard}` sends no rehearsal's request to it", self._witnesses.for_guard(guard)
                )
        return Gap(item, "no request can come to it: other routes take all that it matches")

    def _target(self, item: Item, name: str, number: int, *, falls_back: bool) -> Gap:
        upstream = rehearsed_upstreams(self._table)[name]
        reached = any(self._counted[What.ROUTE, route.name, ""] for route in routes_to(self._table, upstream))
        found = self._asked(upstream, number)
        if found is None:
            return Gap(item, "no request can come to it: a bound, or what the model can do, keeps it out of every plan")
        witness, earlier = found
        if falls_back and not earlier:
            why = "no request can fall back to it: it is the first that may be asked in every plan found"
            return Gap(item, why, witness)
        acts = failing(earlier, upstream.targets[number].endpoint)
        if not reached:
            return Gap(item, "no rehearsal's request comes to a route of this upstream", witness, acts)
        if not earlier:
            return Gap(item, "it is in no rehearsal's plan", witness)
        words = " and ".join(dict.fromkeys(earlier))
        return Gap(item, f"no rehearsal lets {words} fail where it is next", witness, acts)

    def _exhausted(self, item: Item, name: str) -> Gap:
        upstream = rehearsed_upstreams(self._table)[name]
        found = self._asked(upstream, len(upstream.targets) - 1) or self._asked(upstream, 0)
        if found is None:
            return Gap(item, "no request can come to this upstream")
        eligible = [planned.target.endpoint for planned in self._witnesses.plan(found[0]).eligible]
        return Gap(item, "in no rehearsal all that may be asked fail", found[0], failing(eligible))

    def _asked(self, upstream: Upstream, number: int) -> tuple[Mapping[str, Any], list[str]] | None:
        """A request in whose plan a target is, if possible behind others; and the endpoints before it."""
        wanted = upstream.targets[number]
        out = [bound.region for bound in self._table.bounds if _keeps_out(bound, wanted.labels)]
        best: tuple[Mapping[str, Any], list[str]] | None = None
        for route in routes_to(self._table, upstream):
            fields = self._witnesses.for_route(route, (), out)
            if fields is None:
                continue
            eligible = [planned.target for planned in self._witnesses.plan(fields).eligible]
            if wanted in eligible:
                found = [target.endpoint for target in before(upstream, number) if target in eligible]
                if best is None or len(found) > len(best[1]):
                    best = fields, found
        return best

    def _bound(self, item: Item, name: str) -> Gap:
        witness = self._witnesses.for_region(self._bound_named(name).region)
        why = "no rehearsal's request is one that it holds for"
        return Gap(item, why if witness else "no request that a route takes is one that it holds for", witness)

    def _label(self, item: Item, name: str, label: str) -> Gap:
        bound = self._bound_named(name)
        for route in self._table.routes.values():
            out = [t for t in route.upstream.targets if t.labels.get(label) not in bound.labels[label]]
            witness = self._witnesses.for_route(route, [bound.region]) if out else None
            if witness is not None:
                return Gap(item, f"no rehearsal's plan has a target that it keeps out, such as {out[0]}", witness)
        return Gap(item, "no target that a request could be sent to has another value of this label")

    def _range(self, item: Item, source: str, parameter: str) -> Gap:
        kind, _, quoted = source.partition(" ")
        name = quoted.strip("`")
        if kind == "route":
            route = self._table.routes[name]
            rule, witness = route.rules[_parameter(route.rules, parameter)], self._witnesses.for_route(route)
        else:
            bound = self._bound_named(name)
            rule, witness = bound.rules[_parameter(bound.rules, parameter)], self._witnesses.for_region(bound.region)
        value = rule.range.max + 1 if rule.range.max is not None else (rule.range.min or 0) - 1
        whole = int(value) if float(value).is_integer() else value
        why = f"no rehearsal asks for {parameter} outside of {rule.range}"
        return Gap(item, why, {**witness, "parameters": {parameter: whole}} if witness else None)

    def _guard(self, item: Item, name: str) -> Gap:
        return Gap(item, "no rehearsal's prompt makes it fire", self._witnesses.for_guard(name))

    def _pattern(self, item: Item, name: str, identifier: str) -> Gap:
        (guard, *_), _ = _patterns(self._table)[name, identifier]
        patterns = self._table.scanners[guard].patterns
        texts = [text for pattern in patterns if pattern.id == identifier for text in pattern.must_match]
        if not texts:
            return Gap(item, "no rehearsal's prompt has it; give it a `must_match` to start from")
        return Gap(item, "no rehearsal's prompt has it", self._witnesses.asking(guard, texts[0]))

    def _bound_named(self, name: str) -> Bound:
        return next(bound for bound in self._table.bounds if bound.name == name)


def _keeps_out(bound: Bound, labels: Mapping[str, str]) -> bool:
    return any(labels.get(label) not in allowed for label, allowed in bound.labels.items())


def _parameter(rules: Mapping[Any, Rule], name: str) -> Any:
    return next(parameter for parameter in rules if parameter.value == name)
