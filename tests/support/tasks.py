"""How many tasks are alive, on either backend."""

from __future__ import annotations

import sniffio


def tasks_alive() -> int:
    """Tasks of the running loop, the one that asks included."""
    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.current_statistics().tasks_living
    import asyncio

    return len(asyncio.all_tasks())
