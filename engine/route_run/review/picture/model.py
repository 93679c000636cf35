"""What a picture of a policy shows, computed once: routes in their rank, targets, endpoints, bounds, guards.

Decides nothing about requests: every witness is decided by the engine, every value comes with its origin. What
draws it only places what stands here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from route_run.flow.decide import decide
from route_run.flow.parameters import shown
from route_run.flow.plan import Plan
from route_run.policy import Parameter, Range
from route_run.policy.model import Limits
from route_run.review.effective import Effective, of_route, of_target, price_in_words
from route_run.review.sample import options, request_of
from route_run.review.why_not import nearest_of
from route_run.table import Bound, Loaded, Region, Relation, Route, RoutingTable
from route_run.table.pieces import all_requests, in_words
from route_run.text.document import Kind


@dataclass(frozen=True, slots=True)
class Touching:
    """A bound that holds for requests of a route: for all of them, or only for some."""

    bound: str
    always: bool
    says: str
    place: str


@dataclass(frozen=True, slots=True)
class Witness:
    """One request that the route takes, and what becomes of it; ``skipped`` are reasons by target."""

    request: str
    command: str
    outcome: str
    targets: tuple[str, ...]
    skipped: Mapping[str, str]
    parameters: str


@dataclass(frozen=True, slots=True)
class TargetPicture:
    """One target of a route, in the order of priority."""

    name: str
    endpoint: str
    model: str
    price: str
    window: int
    values: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class RoutePicture:
    """One route with all that a person asks about it."""

    name: str
    place: str
    description: str
    owner: str
    requests: str
    ways: tuple[str, ...]
    precedence: int
    upstream: str
    parameters: tuple[str, ...]
    verify: str
    deliver: str
    guards: tuple[str, ...]
    targets: tuple[TargetPicture, ...]
    bounds: tuple[Touching, ...]
    values: tuple[Mapping[str, Any], ...]
    witness: Witness | None
    worst: tuple[str, ...]
    rehearsals: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EndpointPicture:
    """One endpoint: how it is spoken to, its labels and limits."""

    name: str
    dialect: str
    labels: tuple[str, ...]
    limits: tuple[str, ...]
    drained: bool
    place: str


@dataclass(frozen=True, slots=True)
class BoundPicture:
    """One bound: for which requests it holds, and what it asks for."""

    name: str
    requests: str
    says: str
    place: str
    routes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A policy as it is shown; routes in the order in which they win."""

    digest: str
    routes: tuple[RoutePicture, ...]
    endpoints: tuple[EndpointPicture, ...]
    bounds: tuple[BoundPicture, ...]
    guards: tuple[str, ...]
    webhooks: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {"version": 1, **asdict(self)}


_IMPLIED = (Range(), Range(1, None))
"""Ranges that no route has to write: of max_tokens the second."""


def picture(loaded: Loaded) -> Picture:
    """The picture of a valid policy; raises PolicyError for another."""
    return _Drawing(loaded).made()


