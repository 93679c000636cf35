"""What a caller sees of one request: the plan, attempts, text after the first-content gate, one end."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from route_run.flow.event import AttemptEnded, AttemptStarted, Event, Finished, Planned, Text, ToolCallPiece
from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.table import Loaded
from route_run.transport.seam import Call, Purpose
from support.engines import (
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
    EVENTS,
    FINISH,
    JSON,
    PING,
    ROLE,
    STALL,
    Reply,
    ScriptedTransport,
    broken,
    content,
    event,
    plain,
    problem,
    stream,
    streamed,
    usage,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]


def kinds(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


def sent(call: Call) -> Any:
    return json.loads(call.request.body)


# -- a good answer ------------------------------------------------------------------------------------


async def test_events_come_in_their_order(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("Hel", "lo")]})
    async with opened(policy_of(policy()), transport) as engine:
        events = await events_of(engine)

    assert kinds(events) == ["Planned", "AttemptStarted", "Text", "Text", "UsageReported", "AttemptEnded", "Finished"]
    assert text_of(events) == "Hello"


async def test_the_result_tells_text_usage_cost_and_who_answered(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("Hel", "lo", used=(1_000_000, 500_000))]})
    async with opened(policy_of(policy()), transport) as engine:
        result = await streamed_result(engine)

    assert (result.outcome.value, result.text, result.error) == ("completed", "Hello", None)
    assert result.usage is not None
    assert (result.usage.prompt, result.usage.completion) == (1_000_000, 500_000)
    assert result.cost == 2  # 1 × 1 USD + 0.5 × 2 USD
    assert [attempt.endpoint for attempt in result.attempts] == ["first"]


async def test_a_plain_answer_is_asked_for_by_complete(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [plain("Hello")]})
    async with opened(policy_of(policy()), transport) as engine:
        result = await completed_result(engine)

    assert result.text == "Hello"
    assert sent(transport.calls[0])["stream"] is False


async def test_a_dialect_that_always_streams_is_streamed_by_complete_too(policy_of: PolicyOf) -> None:
    answer = stream(event({"choices": [{"delta": {"content": "Hello"}}]}), usage(1, 1))
    transport = ScriptedTransport({"first": [answer]})
    async with opened(policy_of(policy(dialect="cognigy")), transport) as engine:
        result = await completed_result(engine)

    assert result.text == "Hello"
    assert sent(transport.calls[0])["stream"] is True


async def test_what_is_sent_is_the_prompt_with_its_parameters(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    async with opened(policy_of(policy()), transport) as engine:
        await events_of(engine, "How are you?", parameters={"temperature": 0.5})

    (call,) = transport.calls
    assert call.request.url == "https://first.test/v1/chat/completions"
    assert sent(call)["messages"] == [{"role": "user", "content": "How are you?"}]
    assert (sent(call)["model"], sent(call)["temperature"], sent(call)["stream"]) == ("m", 0.5, True)
    assert call.request.headers["content-type"] == "application/json"
    assert "text/event-stream" in call.request.headers["accept"]
    assert (call.purpose, call.route, call.fresh) == (Purpose.INFERENCE, "all", False)


async def test_text_reaches_the_caller_while_the_answer_is_still_under_way(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(ROLE, content("Hel"), STALL)]})
    async with (
        opened(policy_of(policy()), transport) as engine,
        engine.stream(PromptRequest.of(prompt="Hello")) as events,
    ):
        seen = [await anext(events) for _ in range(3)]

    assert seen[2] == Text("Hel", 1)


async def test_usage_that_comes_before_any_content_is_held_back_and_then_told(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(usage(7, 0), 0.1, content("Hello"), FINISH, DONE)]})
    async with opened(policy_of(policy()), transport) as engine:
        events = await events_of(engine)

    assert kinds(events)[2:4] == ["UsageReported", "Text"]


async def test_pieces_of_tool_calls_are_content_and_are_put_together(policy_of: PolicyOf) -> None:
    def piece(**function: str) -> bytes:
        named = {"id": "call_1"} if "name" in function else {}
        return event({"choices": [{"delta": {"tool_calls": [{"index": 0, **named, "function": function}]}}]})

    answer = stream(ROLE, piece(name="look_up"), piece(arguments='{"a"'), piece(arguments=": 1}"), FINISH, DONE)
    transport = ScriptedTransport({"first": [answer]})
    async with opened(policy_of(policy()), transport) as engine:
        events = await events_of(engine, tools=[{"name": "look_up"}])

    assert sum(isinstance(event, ToolCallPiece) for event in events) == 3
    last = events[-1]
    assert isinstance(last, Finished)
    assert [(c.id, c.name, c.arguments) for c in last.result.tool_calls] == [("call_1", "look_up", '{"a": 1}')]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(stream(ROLE, FINISH, DONE), id="a role and an end"),
        pytest.param(stream(DONE), id="an end"),
        pytest.param(stream(ROLE, content(""), FINISH, usage(3, 0), DONE), id="empty text"),
    ],
)
async def test_a_proper_end_without_content_is_completed_and_empty(policy_of: PolicyOf, answer: Reply) -> None:
    transport = ScriptedTransport({"first": [answer]})
    async with opened(policy_of(policy()), transport) as engine:
        events = await events_of(engine)

    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.result.outcome.value, last.result.text) == ("completed", "")
    assert text_of(events) == ""


async def test_usage_after_the_proper_end_is_still_read(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hello"), FINISH, 0.5, usage(3, 2), DONE)]})
    async with opened(policy_of(policy()), transport) as engine:
        result = await streamed_result(engine)

    assert result.usage is not None
    assert result.usage.completion == 2


@pytest.mark.parametrize("after", [STALL, Cause.RESET, PING, 5.0])
async def test_what_goes_wrong_after_the_proper_end_does_not_matter(policy_of: PolicyOf, after: Any) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hello"), FINISH, after)]})
    async with opened(policy_of(policy()), transport) as engine:
        result = await streamed_result(engine)

    assert (result.outcome.value, result.text) == ("completed", "Hello")
    assert transport.left_open == 0


async def test_waiting_for_usage_after_the_proper_end_takes_a_second_at_most(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hello"), FINISH, STALL)]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await streamed_result(engine)

    assert records(ledger)[0]["latency_ms"] == pytest.approx(1000, abs=1)


async def test_an_answer_without_usage_costs_an_unknown_amount_never_nothing(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("Hello", used=None)]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), transport, ledger) as engine:
        result = await streamed_result(engine)

    assert result.cost is None
    (record,) = records(ledger)
    assert record["cost_usd"] is None
    assert record["attempts"][0]["billed"] == "unknown"


# -- the first-content gate ---------------------------------------------------------------------------

HTML = Reply(200, {"content-type": "text/html"}, [b"<html><title>Sign in</title></html>"])
UNHEARD: dict[str, tuple[Reply, str]] = {
    **{
        cause.value: (broken(cause), cause.value)
        for cause in (
            Cause.UNSENDABLE,
            Cause.EGRESS_DENIED,
            Cause.TLS,
            Cause.DNS,
            Cause.REFUSED,
            Cause.CONNECT_TIMEOUT,
            Cause.POOL_TIMEOUT,
            Cause.RESET,
            Cause.PROTOCOL,
        )
    },
    **{
        f"status {status}": (problem(status), "status")
        for status in (301, 307, 401, 402, 403, 404, 408, 409, 410, 421, 425, 429, 500, 501, 502, 503, 504, 505, 529)
    },
    "an HTML page": (HTML, "no_answer"),
    "an empty 200": (Reply(200, JSON), "no_answer"),
    "an empty stream": (Reply(200, EVENTS), "truncated"),
    "not JSON": (Reply(200, JSON, [b"{nope"]), "no_answer"),
    "an event that is not JSON": (stream(b"data: {nope\n\n"), "no_answer"),
    "an error in JSON": (Reply(200, JSON, [b'{"error": {"message": "no", "code": "server_error"}}']), "error_event"),
    "an error event": (stream(event({"error": {"message": "overloaded", "code": 529}})), "error_event"),
    "an error event after the role": (stream(ROLE, PING, event({"error": {"message": "x"}})), "error_event"),
    "only a role": (stream(ROLE), "truncated"),
    "only comments": (stream(PING, PING), "truncated"),
    "only usage": (stream(usage(5, 0)), "truncated"),
    "reset after the role": (stream(ROLE, Cause.RESET), "reset"),
    "an encoded body": (stream(Cause.NO_ANSWER), "no_answer"),
    "silence": (Reply(head=[STALL]), "first_content_timeout"),
    "silence after the head": (stream(STALL), "first_content_timeout"),
    "silence after the role": (stream(ROLE, STALL), "first_content_timeout"),
}


@pytest.mark.parametrize(("reply", "cause"), UNHEARD.values(), ids=UNHEARD.keys())
async def test_nothing_is_heard_of_what_fails_before_content_and_the_next_target_answers(
    policy_of: PolicyOf, reply: Reply, cause: str
) -> None:
    transport = ScriptedTransport({"first": [reply], "second": [streamed("Hel", "lo")]})
    async with opened(policy_of(policy()), transport) as engine:
        events = await events_of(engine)

    assert kinds(events) == [
        "Planned", "AttemptStarted", "AttemptEnded",
        "AttemptStarted", "Text", "Text", "UsageReported", "AttemptEnded", "Finished",
    ]  # fmt: skip
    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.result.outcome.value, last.result.text) == ("completed", "Hello")
    assert causes(last.result) == [cause, None]
    assert transport.left_open == 0


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(problem(400), id="bad request"),
        pytest.param(problem(422), id="unprocessable"),
        pytest.param(problem(413), id="too large"),
        pytest.param(problem(400, "prompt is too long"), id="too long"),
        pytest.param(problem(451), id="legal"),
        pytest.param(problem(400, "no", "content_filter"), id="content filter"),
        pytest.param(stream(event({"choices": [{"delta": {}, "finish_reason": "content_filter"}]})), id="refusal"),
    ],
)
async def test_what_every_target_would_refuse_is_asked_once(policy_of: PolicyOf, reply: Reply) -> None:
    transport = ScriptedTransport({"first": [reply], "second": [streamed("never")]})
    async with opened(policy_of(policy()), transport) as engine:
        result = await streamed_result(engine)

    assert result.outcome.value == "failed"
    assert transport.asked == ["first"]


async def test_a_kind_that_is_listed_falls_back_and_one_that_is_not_does_not(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="fallback: {when: [too_long]}"))
    transport = ScriptedTransport({"first": [problem(413), problem(503)], "second": [streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        outcomes = [(await streamed_result(engine)).outcome.value for _ in range(2)]

    assert outcomes == ["completed", "failed"]
    assert transport.asked == ["first", "second", "first"]


# -- after content ------------------------------------------------------------------------------------

LATER: dict[str, tuple[Any, str]] = {
    "reset": (Cause.RESET, "reset"),
    "a protocol error": (Cause.PROTOCOL, "protocol"),
    "an end without its terminator": (PING, "truncated"),
    "silence": (STALL, "byte_idle_timeout"),
    "an error event": (event({"error": {"message": "overloaded"}}), "error_event"),
    "an event that is not JSON": (b"data: {nope\n\n", "no_answer"),
}


@pytest.mark.parametrize(("step", "cause"), LATER.values(), ids=LATER.keys())
async def test_what_fails_after_content_ends_the_request_with_what_was_said(
    policy_of: PolicyOf, step: Any, cause: str
) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hel"), step)], "second": [streamed("never")]})
    loaded = policy_of(policy(upstream="timeouts: {idle: 9s, byte_idle: 5s}"))
    async with opened(loaded, transport) as engine:
        events = await events_of(engine)

    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.result.outcome.value, last.result.text) == ("interrupted", "Hel")
    assert causes(last.result) == [cause]
    assert last.result.error
    assert transport.asked == ["first"]
    assert transport.left_open == 0


async def test_content_in_the_same_chunk_as_the_error_is_delivered_first(policy_of: PolicyOf) -> None:
    chunk = content("Hel") + event({"error": {"message": "overloaded"}})
    transport = ScriptedTransport({"first": [stream(chunk)]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        events = await events_of(engine)

    assert text_of(events) == "Hel"
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.result.outcome.value == "interrupted"


async def test_nothing_is_started_over(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("Hel"), Cause.RESET)], "second": [streamed("never")]})
    async with opened(policy_of(policy(upstream="retry: {attempts: 3}")), transport) as engine:
        events = await events_of(engine, allow_restart=True)

    assert "Restarted" not in kinds(events)
    assert transport.asked == ["first"]


# -- invariants over every script ---------------------------------------------------------------------

ALL: dict[str, list[Reply]] = {
    **{name: [reply, reply] for name, (reply, _) in UNHEARD.items()},
    **{f"{name} later": [stream(content("Hel"), step), streamed("x")] for name, (step, _) in LATER.items()},
    "an answer": [streamed("Hello"), streamed("x")],
}


@pytest.mark.parametrize("replies", ALL.values(), ids=ALL.keys())
async def test_every_request_has_one_end_one_record_and_no_open_answer(
    policy_of: PolicyOf, replies: list[Reply]
) -> None:
    transport = ScriptedTransport({"first": replies[:1], "second": replies[1:]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), transport, ledger) as engine:
        events = await events_of(engine)

    assert isinstance(events[0], Planned)
    assert [isinstance(event, Finished) for event in events].count(True) == 1
    assert isinstance(events[-1], Finished)
    started = [event.number for event in events if isinstance(event, AttemptStarted)]
    ended = [event.attempt.number for event in events if isinstance(event, AttemptEnded)]
    assert started == ended == list(range(1, len(started) + 1))
    (record,) = records(ledger)
    assert record["outcome"] == events[-1].result.outcome.value
    assert len(record["attempts"]) == len(started)
    assert text_of(events) == events[-1].result.text
    assert record["completion_bytes"] == len(events[-1].result.text)
    assert transport.left_open == 0


async def test_no_byte_is_delivered_twice_and_each_belongs_to_one_attempt(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(ROLE, usage(1, 0), Cause.RESET)], "second": [streamed("a", "b")]})
    async with opened(policy_of(policy()), transport) as engine:
        events = await events_of(engine)

    assert [(event.text, event.number) for event in events if isinstance(event, Text)] == [("a", 2), ("b", 2)]


async def test_a_letter_in_two_halves_arrives_whole(policy_of: PolicyOf) -> None:
    whole = content("☃ 🧪")
    halves = [bytes([byte]) for byte in whole]
    transport = ScriptedTransport({"first": [stream(*halves, FINISH, DONE)]})
    async with opened(policy_of(policy()), transport) as engine:
        assert (await streamed_result(engine)).text == "☃ 🧪"


@pytest.mark.parametrize("how", [streamed_result, completed_result])
async def test_half_of_a_surrogate_pair_in_an_answer_breaks_nothing(policy_of: PolicyOf, how: Any) -> None:
    # servers that write "\ud83e\uddea" cut the pair between two events
    events = stream(b'data: {"choices": [{"delta": {"content": "\\ud83e"}}]}\n\n', content(" fine"), FINISH, DONE)
    body = b'{"choices": [{"message": {"content": "\\ud83e fine"}, "finish_reason": "stop"}]}'
    transport = ScriptedTransport({"first": [events if how is streamed_result else Reply(200, JSON, [body])]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(targets=1)), transport, ledger) as engine:
        await how(engine)

    assert len(records(ledger)) == 1
