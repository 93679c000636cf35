"""The decision: one request against one table, to a plan with its reasons.

Decides the route, the bounds, the guards' verdicts, the parameters and which targets may be asked.
The same arguments give the same plan, byte for byte.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from route_run.flow.eligibility import obstacles
from route_run.flow.outcome import Outcome
from route_run.flow.parameters import Fitted, Judged, Note, fit, judge
from route_run.flow.plan import Plan, PlannedTarget, Reason, Snapshot, Stage, Stop
from route_run.flow.request import PromptRequest
from route_run.guard import Action, Verdict
from route_run.table import Attributes, Bound, Route, RoutingTable, Target
from route_run.text.nearest import listed, nearest

NEAREST_ROUTES = 3
"""How many routes a request that matches none is told about."""


def attributes_of(table: RoutingTable, request: PromptRequest) -> Attributes:
    """What a request is matched by: its declared tags, the model it asks for, its size and its needs."""
    declared = table.vocabulary.domains
    return Attributes(
        tags={tag: value for tag, value in request.tags.items() if tag in declared},
        requested_model=request.requested_model,
        prompt_tokens=request.prompt_tokens,
        needs=request.needs,
        undeclared=tuple(sorted(tag for tag in request.tags if tag not in declared)),
    )


def decide(table: RoutingTable, request: PromptRequest, snapshot: Snapshot = Snapshot(), seed: int = 0) -> Plan:
    """The plan for a request. ``snapshot`` is the state of the world, ``seed`` the randomness of this request."""
    return _Decision(table, request, attributes_of(table, request), snapshot, seed).made()


@dataclass(slots=True)
class _Stopped(Exception):
    stop: Stop


@dataclass(slots=True)
class _Decision:
    table: RoutingTable
    request: PromptRequest
    attributes: Attributes
    snapshot: Snapshot
    seed: int
    why: list[Reason] = field(default_factory=list)
    route: Route | None = None
    bounds: tuple[Bound, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    judged: Judged | None = None
    targets: tuple[PlannedTarget, ...] = ()

    def made(self) -> Plan:
        stop: Stop | None = None
        try:
            self._check_tags()
            route = self._pick_route()
            self._gather_bounds()
            route = self._ask_guards(route)
            judged = self._judge_parameters(route)
            self._weigh_targets(route, judged)
        except _Stopped as stopped:
            stop = stopped.stop
        return Plan(
            policy=self.table.digest,
            attributes=self.attributes,
            seed=self.seed,
            snapshot=self.snapshot,
            route=self.route,
            bounds=tuple(bound.name for bound in self.bounds),
            verdicts=self.verdicts,
            parameters=self.judged.values if self.judged else None,
            targets=self.targets,
            stop=stop,
            why=tuple(self.why),
        )

    # -- the steps, in the order of judgement --------------------------------------------------------

    def _check_tags(self) -> None:
        for tag, domain in self.table.vocabulary.domains.items():
            value = self.attributes.value(tag)
            if value in domain:
                continue
            if value is None:
                self._stop(Outcome.REFUSED, Stage.TAGS, tag, f"the tag `{tag}` is required ({domain})")
            known = [member for member in domain.finite or () if member is not None]
            similar = nearest(value, known)
            hint = f"did you mean `{similar}`? " if similar else ""
            self._stop(
                Outcome.REFUSED,
                Stage.TAGS,
                tag,
                f"`{value}` is not a value of the tag `{tag}`; {hint}declared: {listed(known)}",
            )
        for tag in self.attributes.undeclared:
            self._note(Stage.TAGS, tag, "not declared by the policy: recorded, matches nothing")

    def _pick_route(self) -> Route:
        if self.request.route is not None:
            return self._named_route(self.request.route)
        route = self.table.route_for(self.attributes)
        if route is None:
            self._stop(Outcome.REFUSED, Stage.ROUTE, "", self._no_route())
        self.route = route
        how = f"matches with precedence {route.precedence}" if route.precedence else "is the narrowest match"
        self._note(Stage.ROUTE, route.name, how)
        return route

    def _named_route(self, name: str) -> Route:
        route = self.table.routes.get(name)
        callable_names = [r.name for r in self.table.routes.values() if r.callable]
        if route is None or not route.callable:
            problem = f"there is no route `{name}`" if route is None else f"the route `{name}` is not callable"
            similar = nearest(name, callable_names)
            hint = f"did you mean `{similar}`? " if similar else ""
            known = f"callable: {listed(callable_names)}" if callable_names else "no route is callable"
            self._stop(Outcome.REFUSED, Stage.ROUTE, name, f"{problem}; {hint}{known}")
        self.route = route
        self._note(Stage.ROUTE, name, "called by name; its match is not asked")
        return route

    def _gather_bounds(self) -> None:
        self.bounds = self.table.bounds_for(self.attributes)
        for bound in self.bounds:
            self._note(Stage.BOUNDS, bound.name, "holds for this request")

    def _ask_guards(self, route: Route) -> Route:
        names = sorted({guard for bound in self.bounds for guard in bound.guards})
        if not names:
            return route
        texts = self.request.scanned_texts
        self.verdicts = tuple(self.table.scanners[name].scan(texts) for name in names)
        for verdict in self.verdicts:
            self._note(Stage.GUARDS, verdict.guard, _verdict_words(verdict))
        fired = [verdict for verdict in self.verdicts if verdict.fired]
        if rejecting := [verdict for verdict in fired if verdict.action is Action.REJECT]:
            first = rejecting[0]
            self._stop(
                Outcome.REJECTED,
                Stage.GUARDS,
                first.guard,
                f"rejected by the guard `{first.guard}`: {_verdict_words(first)}",
            )
        destinations = sorted({verdict.destination for verdict in fired if verdict.action is Action.ROUTE})
        if len(destinations) > 1:
            message = f"guards send the request to different routes: {listed(destinations)}"
            self._stop(Outcome.REJECTED, Stage.GUARDS, ", ".join(v.guard for v in fired), message)
        if not destinations:
            return route
        self.route = self.table.routes[destinations[0]]
        self._note(Stage.ROUTE, self.route.name, "takes the request instead; its match is not asked")
        return self.route

    def _judge_parameters(self, route: Route) -> Judged:
        judged = judge(self.request.parameters.given(), route, self.bounds)
        if isinstance(judged, Note):
            self._stop(Outcome.REFUSED, Stage.PARAMETERS, judged.source, f"{judged.text}, says {judged.source}")
        self.judged = judged
        for note in judged.notes:
            self._note(Stage.PARAMETERS, note.source, note.text)
        return judged

    def _weigh_targets(self, route: Route, judged: Judged) -> None:
        weighed = [(target, fit(judged, target)) for target in route.upstream.targets]
        self.targets = tuple(
            PlannedTarget(target, fitted.values, (*fitted.skipped, *self._obstacles(target, fitted)))
            for target, fitted in weighed
        )
        for planned, (_, fitted) in zip(self.targets, weighed, strict=True):
            for text in (*fitted.notes, *(f"skipped: {reason}" for reason in planned.skipped)):
                self._note(Stage.ELIGIBILITY, str(planned.target), text)
        if not any(planned.is_eligible for planned in self.targets):
            reasons = "; ".join(f"{planned.target}: {planned.skipped[0]}" for planned in self.targets)
            message = f"no target of the upstream `{route.upstream.name}` can take this request: {reasons}"
            self._stop(Outcome.REFUSED, Stage.ELIGIBILITY, route.upstream.name, message)

    # -- their questions -----------------------------------------------------------------------------

    def _obstacles(self, target: Target, fitted: Fitted) -> Iterator[str]:
        wanted = self.request.response_format
        has_schema = wanted is not None and wanted.json_schema is not None
        down = self.snapshot.down
        return obstacles(target, fitted, self.attributes, self.bounds, has_schema=has_schema, down=down)

    def _no_route(self) -> str:
        routes = [(route.region.misses(self.attributes), route) for route in self.table.matched if route.region]
        if not routes:
            return "the policy has no route with a match"
        closest = sorted(routes, key=lambda pair: (len(pair[0]), pair[1].name))[:NEAREST_ROUTES]
        words = "; ".join(f"`{route.name}` needs {' and '.join(misses)}" for misses, route in closest)
        return f"no route matches ({self.attributes}); nearest: {words}"

    def _note(self, stage: Stage, subject: str, text: str) -> None:
        self.why.append(Reason(stage, subject, text))

    def _stop(self, outcome: Outcome, stage: Stage, subject: str, message: str) -> NoReturn:
        self._note(stage, subject, message)
        raise _Stopped(Stop(outcome, stage, message))


def _verdict_words(verdict: Verdict) -> str:
    if verdict.problem:
        return verdict.problem
    score = f"score {verdict.score:g} of {verdict.threshold:g}"
    return f"{score}, found {', '.join(verdict.hits)}" if verdict.hits else score
