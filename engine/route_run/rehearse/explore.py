"""Exploration: every route under combinations of failures that nobody scripted, on the real engine.

Decides which scripts are tried. A script is extended only where it was listened to: the exchange that gave
the answer fails in every way, so that what could not be reached is not tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from route_run.flow.outcome import Usage
from route_run.flow.plan import Plan
from route_run.flow.record import cost_of
from route_run.flow.repair import more_tokens
from route_run.policy import Parameter
from route_run.policy.rehearsal import Act, Rehearsal
from route_run.rehearse.circumstances import USUAL, Circumstance, circumstances, ways_of_asking
from route_run.rehearse.clock import Backend
from route_run.rehearse.faults import Fault, faults_of
from route_run.rehearse.invariants import A_HEALTHY_TARGET_ANSWERS, broken_promises
from route_run.rehearse.play import Run, play
from route_run.rehearse.rehearsed import long_lived
from route_run.rehearse.witness import Witnesses
from route_run.table import Loaded, Route

MOST_REQUESTS = 8
"""Requests explored per route: one for each list of targets that its plans have, in each way of asking."""
_ANSWERS_AT_ONCE = Act()

Script = tuple[tuple[str, Fault], ...]
"""Faults in the order in which they are met, each at its endpoint."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A promise that does not hold, and the shortest script found that shows it, as a rehearsal writes it."""

    route: str
    promise: str
    words: str
    request: Mapping[str, Any]
    endpoints: Mapping[str, Sequence[Mapping[str, Any]]]
    also: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Start:
    """A request of a route in a circumstance, and how many failures in a row are tried from there."""

    route: Route
    fields: Mapping[str, Any]
    plan: Plan
    circumstance: Circumstance
    depth: int

    @property
    def is_plain(self) -> bool:
        return not self.fields.get("stream", True)


@dataclass(slots=True)
class Worst:
    """The worst that was found, with the script of each; None where there was nothing to measure."""

    first_content: float | None = None
    total: float = 0.0
    attempts: int = 0
    spend: Decimal | None = Decimal(0)
    by: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Explored:
    """What exploration found. ``pruned`` scripts need no trying: the request had ended before their last fault.

    ``worst`` is that of streams by route; plain answers have no deadline but the total, so ``worst_plain``
    stands beside it. ``unreached`` are routes that were not explored, with the reason.
    """

    depth: int
    tried: int = 0
    pruned: int = 0
    total: int = 0
    requests: int = 0
    is_cut: bool = False
    violations: list[Violation] = field(default_factory=list)
    worst: dict[str, Worst] = field(default_factory=dict)
    worst_plain: dict[str, Worst] = field(default_factory=dict)
    unreached: list[tuple[str, str]] = field(default_factory=list)


def explore(
    loaded: Loaded,
    backend: Backend,
    depth: int,
    budget: float,
    clock: Callable[[], float] = time.monotonic,
) -> Explored:
    """Try combinations of failures, the short ones first, for at most ``budget`` seconds."""
    explored = Explored(depth)
    explorer = _Explorer(loaded, backend, explored, clock() + budget, clock)
    with long_lived():
        explorer.run()
    return explored


