"""Every limit that a policy writes, with the routes and targets whose requests it counts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from route_run.errors import Span
from route_run.lint.eligible import Never, Way
from route_run.lint.facts import Facts
from route_run.policy.model import Limits
from route_run.policy.policy import Origin
from route_run.table import Region, Route


@dataclass(frozen=True, slots=True)
class Counted:
    """A route and the positions of those of its targets whose exchanges are counted, for requests of ``region``."""

    route: Route
    targets: tuple[int, ...]
    region: Region | None = None


@dataclass(frozen=True, slots=True)
class Limited:
    """One set of limits: whose it is, where it stands, what it counts."""

    whose: str
    limits: Limits
    origin: Origin
    keys: tuple[str | int, ...]
    counted: tuple[Counted, ...]

    def span(self, field: str) -> Span:
        """Where one of the limits stands."""
        return self.origin.span(*self.keys, field)


def limited(facts: Facts) -> Iterator[Limited]:
    """The limits of endpoints, models, targets and bounds, exceptions of bounds included."""
    policy = facts.policy
    of_endpoints = {name: endpoint.limits for name, endpoint in policy.endpoints.items()}
    of_models = {name: model.limits for name, model in policy.models.items()}
    for section, items in (("endpoints", of_endpoints), ("models", of_models)):
        for name, limits in sorted(items.items()):
            if limits is not None:
                counted = tuple(_at(facts, section, name))
                whose = f"the {section.removesuffix('s')} `{name}`"
                yield Limited(whose, limits, policy.origin(section, name), ("limits",), counted)
    yield from _of_targets(facts)
    yield from _of_bounds(facts)


def usable(facts: Facts, route: Route) -> Iterator[int]:
    """The positions of targets that a route's requests can be sent to."""
    for number, fate in enumerate(facts.eligible.fates(route)):
        if not isinstance(fate, Never):
            yield number


def _at(facts: Facts, section: str, name: str) -> Iterator[Counted]:
    for _, route in sorted(facts.table.routes.items()):
        targets = route.upstream.targets
        found = [n for n in usable(facts, route) if _named(section, targets[n].endpoint, targets[n].model) == name]
        if found:
            yield Counted(route, tuple(found))


def _named(section: str, endpoint: str, model: str) -> str:
    return endpoint if section == "endpoints" else model


def _of_targets(facts: Facts) -> Iterator[Limited]:
    for name in sorted(facts.routes_of):
        targets = facts.written_targets(name)
        for number, target in enumerate(targets):
            if target.limits is None:
                continue
            routes = [route for route in facts.routes_of[name] if number in set(usable(facts, route))]
            counted = tuple(Counted(route, (number,)) for route in routes)
            keys = (*facts.target_keys[name][number], "limits")
            whose = f"the target {target.endpoint}/{target.model}"
            yield Limited(whose, target.limits, facts.policy.origin("upstreams", name), keys, counted)


def _of_bounds(facts: Facts) -> Iterator[Limited]:
    for bound in facts.table.bounds:
        written = facts.policy.bounds[bound.name]
        origin = facts.policy.origin("bounds", bound.name)
        if written.limits is None and not written.except_:
            continue
        counted = tuple(_under(facts, bound.region))
        if written.limits is not None:
            yield Limited(f"the bound `{bound.name}`", written.limits, origin, ("limits",), counted)
        for value, limits in sorted(written.except_.items()):
            whose = f"the bound `{bound.name}` for `{value}`"
            yield Limited(whose, limits, origin, ("except", value), counted)


def _under(facts: Facts, region: Region) -> Iterator[Counted]:
    for _, route in sorted(facts.table.routes.items()):
        for entry in facts.eligible.entries(route):
            shared = entry.region & region
            if shared is not None:
                yield Counted(route, tuple(usable(facts, route)), shared if entry.way is Way.MATCH else region)
                break
