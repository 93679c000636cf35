"""How rules word requests and lists."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from route_run.table import Attributes
from route_run.text.nearest import listed


def request(attributes: Attributes) -> str:
    """A request in words, to be read after `with`: its tags, its model, its size and its needs."""
    return str(attributes) if attributes.tags or attributes.requested_model else f"no tags, {attributes}"


def routes(names: Iterable[str]) -> str:
    """`the route x`, or `the routes x, y and 3 more`."""
    known = set(names)
    return f"the route{'' if len(known) == 1 else 's'} {listed(known, most=4)}"


def each(things: Collection[object], one: str, many: str) -> str:
    """The verb that goes with so many things."""
    return one if len(things) == 1 else many
