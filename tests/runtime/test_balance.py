"""Balancing by what attempts have taught: time to first content and attempts under way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import anyio
import pytest

from route_run.flow.failure import Cause
from route_run.ledger import MemoryLedger
from route_run.table import Loaded
from route_run.transport.seam import Call
from support.engines import completed_result, opened, policy, records
from support.scripted import JSON, Reply, ScriptedTransport, broken, plain

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]


def balanced(kind: str, more: str = "") -> str:
    text = policy(targets=2)
    group = "{endpoint: first, model: m}, {endpoint: second, model: m}"
    return text.replace(f"targets: [{group}]", f"targets: [{{balance: {kind}, targets: [{group}]}}]{more}")


def taking(seconds: float) -> Callable[[Call], Reply]:
    return lambda call: Reply(200, JSON, [seconds, *plain("Hello").body])


async def test_the_faster_target_gets_the_requests_and_the_slow_one_another_chance(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": taking(3.0), "second": taking(0.5)})
    async with opened(policy_of(balanced("fastest")), transport, ledger) as engine:
        for _ in range(20):
            await completed_result(engine)
        quick = Counter(transport.asked)
        await anyio.sleep(1)
        for _ in range(300):
            await completed_result(engine)

    assert quick["first"] <= 1
    assert 2 <= Counter(transport.asked)["first"] <= 5
    known = records(ledger)[-1]["snapshot"]["targets"]
    assert known["second/m"]["first_content"] == pytest.approx(0.5, abs=0.05)


async def test_requests_at_once_go_to_the_least_busy_target(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": taking(5.0), "second": taking(5.0)})
    async with opened(policy_of(balanced("least_busy")), transport) as engine, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(completed_result, engine)
            await anyio.sleep(0.01)

    assert Counter(transport.asked) == {"first": 5, "second": 5}


async def test_a_weighted_group_falls_back_within_itself(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": lambda call: broken(Cause.REFUSED), "second": taking(0.1)})
    async with opened(policy_of(balanced("weighted")), transport) as engine:
        texts = {(await completed_result(engine)).text for _ in range(20)}

    assert texts == {"Hello"}
    assert Counter(transport.asked)["first"] == 5  # until its breaker opened
