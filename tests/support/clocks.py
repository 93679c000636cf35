"""Virtual time on both backends: the loop's clock jumps to the next deadline when nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any


class _JumpingSelector(selectors.DefaultSelector):  # type: ignore[valid-type,misc]  # an alias chosen at run time
    """A selector that lets virtual time pass instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time. Threads do not hold the clock: use a ledger in memory."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def _trio() -> tuple[str, dict[str, Any]]:
    from trio.testing import MockClock

    return "trio", {"clock": MockClock(autojump_threshold=0)}


VIRTUAL_BACKENDS: Mapping[str, Callable[[], tuple[str, dict[str, Any]]]] = {
    "asyncio": lambda: ("asyncio", {"loop_factory": VirtualLoop}),
    "trio": _trio,
}
"""Backends for the `anyio_backend` fixture by name."""
