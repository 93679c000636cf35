"""Two attempts at once, until one of them has content.

Decides which of them goes on: the first with content, of two that failed the one that joined. It hands nothing
to the caller: what came before the race was decided is what the attempt that goes on gives next.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import anyio
from anyio.abc import TaskGroup

from route_run.flow.classify import classify
from route_run.flow.failure import Action, Cause, Failure
from route_run.runtime.attempt import RunningAttempt


@dataclass(slots=True)
class Runner:
    """An attempt in a race; ``start`` sends it.

    ``has_failed`` is told as soon as it fails, which may be long before the race is decided.
    """

    attempt: RunningAttempt
    start: Callable[[], Awaitable[None]]
    has_failed: Callable[[], None]
    is_done: bool = False
    is_running: bool = True
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    @property
    def has_answered(self) -> bool:
        """Whether it has content, or came to a proper end without any."""
        return self.is_done and (self.attempt.first_content_ms is not None or self.attempt.failure is None)

    def lose(self) -> None:
        """It ends as cancelled, unless it had failed on its own."""
        if self.has_answered or not self.is_done:
            self.attempt.make_void(Failure(Cause.CANCELLED, "another attempt answered first"))
        if not self.is_done:
            self.scope.cancel()


class Race:
    """A race of one attempt at first, and of two once the second has joined; it runs in tasks of their own.

    It is decided the moment it can be, whether or not somebody waits for that: the one that lost is cancelled
    then. Closing both attempts is the caller's.
    """

    def __init__(self, tasks: TaskGroup, first: Runner) -> None:
        self._tasks = tasks
        self._first = first
        self._second: Runner | None = None
        self._outcome: tuple[Runner, Runner] | None = None
        self._defect: Exception | None = None
        self._stepped = anyio.Event()
        tasks.start_soon(self._run, first)

    async def is_over(self, within: float = math.inf) -> bool:
        """Wait for the first attempt alone; whether it was done within so many seconds."""
        first = self._first
        with anyio.move_on_after(within):
            await self._passed(lambda: first.is_done)
        if first.is_done:
            await self._passed(lambda: not first.is_running)
        return first.is_done

    def join(self, second: Runner) -> None:
        """Let another attempt run as well."""
        self._second = second
        self._tasks.start_soon(self._run, second)
        self._decide(second)

    async def decided(self) -> tuple[Runner, Runner]:
        """Of two attempts the one that goes on, and the one that lost; nothing runs of either any more."""
        await self._passed(lambda: self._outcome is not None and not any(one.is_running for one in self._outcome))
        assert self._outcome is not None
        return self._outcome

    async def _run(self, runner: Runner) -> None:
        try:
            with runner.scope:
                await runner.start()
                await runner.attempt.until_content()
                runner.is_done = True
                if self._second is not None:
                    self._decide(self._second)
                self._step()
                if runner.attempt.failure is not None:
                    await runner.attempt.aclose()  # its place is free once its connection is
                    runner.has_failed()
        except Exception as error:  # noqa: BLE001  # a defect of ours, raised where the request waits
            self._defect = error
        runner.is_running = False
        self._step()

    def _decide(self, second: Runner) -> None:
        if self._outcome is not None or (winner := _winner(self._first, second)) is None:
            return
        loser = self._first if winner is second else second
        loser.lose()
        self._outcome = winner, loser

    def _step(self) -> None:
        self._stepped.set()
        self._stepped = anyio.Event()

    async def _passed(self, is_passed: Callable[[], bool]) -> None:
        """Wait for the race; what went wrong in our own code is raised here, where the request waits."""
        while not is_passed():
            if self._defect is not None:
                raise self._defect
            await self._stepped.wait()


def _winner(first: Runner, second: Runner) -> Runner | None:
    if first.has_answered:
        return first
    if second.has_answered:
        return second
    if first.is_done and first.attempt.failure is not None:
        # what every endpoint would refuse is not asked for twice
        is_final = classify(first.attempt.failure).action is Action.FAIL
        return first if is_final else second if second.is_done else None
    return None
