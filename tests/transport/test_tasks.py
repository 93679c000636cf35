"""Background tasks do not change what the caller's own code raises."""

from __future__ import annotations

import anyio
import pytest

from route_run.transport.tasks import background_tasks

pytestmark = pytest.mark.anyio


class OfTheCaller(Exception):
    """Raised by a caller's block."""


async def test_an_exception_of_the_block_arrives_as_it_was_raised() -> None:
    raised = OfTheCaller("mine")
    with pytest.raises(OfTheCaller) as caught:
        async with background_tasks():
            raise raised

    assert caught.value is raised
    assert caught.value.__cause__ is None


async def test_the_cause_of_an_exception_is_kept() -> None:
    cause = KeyError("first")
    with pytest.raises(OfTheCaller) as caught:
        async with background_tasks(), background_tasks():
            raise OfTheCaller("second") from cause

    assert caught.value.__cause__ is cause


async def test_a_group_that_the_caller_raises_arrives_as_that_group() -> None:
    raised = ExceptionGroup("mine", [OfTheCaller("one")])
    with pytest.raises(ExceptionGroup) as caught:
        async with background_tasks():
            raise raised

    assert caught.value is raised


async def test_tasks_end_with_the_block() -> None:
    ended = []

    async def endless() -> None:
        try:
            await anyio.sleep_forever()
        finally:
            ended.append("task")

    async with background_tasks() as tasks:
        tasks.start_soon(endless)
        await anyio.lowlevel.checkpoint()

    assert ended == ["task"]


async def test_a_cancelled_block_stays_cancelled() -> None:
    with anyio.CancelScope() as scope:
        async with background_tasks() as tasks:
            tasks.start_soon(anyio.sleep_forever)
            scope.cancel()
            await anyio.sleep_forever()

    assert scope.cancelled_caught


async def test_a_task_that_fails_ends_the_block_with_its_exception() -> None:
    async def failing() -> None:
        raise OfTheCaller("in the background")

    async def opened() -> None:
        async with background_tasks() as tasks:
            tasks.start_soon(failing)
            await anyio.sleep_forever()

    with pytest.raises(OfTheCaller, match="in the background"):
        await opened()
