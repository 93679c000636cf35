"""Two attempts at once, until one of them has content.

Decides which of them goes on: the first with content, of two that failed the later one. It hands nothing
to the caller; what came before the race was decided is kept with the attempt that wins it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio

from route_run.flow.classify import classify
from route_run.flow.failure import Action, Cause, Failure
from route_run.runtime.attempt import Delivered, RunningAttempt
from route_run.transport.tasks import background_tasks


@dataclass(slots=True)
class Runner:
    """An attempt in a race: ``start`` sends it, ``delivered`` is what its content began with.

    ``has_failed`` is told as soon as it fails, which may be long before the race is decided.
    """

    attempt: RunningAttempt
    start: Callable[[], Awaitable[None]]
    has_failed: Callable[[], None]
    delivered: list[Delivered] = field(default_factory=list)
    is_done: bool = False

    @property
    def has_answered(self) -> bool:
        """Whether it has content, or came to a proper end without any."""
        return self.is_done and (self.attempt.first_content_ms is not None or self.attempt.failure is None)

    def lose(self) -> None:
        """What came of it is void: it ends as cancelled, unless it had failed on its own."""
        self.attempt.has_delivered = False
        if self.has_answered or not self.is_done:
            self.attempt.failure = Failure(Cause.CANCELLED, "another attempt answered first")


async def race(
    first: Runner, after: float, second: Callable[[], Awaitable[Runner | None]]
) -> tuple[Runner, Runner | None]:
    """The attempt that goes on, and the one that lost; ``second`` joins when there is no content after so long.

    What still runs of the one that lost has been cancelled; closing it is the caller's.
    """
    finish = _Finish()
    async with background_tasks() as tasks:
        tasks.start_soon(_run, first, finish)
        with anyio.move_on_after(after):
            await finish.passed(lambda: first.is_done)
        other = None if first.is_done else await second()
        if other is None:
            await finish.passed(lambda: first.is_done)
            return first, None
        tasks.start_soon(_run, other, finish)
        await finish.passed(lambda: _winner(first, other) is not None)
        winner = _winner(first, other)
    return (other, first) if winner is other else (first, other)


def _winner(first: Runner, other: Runner) -> Runner | None:
    if first.has_answered:
        return first
    if other.has_answered:
        return other
    if first.is_done and first.attempt.failure is not None:
        # what every endpoint would refuse is not asked for twice
        is_final = classify(first.attempt.failure).action is Action.FAIL
        return first if is_final else other if other.is_done else None
    return None


async def _run(runner: Runner, finish: _Finish) -> None:
    await runner.start()
    attempt = runner.attempt
    while attempt.first_content_ms is None and (pieces := await attempt.more()) is not None:
        runner.delivered += pieces
    runner.is_done = True
    finish.step()
    if attempt.failure is not None:
        await attempt.aclose()  # its place is free once its connection is
        runner.has_failed()


class _Finish:
    """Where those who run say that they are done."""

    def __init__(self) -> None:
        self._stepped = anyio.Event()

    def step(self) -> None:
        self._stepped.set()
        self._stepped = anyio.Event()

    async def passed(self, is_passed: Callable[[], bool]) -> None:
        while not is_passed():
            await self._stepped.wait()