class _Explorer:
    def __init__(
        self, loaded: Loaded, backend: Backend, explored: Explored, until: float, clock: Callable[[], float]
    ) -> None:
        self._loaded = loaded
        self._table = loaded.table
        self._backend = backend
        self._explored = explored
        self._until = until
        self._clock = clock
        self._seen: set[tuple[str, str]] = set()

    def run(self) -> None:
        starts: list[_Start] = []
        for route in self._table.routes.values():
            if self._is_over():
                break
            for fields in self._requests(route):
                starts += self._starts(route, fields)
        usual = [start for start in starts if start.circumstance is USUAL]
        self._explored.requests = len(usual)
        for start in usual:
            self._worst(start).setdefault(start.route.name, Worst())
        for start in starts:
            self._explored.total += self._count(start)
        # by depth before by route, so that a budget that ends early was spent on what is short
        fronts: list[tuple[_Start, list[Script]]] = [(start, [()]) for start in starts]
        for depth in range(self._explored.depth + 1):
            fronts = [(start, self._layer(start, front, depth)) for start, front in fronts]
        for start in usual:
            self._outages(start)
        if not self._explored.is_cut:
            self._explored.pruned = self._explored.total - self._explored.tried

    def _starts(self, route: Route, fields: Mapping[str, Any]) -> Iterator[_Start]:
        """The request in each way of asking; what is taken away from it at the beginning counts as a failure."""
        plan, depth = Witnesses(self._table).plan(fields), self._explored.depth
        for way in ways_of_asking(route, fields):
            yield _Start(route, way, plan, USUAL, depth)
        for circumstance in circumstances(plan) if depth else ():
            yield _Start(route, fields, plan, circumstance, depth - 1)

    def _requests(self, route: Route) -> list[Mapping[str, Any]]:
        """Requests of a route, one for each list of targets that bounds leave."""
        check = route.output_check
        if check is not None and check.reason(check.sample()) is not None:
            self._explored.unreached.append((route.name, "its schema has no example that an endpoint could answer"))
            return []
        witnesses = Witnesses(self._table)
        restricting = [bound.region for bound in self._table.bounds if bound.labels]
        ways: list[tuple[list[Any], list[Any]]] = [([], []), ([], restricting)]
        ways += [([region], []) for region in restricting] + [([], [region]) for region in restricting]
        candidates = [witnesses.for_route(route, within, without) for within, without in ways]
        guards = [name for name, scanner in self._table.scanners.items() if scanner.destination == route.name]
        candidates += [witnesses.for_guard(name) for name in guards]
        found: dict[tuple[str, ...], Mapping[str, Any]] = {}
        for fields in candidates:
            if fields is None:
                continue
            plan = witnesses.plan(fields)
            if plan.stop is None and plan.route is route:
                found.setdefault(tuple(str(planned.target) for planned in plan.eligible), fields)
        if not found:
            self._explored.unreached.append((route.name, "no request comes to it"))
        return list(found.values())[:MOST_REQUESTS]

    def _count(self, start: _Start) -> int:
        """How many scripts there are: of each length, one of the faults at each place, and one outage for each."""
        endpoints = [planned.target.endpoint for planned in start.plan.eligible]
        faults = max(len(list(faults_of(self._table, start.route, endpoint))) for endpoint in endpoints)
        outages = faults if start.circumstance is USUAL else 0
        total = outages
        for length in range(start.depth + 1):
            total += faults**length
        return total

    # -- scripts -------------------------------------------------------------------------------------

    def _layer(self, start: _Start, front: list[Script], depth: int) -> list[Script]:
        """Try all scripts of one length; the scripts of the next."""
        following: list[Script] = []
        for script in front:
            if self._is_over():
                return []
            run = self._try(start, _in_order(script), _named(start, script), is_any_healthy=True)
            if run is None or depth == start.depth:
                continue
            for endpoint in self._listened_to(run):
                following += [(*script, (endpoint, fault)) for fault in faults_of(self._table, start.route, endpoint)]
        return following

    def _outages(self, start: _Start) -> None:
        """Every endpoint fails in the same way, for good."""
        endpoints = list(dict.fromkeys(planned.target.endpoint for planned in start.plan.eligible))
        faults = {f.name: f for endpoint in endpoints for f in faults_of(self._table, start.route, endpoint)}
        for fault in faults.values():
            if self._is_over():
                return
            acts = {endpoint: [fault.written] for endpoint in endpoints}
            self._try(start, acts, f"{fault.name} everywhere", is_any_healthy=False)

    def _is_over(self) -> bool:
        if self._clock() >= self._until:
            self._explored.is_cut = True
        return self._explored.is_cut

    def _listened_to(self, run: Run) -> list[str]:
        """The endpoints whose failing would change what happened: who answered, and who was asked beside it."""
        record = run.record
        if record is None or record["outcome"] != "completed":
            return []
        return list(dict.fromkeys(name for name, _, act in run.noted.asked if act == _ANSWERS_AT_ONCE))

    def _try(
        self,
        start: _Start,
        acts: Mapping[str, Sequence[Mapping[str, Any]]],
        name: str,
        *,
        is_any_healthy: bool,
    ) -> Run | None:
        self._explored.tried += 1
        also = start.circumstance.also
        written = {"name": name, **also, "request": start.fields, "endpoints": acts, "expect": {"outcome": "completed"}}
        played = play(self._loaded, Rehearsal.decode(written), self._backend)
        run = played.runs[0] if played.runs else None
        if run is None or played.was_cut:
            self._violated(start, "a request ends", "it had not ended after an hour", acts)
            return None
        for broken in broken_promises(self._table, start.route, run):
            if is_any_healthy or broken.promise != A_HEALTHY_TARGET_ANSWERS:
                self._violated(start, broken.promise, broken.words, acts)
        _measure(self._worst(start)[start.route.name], run, name)
        return run

    def _worst(self, start: _Start) -> dict[str, Worst]:
        return self._explored.worst_plain if start.is_plain else self._explored.worst

    def _violated(
        self, start: _Start, promise: str, words: str, acts: Mapping[str, Sequence[Mapping[str, Any]]]
    ) -> None:
        """Keep the first of a kind: scripts come by length, so it is the shortest."""
        if (start.route.name, promise) not in self._seen:
            self._seen.add((start.route.name, promise))
            also = start.circumstance.also
            self._explored.violations.append(Violation(start.route.name, promise, words, start.fields, acts, also))


