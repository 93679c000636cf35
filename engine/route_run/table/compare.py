"""Two tables side by side: the regions of requests in which they can differ, and who decides there in each.

Decides where two policies can part and cuts that part of all requests into cells; in one cell the route, the
bounds and the webhooks are the same for every request, in either table. Whether what they say differs is not
known here: whoever asks brings the items that have changed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

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
    """A region with what may still cut it; every list holds only what shares a request with it."""

    region: Region
    differing: Sequence[Region]
    admitted: Sequence[Region]
    cuts: Sequence[Region]
    ranked: tuple[Sequence[Region], Sequence[Region]]


class _Comparison:
    def __init__(self, before: RoutingTable, after: RoutingTable, changed: Changed, by_match: bool, most: int) -> None:
        self._tables = (before, after)
        self._changed = changed
        self._by_match = by_match
        self._most = most

    def made(self) -> Cells:
        """Cuts regions until each is one cell. Regions that nothing changed touches are left uncut."""
        cells: list[Cell] = []
        waiting = [self._start()]
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

    def _start(self) -> _Waiting:
        differing = list(self._differing()) if self._by_match else [all_requests()]
        admitted = [_admitted(table) for table in self._tables]
        cuts = [bound.region for table in self._tables for bound in table.bounds]
        names = self._changed.hooks
        cuts += [hook.condition for table in self._tables for hook in table.hooks if hook.name in names]
        ranked = tuple(
            [route.region for route in table.matched if route.region is not None] if self._by_match else []
            for table in self._tables
        )
        return _Waiting(all_requests(), differing, admitted, _distinct(cuts), (ranked[0], ranked[1]))

    def _differing(self) -> Iterator[Region]:
        """Regions that hold every request about which the tables can differ."""
        before, after = (_admitted(table) for table in self._tables)
        yield from without(before, after)
        yield from without(after, before)
        # the rank of routes is told within the domains of tags: where those change, it may
        domains = [table.vocabulary.domains for table in self._tables]
        is_same = domains[0] == domains[1]
        for table in self._tables:
            for route in table.matched:
                if route.region is not None and (not is_same or route.name in self._changed.routes):
                    yield route.region
            yield from (bound.region for bound in table.bounds if bound.name in self._changed.bounds)
            yield from (hook.condition for hook in table.hooks if hook.name in self._changed.hooks)

    def _cut(self, now: _Waiting) -> list[_Waiting] | None:
        """The pieces of a region: none when nothing differs in it, None when it is one cell."""
        if not now.differing:
            return []
        if not any(now.region <= region for region in now.differing):
            return self._pieces(now, now.differing[0])
        for admitted in now.admitted:
            if not now.region <= admitted:
                return self._pieces(now, admitted)
        for regions in now.ranked:
            for region in regions:
                if now.region <= region:
                    break  # it wins all that the routes before it have left
                return self._pieces(now, region)
        for region in now.cuts:
            if not now.region <= region:
                return self._pieces(now, region)
        return None

    def _pieces(self, now: _Waiting, cutter: Region) -> list[_Waiting]:
        return [_narrowed(now, piece) for piece in split(now.region, cutter)]

    def _cell(self, region: Region) -> Cell:
        witness = region.witness()
        before, after = (side_of(table, witness) for table in self._tables)
        return Cell(region, before, after)


def _narrowed(now: _Waiting, piece: Region) -> _Waiting:
    return _Waiting(
        piece,
        _touching(now.differing, piece),
        _touching(now.admitted, piece),
        _touching(now.cuts, piece),
        (_touching(now.ranked[0], piece), _touching(now.ranked[1], piece)),
    )


def _touching(regions: Sequence[Region], piece: Region) -> list[Region]:
    return [region for region in regions if overlap(region, piece)]


def _admitted(table: RoutingTable) -> Region:
    """The requests whose tags the table does not refuse."""
    domains = {d: allowed for d, allowed in table.vocabulary.domains.items() if not allowed.is_everything}
    everything = all_requests()
    return Region(domains, everything.tokens, everything.needs)


def _distinct(regions: Sequence[Region]) -> list[Region]:
    found: list[Region] = []
    seen = set()
    for region in regions:
        key = (frozenset(region.values.items()), region.tokens, frozenset(region.needs.items()))
        if key not in seen:
            seen.add(key)
            found.append(region)
    return found
