"""Which targets of a route can ever be asked: what stands in their way, as sets of requests.

Mirrors the eligibility of `flow`, but only what holds whatever parameters a caller gives: a request in
the region of an obstacle is never sent to its target. What it says can never be is therefore proved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from route_run.lint.reached import Reached, Taken, region_of
from route_run.policy import Capability, Parameter, Range
from route_run.policy.model import Match, RouteTo
from route_run.table import Attributes, Bound, Outside, Region, Route, RoutingTable, Target
from route_run.table.cover import Answer, Covered, Effort, NotProved, Open, cover, thinned_out
from route_run.table.index import Pins
from route_run.text.nearest import listed

MOST_CELLS = 500
"""How many combinations of bounds are looked at for one way into one route."""


class Way(Enum):
    """How requests come to a route."""

    MATCH = "match"
    NAME = "name"
    GUARD = "guard"


@dataclass(frozen=True, slots=True)
class Entry:
    """One way into a route, and the requests that can come by it; ``source`` is the guard that sends them."""

    way: Way
    region: Region
    source: str = ""


class Kind(Enum):
    """What an obstacle comes from."""

    DRAINED = "drained"
    NEED = "need"
    WINDOW = "window"
    PARAMETER = "parameter"
    LABEL = "label"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Requests that a target never gets, and why; ``bound`` is the bound that says so."""

    kind: Kind
    region: Region
    why: str
    bound: Bound | None = None


@dataclass(frozen=True, slots=True)
class Never:
    """No request of a route is ever sent to a target: the obstacles that hold them all."""

    obstacles: tuple[Obstacle, ...]


Fate = Open | Never | NotProved


@dataclass(frozen=True, slots=True)
class Stranded:
    """Requests of a route that bounds leave without a target: one of them, and each target's obstacle."""

    entry: Entry
    witness: Attributes
    obstacles: tuple[Obstacle, ...]


