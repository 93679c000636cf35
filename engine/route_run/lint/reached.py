"""Which requests land on a route by its match, once the routes that win over it have had theirs.

Decides by the algebra of matches alone. Two routes that cannot be ranked are not held against each
other: their ambiguity has a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from route_run.table import Region, Relation, Route, RoutingTable
from route_run.table.cover import Answer, Covered, Effort, NotProved, Open, cover, thinned_out
from route_run.table.index import Pins

HIGHEST_PRECEDENCE = 1_000
_MOST_LOSERS_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Taken:
    """No request lands on a route: ``by`` are the routes that take them all, in the order of their rank."""

    by: tuple[Route, ...]


Reach = Open | Taken | NotProved


def beats(one: Route, other: Route, *, precedence: int | None = None) -> bool:
    """Whether one route surely wins over another where both match; ``precedence`` stands in for its own."""
    assert one.region is not None
    assert other.region is not None
    own = one.precedence if precedence is None else precedence
    if own != other.precedence:
        return own > other.precedence
    return one.region.relation(other.region) is Relation.INSIDE


@dataclass
class Reached:
    """The reach of every route with a match; answers are kept, and cost ``effort`` together."""

    table: RoutingTable
    effort: Effort
    _kept: dict[str, Reach] = field(default_factory=dict)

    @cached_property
    def _pins(self) -> Pins:
        return Pins.of([region_of(route) for route in self.table.matched])

    def near(self, region: Region, *, last_first: bool = False) -> Iterator[Route]:
        """Routes with a match that share a request with a region, in the order of their rank or against it."""
        found = self._pins.near(region)
        entries = range(len(self.table.matched)) if found is None else found
        for entry in reversed(entries) if last_first else entries:
            self.effort.left = max(0, self.effort.left - 1)
            route = self.table.matched[entry]
            if (region_of(route) & region) is not None:
                yield route

    def winners_over(self, route: Route, region: Region, *, precedence: int | None = None) -> list[Route]:
        """Routes that surely win over a route for some requests of a region."""
        others = (other for other in self.near(region) if other is not route)
        if precedence is None:
            return [other for other in others if beats(other, route)]
        return [other for other in others if _beats_at(other, route, precedence)]

    def of(self, route: Route) -> Reach:
        """A request that lands on a route by its match, or the routes that take all of them."""
        if route.name not in self._kept:
            self._kept[route.name] = self._answered(route)
        return self._kept[route.name]

    def landing(self, route: Route, region: Region, taken: Sequence[Region] = ()) -> Answer:
        """A request of a region, but of none ``taken``, that lands on a route by its match."""
        quick = region.witness()
        if taken and any(quick in one for one in taken):
            left = cover(region, taken, effort=self.effort)
            if not isinstance(left, Open):
                return left
            quick = left.witness
        if self.table.route_for(quick) is route:
            return Open(quick)
        if not self.effort.left:
            return NotProved()
        winners = [region_of(winner) for winner in self.winners_over(route, region)]
        return cover(region, [*winners, *taken], effort=self.effort)

    def freeing_precedence(self, route: Route, taken: Taken) -> int | None:
        """The smallest precedence that frees a route: ranked against all others, and none of them lost for it."""
        wanted = {taker.precedence for taker in taken.by if taker.precedence > route.precedence}
        candidates = sorted({p for precedence in wanted for p in (precedence, precedence + 1)})
        for precedence in candidates:
            if precedence <= HIGHEST_PRECEDENCE and self._is_free_at(route, precedence):
                return precedence
        return None

    # -- their questions -------------------------------------------------------------------------------

    def _answered(self, route: Route) -> Reach:
        region = region_of(route)
        quick = region.witness()
        if self.table.route_for(quick) is route:
            return Open(quick)
        if not self.effort.left:
            return NotProved()
        winners = self.winners_over(route, region)
        regions = [region_of(winner) for winner in winners]
        answer = cover(region, regions, effort=self.effort)
        if not isinstance(answer, Covered):
            return answer
        few = thinned_out(region, regions, answer, self.effort)
        return Taken(tuple(winners[entry] for entry in few.by))

    def _is_free_at(self, route: Route, precedence: int) -> bool:
        region = region_of(route)
        near = [other for other in self.near(region) if other is not route]
        if any(other.precedence == precedence and not _is_nested(region, region_of(other)) for other in near):
            return False
        winners = [region_of(other) for other in near if _beats_at(other, route, precedence)]
        if not isinstance(cover(region, winners, effort=self.effort), Open):
            return False
        losers = [other for other in near if beats(other, route) and beats(route, other, precedence=precedence)]
        return len(losers) <= _MOST_LOSERS_LOOKED_AT and all(self._survives(loser, region) for loser in losers)

    def _survives(self, loser: Route, taken: Region) -> bool:
        before = self.of(loser)
        if not isinstance(before, Open):
            return isinstance(before, Taken)  # it has nothing to lose
        return isinstance(self.landing(loser, region_of(loser), (taken,)), Open)


def region_of(route: Route) -> Region:
    """The region of a route that has a match."""
    assert route.region is not None
    return route.region


def _is_nested(one: Region, other: Region) -> bool:
    return one.relation(other) in (Relation.INSIDE, Relation.AROUND)


def _beats_at(other: Route, route: Route, precedence: int) -> bool:
    """Whether another route wins over a route that had a precedence."""
    if other.precedence != precedence:
        return other.precedence > precedence
    return region_of(other).relation(region_of(route)) is Relation.INSIDE
