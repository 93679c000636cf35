"""A request that is given up, at any moment: its connection closed, one record, nothing left."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from route_run.flow.event import AttemptEnded, AttemptStarted, Event, Finished, Planned, Text
from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.ledger import Entry, EntryKind, Filter, LedgerReader, MemoryLedger, SqliteLedger
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from support.engines import AwaitingLedger, opened, policy, records, streamed_result
from support.scripted import (
    DONE,
    FINISH,
    JSON,
    ROLE,
    STALL,
    Reply,
    ScriptedTransport,
    broken,
    content,
    plain,
    problem,
    stream,
    streamed,
    token,
    usage,
)

PolicyOf = Callable[..., Loaded]

pytestmark = pytest.mark.anyio
virtual = pytest.mark.usefixtures("virtual_time")

HELLO = PromptRequest.of(prompt="Hello")
OAUTH2 = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"


async def left_at(engine: Engine, kind: type[Any]) -> list[Event]:
    """Leave the block of a stream at the first event of a kind."""
    seen = []
    async with engine.stream(HELLO) as events:
        async for event in events:
            seen.append(event)
            if isinstance(event, kind):
                break
    return seen


# -- leaving the block --------------------------------------------------------------------------------


@virtual
@pytest.mark.parametrize("kind", [Planned, AttemptStarted, Text, AttemptEnded])
async def test_leaving_the_block_early_closes_the_answer_and_is_recorded_as_cancelled(
    policy_of: PolicyOf, kind: type[Any]
) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed("Hel", "lo")]})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await left_at(engine, kind)

    (record,) = records(ledger)
    assert record["outcome"] == "cancelled"
    assert transport.left_open == 0


@virtual
async def test_leaving_the_block_before_the_first_event_is_recorded_too(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), ScriptedTransport({}), ledger) as engine, engine.stream(HELLO):
        pass

    assert [record["outcome"] for record in records(ledger)] == ["cancelled"]


@virtual
async def test_leaving_the_block_at_the_end_changes_nothing(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), ScriptedTransport({"first": [streamed("Hello")]}), ledger) as engine:
        await left_at(engine, Finished)

    assert [record["outcome"] for record in records(ledger)] == ["completed"]


@virtual
async def test_a_cancelled_record_keeps_what_was_delivered_and_does_not_know_the_cost(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [stream(ROLE, content("Hel"), STALL)]})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await left_at(engine, Text)

    (record,) = records(ledger)
    assert record["completion_bytes"] == 3
    assert record["cost_usd"] is None
    assert [a["failure"] for a in record["attempts"]] == ["cancelled"]
    assert record["error"] == "first: the caller gave up"


@virtual
async def test_a_cancelled_attempt_is_no_fault_of_its_endpoint(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [problem(503)], "second": [stream(content("Hel"), STALL)]})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await left_at(engine, Text)

    assert [a["failure"] for a in records(ledger)[0]["attempts"]] == ["overloaded", "cancelled"]


@virtual
async def test_an_exception_of_the_caller_cancels_the_request_and_arrives_unchanged(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [stream(content("Hel"), STALL)]})
    raised = RuntimeError("mine")

    async def failing(engine: Engine) -> None:
        async with engine.stream(HELLO) as events:
            async for event in events:
                if isinstance(event, Text):
                    raise raised

    async with opened(policy_of(policy()), transport, ledger) as engine:
        with pytest.raises(RuntimeError) as caught:
            await failing(engine)

    assert caught.value is raised
    assert records(ledger)[0]["outcome"] == "cancelled"
    assert transport.left_open == 0


@virtual
async def test_the_answer_is_closed_within_a_moment_of_the_caller_leaving(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hel"), STALL)]})
    async with opened(policy_of(policy()), transport) as engine:
        before = anyio.current_time()
        await left_at(engine, Text)

        assert anyio.current_time() - before < 0.1
        assert transport.left_open == 0


# -- cancelled from outside ---------------------------------------------------------------------------


@virtual
@pytest.mark.parametrize("how", ["stream", "complete"])
async def test_a_timeout_of_the_caller_s_own_is_recorded_as_cancelled(policy_of: PolicyOf, how: str) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [Reply(200, JSON, [STALL])]})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        with anyio.move_on_after(3) as scope:
            await (streamed_result(engine) if how == "stream" else engine.complete(HELLO))

    assert scope.cancelled_caught
    (record,) = records(ledger)
    assert (record["outcome"], record["latency_ms"]) == ("cancelled", pytest.approx(3000))
    assert transport.left_open == 0


@virtual
async def test_a_request_that_waits_for_its_retry_can_be_cancelled(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [problem(429, retry_after="30")]})
    async with opened(policy_of(policy(targets=1)), transport, ledger) as engine:
        with anyio.move_on_after(10):
            await streamed_result(engine)

    (record,) = records(ledger)
    assert record["outcome"] == "cancelled"
    assert [a["failure"] for a in record["attempts"]] == ["rate_limited"]


@virtual
async def test_other_requests_go_on(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": lambda call: stream(content("a"), 5, content("b"), FINISH, DONE)})
    async with opened(policy_of(policy()), transport, ledger) as engine, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(streamed_result, engine)
        with anyio.move_on_after(2):
            await streamed_result(engine)

    assert sorted(record["outcome"] for record in records(ledger)) == ["cancelled"] + ["completed"] * 5


@virtual
async def test_a_cancelled_request_does_not_take_the_token_from_those_who_wait_for_it(policy_of: PolicyOf) -> None:
    grant = token("t")
    transport = ScriptedTransport(
        {"first": lambda call: streamed("Hello")}, {"first": [Reply(200, JSON, grant.body, head=[5])]}
    )
    ledger = MemoryLedger()

    async def impatient(engine: Engine) -> None:
        with anyio.move_on_after(1):
            await streamed_result(engine)

    async with opened(policy_of(policy(first=OAUTH2)), transport, ledger) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(impatient, engine)
        tasks.start_soon(streamed_result, engine)

    assert sorted(record["outcome"] for record in records(ledger)) == ["cancelled", "completed"]


# -- cancelled at every checkpoint --------------------------------------------------------------------

Scripts = tuple[dict[str, Sequence[Reply]], dict[str, Sequence[Reply]], str]
SCENES: dict[str, Scripts] = {
    "a streamed answer": ({"first": [stream(ROLE, content("a"), 1, content("b"), FINISH, usage(1, 1), DONE)]}, {}, ""),
    "a fallback": ({"first": [problem(503)], "second": [stream(content("a"), FINISH, DONE)]}, {}, ""),
    "a broken stream": ({"first": [stream(ROLE, Cause.RESET)], "second": [broken(Cause.REFUSED)]}, {}, ""),
    "a token": ({"first": [problem(401), streamed("a")]}, {"first": [token("t1"), token("t2")]}, OAUTH2),
    "a wait": ({"first": [problem(503)], "second": [problem(429, retry_after="2"), streamed("a")]}, {}, ""),
    "a stale connection": ({"first": [broken(Cause.STALE), streamed("a")]}, {}, ""),
}
MOMENTS = (0.0, 1.0)
"""Seconds of virtual time before the ticks are counted: the beginning, and the end of the scripts' waits."""


