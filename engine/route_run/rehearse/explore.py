"""Exploration: every route under combinations of failures that nobody scripted, on the real engine.

Decides which scripts are tried. A script is extended only where it was listened to: the exchange that gave
the answer fails in every way, so that what could not be reached is not tried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from route_run.flow.outcome import Usage
from route_run.flow.record import cost_of
from route_run.policy import Parameter
from route_run.policy.rehearsal import Rehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.faults import Fault, faults_of
from route_run.rehearse.invariants import A_HEALTHY_TARGET_ANSWERS, broken_promises
from route_run.rehearse.play import Run, play
from route_run.rehearse.rehearsed import long_lived
from route_run.rehearse.witness import Witnesses
from route_run.table import Loaded, Route

MOST_REQUESTS = 8
"""Requests explored per route: one for each list of targets that its plans have."""

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

    ``unreached`` are routes that were not explored, with the reason.
    """

    depth: int
    tried: int = 0
    pruned: int = 0
    total: int = 0
    requests: int = 0
    is_cut: bool = False
    violations: list[Violation] = field(default_factory=list)
    worst: dict[str, Worst] = field(default_factory=dict)
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
        asked: list[tuple[Route, Mapping[str, Any]]] = []
        for route in self._table.routes.values():
            if self._is_over():
                break
            asked += [(route, fields) for fields in self._requests(route)]
        self._explored.requests = len(asked)
        for route, _ in asked:
            self._explored.worst.setdefault(route.name, Worst())
        for route, fields in asked:
            self._explored.total += self._count(route, fields)
        # by depth before by route, so that a budget that ends early was spent on what is short
        fronts: list[tuple[Route, Mapping[str, Any], list[Script]]] = [(route, fields, [()]) for route, fields in asked]
        for depth in range(self._explored.depth + 1):
            fronts = [(route, fields, self._layer(route, fields, front, depth)) for route, fields, front in fronts]
        for route, fields in asked:
            self._outages(route, fields)
        if not self._explored.is_cut:
            self._explored.pruned = self._explored.total - self._explored.tried

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

    def _count(self, route: Route, fields: Mapping[str, Any]) -> int:
        """How many scripts there are: of each length, one of the faults at each place, and one outage for each."""
        endpoints = [planned.target.endpoint for planned in Witnesses(self._table).plan(fields).eligible]
        faults = max(len(list(faults_of(self._table, route, endpoint))) for endpoint in endpoints)
        total = faults  # the outages
        for length in range(self._explored.depth + 1):
            total += faults**length
        return total

    # -- scripts -------------------------------------------------------------------------------------

    def _layer(self, route: Route, fields: Mapping[str, Any], front: list[Script], depth: int) -> list[Script]:
        """Try all scripts of one length; the scripts of the next."""
        following: list[Script] = []
        for script in front:
            if self._is_over():
                return []
            run = self._try(route, fields, _in_order(script), _named(script), is_any_healthy=True)
            if run is None or depth == self._explored.depth:
                continue
            answering = self._answering(run)
            if answering is None:
                continue
            following += [(*script, (answering, fault)) for fault in faults_of(self._table, route, answering)]
        return following

    def _outages(self, route: Route, fields: Mapping[str, Any]) -> None:
        """Every endpoint fails in the same way, for good."""
        endpoints = list(dict.fromkeys(p.target.endpoint for p in Witnesses(self._table).plan(fields).eligible))
        faults = {fault.name: fault for endpoint in endpoints for fault in faults_of(self._table, route, endpoint)}
        for fault in faults.values():
            if self._is_over():
                return
            acts = {endpoint: [fault.written] for endpoint in endpoints}
            self._try(route, fields, acts, f"{fault.name} everywhere", is_any_healthy=False)

    def _is_over(self) -> bool:
        if self._clock() >= self._until:
            self._explored.is_cut = True
        return self._explored.is_cut

    def _answering(self, run: Run) -> str | None:
        """The endpoint whose failing would change what happened: the one that answered."""
        record = run.record
        if record is None or record["outcome"] != "completed" or not run.noted.asked:
            return None
        return run.noted.asked[-1][0]

    def _try(
        self,
        route: Route,
        fields: Mapping[str, Any],
        acts: Mapping[str, Sequence[Mapping[str, Any]]],
        name: str,
        *,
        is_any_healthy: bool,
    ) -> Run | None:
        self._explored.tried += 1
        written = {"name": name, "request": fields, "endpoints": acts, "expect": {"outcome": "completed"}}
        played = play(self._loaded, Rehearsal.decode(written), self._backend)
        run = played.runs[0] if played.runs else None
        if run is None or played.was_cut:
            self._violated(route, "a request ends", "it had not ended after an hour", fields, acts)
            return None
        for broken in broken_promises(self._table, route, run):
            if is_any_healthy or broken.promise != A_HEALTHY_TARGET_ANSWERS:
                self._violated(route, broken.promise, broken.words, fields, acts)
        _measure(self._explored.worst[route.name], run, name)
        return run

    def _violated(
        self,
        route: Route,
        promise: str,
        words: str,
        fields: Mapping[str, Any],
        acts: Mapping[str, Sequence[Mapping[str, Any]]],
    ) -> None:
        """Keep the first of a kind: scripts come by length, so it is the shortest."""
        if (route.name, promise) not in self._seen:
            self._seen.add((route.name, promise))
            self._explored.violations.append(Violation(route.name, promise, words, fields, acts))


def _in_order(script: Script) -> dict[str, list[Mapping[str, Any]]]:
    """The acts of each endpoint; after its last fault it answers."""
    acts: dict[str, list[Mapping[str, Any]]] = {}
    for endpoint, fault in script:
        acts.setdefault(endpoint, []).append(fault.written)
    return {endpoint: [*listed, {}] for endpoint, listed in acts.items()}


def _named(script: Script) -> str:
    return ", then ".join(f"{endpoint} {fault.name}" for endpoint, fault in script) or "nothing fails"


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
        usage = Usage(run.plan.attributes.prompt_tokens, int(longest) if isinstance(longest, int | float) else 0)
        cost = cost_of(usage, asked.target.price)
        if cost is None:
            return None
        spent += cost
    return spent
