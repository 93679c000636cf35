"""The leave that one attempt has to begin, and the seat that its request has meanwhile.

Both are given back exactly once, whatever becomes of the attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum

from route_run.flow.breaker import Pass
from route_run.flow.record import Attempt
from route_run.runtime.counters import Counters, Reservation
from route_run.table import Limit, Target


class Visit(Enum):
    """What an attempt is to its target: only an ``EXTRA`` one (a revisit, a hedge) draws on the retry budget."""

    FIRST = "first"
    EXTRA = "extra"
    REFRESHED = "refreshed"
    RECONNECTED = "reconnected"


class Seat:
    """A request under its bounds' limits: it counts once, however many attempts it makes."""

    __slots__ = ("_counters", "_taken", "limits", "was_sent")

    def __init__(self, counters: Counters, limits: Sequence[Limit]) -> None:
        self.limits = limits
        self.was_sent = False
        self._counters = counters
        self._taken: tuple[Reservation, ...] = ()

    @property
    def is_taken(self) -> bool:
        return bool(self._taken)

    def take(self, reservations: tuple[Reservation, ...]) -> None:
        """What the first attempt has reserved: its request counts until the end."""
        self._taken = reservations

    def end(self) -> None:
        """The request is over; ending twice changes nothing."""
        reservations, self._taken = self._taken, ()
        for reservation in reservations:
            self._counters.leave(reservation, was_sent=self.was_sent)


class Permit:
    """Held while an attempt is under way."""

    __slots__ = ("_give_back", "_has_answered", "_is_held", "_prove", "leave", "reserved", "seat", "target", "visit")

    def __init__(
        self,
        give_back: Callable[[Permit, Attempt | None], None],
        prove: Callable[[Permit], None],
        target: Target,
        leave: Pass,
        visit: Visit,
        seat: Seat,
        reserved: tuple[Reservation, ...],
    ) -> None:
        self.target = target
        self.leave = leave
        self.visit = visit
        self.seat = seat
        self.reserved = reserved
        self._give_back = give_back
        self._prove = prove
        self._is_held = True
        self._has_answered = not leave.is_probe

    def answers(self) -> None:
        """Say that content has come: a probe has shown what it was to show, however long its answer takes."""
        if self._is_held and not self._has_answered:
            self._has_answered = True
            self._prove(self)

    def end(self, attempt: Attempt | None) -> None:
        """Give it back with how the attempt went; None when nothing was sent. Ending twice changes nothing."""
        if self._is_held:
            self._is_held = False
            self._give_back(self, attempt)
