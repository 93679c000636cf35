"""Wall-clock time as an argument. Deadlines use the event loop's own clock, which tests can make virtual."""

from __future__ import annotations

import time
from typing import Protocol

import anyio


class Clock(Protocol):
    """Tells the time of day."""

    def now(self) -> float:
        """Seconds since 1970, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        return time.time()


class LoopClock:
    """A time of day that moves with the event loop's clock: virtual where that one is."""

    def __init__(self, start: float) -> None:
        self._offset = start - anyio.current_time()

    def now(self) -> float:
        return anyio.current_time() + self._offset
