"""Virtual time on both backends: the loop's clock jumps to the next deadline when nothing else is to be done.

Decides which backend carries a rehearsal. Threads do not hold the clock: everything has to stay in memory.
"""

from __future__ import annotations

import asyncio
import importlib.util
import selectors
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any, TypeVar

import anyio

_T = TypeVar("_T")


class Backend(Enum):
    """The event loops that a rehearsal can run on; both give the same results."""

    ASYNCIO = "asyncio"
    TRIO = "trio"


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that lets virtual time pass instead of waiting."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0 if timeout is not None else None)
        if not ready and timeout:
            self.now += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An asyncio loop on virtual time."""

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now


def virtual_options(backend: Backend) -> dict[str, Any]:
    """What anyio has to be told so that a backend runs on virtual time."""
    if backend is Backend.ASYNCIO:
        return {"loop_factory": VirtualLoop}
    # imported here: it is there only where somebody installed it
    from trio.testing import MockClock

    return {"clock": MockClock(autojump_threshold=0)}


def best_backend() -> Backend:
    """The faster one where it is installed, which is trio; else asyncio."""
    return Backend.TRIO if importlib.util.find_spec("trio") is not None else Backend.ASYNCIO


def run_virtually(work: Callable[[], Awaitable[_T]], backend: Backend) -> _T:
    """Run work to its end in virtual time that begins at 0."""
    return anyio.run(work, backend=backend.value, backend_options=virtual_options(backend))
