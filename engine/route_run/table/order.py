"""Which of two routes wins: precedence first, then the strictly narrower match.

Decides the rank of every route and finds the pairs that cannot be ranked. For every request the
matching routes of equal precedence then form a chain, so exactly one wins.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from route_run.table.attributes import Attributes
from route_run.table.index import Pins
from route_run.table.match import Region, Relation


@dataclass(frozen=True, slots=True)
class Conflict:
    """Two routes of equal precedence that share a request although neither is narrower."""

    first: int
    second: int
    relation: Relation
    witness: Attributes


def ranked(regions: Sequence[Region], precedences: Sequence[int]) -> tuple[list[int], list[Conflict]]:
    """A rank per entry (lower wins), and at most one conflict per entry."""
    groups: Mapping[int, list[int]] = defaultdict(list)
    for entry, precedence in enumerate(precedences):
        groups[precedence].append(entry)
    around = [0] * len(regions)
    conflicts: list[Conflict] = []
    for entries in groups.values():
        conflicts += _compared(entries, regions, around)
    order = sorted(range(len(regions)), key=lambda e: (-precedences[e], -around[e], e))
    ranks = [0] * len(regions)
    for rank, entry in enumerate(order):
        ranks[entry] = rank
    return ranks, conflicts


def _compared(entries: Sequence[int], regions: Sequence[Region], around: list[int]) -> list[Conflict]:
    """Counts, for each entry, the entries strictly around it; returns what crosses or is equal."""
    members = [regions[entry] for entry in entries]
    pins = Pins.of(members)
    conflicts: dict[int, Conflict] = {}
    for here, region in enumerate(members):
        near = pins.near(region)
        for there in range(here) if near is None else near:
            if there >= here:
                break  # near is sorted, and the later of a pair looks back at the earlier
            first, second = entries[there], entries[here]
            relation = members[there].relation(region)
            if relation is Relation.INSIDE:
                around[first] += 1
            elif relation is Relation.AROUND:
                around[second] += 1
            elif relation is not Relation.DISJOINT and second not in conflicts:
                both = members[there] & region
                assert both is not None
                conflicts[second] = Conflict(first, second, relation, both.witness())
    return list(conflicts.values())