class _Drawing:
    def __init__(self, loaded: Loaded) -> None:
        self.table: RoutingTable = loaded.table
        self.rehearsals = _rehearsals(loaded)

    def made(self) -> Picture:
        """All of it, in the order of rank, then of names."""
        table = self.table
        unmatched = sorted((r for r in table.routes.values() if r.region is None), key=lambda r: r.name)
        routes = [self._route(route) for route in (*table.matched, *unmatched)]
        bounds = tuple(self._bound(bound, routes) for bound in table.bounds)
        hooks = (
            f"{hook.name}: {', '.join(sorted(hook.events))} of {self._words(hook.condition)}" for hook in table.hooks
        )
        endpoints = tuple(self._endpoint(name) for name in sorted(table.policy.endpoints))
        guards = tuple(f"{name}: {self._guard(name)}" for name in sorted(table.scanners))
        return Picture(table.digest, tuple(routes), endpoints, bounds, guards, tuple(hooks))

    def _route(self, route: Route) -> RoutePicture:
        table, written = self.table, self.table.policy.routes[route.name]
        touching = tuple(self._touching(route))
        always = [bound for bound in table.bounds for t in touching if t.bound == bound.name and t.always]
        names = {t.bound for t in touching}
        guards = sorted({guard for bound in table.bounds if bound.name in names for guard in bound.guards})
        witness = self._witness(route)
        return RoutePicture(
            name=route.name,
            place=str(table.span("routes", route.name)),
            description=written.description,
            owner=written.owner,
            requests=self._words(route.region) if route.region is not None else "",
            ways=tuple(self._ways(route)),
            precedence=route.precedence,
            upstream=route.upstream.name,
            parameters=tuple(_parameters(route)),
            verify=_verify(table, route),
            deliver=route.deliver.value,
            guards=tuple(guards),
            targets=tuple(
                TargetPicture(
                    str(target),
                    target.endpoint,
                    target.model,
                    price_in_words(target),
                    target.context_window,
                    tuple(map(Effective.as_json, of_target(table, target))),
                )
                for target in route.upstream.targets
            ),
            bounds=touching,
            values=tuple(map(Effective.as_json, of_route(table, route, always))),
            witness=witness,
            worst=tuple(_worst(route)),
            rehearsals=tuple(self.rehearsals.get(route.name, ())),
        )

    def _ways(self, route: Route) -> Iterator[str]:
        if route.region is not None:
            yield "by match"
        if route.callable:
            yield "by name"
        for name, scanner in sorted(self.table.scanners.items()):
            if scanner.destination == route.name:
                yield f"by guard {name}"

    def _touching(self, route: Route) -> Iterator[Touching]:
        own = route.region if route.region is not None else self._everything
        for bound in self.table.bounds:
            relation = own.relation(bound.region)
            if relation is not Relation.DISJOINT:
                place = str(self.table.span("bounds", bound.name))
                always = relation in (Relation.INSIDE, Relation.EQUAL)
                yield Touching(bound.name, always, self._says(bound), place)

    @property
    def _everything(self) -> Region:
        domains = {d: v for d, v in self.table.vocabulary.domains.items() if not v.is_everything}
        return Region(domains, all_requests().tokens, {})

    def _witness(self, route: Route) -> Witness | None:
        """A request that the route wins, decided; None when none was found or no prompt can be made up for it."""
        called = route.name if route.region is None else None
        if called is not None and not route.callable:
            return None
        start = (route.region or self._everything).witness()
        found = start if called is not None else nearest_of(self.table, route, start)[0]
        request = request_of(found, route=called) if found is not None else None
        if request is None or found is None:
            return None
        plan = decide(self.table, request)
        command = " ".join(["route-run explain PROMPT", *options(found, called)])
        return Witness(
            request=str(found),
            command=command,
            outcome=_outcome(plan),
            targets=tuple(str(planned.target) for planned in plan.eligible) if plan.stop is None else (),
            skipped={str(p.target): "; ".join(p.skipped) for p in plan.targets if p.skipped},
            parameters=", ".join(f"{p.value} {shown(v)}" for p, v in (plan.parameters or {}).items()),
        )

    def _bound(self, bound: Bound, routes: Sequence[RoutePicture]) -> BoundPicture:
        touched = tuple(route.name for route in routes for t in route.bounds if t.bound == bound.name)
        place = str(self.table.span("bounds", bound.name))
        return BoundPicture(bound.name, self._words(bound.region), self._says(bound), place, touched)

    def _says(self, bound: Bound) -> str:
        parts = [f"guard {name}" for name in bound.guards]
        parts += [f"only {label} {' or '.join(sorted(allowed))}" for label, allowed in sorted(bound.labels.items())]
        parts += [f"{p.value} {rule.range}, else {rule.outside.value}" for p, rule in bound.rules.items()]
        written = self.table.policy.bounds[bound.name]
        per = f" per {written.per}" if written.per else ""
        parts += [f"{words}{per}" for words in _limits(written.limits)]
        parts += [f"{words} for {value}" for value, limits in written.except_.items() for words in _limits(limits)]
        return ", ".join(parts) or "nothing"

    def _endpoint(self, name: str) -> EndpointPicture:
        endpoint = self.table.policy.endpoints[name]
        labels = tuple(f"{label} {value}" for label, value in sorted(endpoint.labels.items()))
        place = str(self.table.span("endpoints", name))
        limits = tuple(_limits(endpoint.limits))
        return EndpointPicture(name, endpoint.dialect.value, labels, limits, endpoint.drain, place)

    def _guard(self, name: str) -> str:
        scanner = self.table.scanners[name]
        does = f"send to {scanner.destination}" if scanner.destination else scanner.action.value
        return f"{does} at {scanner.threshold:g}, {len(scanner.patterns)} patterns"

    def _words(self, region: Region) -> str:
        return in_words(region, dict(self.table.vocabulary.domains))


def _parameters(route: Route) -> Iterator[str]:
    for parameter, rule in route.rules.items():
        default = f" = {shown(rule.default)}" if rule.default is not None else ""
        allowed = f", {rule.range}, else {rule.outside.value}" if rule.range not in _IMPLIED else ""
        yield f"{parameter.value}{default}{allowed}"


def _verify(table: RoutingTable, route: Route) -> str:
    verify = table.policy.routes[route.name].verify
    if verify is None:
        return ""
    return f"JSON by {verify.json_schema}" if verify.json_schema else "JSON"


def _worst(route: Route) -> Iterator[str]:
    """The worst that can happen to a request: the engine's own bounds, by the settings of the upstream."""
    upstream, targets = route.upstream, route.upstream.targets
    count = len(targets)
    yield f"at most {count + 1} exchanges with {count} target{'' if count == 1 else 's'}"
    yield f"at most {upstream.timeouts.total:g} s in all"
    rule = route.rules.get(Parameter.MAX_TOKENS)
    allowed = rule.range if rule is not None else Range()
    answers = [(Range(None, t.max_output_tokens) & allowed).max or 0 for t in targets]
    prices = [
        None if t.price is None else t.price.output * answer / 1e6 for t, answer in zip(targets, answers, strict=True)
    ]
    known = [price for price in prices if price is not None]
    is_known = len(known) == count
    yield f"one answer costs at most {max(known):g} USD" if is_known else "what an answer costs is not known"


def _limits(limits: Limits | None) -> Iterator[str]:
    if limits is None:
        return
    for name, rate in (("requests", limits.requests), ("tokens", limits.tokens)):
        if rate is not None:
            yield f"{rate} {name}"
    if limits.spend is not None:
        yield str(limits.spend)
    if limits.concurrent is not None:
        yield f"{limits.concurrent} at a time"


def _outcome(plan: Plan) -> str:
    return f"{plan.stop.outcome.value}: {plan.stop.message}" if plan.stop is not None else "is sent"


def _rehearsals(loaded: Loaded) -> Mapping[str, Sequence[str]]:
    """The names of the rehearsals that expect a route, by route."""
    found: dict[str, list[str]] = {}
    for document in loaded.reading.documents:
        data = document.data if document.kind is Kind.TEST else None
        written = data.get("rehearsals") if isinstance(data, dict) else None
        for rehearsal in written if isinstance(written, list) else ():
            expected = rehearsal.get("expect") if isinstance(rehearsal, dict) else None
            if isinstance(rehearsal, dict) and isinstance(expected, dict) and isinstance(expected.get("route"), str):
                found.setdefault(str(expected["route"]), []).append(str(rehearsal.get("name", "")))
    return found