@dataclass
class Eligible:
    """The fate of every target of every route; answers are kept, and cost ``effort`` together."""

    table: RoutingTable
    reached: Reached
    effort: Effort
    _fates: dict[str, tuple[Fate, ...]] = field(default_factory=dict)
    _near: dict[str, Sequence[Bound]] = field(default_factory=dict)
    _obstacles: dict[tuple[str, int], tuple[Obstacle, ...]] = field(default_factory=dict)

    @cached_property
    def everything(self) -> Region:
        """All requests that the vocabulary allows."""
        return self.table.vocabulary.region(Match())

    def entries(self, route: Route) -> Iterator[Entry]:
        """Every way by which a request can come to a route."""
        if route.region is not None and not isinstance(self.reached.of(route), Taken):
            yield Entry(Way.MATCH, route.region)
        if route.callable:
            yield Entry(Way.NAME, self.everything)
        for guard in self._senders.get(route.name, ()):
            for bound in self.table.bounds:
                if guard in bound.guards:
                    yield Entry(Way.GUARD, bound.region, guard)

    def is_also_named(self, route: Route) -> bool:
        """Whether requests also come to a route without its match being asked."""
        return route.callable or route.name in self._senders

    def landing(self, route: Route, entry: Entry, region: Region, taken: Sequence[Region] = ()) -> Answer:
        """A request of a region, but of none ``taken``, that comes to a route by one way."""
        if entry.way is Way.MATCH:
            return self.reached.landing(route, region, taken)
        return cover(region, taken, effort=self.effort)

    def fates(self, route: Route) -> tuple[Fate, ...]:
        """Of each target in its order: a request that may be sent there, or why none ever is."""
        if route.name not in self._fates:
            entries = list(self.entries(route))
            targets = range(len(route.upstream.targets))
            self._fates[route.name] = tuple(self._fate(route, target, entries) for target in targets)
        return self._fates[route.name]

    def stranded(
        self, route: Route, taken: Sequence[Region] = (), *, without: str | None = None
    ) -> Iterator[Stranded | NotProved]:
        """Requests, but of none ``taken``, that nothing but bounds leaves without a target; one per way in.

        ``without`` names an endpoint that is thought to be down.
        """
        targets = [n for n, target in enumerate(route.upstream.targets) if target.endpoint != without]
        for entry in self.entries(route):
            if entry.way is not Way.NAME:
                yield from self._stranded(route, entry, taken, targets)

    def obstacles(self, route: Route, target: int) -> tuple[Obstacle, ...]:
        """What can stand between a route's requests and one of its targets."""
        key = (route.name, target)
        if key not in self._obstacles:
            asked = route.upstream.targets[target]
            self._obstacles[key] = tuple(self._found(route, asked))
        return self._obstacles[key]

    def bounds_near(self, region: Region) -> Iterator[Bound]:
        """Bounds on labels or parameters that hold for some request of a region."""
        found = self._pins.near(region)
        bounds = self._restricting if found is None else [self._restricting[entry] for entry in found]
        return (bound for bound in bounds if (bound.region & region) is not None)

    # -- their questions -------------------------------------------------------------------------------

    @cached_property
    def _restricting(self) -> list[Bound]:
        return [bound for bound in self.table.bounds if bound.labels or bound.rules]

    @cached_property
    def _pins(self) -> Pins:
        return Pins.of([bound.region for bound in self._restricting])

    @cached_property
    def _senders(self) -> dict[str, list[str]]:
        senders: dict[str, list[str]] = {}
        for name, guard in sorted(self.table.policy.guards.items()):
            if isinstance(guard.then, RouteTo):
                senders.setdefault(guard.then.route, []).append(name)
        return senders

    def _fate(self, route: Route, target: int, entries: Sequence[Entry]) -> Fate:
        obstacles = self.obstacles(route, target)
        used: dict[int, Obstacle] = {}
        is_proved = route.region is None or not isinstance(self.reached.of(route), NotProved)
        for entry in entries if is_proved else ():
            answer = self.landing(route, entry, entry.region, [obstacle.region for obstacle in obstacles])
            if isinstance(answer, Open):
                return answer
            if isinstance(answer, NotProved):
                is_proved = False
            else:
                used |= {number: obstacles[number] for number in self._needed(entry.region, obstacles)}
        return Never(tuple(used.values())) if is_proved else NotProved()

    def _needed(self, region: Region, obstacles: Sequence[Obstacle]) -> Sequence[int]:
        """The fewest obstacles that hold a region by themselves, or all that meet it."""
        regions = [obstacle.region for obstacle in obstacles]
        answer = cover(region, regions, effort=self.effort)
        if isinstance(answer, Covered):
            return thinned_out(region, regions, answer, self.effort).by
        return [number for number, one in enumerate(regions) if (one & region) is not None]

    def _stranded(
        self, route: Route, entry: Entry, taken: Sequence[Region], targets: Sequence[int]
    ) -> Iterator[Stranded | NotProved]:
        per_target: list[list[Obstacle]] = []
        for target in targets:
            against = self.obstacles(route, target)
            relevant = [o for o in against if o.bound is not None or entry.region <= o.region]
            if not relevant:
                return  # this target takes them all
            per_target.append(relevant)
        for found in dead_cells(entry.region, per_target, self.effort):
            if isinstance(found, NotProved):
                yield found
                return
            cell, obstacles = found
            answer = self.landing(route, entry, cell, taken)
            if not isinstance(answer, Covered):
                yield answer if isinstance(answer, NotProved) else Stranded(entry, answer.witness, obstacles)
                return

    def _found(self, route: Route, target: Target) -> Iterator[Obstacle]:
        yield from self._own_obstacles(route, target)
        for bound in self._bounds_of(route):
            yield from label_obstacles(bound, f"the endpoint `{target.endpoint}`", target.labels)
            for why in _misfits(route, target, bound):
                yield Obstacle(Kind.PARAMETER, bound.region, why, bound)

    def _bounds_of(self, route: Route) -> Sequence[Bound]:
        """Bounds that can hold for a request of a route: all of them where its match need not be asked."""
        if route.name not in self._near:
            is_open = route.region is None or self.is_also_named(route)
            self._near[route.name] = tuple(self.bounds_near(self.everything if is_open else region_of(route)))
        return self._near[route.name]

    def _own_obstacles(self, route: Route, target: Target) -> Iterator[Obstacle]:
        if target.drained:
            yield Obstacle(Kind.DRAINED, self.everything, f"the endpoint `{target.endpoint}` is drained")
        for need in Capability:
            if need not in target.capabilities or need not in target.traits.carries:
                yield Obstacle(Kind.NEED, Region({}, (0, None), {need: True}), _lacking(need, target))
        smallest = target.context_window - _least_answer(route, target) + 1
        window = f"the context window of `{target.model}` is {target.context_window}"
        yield Obstacle(Kind.WINDOW, Region({}, (max(0, smallest), None), {}), window)
        for why in _misfits(route, target, None):
            yield Obstacle(Kind.PARAMETER, self.everything, why)


