"""A task group for work behind an open resource, which does not change what the caller's own code raises."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from anyio.abc import TaskGroup


@asynccontextmanager
async def background_tasks() -> AsyncIterator[TaskGroup]:
    """A task group that is cancelled at the end of the block.

    A task group wraps whatever its block raises into an exception group; a caller who opens a ledger or
    an engine must still be able to catch his own exceptions, so what it wraps alone is taken out again.
    """
    of_the_block: BaseException | None = None
    try:
        async with anyio.create_task_group() as tasks:
            try:
                yield tasks
            except BaseException as error:
                of_the_block = error
                raise
            tasks.cancel_scope.cancel()
    except BaseExceptionGroup as group:
        if len(group.exceptions) > 1:
            raise
        # a block that was cancelled because a task failed raises what the task raised
        raised = of_the_block if isinstance(of_the_block, Exception) else group.exceptions[0]
        raise raised from raised.__cause__
