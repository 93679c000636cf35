"""Work that runs from synchronous code: its result, its exceptions, its end by a signal; and ids of requests."""

from __future__ import annotations

import os
import signal

import anyio
import pytest

from route_run.runtime.sync import Interrupted, run
from route_run.runtime.wiring import new_id


def test_the_result_of_the_work_is_given() -> None:
    async def work() -> int:
        await anyio.sleep(0.001)
        return 42

    assert run(work) == 42


@pytest.mark.parametrize("error", [KeyError("mine"), ExceptionGroup("mine", [ValueError("one")])], ids=repr)
def test_what_the_work_raises_arrives_as_it_was(error: Exception) -> None:
    async def work() -> None:
        raise error

    with pytest.raises(type(error)) as caught:
        run(work)
    assert caught.value is error


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_work_in_an_orderly_way(number: signal.Signals) -> None:
    cleaned = []

    async def work() -> None:
        try:
            await anyio.sleep(0.05)  # by then signals are listened to
            os.kill(os.getpid(), number)
            await anyio.sleep(10)
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)
            cleaned.append("up")

    with pytest.raises(Interrupted):
        run(work)
    assert cleaned == ["up"]


def test_signals_are_handled_as_before_once_the_work_is_done() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]

    async def work() -> None:
        await anyio.sleep(0.001)

    run(work)
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == before


def test_ids_sort_by_time_and_hold_eighty_random_bits() -> None:
    ids = [new_id("req", moment, lambda bits: (1 << bits) - 1) for moment in (0.0, 0.001, 1.8e9, 1.8e9 + 1)]

    assert ids == sorted(ids)
    assert all(len(one) == len("req_") + 26 for one in ids)
    assert new_id("req", 1.0, lambda bits: 1) != new_id("req", 1.0, lambda bits: 2)
    assert set("".join(ids)) <= set("req_0123456789abcdefghjkmnpqrstvwxyz")
