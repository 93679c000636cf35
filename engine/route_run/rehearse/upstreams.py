"""Upstreams as rehearsals meet them: where targets stand, who may be asked before whom, acts that make one come next.

Decides nothing about requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from route_run.table import Group, Route, RoutingTable, Target, Upstream


def rehearsed_upstreams(table: RoutingTable) -> dict[str, Upstream]:
    """The upstreams that some route uses, by name."""
    return {route.upstream.name: route.upstream for route in table.routes.values()}


def routes_to(table: RoutingTable, upstream: Upstream) -> list[Route]:
    """The routes that use an upstream."""
    return [route for route in table.routes.values() if route.upstream.name == upstream.name]


def before(upstream: Upstream, number: int) -> list[Target]:
    """The targets that may be asked before one: those that stand before it, and all others of its group."""
    group = next((group for group in upstream.groups if _holds(group, number)), None)
    end = number if group is None else group.first + len(group.weights)
    return [target for place, target in enumerate(upstream.targets[:end]) if place != number]


def _holds(group: Group, number: int) -> bool:
    return group.first <= number < group.first + len(group.weights)


def failing(endpoints: Sequence[str], answering: str = "") -> dict[str, list[Mapping[str, Any]]]:
    """Acts in which each of these exchanges fails; the endpoint that is to answer does so afterwards."""
    acts: dict[str, list[Mapping[str, Any]]] = {}
    for endpoint in endpoints:
        acts.setdefault(endpoint, []).append({"status": 503})
    if answering in acts:
        acts[answering].append({})
    return {endpoint: listed if endpoint == answering else listed[:1] for endpoint, listed in acts.items()}
