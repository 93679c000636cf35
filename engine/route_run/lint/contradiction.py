"""Bounds that cannot be kept together: requests for which they leave no endpoint of the whole policy."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from route_run.lint.eligible import Eligible, dead_cells, label_obstacles
from route_run.table import Bound, Region
from route_run.table.cover import Effort, NotProved


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Requests of a region are under all of these bounds, and no endpoint has the labels that all ask for."""

    bounds: tuple[Bound, ...]
    region: Region


def contradictions(eligible: Eligible, effort: Effort) -> Iterator[Contradiction]:
    """The smallest sets of bounds that leave no endpoint, in the order of their names."""
    policy = eligible.table.policy
    labelled = [bound for bound in eligible.table.bounds if bound.labels]
    if not labelled or not policy.endpoints:
        return
    per_endpoint = [
        [o for bound in labelled for o in label_obstacles(bound, f"the endpoint `{name}`", endpoint.labels)]
        for name, endpoint in sorted(policy.endpoints.items())
    ]
    found: dict[frozenset[str], Contradiction] = {}
    for dead in dead_cells(eligible.everything, per_endpoint, effort):
        if isinstance(dead, NotProved):
            break  # each route's own proof says so where it matters
        cell, obstacles = dead
        bounds = {o.bound.name: o.bound for o in obstacles if o.bound is not None}
        found.setdefault(frozenset(bounds), Contradiction(tuple(bound for _, bound in sorted(bounds.items())), cell))
    smallest = [names for names in found if not any(other < names for other in found)]
    yield from (found[names] for names in sorted(smallest, key=sorted))
