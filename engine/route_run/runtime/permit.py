"""The leave that one attempt has to begin; it is given back exactly once, whatever becomes of the attempt."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum

from route_run.flow.breaker import Pass
from route_run.flow.record import Attempt
from route_run.table import Target


class Visit(Enum):
    """What an attempt is to its target: only an ``EXTRA`` one (a revisit, a hedge) draws on the retry budget."""

    FIRST = "first"
    EXTRA = "extra"
    REFRESHED = "refreshed"
    RECONNECTED = "reconnected"


class Permit:
    """Held while an attempt is under way."""

    __slots__ = ("_give_back", "_has_answered", "_is_held", "_prove", "leave", "target", "visit")

    def __init__(
        self,
        give_back: Callable[[Permit, Attempt | None], None],
        prove: Callable[[Permit], None],
        target: Target,
        leave: Pass,
        visit: Visit,
    ) -> None:
        self.target = target
        self.leave = leave
        self.visit = visit
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