def _in_order(script: Script) -> dict[str, list[Mapping[str, Any]]]:
    """The acts of each endpoint; after its last fault it answers."""
    acts: dict[str, list[Mapping[str, Any]]] = {}
    for endpoint, fault in script:
        acts.setdefault(endpoint, []).append(fault.written)
    return {endpoint: [*listed, {}] for endpoint, listed in acts.items()}


def _named(start: _Start, script: Script) -> str:
    parts = [start.circumstance.words] if start.circumstance.words else []
    parts += [f"{endpoint} {fault.name}" for endpoint, fault in script]
    return ", then ".join(parts) or "nothing fails"


# -- the worst ---------------------------------------------------------------------------------------


def _measure(worst: Worst, run: Run, name: str) -> None:
    record, first, took = run.record, run.first_content, run.took
    if record is None or took is None:
        return
    if record["outcome"] == "completed" and first is not None and first > (worst.first_content or -1):
        worst.first_content, worst.by["first_content"] = first, name
    if took > worst.total or not worst.by.get("total"):
        worst.total, worst.by["total"] = took, name
    if len(record["attempts"]) > worst.attempts:
        worst.attempts, worst.by["attempts"] = len(record["attempts"]), name
    spend = _most_spent(run, record["attempts"])
    if worst.spend is not None and (spend is None or spend > worst.spend):
        worst.spend, worst.by["spend"] = spend, name


def _most_spent(run: Run, attempts: Sequence[Mapping[str, Any]]) -> Decimal | None:
    """The most that the attempts may have cost, each that is paid for with its longest answer; None without a price."""
    assert run.plan is not None
    planned = {(p.target.endpoint, p.target.model): p for p in run.plan.eligible}
    spent = Decimal(0)
    for attempt in attempts:
        if attempt["billed"] == "none":
            continue
        asked = planned[attempt["endpoint"], attempt["model"]]
        longest = asked.parameters.get(Parameter.MAX_TOKENS, asked.target.max_output_tokens)
        answer = int(longest) if isinstance(longest, int | float) else 0
        prompt = run.plan.attributes.prompt_tokens
        if attempt["repair"]:  # it shows the answer before, which may have been as long as the longest
            _, sent, _ = run.noted.asked[attempt["number"] - 1]
            prompt += answer + more_tokens(run.request, sent.messages)
        usage = Usage(prompt, answer)
        cost = cost_of(usage, asked.target.price)
        if cost is None:
            return None
        spent += cost
    return spent