async def cancelled_at(loaded: Loaded, scene: Scripts, moment: float, tick: int, how: str) -> bool:
    """Run one request and cancel it at a tick of the loop; whether it was still under way then.

    Whenever it is, there is exactly one record afterwards, and every answer is closed.
    """
    scripts, tokens, _ = scene
    transport = ScriptedTransport(scripts, tokens)
    ledger = AwaitingLedger()
    scope = anyio.CancelScope()
    finished = False

    async def request(engine: Engine) -> None:
        nonlocal finished
        with scope:
            await (streamed_result(engine) if how == "stream" else engine.complete(HELLO))
            finished = True

    async with opened(loaded, transport, ledger) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(request, engine)
        await anyio.sleep(moment)
        for _ in range(tick):
            await anyio.lowlevel.checkpoint()
        was_finished = finished
        scope.cancel()
    stored = records(ledger)
    assert len(stored) == 1, f"{len(stored)} records when cancelled at {moment} s and {tick} ticks"
    assert stored[0]["outcome"] in ("cancelled", "completed", "failed")
    assert transport.left_open == 0
    starts = [entry for entry in ledger.entries if entry.kind is EntryKind.ATTEMPT]
    assert len(starts) >= len(stored[0]["attempts"])
    return not was_finished


@virtual
@pytest.mark.parametrize("scene", SCENES.values(), ids=SCENES.keys())
async def test_wherever_a_request_is_cancelled_it_leaves_one_record_and_no_open_answer(
    policy_of: PolicyOf, scene: Scripts
) -> None:
    loaded = policy_of(policy(first=scene[2]))
    moments = 0
    for moment in MOMENTS:
        tick = 0
        while tick < 80 and await cancelled_at(loaded, scene, moment, tick, "stream"):
            tick += 1
            moments += 1
    assert moments > 10


