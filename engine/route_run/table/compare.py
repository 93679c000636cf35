"""Two tables side by side: the regions of requests in which they can differ, and who decides there in each.

Decides where two policies can part and cuts that part of all requests into cells; in one cell the route, the
bounds and the webhooks are the same for every request, in either table. Whether what they say differs is not
known here: whoever asks brings the items that have changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from route_run.table.attributes import Attributes
from route_run.table.match import Region
from route_run.table.pieces import all_requests, overlap, split, without
from route_run.table.table import Bound, Hook, Route, RoutingTable

MOST_CELLS = 20_000
"""How many regions are cut before the comparison says that there may be more."""


@dataclass(frozen=True, slots=True)
class Changed:
    """The names of items that one table has and the other has not, or has otherwise."""

    routes: Collection[str]
    bounds: Collection[str]
    hooks: Collection[str]


@dataclass(frozen=True, slots=True)
class Side:
    """Who decides in one table: nobody when ``bad_tag`` names a tag whose value is refused."""

    bad_tag: str | None
    route: Route | None
    bounds: tuple[Bound, ...]
    hooks: tuple[Hook, ...]


@dataclass(frozen=True, slots=True)
class Cell:
    """A region of requests that each table treats alike."""

    region: Region
    before: Side
    after: Side


@dataclass(frozen=True, slots=True)
class Cells:
    """Disjoint cells; every request outside of them is decided alike, if they are ``complete``."""

    cells: tuple[Cell, ...]
    is_complete: bool


def side_of(table: RoutingTable, request: Attributes) -> Side:
    """Who decides about one request; the tags are judged first, as in a decision."""
    for tag, domain in table.vocabulary.domains.items():
        if request.value(tag) not in domain:
            return Side(tag, None, (), ())
    return Side(None, table.route_for(request), table.bounds_for(request), table.hooks_for(request))


def compare(
    before: RoutingTable, after: RoutingTable, changed: Changed, *, by_match: bool = True, most: int = MOST_CELLS
) -> Cells:
    """The cells in which the tables can differ for requests that are matched.

    With ``by_match`` False the route is not asked: the cells of bounds and webhooks, for requests that come to
    their route another way; the whole of all requests is then looked at.
    """
    return _Comparison(before, after, changed, by_match, most).made()


@dataclass(frozen=True, slots=True)
class _Waiting:
    """A region that may still be cut, and how far each list of what cuts it has been gone through.

    What does not share a request with a region shares none with its pieces, so no list is begun anew.
    """

    region: Region
    differs: bool = False
    differing: int = 0
    ranked: tuple[int, int] = (0, 0)
    cut: int = 0


class _Comparison:
    def __init__(self, before: RoutingTable, after: RoutingTable, changed: Changed, by_match: bool, most: int) -> None:
        self._tables = (before, after)
        self._changed = changed
        self._most = most
        self._admitted = [_admitted(table) for table in self._tables]
        self._differs = list(self._differing()) if by_match else [all_requests()]
        self._ranked = [
            [route.region for route in table.matched if route.region is not None] if by_match else []
            for table in self._tables
        ]
        self._cuts = _distinct(self._cutting())

    def made(self) -> Cells:
        """Cuts regions until each is one cell. Regions that nothing changed touches are left uncut."""
        cells: list[Cell] = []
        waiting = [_Waiting(all_requests())]
        steps = 0
        while waiting:
            steps += 1
            if steps > self._most:
                return Cells(tuple(cells), is_complete=False)
            now = waiting.pop()
            pieces = self._cut(now)
            if pieces is None:
                cells.append(self._cell(now.region))
            else:
                waiting.extend(reversed(pieces))
        return Cells(tuple(cells), is_complete=True)

    def _cutting(self) -> Iterator[Region]:
        """What tells requests of one route apart: every bound, since they add up, and the webhooks that changed."""
        for table in self._tables:
            yield from (bound.region for bound in table.bounds)
        for table in self._tables:
            yield from (hook.condition for hook in table.hooks if hook.name in self._changed.hooks)

    def _differing(self) -> Iterator[Region]:
        """Regions that hold every request about which the tables can differ."""
        before, after = self._admitted
        yield from without(before, after)
        yield from without(after, before)
        # the rank of routes is told within the domains of tags: where those change, it may
        domains = [table.vocabulary.domains for table in self._tables]
        is_same = domains[0] == domains[1]
        for table in self._tables:
            yield from (bound.region for bound in table.bounds if bound.name in self._changed.bounds)
            yield from (hook.condition for hook in table.hooks if hook.name in self._changed.hooks)
            for route in table.matched:
                if route.region is not None and (not is_same or route.name in self._changed.routes):
                    yield route.region

    def _cut(self, now: _Waiting) -> list[_Waiting] | None:
        """The pieces of a region: none when nothing differs in it, None when it is one cell."""
        if not now.differs:
            return self._by_difference(now)
        for admitted in self._admitted:
            if overlap(now.region, admitted) and not now.region <= admitted:
                return _pieces(now, admitted)
        return self._by_rank(now)

    def _by_difference(self, now: _Waiting) -> list[_Waiting]:
        place = _next(self._differs, now.region, now.differing)
        if place == len(self._differs):
            return []
        inside, *outside = split(now.region, self._differs[place])
        return [replace(now, region=inside, differs=True)] + [
            replace(now, region=piece, differing=place + 1) for piece in outside
        ]

    def _by_rank(self, now: _Waiting) -> list[_Waiting] | None:
        first, second = (
            _next(regions, now.region, start) for regions, start in zip(self._ranked, now.ranked, strict=True)
        )
        here = replace(now, ranked=(first, second))
        for regions, place in zip(self._ranked, here.ranked, strict=True):
            # a region that lies inside of the first route that takes any of it is won by that route alone
            if place < len(regions) and not now.region <= regions[place]:
                return _pieces(here, regions[place])
        return self._by_cuts(here)

    def _by_cuts(self, now: _Waiting) -> list[_Waiting] | None:
        for place in range(now.cut, len(self._cuts)):
            cutter = self._cuts[place]
            if overlap(now.region, cutter) and not now.region <= cutter:
                return _pieces(replace(now, cut=place + 1), cutter)
        return None

    def _cell(self, region: Region) -> Cell:
        witness = region.witness()
        before, after = (side_of(table, witness) for table in self._tables)
        return Cell(region, before, after)


def _next(regions: Sequence[Region], region: Region, start: int) -> int:
    """The place of the first region from a place on that shares a request with a region."""
    return next((place for place in range(start, len(regions)) if overlap(region, regions[place])), len(regions))


def _pieces(now: _Waiting, cutter: Region) -> list[_Waiting]:
    return [replace(now, region=piece) for piece in split(now.region, cutter)]


def _admitted(table: RoutingTable) -> Region:
    """The requests whose tags the table does not refuse."""
    domains = {d: allowed for d, allowed in table.vocabulary.domains.items() if not allowed.is_everything}
    everything = all_requests()
    return Region(domains, everything.tokens, everything.needs)


def _distinct(regions: Iterable[Region]) -> list[Region]:
    found: list[Region] = []
    seen = set()
    for region in regions:
        key = (frozenset(region.values.items()), region.tokens, frozenset(region.needs.items()))
        if key not in seen:
            seen.add(key)
            found.append(region)
    return found
