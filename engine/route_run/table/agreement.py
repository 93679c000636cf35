"""Do two tables decide alike? Compared by meaning first, else on a request from inside every match.

Decides what counts as a change: another route, other bounds or webhooks, or a route that now does
something else. Where the compiled meaning is equal nothing can differ, so no request has to be tried.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from route_run.guard import Scanner
from route_run.table.attributes import Attributes
from route_run.table.match import Region
from route_run.table.table import Route, RoutingTable

MOST_REQUESTS = 5_000
"""Most requests that are tried; beyond it the comparison says that it is not complete."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """``is_proved``: the tables mean the same, no request was needed. Else ``changed`` of ``asked`` requests differ.

    ``is_complete`` is false when there were more requests to try than are tried.
    """

    is_proved: bool
    asked: int = 0
    changed: tuple[Attributes, ...] = ()
    is_complete: bool = True


def agreement(before: RoutingTable, after: RoutingTable) -> Agreement:
    """How two compiled policies agree on what they decide."""
    if before.digest == after.digest or _meaning(before) == _meaning(after):
        return Agreement(is_proved=True)
    requests: dict[str, Attributes] = {}
    is_complete = True
    for region in (*_regions(before), *_regions(after)):
        if len(requests) >= MOST_REQUESTS:
            is_complete = False
            break
        witness = region.witness()
        requests.setdefault(str(witness), witness)
    changed = tuple(request for request in requests.values() if _decision(before, request) != _decision(after, request))
    return Agreement(False, len(requests), changed, is_complete)


def _regions(table: RoutingTable) -> Iterator[Region]:
    for route in table.matched:
        if route.region is not None:
            yield route.region
    yield from (bound.region for bound in table.bounds)


def _meaning(table: RoutingTable) -> object:
    """Everything that is decided from, without the places it was written at."""
    return (
        table.vocabulary,
        {name: _route(route) for name, route in table.routes.items()},
        list(table.bounds),
        list(table.hooks),
        {name: _scanner(scanner) for name, scanner in table.scanners.items()},
        table.policy.endpoints,
        table.policy.webhooks,
        table.policy.ledger,
    )


def _route(route: Route) -> object:
    check = route.output_check
    return (
        route.name,
        route.region,
        route.precedence,
        route.callable,
        route.upstream,
        route.rules,
        None if check is None else (check.schema,),
        route.deliver,
    )


def _scanner(scanner: Scanner) -> object:
    patterns = tuple((pattern.id, pattern.regex, pattern.score) for pattern in scanner.patterns)
    return scanner.guard, scanner.threshold, scanner.action, scanner.destination, patterns


def _decision(table: RoutingTable, request: Attributes) -> object:
    route = table.route_for(request)
    bounds = table.bounds_for(request)
    guards = sorted({guard for bound in bounds for guard in bound.guards})
    scanners = [_scanner(table.scanners[guard]) for guard in guards if guard in table.scanners]
    return None if route is None else _route(route), bounds, table.hooks_for(request), scanners