def label_obstacles(bound: Bound, whose: str, labels: Mapping[str, str]) -> Iterator[Obstacle]:
    """What a bound has against an endpoint with these labels."""
    for label, allowed in sorted(bound.labels.items()):
        value = labels.get(label)
        if value not in allowed:
            has = f"has {label} `{value}`" if value is not None else f"has no label {label}"
            why = f"{whose} {has}; the bound `{bound.name}` allows {listed(allowed)}"
            yield Obstacle(Kind.LABEL, bound.region, why, bound)
            return


def dead_cells(
    region: Region, per_target: Sequence[Sequence[Obstacle]], effort: Effort
) -> Iterator[tuple[Region, tuple[Obstacle, ...]] | NotProved]:
    """The parts of a region in which every target has an obstacle, with one obstacle for each target.

    Parts may overlap. The last item is NotProved when there were too many to look at.
    """
    if not all(per_target):
        return
    stack: list[tuple[Region, tuple[Obstacle, ...]]] = [(region, ())]
    most = MOST_CELLS + sum(map(len, per_target))
    while stack:
        cell, chosen = stack.pop()
        if len(chosen) == len(per_target):
            yield cell, chosen
            continue
        obstacles = per_target[len(chosen)]
        most -= 1
        effort.left = max(0, effort.left - len(obstacles))
        if not most or not effort.left:
            yield NotProved()
            return
        whole = next((obstacle for obstacle in obstacles if cell <= obstacle.region), None)
        for obstacle in obstacles if whole is None else (whole,):
            shared = cell & obstacle.region
            if shared is not None:
                stack.append((shared, (*chosen, obstacle)))


def _lacking(need: Capability, target: Target) -> str:
    if need not in target.capabilities:
        return f"the model `{target.model}` has no {need.value}"
    return f"the dialect {target.dialect.value} of `{target.endpoint}` cannot carry {need.value}"


def _least_answer(route: Route, target: Target) -> int:
    """The smallest answer that can be reserved, whatever max_tokens a caller gives."""
    rule = route.rules.get(Parameter.MAX_TOKENS)
    least = 1 if rule is None or rule.range.min is None else max(1, int(rule.range.min))
    return min(least, target.max_output_tokens)


def _misfits(route: Route, target: Target, bound: Bound | None) -> Iterator[str]:
    """Parameters that every request has (they have a default, or are demanded) and the target can never be sent."""
    for parameter in Parameter:
        own = route.rules.get(parameter)
        is_demanded = parameter is Parameter.MAX_TOKENS and target.traits.needs_max_tokens
        has_default = own is not None and own.default is not None
        rule = None if bound is None else bound.rules.get(parameter)
        if (bound is not None and rule is None) or not (has_default or is_demanded):
            continue
        clamps = all(one.outside is Outside.CLAMP for one in (own, rule) if one is not None)
        if parameter not in target.traits.parameters:
            if not clamps:
                yield f"the dialect {target.dialect.value} of `{target.endpoint}` has no field for {parameter.value}"
            continue
        if parameter is Parameter.STOP:
            continue
        left = target.ranges.get(parameter, Range())
        for one in (own, rule):
            left &= one.range if one is not None else Range()
        if left.is_empty:
            allowed = target.ranges.get(parameter, Range())
            yield f"no {parameter.value} fits: the model `{target.model}` takes {allowed}"
