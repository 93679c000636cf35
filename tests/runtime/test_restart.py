"""Answers that break off after content and start over: only where upstream and caller both allow it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from route_run.flow.event import (
    AttemptEnded,
    AttemptStarted,
    Event,
    Finished,
    Restarted,
    Result,
    Text,
    ToolCallPiece,
    UsageReported,
)
from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.table import Loaded
from support.engines import causes, events_of, opened, policy, records, streamed_result
from support.scripted import (
    DONE,
    FINISH,
    PING,
    ROLE,
    STALL,
    Reply,
    ScriptedTransport,
    broken,
    content,
    event,
    problem,
    stream,
    streamed,
    token,
    usage,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

RESTART = "fallback: {after_content: restart}"


def result_in(events: list[Event]) -> Result:
    last = events[-1]
    assert isinstance(last, Finished)
    return last.result


def held_by_the_caller(events: list[Event]) -> str:
    """What a caller has who discards as told. Each text belongs to the attempt that answers (I1)."""
    text, answering = "", None
    for happened in events:
        match happened:
            case Restarted(number):
                assert answering is not None
                assert number > answering
                text, answering = "", number
            case Text(piece, number) | ToolCallPiece(piece, number):
                assert answering in (None, number)
                answering = number
                text += piece if isinstance(piece, str) else piece.arguments
            case UsageReported(_, number):
                assert answering in (None, number)
    assert [isinstance(happened, Finished) for happened in events].count(True) == 1
    assert isinstance(events[-1], Finished)
    return text


def kinds(events: list[Event]) -> list[str]:
    return [type(happened).__name__ for happened in events]


BREAKS: dict[str, Any] = {
    "reset": Cause.RESET,
    "a protocol error": Cause.PROTOCOL,
    "an end without its terminator": PING,
    "silence": STALL,
    "an error event": event({"error": {"message": "overloaded"}}),
    "an event that is not JSON": b"data: {nope\n\n",
}


@pytest.mark.parametrize("step", BREAKS.values(), ids=BREAKS.keys())
async def test_what_breaks_off_after_content_starts_over_at_the_next_target(policy_of: PolicyOf, step: Any) -> None:
    transport = ScriptedTransport(
        {"first": [stream(content("Hel"), content("l"), step)], "second": [streamed("Good", " day")]}
    )
    ledger = MemoryLedger()
    async with opened(policy_of(policy(upstream=RESTART)), transport, ledger) as engine:
        events = await events_of(engine, allow_restart=True)

    assert kinds(events) == [
        *("Planned", "AttemptStarted", "Text", "Text", "AttemptEnded"),
        *("AttemptStarted", "Restarted", "Text", "Text", "UsageReported", "AttemptEnded", "Finished"),
    ]
    assert events[6] == Restarted(2)
    assert held_by_the_caller(events) == result_in(events).text == "Good day"
    (record,) = records(ledger)
    assert (record["outcome"], record["restarts"], record["completion_bytes"]) == ("completed", 1, 8)
    assert (record["endpoint"], record["error"]) == ("second", None)
    assert record["attempts"][0]["failure"] is not None
    assert transport.left_open == 0


FORBIDDEN = {
    "neither": ("", False),
    "the upstream alone": (RESTART, False),
    "the caller alone": ("", True),
    "the caller, and the upstream says no": ("fallback: {after_content: fail}", True),
}


@pytest.mark.parametrize(("upstream", "allowed"), FORBIDDEN.values(), ids=FORBIDDEN.keys())
async def test_without_both_nothing_starts_over(policy_of: PolicyOf, upstream: str, allowed: bool) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hel"), Cause.RESET)], "second": [streamed("never")]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(upstream=upstream)), transport, ledger) as engine:
        events = await events_of(engine, allow_restart=allowed)

    assert "Restarted" not in kinds(events)
    assert (result_in(events).outcome.value, result_in(events).text) == ("interrupted", "Hel")
    assert transport.asked == ["first"]
    assert records(ledger)[0]["restarts"] == 0


async def test_a_fallback_before_content_is_no_restart(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(ROLE, Cause.RESET)], "second": [streamed("Hello")]})
    async with opened(policy_of(policy(upstream=RESTART)), transport) as engine:
        events = await events_of(engine, allow_restart=True)

    assert "Restarted" not in kinds(events)
    assert held_by_the_caller(events) == "Hello"


async def test_what_was_delivered_stands_until_something_takes_its_place(policy_of: PolicyOf) -> None:
    replies = {"first": [stream(content("Hel"), Cause.RESET)], "second": [problem(503)], "third": [streamed("Hi")]}
    transport = ScriptedTransport(replies)
    async with opened(policy_of(policy(upstream=RESTART, targets=3)), transport) as engine:
        events = await events_of(engine, allow_restart=True)

    assert [happened for happened in events if isinstance(happened, Restarted)] == [Restarted(3)]
    assert events.index(Restarted(3)) > max(n for n, e in enumerate(events) if isinstance(e, AttemptStarted))
    assert held_by_the_caller(events) == result_in(events).text == "Hi"


@pytest.mark.parametrize(
    "second", [problem(503), problem(400), broken(Cause.REFUSED), stream(ROLE, usage(1, 0), Cause.RESET), stream(STALL)]
)
async def test_where_nothing_takes_its_place_the_request_is_interrupted_with_what_was_said(
    policy_of: PolicyOf, second: Reply
) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hel"), Cause.RESET)], "second": [second]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(upstream=RESTART)), transport, ledger) as engine:
        events = await events_of(engine, allow_restart=True)

    assert "Restarted" not in kinds(events)
    assert (result_in(events).outcome.value, result_in(events).text) == ("interrupted", "Hel")
    assert held_by_the_caller(events) == "Hel"
    (record,) = records(ledger)
    assert (record["restarts"], record["completion_bytes"], len(record["attempts"])) == (0, 3, 2)


async def test_every_attempt_that_breaks_off_starts_over_until_the_last(policy_of: PolicyOf) -> None:
    names = ("first", "second", "third")
    transport = ScriptedTransport({name: [stream(content(name), Cause.RESET)] for name in names})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(upstream=RESTART, targets=3)), transport, ledger) as engine:
        events = await events_of(engine, allow_restart=True)

    assert [happened for happened in events if isinstance(happened, Restarted)] == [Restarted(2), Restarted(3)]
    assert (result_in(events).outcome.value, result_in(events).text) == ("interrupted", "third")
    assert held_by_the_caller(events) == "third"
    assert records(ledger)[0]["restarts"] == 2


async def test_an_answer_without_content_takes_its_place_too(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport(
        {"first": [stream(content("Hel"), Cause.RESET)], "second": [stream(ROLE, FINISH, usage(3, 0), DONE)]}
    )
    ledger = MemoryLedger()
    async with opened(policy_of(policy(upstream=RESTART)), transport, ledger) as engine:
        events = await events_of(engine, allow_restart=True)

    assert (result_in(events).outcome.value, result_in(events).text) == ("completed", "")
    assert held_by_the_caller(events) == ""
    assert Restarted(2) in events
    (record,) = records(ledger)
    assert (record["completion_bytes"], record["first_content_ms"]) == (0, None)


async def test_pieces_of_tool_calls_are_discarded_too(policy_of: PolicyOf) -> None:
    call = event({"choices": [{"delta": {"tool_calls": [{"index": 0, "id": "c", "function": {"name": "f"}}]}}]})
    transport = ScriptedTransport({"first": [stream(call, Cause.RESET)], "second": [streamed("Hello")]})
    async with opened(policy_of(policy(upstream=RESTART)), transport) as engine:
        events = await events_of(engine, allow_restart=True)

    assert Restarted(2) in events
    assert (result_in(events).tool_calls, result_in(events).text) == ((), "Hello")


async def test_a_restart_keeps_to_the_kinds_that_fall_back(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="fallback: {after_content: restart, when: [timeout]}"))
    transport = ScriptedTransport({"first": [stream(content("Hel"), Cause.RESET)], "second": [streamed("never")]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine, allow_restart=True)

    assert (result.outcome.value, transport.asked) == ("interrupted", ["first"])


async def test_where_retry_allows_the_same_target_starts_over(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream=f"{RESTART}, retry: {{attempts: 2}}", targets=1))
    failing = stream(content("Hel"), event({"error": {"message": "x", "code": "server_error"}}))
    transport = ScriptedTransport({"first": [failing, streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        events = await events_of(engine, allow_restart=True)

    assert transport.asked == ["first", "first"]
    assert held_by_the_caller(events) == "Hello"


async def test_a_token_that_expires_mid_stream_is_replaced_and_the_answer_starts_over(policy_of: PolicyOf) -> None:
    auth = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"
    expired = event({"error": {"message": "token expired", "code": "401"}})
    transport = ScriptedTransport(
        {"first": [stream(content("Hel"), expired), streamed("Hello")]}, {"first": [token("t1"), token("t2")]}
    )
    async with opened(policy_of(policy(first=auth, upstream=RESTART, targets=1)), transport) as engine:
        events = await events_of(engine, allow_restart=True)

    assert held_by_the_caller(events) == "Hello"


async def test_nothing_starts_over_once_the_total_time_is_over(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream=f"{RESTART}, timeouts: {{idle: 5s, total: 5s}}"))
    transport = ScriptedTransport({"first": [stream(content("Hel"), STALL)], "second": [streamed("never")]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine, allow_restart=True)

    assert (causes(result), result.outcome.value) == (["total_timeout"], "interrupted")


async def test_what_was_said_before_a_restart_is_not_free(policy_of: PolicyOf) -> None:
    overloaded = event({"error": {"message": "overloaded", "code": "overloaded_error"}})
    transport = ScriptedTransport({"first": [stream(content("Hel"), overloaded)], "second": [streamed("Hello")]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(upstream=RESTART)), transport, ledger) as engine:
        await events_of(engine, allow_restart=True)

    (record,) = records(ledger)
    assert [a["billed"] for a in record["attempts"]] == ["unknown", "exact"]
    assert record["cost_usd"] is None


@pytest.mark.parametrize("kind", [Restarted, Text, AttemptEnded])
async def test_a_caller_who_leaves_while_it_starts_over_leaves_one_record_of_the_last_text(
    policy_of: PolicyOf, kind: type[Any]
) -> None:
    transport = ScriptedTransport(
        {"first": [stream(content("Hel"), Cause.RESET)], "second": [stream(content("Good"), content(" day"), STALL)]}
    )
    ledger = MemoryLedger()
    async with opened(policy_of(policy(upstream=RESTART)), transport, ledger) as engine:
        request = PromptRequest.of(prompt="Hello", allow_restart=True)
        async with engine.stream(request) as events:
            has_restarted = False
            async for happened in events:
                has_restarted = has_restarted or isinstance(happened, Restarted)
                if isinstance(happened, kind) and (has_restarted or kind is AttemptEnded):
                    break

    (record,) = records(ledger)
    assert record["outcome"] == "cancelled"
    assert (record["restarts"], record["completion_bytes"]) == ((0, 3) if kind is AttemptEnded else (1, 4))
    assert transport.left_open == 0


async def test_a_streamed_answer_that_does_not_pass_its_check_does_not_start_over(policy_of: PolicyOf) -> None:
    route = "match: {}, verify: {format: json}, deliver: streamed"
    transport = ScriptedTransport({"first": [streamed("no JSON")], "second": [streamed("{}")]})
    async with opened(policy_of(policy(route=route, upstream=RESTART)), transport) as engine:
        result = await streamed_result(engine, allow_restart=True)

    assert (result.outcome.value, result.text, transport.asked) == ("output_invalid", "no JSON", ["first"])
