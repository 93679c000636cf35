"""What is used of the limits of one engine: the counters, and those who wait for room in them.

Decides nothing: what there is room for is judged in `flow.limits`. There is a counter for each endpoint,
model, target and bound with limits, and for bounds with `per` one for each value; those have a cap,
since values come from callers. Values beyond it share one counter: that holds them to less, never to more.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from dataclasses import replace
from itertools import islice
from typing import NamedTuple

import anyio

from route_run.flow.limits import FRESH, Counter, Need, Used, is_fresh, left, now_used, settled, taken
from route_run.table import Limit

MOST_VALUES = 10_000
"""Values of a bound's `per` that are counted apart at once; one that uses nothing any more makes room."""
MOST_WAITING = 10_000
"""Requests that wait for room of one limit at once; others are turned away."""
_LOOKED_AT = 8
"""Values that are looked at, the longest unused first, to find one that uses nothing any more."""


class Reservation(NamedTuple):
    """What an attempt has reserved, and the calendar period it did so in."""

    limit: Limit
    key: str
    need: Need
    period: str


class Turn:
    """A place in the queue of a limit; ``event`` is set when it is worth looking again.

    ``arrival`` is the place among all who wait for anything. It is kept when a request has to wait for another
    limit: were it at the end of each queue that it comes to, requests that need room in two limits could give way
    to one another for ever.
    """

    __slots__ = ("arrival", "event", "key")

    def __init__(self, key: str, arrival: int) -> None:
        self.key = key
        self.arrival = arrival
        self.event = anyio.Event()


class Counters:
    """All counters of an engine, and per counter a queue in the order of arrival."""

    def __init__(self, most_values: int = MOST_VALUES) -> None:
        self._most_values = most_values
        self._counters: dict[str, Counter] = {}
        self._values: dict[str, dict[str, Limit]] = defaultdict(dict)
        self._turns: dict[str, list[Turn]] = {}
        self._arrived = 0

    def __repr__(self) -> str:
        return f"<Counters {len(self._counters)} counted, {sum(map(len, self._turns.values()))} waiting>"

    @property
    def live(self) -> int:
        """What is under way, summed over all counters."""
        return sum(counter.used.live for counter in self._counters.values())

    @property
    def waiting(self) -> int:
        """Requests that wait for room."""
        return sum(len(turns) for turns in self._turns.values())

    def begin(self, limit: Limit, used: Used, now: float, at: float) -> None:
        """Count on from what is used of a limit already; dollars are those of the period it is now."""
        key = self._kept_key(limit, now, at)
        self._counters[key] = replace(now_used(FRESH, limit, now, at), used=used)

    def used(self, limit: Limit, now: float, at: float) -> Used:
        """What is used of a limit now; rounded, so that a record of it is short."""
        counter = self._counters.get(self._key(limit))
        if counter is None:
            return FRESH.used
        used = now_used(counter, limit, now, at).used
        return Used(round(used.requests, 6), round(used.tokens, 3), used.reserved, used.spent, used.live)

    def take(self, limit: Limit, need: Need, now: float, at: float, *, counts: bool) -> Reservation:
        """Reserve what an attempt needs; ``counts`` when it counts as a request too."""
        key = self._kept_key(limit, now, at)
        began = now_used(self._counters.get(key, FRESH), limit, now, at)
        self._counters[key] = taken(began, limit, need, counts=counts)
        return Reservation(limit, key, need, began.period)

    def settle(self, reservation: Reservation, used: Need, now: float, at: float) -> None:
        """Give back what an attempt had reserved and did not use, or take what it used beyond that."""
        limit, key, need, period = reservation
        counter = now_used(self._counters[key], limit, now, at)
        self._counters[key] = settled(counter, limit, need, used, period)
        self._wake(key)

    def leave(self, reservation: Reservation, *, was_sent: bool) -> None:
        """What counted as a request is no longer under way."""
        self._counters[reservation.key] = left(self._counters[reservation.key], was_sent=was_sent)
        self._wake(reservation.key)

    # -- waiting for room ----------------------------------------------------------------------------

    def key_of(self, limit: Limit) -> str:
        """The name of the counter, and so of the queue, of a limit."""
        return self._key(limit)

    def must_queue(self, limit: Limit, turn: Turn | None) -> bool:
        """Whether others came before."""
        turns = self._turns.get(self._key(limit))
        return turns is not None and (turn is None or turns[0].arrival < turn.arrival)

    def queue(self, limit: Limit, before: Turn | None) -> Turn | None:
        """A place in the queue in the order of arrival, instead of that in another; None when it is too long."""
        if before is None:
            self._arrived += 1
        else:
            self.step_out(before)
        key = self._key(limit)
        turns = self._turns.setdefault(key, [])
        if len(turns) >= MOST_WAITING:
            return None
        turn = Turn(key, self._arrived if before is None else before.arrival)
        insort(turns, turn, key=_arrival)
        return turn

    def is_next(self, turn: Turn) -> bool:
        return self._turns[turn.key][0] is turn

    def step_out(self, turn: Turn) -> None:
        """Leave the queue; whoever is first then looks again."""
        turns = self._turns[turn.key]
        del turns[bisect_left(turns, turn.arrival, key=_arrival)]
        if not turns:
            del self._turns[turn.key]
        self._wake(turn.key)

    def _wake(self, key: str) -> None:
        turns = self._turns.get(key)
        if turns is not None:
            turns[0].event.set()

    # -- values --------------------------------------------------------------------------------------

    def _key(self, limit: Limit) -> str:
        """The counter of a limit: its own, or the one that is shared by values beyond the cap."""
        if not limit.group or limit.key in self._counters:
            return limit.key
        is_full = len(self._values.get(limit.group, ())) >= self._most_values
        return _shared(limit) if is_full else limit.key

    def _kept_key(self, limit: Limit, now: float, at: float) -> str:
        """As ``_key``, for a counter that will be kept: values that use nothing any more make room for it."""
        if not limit.group:
            return limit.key
        values = self._values[limit.group]
        if limit.key not in values and len(values) >= self._most_values:
            self._forget_unused(values, now, at)
        if limit.key not in values and len(values) >= self._most_values:
            return _shared(limit)
        values.pop(limit.key, None)
        values[limit.key] = limit  # the longest unused come first
        return limit.key

    def _forget_unused(self, values: dict[str, Limit], now: float, at: float) -> None:
        for key, limit in tuple(islice(values.items(), _LOOKED_AT)):
            if is_fresh(now_used(self._counters[key], limit, now, at)):
                del values[key], self._counters[key]
            else:
                values[key] = values.pop(key)


def _arrival(turn: Turn) -> int:
    return turn.arrival


def _shared(limit: Limit) -> str:
    return f"{limit.group} (others)"
