"""Hedges: a second attempt when the first is long in coming; one answer, the loser cancelled and recorded."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from route_run.errors import LedgerError
from route_run.flow.event import AttemptEnded, AttemptStarted, Finished, Restarted
from route_run.flow.failure import Cause
from route_run.flow.outcome import Outcome
from route_run.flow.request import PromptRequest
from route_run.ledger import EntryKind, MemoryLedger
from route_run.runtime.attempt import RunningAttempt
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from route_run.transport.seam import Call
from support.engines import (
    AwaitingLedger,
    causes,
    completed_result,
    events_of,
    opened,
    policy,
    records,
    streamed_result,
    text_of,
)
from support.scripted import (
    DONE,
    FINISH,
    JSON,
    STALL,
    Reply,
    ScriptedTransport,
    broken,
    content,
    plain,
    problem,
    stream,
    streamed,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

HEDGE = "hedge: {after: 2s}"


def late(seconds: float, *texts: str) -> Reply:
    whole = streamed(*texts)
    return stream(seconds, *whole.body)


def live(engine: Engine) -> int:
    return engine._wiring.standing.live


async def test_a_quick_answer_is_not_hedged(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [late(1.9, "Hello")]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        assert (await streamed_result(engine)).text == "Hello"

    assert transport.asked == ["first"]


async def test_the_first_with_content_goes_on_and_the_other_is_cancelled_and_recorded(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [stream(STALL)], "second": [late(1.0, "Hel", "lo")]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport, ledger) as engine:
        began = anyio.current_time()
        events = await events_of(engine)
        assert anyio.current_time() - began == pytest.approx(3.0, abs=0.2)
        assert live(engine) == 0

    assert text_of(events) == "Hello"
    assert [event.number for event in events if isinstance(event, AttemptStarted)] == [1, 2]
    assert [event.attempt.number for event in events if isinstance(event, AttemptEnded)] == [1, 2]
    assert transport.left_open == 0
    (record,) = records(ledger)
    assert [(a["endpoint"], a["failure"]) for a in record["attempts"]] == [("first", "cancelled"), ("second", None)]
    assert record["attempts"][0]["message"] == "another attempt answered first"
    assert record["cost_usd"] is None  # nobody knows what the cancelled one cost
    assert record["endpoint"] == "second"


async def test_the_start_of_a_hedge_is_told_when_it_starts(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(STALL)], "second": [late(3.0, "Hello")]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        began = anyio.current_time()
        async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
            told = [(anyio.current_time() - began, event) async for event in events]

    assert [at for at, event in told if isinstance(event, AttemptStarted)] == [0, pytest.approx(2.0, abs=0.1)]
    assert [at for at, event in told if isinstance(event, AttemptEnded)] == [pytest.approx(5.0, abs=0.1)] * 2


async def test_a_race_is_decided_while_the_caller_is_busy(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(STALL)], "second": [late(1.0, "Hello")]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
            async for event in events:
                if isinstance(event, AttemptStarted) and event.number == 2:
                    await anyio.sleep(60)
                if isinstance(event, AttemptEnded) and event.attempt.number == 1:
                    assert event.attempt.failure is not None
                    assert event.attempt.failure.cause is Cause.CANCELLED
                    assert event.attempt.latency_ms == pytest.approx(3000, abs=100)
        assert isinstance(event, Finished)
        assert event.result.text == "Hello"


@pytest.mark.parametrize("number", [1, 2])
async def test_a_defect_of_ours_in_a_race_is_raised_and_recorded(
    policy_of: PolicyOf, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    true = RunningAttempt.start

    async def start(self: RunningAttempt, **how: Any) -> None:
        if self.number == number:
            raise KeyError("a defect")
        await true(self, **how)

    monkeypatch.setattr(RunningAttempt, "start", start)
    ledger = MemoryLedger()
    async with opened(
        policy_of(policy(upstream=HEDGE)), ScriptedTransport({"first": [stream(STALL)]}), ledger
    ) as engine:
        with pytest.raises(KeyError, match="a defect"):
            await streamed_result(engine)
        assert live(engine) == 0

    (record,) = records(ledger)
    assert record["error"].endswith("internal error: KeyError")


async def test_a_hedge_that_is_slower_loses(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [late(3.0, "First")], "second": [stream(STALL)]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        result = await streamed_result(engine)
        assert live(engine) == 0

    assert result.text == "First"
    assert [(a.number, a.failure and a.failure.cause) for a in result.attempts] == [(2, Cause.CANCELLED), (1, None)]
    assert transport.left_open == 0


async def test_a_plain_answer_is_hedged_too(policy_of: PolicyOf) -> None:
    slow = Reply(200, JSON, [30.0, *plain("First").body])
    transport = ScriptedTransport({"first": [slow], "second": [plain("Second")]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        assert (await completed_result(engine)).text == "Second"


async def test_at_most_two_attempts_run_at_once(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(STALL)], "second": [stream(STALL)], "third": [streamed("Third")]})
    loaded = policy_of(policy(targets=3, upstream=f"{HEDGE}, timeouts: {{first_content: 5s}}"))
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert transport.asked == ["first", "second", "third"]
    assert result.text == "Third"
    assert causes(result) == ["first_content_timeout", "first_content_timeout", None]


async def test_a_hedge_goes_on_alone_when_the_first_fails(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(2.5, Cause.RESET)], "second": [late(2.0, "Second")]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        result = await streamed_result(engine)

    assert (result.text, causes(result)) == ("Second", ["reset", None])


async def test_the_first_goes_on_alone_when_the_hedge_fails(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [late(4.0, "First")], "second": [problem(503)]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        result = await streamed_result(engine)

    assert (result.text, causes(result)) == ("First", ["status", None])


async def test_a_hedge_that_fails_ends_at_once_though_the_race_goes_on(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [late(20.0, "First")], "second": [problem(503)]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine, anyio.create_task_group() as tasks:
        results: list[Any] = []

        async def one() -> None:
            results.append(await streamed_result(engine))

        tasks.start_soon(one)
        await anyio.sleep(5)
        assert live(engine) == 1

    assert results[0].attempts[0].latency_ms < 100


async def test_a_first_that_fails_before_the_hedge_falls_back_as_ever(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [broken(Cause.REFUSED)], "second": [streamed("Second")]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        assert causes(await streamed_result(engine)) == ["refused", None]


async def test_what_every_endpoint_would_refuse_ends_both(policy_of: PolicyOf) -> None:
    late_400 = Reply(400, JSON, problem(400).body, head=[3.0])
    transport = ScriptedTransport({"first": [late_400], "second": [stream(STALL)]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport) as engine:
        result = await streamed_result(engine)
        assert live(engine) == 0

    assert result.outcome is Outcome.FAILED
    assert result.attempts[-1].status == 400


async def test_an_answer_that_was_hedged_and_is_invalid_falls_back_to_the_other(policy_of: PolicyOf) -> None:
    text = policy(upstream=HEDGE, route="match: {}, verify: {format: json}")
    transport = ScriptedTransport({"first": [late(3.0, "no json")], "second": [stream(STALL), streamed("{}")]})
    async with opened(policy_of(text), transport) as engine:
        result = await streamed_result(engine)

    assert result.text == "{}"
    assert causes(result) == ["cancelled", "invalid_output", None]


async def test_an_answer_without_content_makes_void_what_was_given_before(policy_of: PolicyOf) -> None:
    text = policy(upstream=f"{HEDGE}, fallback: {{after_content: restart}}")
    transport = ScriptedTransport({"first": [stream(content("Hel"), Cause.RESET)], "second": [stream(FINISH, DONE)]})
    async with opened(policy_of(text), transport) as engine:
        events = await events_of(engine, allow_restart=True)

    assert [event.number for event in events if isinstance(event, Restarted)] == [2]
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.result.outcome, last.result.text) == (Outcome.COMPLETED, "")


async def test_hedges_draw_on_the_budget_of_the_endpoint_they_ask(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": lambda call: late(3.0, "First"), "second": lambda call: stream(STALL)})
    loaded = policy_of(policy(upstream=HEDGE, second="retry_budget: {share: 0%, floor: 2}"))
    async with opened(loaded, transport) as engine, anyio.create_task_group() as tasks:
        for _ in range(10):
            tasks.start_soon(streamed_result, engine)

    assert Counter(transport.asked) == {"first": 10, "second": 2}


async def test_a_hedge_never_waits_for_room(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream=HEDGE, second="limits: {concurrent: 1, when_exceeded: wait}"))
    transport = ScriptedTransport({"first": lambda call: late(3.0, "First"), "second": lambda call: stream(STALL)})
    async with opened(loaded, transport) as engine, anyio.create_task_group() as tasks:
        for _ in range(3):
            tasks.start_soon(streamed_result, engine)

    assert Counter(transport.asked) == {"first": 3, "second": 1}


async def test_a_ledger_that_refuses_the_hedge_ends_the_request_with_its_error(policy_of: PolicyOf) -> None:
    class RefusingTheSecond(MemoryLedger):
        async def append(self, entries: Any) -> None:
            if any(entry.kind is EntryKind.ATTEMPT and entry.body["number"] == 2 for entry in entries):
                raise LedgerError("the disk is full")
            await super().append(entries)

    transport = ScriptedTransport({"first": [stream(STALL)]})
    async with opened(policy_of(policy(upstream=HEDGE)), transport, RefusingTheSecond()) as engine:
        with pytest.raises(LedgerError, match="the disk is full"):
            await streamed_result(engine)
        assert live(engine) == 0
    assert transport.left_open == 0


async def test_hedges_that_are_given_up_leave_nothing(policy_of: PolicyOf) -> None:
    dice = random.Random(5)
    ledger = AwaitingLedger()

    def reply(call: Call) -> Reply:
        kinds = [problem(500), stream(STALL), late(dice.random() * 4, "Hel", "lo"), stream(content("Hel"), STALL)]
        return dice.choice(kinds)

    calm = "breaker: {consecutive: 1000000, of: 1000000}, retry_budget: {share: 100%, floor: 1000}"
    text = policy(first=calm, second=calm, upstream=f"{HEDGE}, timeouts: {{first_content: 4s, idle: 1s, total: 9s}}")
    transport = ScriptedTransport({"first": reply, "second": reply})
    finished: list[Any] = []
    async with opened(policy_of(text), transport, ledger) as engine:

        async def one() -> None:
            with anyio.move_on_after(dice.random() * 10):
                finished.append((await events_of(engine))[-1])

        for _ in range(5):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(one)
            assert live(engine) == 0

    assert transport.left_open == 0
    assert 50 < len(finished) < 250
    assert all(isinstance(event, Finished) for event in finished)
    assert len(records(ledger)) == 250
    assert any(len({a["number"] for a in record["attempts"]}) > 1 for record in records(ledger))