@virtual
async def test_wherever_a_plain_request_is_cancelled_it_leaves_one_record_and_no_open_answer(
    policy_of: PolicyOf,
) -> None:
    loaded = policy_of(policy())
    scene: Scripts = ({"first": [broken(Cause.RESET)], "second": [plain("Hello")]}, {}, "")
    tick = 0
    while tick < 80 and await cancelled_at(loaded, scene, 0.0, tick, "complete"):
        tick += 1
    assert tick > 8


@virtual
@pytest.mark.parametrize("kind", [Planned, AttemptStarted, Text, AttemptEnded])
async def test_a_caller_who_is_cancelled_between_two_events_leaves_one_record(
    policy_of: PolicyOf, kind: type[Any]
) -> None:
    ledger = AwaitingLedger()
    transport = ScriptedTransport({"first": [streamed("Hel", "lo")]})

    async def cancelling(engine: Engine) -> None:
        with anyio.CancelScope() as scope:
            async with engine.stream(HELLO) as events:
                async for event in events:
                    if isinstance(event, kind):
                        scope.cancel()

    async with opened(policy_of(policy()), transport, ledger) as engine:
        await cancelling(engine)

    assert len(records(ledger)) == 1
    assert transport.left_open == 0


@pytest.mark.parametrize("tick", range(3, 60, 3))
async def test_a_request_that_is_cancelled_over_a_ledger_file_leaves_one_record(
    policy_of: PolicyOf, tmp_path: Path, tick: int
) -> None:
    path = tmp_path / "ledger.sqlite3"
    transport = ScriptedTransport({"first": [problem(503)], "second": [streamed("Hello")]})
    async with (
        SqliteLedger.open(path) as ledger,
        opened(policy_of(policy()), transport, ledger) as engine,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(streamed_result, engine)
        for _ in range(tick):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    with LedgerReader(path) as reader:
        kinds = [entry["kind"] for entry in reader.entries_of("req_01")]
    assert kinds.count("record") == 1
    assert transport.left_open == 0


# -- a ledger that is slow while everything ends ------------------------------------------------------


class StuckLedger(MemoryLedger):
    """Takes for ever to store records, and everything else at once."""

    async def append(self, entries: Sequence[Entry]) -> None:
        if any(entry.kind is EntryKind.RECORD for entry in entries):
            await anyio.sleep_forever()
        await super().append(entries)


@virtual
async def test_a_stuck_ledger_holds_a_cancelled_request_for_five_seconds_at_most(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hel"), STALL)]})
    async with opened(policy_of(policy()), transport, StuckLedger()) as engine:
        before = anyio.current_time()
        await left_at(engine, Text)

        assert anyio.current_time() - before == pytest.approx(5)
        assert transport.left_open == 0


# -- the whole engine cancelled from outside ----------------------------------------------------------


@pytest.mark.parametrize("delay", [0.0, 0.001, 0.003, 0.01, 0.1])
async def test_cancelling_what_holds_the_engine_too_still_stores_the_record(
    policy_of: PolicyOf, tmp_path: Path, delay: float
) -> None:
    # this is what a signal does to a program that runs one request
    path = tmp_path / "ledger.sqlite3"
    transport = ScriptedTransport({"first": [stream(content("Hel"), STALL)]})
    started = anyio.Event()

    async def program() -> None:
        url = f"sqlite:///{path}"
        async with opened(policy_of(policy()), transport, url) as engine, engine.stream(HELLO) as events:
            async for event in events:
                if isinstance(event, Planned):
                    started.set()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(program)
        await started.wait()
        await anyio.sleep(delay)
        before = anyio.current_time()
        tasks.cancel_scope.cancel()

    assert anyio.current_time() - before < 2
    with LedgerReader(path) as reader:
        assert [record["outcome"] for record in reader.records(Filter(), 5)] == ["cancelled"]
    assert transport.left_open == 0
