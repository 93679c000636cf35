"""Running the engine from synchronous code: one event loop for one piece of work."""

from __future__ import annotations

import signal
from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from route_run.transport.tasks import background_tasks

_T = TypeVar("_T")


class Interrupted(Exception):
    """Raised when a signal ended the work; what was under way has been recorded as cancelled."""


def run(work: Callable[[], Awaitable[_T]]) -> _T:
    """Run work to its end; SIGINT and SIGTERM cancel it in an orderly way and raise Interrupted."""
    return anyio.run(_guarded, work)


async def _guarded(work: Callable[[], Awaitable[_T]]) -> _T:
    finished = False
    with anyio.CancelScope() as scope:
        async with background_tasks() as tasks:
            tasks.start_soon(_cancel_on_signal, scope)
            result = await work()
            finished = True
    if not finished:
        raise Interrupted
    return result


async def _cancel_on_signal(scope: anyio.CancelScope) -> None:
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()
            return
