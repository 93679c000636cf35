"""What an exploration begins with: ways of asking for an answer, and circumstances in which a request may come.

Decides which there are. A circumstance takes something away before anything fails: a limit is used up, an
endpoint is in maintenance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from route_run.flow.plan import Plan
from route_run.rehearse.play import DEFAULT_AT
from route_run.table import Deliver, Limit, Route

MOST_CIRCUMSTANCES = 12
"""Circumstances explored per request."""


@dataclass(frozen=True, slots=True)
class Circumstance:
    """What is so from the beginning: its words, and the fields of a rehearsal that say it."""

    words: str = ""
    also: Mapping[str, Any] = field(default_factory=dict)


USUAL = Circumstance()


def ways_of_asking(route: Route, fields: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The same request of callers who take the answer as it comes, who can discard it, and who take it whole."""
    yield fields
    if route.upstream.restarts and route.deliver is Deliver.STREAMED:
        yield {**fields, "allow_restart": True}
    yield {**fields, "stream": False}


def circumstances(plan: Plan) -> list[Circumstance]:
    """What may hold back a request whose plan this is: one part of one limit each, one window each."""
    return [*_used_up(plan), *_maintained(plan)][:MOST_CIRCUMSTANCES]


def _used_up(plan: Plan) -> Iterator[Circumstance]:
    own = {limit.key: (str(p.target), limit) for p in plan.eligible for limit in p.target.limits}
    for key, (target, limit) in own.items():
        section, _, name = key.partition(".")
        for part, amount in _nothing_left(limit):
            where: Mapping[str, Any] = {name: {part: amount}}
            if section == "upstreams":
                where = {name.partition(".")[0]: {target: {part: amount}}}
            yield Circumstance(f"no {part} left of {limit.owner.replace('`', '')}", {"quota": {section: where}})
    for limit in plan.limits:
        name, _, value = limit.key.removeprefix("bounds.").partition("=")
        for part, amount in _nothing_left(limit):
            used: Mapping[str, Any] = {part: amount}
            if limit.group:
                used = {"per": {value: used}} if value else {"absent": used}
            words = f"no {part} left of {limit.owner.replace('`', '')}"
            yield Circumstance(words, {"quota": {"bounds": {name: used}}})


def _nothing_left(limit: Limit) -> Iterator[tuple[str, str]]:
    if limit.requests is not None:
        yield "requests", "0 left"
    if limit.tokens is not None:
        yield "tokens", "0 left"
    if limit.spend is not None:
        yield "spend", "0 USD left"
    if limit.concurrent is not None:
        yield "concurrent", "0 left"


def _maintained(plan: Plan) -> Iterator[Circumstance]:
    windows = {(p.target.endpoint, window) for p in plan.eligible for window in p.target.maintenance}
    for endpoint, window in sorted(windows, key=lambda pair: (pair[0], pair[1].start)):
        if DEFAULT_AT.timestamp() not in window:
            at = datetime.fromtimestamp(window.start, UTC).isoformat()
            yield Circumstance(f"{endpoint} in maintenance", {"at": at})
