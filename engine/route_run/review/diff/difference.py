"""The difference of two policies: groups of requests for which the same things change.

Decides which requests those are, by regions that hold every one of them and no other. Each group carries a
request that the engine itself decided on both sides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from route_run.flow.decide import decide
from route_run.flow.plan import Plan
from route_run.review.diff.behaviour import cuts, facts
from route_run.review.diff.fact import Change, Facts, changes
from route_run.review.diff.risk import Risk, risks
from route_run.review.diff.settings import ledger_facts
from route_run.review.sample import request_of
from route_run.table import Attributes, Region, RoutingTable, ValueSet
from route_run.table.compare import MOST_CELLS, Cell, Changed, Side, compare
from route_run.table.pieces import all_requests, in_words, merged, split

MOST_PARTS = 512
"""How many parts by size and needs one cell is cut into."""
_REGION = "region"


@dataclass(frozen=True, slots=True)
class Way:
    """How requests come to their route: by their match, called by its name, or sent there by a guard."""

    called: str | None = None
    guard: str | None = None

    def __str__(self) -> str:
        if self.called is not None:
            return f"called by name, `{self.called}`"
        return f"sent on by the guard `{self.guard}`" if self.guard is not None else "matched"


@dataclass(frozen=True, slots=True)
class Requests:
    """Requests that come one way, as disjoint regions."""

    way: Way
    regions: tuple[Region, ...]


@dataclass(frozen=True, slots=True)
class Witness:
    """One request of a group, with its plans; None where no prompt can be made up for it."""

    attributes: Attributes
    way: Way
    before: Plan | None
    after: Plan | None


@dataclass(frozen=True, slots=True)
class Group:
    """The same changes for all of these requests."""

    changes: tuple[Change, ...]
    risks: tuple[Risk, ...]
    requests: tuple[Requests, ...]
    witness: Witness


@dataclass(frozen=True, slots=True)
class Difference:
    """What changes between two policies; ``is_complete`` False means that there may be more."""

    before: RoutingTable
    after: RoutingTable
    groups: tuple[Group, ...]
    is_complete: bool

    @property
    def risks(self) -> tuple[Risk, ...]:
        found = {risk for group in self.groups for risk in group.risks}
        return tuple(risk for risk in Risk if risk in found)

    def words(self, region: Region) -> str:
        """A region for people, without what the tags of both policies say anyway."""
        domains = {}
        for tag in {*self.before.vocabulary.domains, *self.after.vocabulary.domains}:
            either = [t.vocabulary.domains.get(tag, ValueSet.everything()) for t in (self.before, self.after)]
            domains[tag] = either[0] | either[1]
        return in_words(region, domains)


def difference(before: RoutingTable, after: RoutingTable, most: int = MOST_CELLS) -> Difference:
    """What changes from one table to another, the riskiest first."""
    return _Differing(before, after, most).made()


@dataclass(slots=True)
class _Found:
    changes: tuple[Change, ...]
    regions: dict[Way, list[Region]] = field(default_factory=dict)


class _Differing:
    def __init__(self, before: RoutingTable, after: RoutingTable, most: int) -> None:
        self.before, self.after, self.most = before, after, most
        self.changed = changed(before, after)
        bounds = (*before.bounds, *after.bounds)
        self.labels = frozenset({_REGION, *(label for bound in bounds for label in bound.labels)})
        self.found: dict[tuple[Change, ...], _Found] = {}
        self.is_complete = True

    def made(self) -> Difference:
        """Every way to a route, one after another; then what holds for all requests."""
        self._by_match()
        others = [*self._called(), *self._sent_on()]
        if others:
            cells = compare(self.before, self.after, self.changed, by_match=False, most=self.most)
            self.is_complete &= cells.is_complete
            for way in others:
                for cell in cells.cells:
                    self._add(way, replace(cell, before=_by(way, self.before, cell.before),
                                           after=_by(way, self.after, cell.after)))  # fmt: skip
        kept = changes(dict(ledger_facts(self.before)), dict(ledger_facts(self.after)))
        if kept:
            self._record(kept, Way(), all_requests())
        groups = sorted(map(self._group, self.found.values()), key=_order)
        return Difference(self.before, self.after, tuple(groups), self.is_complete)

    def _by_match(self) -> None:
        cells = compare(self.before, self.after, self.changed, most=self.most)
        self.is_complete &= cells.is_complete
        for cell in cells.cells:
            self._add(Way(), cell)

    def _called(self) -> Iterator[Way]:
        """The routes that can be called by name, where calling them may do something else."""
        is_wide = bool(self.changed.bounds or self.changed.hooks or self._new_words)
        for name in sorted({*self.before.routes, *self.after.routes}):
            routes = [table.routes.get(name) for table in (self.before, self.after)]
            is_called = any(route is not None and route.callable for route in routes)
            if is_called and (is_wide or name in self.changed.routes):
                yield Way(called=name)

    def _sent_on(self) -> Iterator[Way]:
        """The guards that send requests to a route that may do something else."""
        is_wide = bool(self.changed.bounds or self._new_words)
        for name in sorted({*self.before.scanners} & {*self.after.scanners}):
            there = [table.scanners[name].destination for table in (self.before, self.after)]
            if all(there) and (is_wide or any(route in self.changed.routes for route in there)):
                yield Way(guard=name)

    @property
    def _new_words(self) -> bool:
        return self.before.vocabulary != self.after.vocabulary

    def _add(self, way: Way, cell: Cell) -> None:
        if way.guard is not None and not all(_asks(side, way.guard) for side in (cell.before, cell.after)):
            return  # where the guard is not asked on both sides, that itself is the difference
        at = cell.region.witness()
        is_settled = _weighing(cell.before) == _weighing(cell.after)
        if is_settled and not self._differing(cell, at):
            return
        for part in self._parts(cell):
            if found := self._differing(cell, part.witness()):
                self._record(found, way, part)

    def _differing(self, cell: Cell, at: Attributes) -> tuple[Change, ...]:
        before: Facts = facts(self.before, cell.before, at, self.labels)
        return changes(before, facts(self.after, cell.after, at, self.labels))

    def _parts(self, cell: Cell) -> Sequence[Region]:
        """A cell cut by size and needs, so that the same targets are asked for all requests of a part."""
        parts = [cell.region]
        for cutter in (*cuts(cell.before), *cuts(cell.after)):
            finer = [piece for part in parts for piece in ([part] if part <= cutter else split(part, cutter))]
            if len(finer) > MOST_PARTS:
                self.is_complete = False
                return parts
            parts = finer
        return parts

    def _record(self, found: tuple[Change, ...], way: Way, region: Region) -> None:
        self.found.setdefault(found, _Found(found)).regions.setdefault(way, []).append(region)

    def _group(self, found: _Found) -> Group:
        requests = tuple(Requests(way, tuple(_ordered(merged(regions)))) for way, regions in found.regions.items())
        return Group(found.changes, risks(found.changes), requests, self._witness(requests[0]))

    def _witness(self, requests: Requests) -> Witness:
        attributes, way = requests.regions[0].witness(), requests.way
        request = None if way.guard is not None else request_of(attributes, route=way.called)
        if request is None:
            return Witness(attributes, way, None, None)
        return Witness(attributes, way, decide(self.before, request), decide(self.after, request))


def changed(before: RoutingTable, after: RoutingTable) -> Changed:
    """The items that may do something else: too many rather than too few, facts tell in the end."""
    return Changed(
        routes=_names(before.routes, after.routes, lambda name: (_route(before, name), _route(after, name))),
        bounds=_names(
            (b.name for b in before.bounds),
            (b.name for b in after.bounds),
            lambda name: (_bound(before, name), _bound(after, name)),
        ),
        hooks=_names(
            (h.name for h in before.hooks),
            (h.name for h in after.hooks),
            lambda name: (before.policy.webhooks[name], after.policy.webhooks[name]),
        ),
    )


def _names(before: Iterable[str], after: Iterable[str], both: Callable[[str], tuple[object, object]]) -> frozenset[str]:
    old, new = set(before), set(after)
    kept = {name for name in old & new if (pair := both(name))[0] != pair[1]}
    return frozenset((old ^ new) | kept)


def _route(table: RoutingTable, name: str) -> object:
    """All that a route rests on."""
    policy = table.policy
    upstream = policy.upstreams[policy.routes[name].upstream]
    targets = table.routes[name].upstream.targets
    parts = [(policy.endpoints[t.endpoint], policy.models[t.model]) for t in targets]
    return (policy.routes[name], upstream, parts, policy.files.get(("routes", name, "json_schema")))


def _bound(table: RoutingTable, name: str) -> object:
    bound = table.policy.bounds[name]
    scanners = [table.scanners[guard] for guard in bound.guards]
    return (bound, [(s.patterns, s.threshold, s.action, s.destination) for s in scanners])


def _weighing(side: Side) -> object:
    """All that parts requests by which targets they may ask, besides what facts tell."""
    return [(str(region.tokens), tuple(region.needs.items())) for region in cuts(side)]


def _asks(side: Side, guard: str) -> bool:
    return any(guard in bound.guards for bound in side.bounds)


def _by(way: Way, table: RoutingTable, side: Side) -> Side:
    """A side for requests that come to their route this way."""
    if side.bad_tag is not None:
        return side
    if way.called is not None:
        route = table.routes.get(way.called)
        return replace(side, route=route if route is not None and route.callable else None)
    assert way.guard is not None
    return replace(side, route=table.routes.get(table.scanners[way.guard].destination))


def _ordered(regions: Iterable[Region]) -> list[Region]:
    """The plainest regions first: those with the fewest conditions, then by their words."""
    return sorted(regions, key=lambda region: (_conditions(region), in_words(region, {})))


def _conditions(region: Region) -> int:
    return len(region.needs) + sum(not v.is_everything for v in region.values.values()) + (region.tokens[0] > 5)


def _order(group: Group) -> tuple[object, ...]:
    riskiest = min((list(Risk).index(risk) for risk in group.risks), default=len(Risk))
    first = group.requests[0]
    texts = tuple((str(c.topic), c.before_text, c.after_text) for c in group.changes)
    plans = (group.witness.before, group.witness.after)
    is_idle = all(plan is not None and plan.stop is not None for plan in plans)  # refused before and after
    return (-len(group.risks), riskiest, is_idle, first.way != Way(), _conditions(first.regions[0]), texts)
