"""Every clock runs out at its own moment and names itself."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from route_run.flow.event import Event, Finished, Result, Text
from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.table import Loaded
from support.engines import causes, completed_result, opened, policy, streamed_result, text_of
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
    Step,
    broken,
    content,
    event,
    plain,
    stream,
    streamed,
    token,
    usage,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

TIMEOUTS = "timeouts: {connect: 1s, first_content: 4s, idle: 6s, byte_idle: 3s, total: 20s}"


def every(seconds: float, step: bytes, count: int = 1000) -> list[Step]:
    """The same step again and again."""
    return [part for _ in range(count) for part in (seconds, step)]


async def result_of(loaded: Loaded, *replies: Reply, how: Any = streamed_result) -> Result:
    names = ("first", "second", "third")
    transport = ScriptedTransport({name: [reply] for name, reply in zip(names, replies, strict=False)})
    async with opened(loaded, transport) as engine:
        result: Result = await how(engine)
    assert transport.left_open == 0
    return result


def seconds(result: Result) -> float:
    return round(result.record.ended_at - result.record.started_at, 3)


# -- one attempt --------------------------------------------------------------------------------------

REASONING = event({"choices": [{"delta": {"reasoning_content": "hm"}}]})
STREAMS: dict[str, tuple[Reply, str, float]] = {
    "silence before the head": (Reply(head=[STALL]), "first_content_timeout", 4),
    "a head that comes late": (Reply(200, EVENTS, [STALL], head=[3.9]), "first_content_timeout", 4),
    "silence after the head": (stream(STALL), "first_content_timeout", 4),
    "a role and silence": (stream(ROLE, STALL), "first_content_timeout", 4),
    "pings without content": (stream(*every(1, PING)), "first_content_timeout", 4),
    "reasoning without content": (stream(*every(1, REASONING)), "first_content_timeout", 4),
    "bytes that make no event": (stream(*every(1, b"x")), "first_content_timeout", 4),
    "content and silence": (stream(1, content("a"), STALL), "byte_idle_timeout", 4),
    "content and pings": (stream(1, content("a"), *every(1, PING)), "idle_timeout", 7),
    "content and reasoning": (stream(1, content("a"), *every(1, REASONING)), "idle_timeout", 7),
    "content, pings, content, pings": (
        stream(content("a"), *every(1, PING, 5), content("b"), *every(1, PING)),
        "idle_timeout",
        11,
    ),
    "pings and then silence": (stream(content("a"), *every(1, PING, 2), STALL), "byte_idle_timeout", 5),
    "content for ever": (stream(*every(2, content("a"))), "total_timeout", 20),
    "a byte at a time for ever": (stream(content("a"), *every(2, b"x")), "idle_timeout", 6),
}


@pytest.mark.parametrize(("reply", "cause", "after"), STREAMS.values(), ids=STREAMS.keys())
async def test_a_clock_of_a_stream_names_itself(policy_of: PolicyOf, reply: Reply, cause: str, after: float) -> None:
    result = await result_of(policy_of(policy(upstream=TIMEOUTS, targets=1)), reply)

    assert (causes(result), seconds(result)) == ([cause], after)


PLAIN: dict[str, tuple[Reply, str, float]] = {
    "silence before the head": (Reply(head=[STALL]), "total_timeout", 20),
    "silence in the body": (Reply(200, JSON, [b'{"choices"', STALL]), "total_timeout", 20),
    "a body that dribbles": (Reply(200, JSON, every(2, b" ")), "total_timeout", 20),
}


@pytest.mark.parametrize(("reply", "cause", "after"), PLAIN.values(), ids=PLAIN.keys())
async def test_a_plain_answer_has_the_total_clock_only(
    policy_of: PolicyOf, reply: Reply, cause: str, after: float
) -> None:
    result = await result_of(policy_of(policy(upstream=TIMEOUTS, targets=1)), reply, how=completed_result)

    assert (causes(result), seconds(result)) == ([cause], after)


async def test_a_plain_answer_may_take_longer_than_any_clock_of_a_stream(policy_of: PolicyOf) -> None:
    reply = Reply(200, JSON, [9, *plain("Hello").body], head=[9])
    result = await result_of(policy_of(policy(upstream=TIMEOUTS, targets=1)), reply, how=completed_result)

    assert (result.text, seconds(result)) == ("Hello", 18)


async def test_just_in_time_is_in_time(policy_of: PolicyOf) -> None:
    reply = stream(3.9, content("a"), 2.9, PING, 2.9, content("b"), 2.9, FINISH, DONE)
    result = await result_of(policy_of(policy(upstream=TIMEOUTS, targets=1)), reply)

    assert (result.outcome.value, result.text) == ("completed", "ab")


async def test_the_connect_clock_is_handed_to_the_transport_and_names_itself(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [broken(Cause.CONNECT_TIMEOUT)]})
    async with opened(policy_of(policy(upstream=TIMEOUTS, targets=1)), transport) as engine:
        result = await streamed_result(engine)

    assert transport.calls[0].connect_timeout == 1
    assert causes(result) == ["connect_timeout"]


async def test_bytes_count_as_idle_as_long_as_content_where_nothing_else_is_said(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="timeouts: {idle: 6s}", targets=1))
    result = await result_of(loaded, stream(content("a"), STALL))

    assert (causes(result)[0] in ("idle_timeout", "byte_idle_timeout"), seconds(result)) == (True, 6)


@pytest.mark.parametrize("status", [429, 500])
async def test_the_body_of_an_error_is_waited_for_a_short_while_only(policy_of: PolicyOf, status: int) -> None:
    loaded = policy_of(policy(upstream=TIMEOUTS))
    result = await result_of(loaded, Reply(status, JSON, [b"{", STALL]), streamed("Hello"))

    assert causes(result) == ["status", None]
    assert seconds(result) == 1


async def test_an_endless_body_of_an_error_is_not_read_to_its_end(policy_of: PolicyOf) -> None:
    reply = Reply(500, JSON, [b"x" * 10_000] * 1000)
    transport = ScriptedTransport({"first": [reply]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        result = await streamed_result(engine)

    assert causes(result) == ["status"]
    assert len(transport.responses[0]._left) > 900


# -- over attempts ------------------------------------------------------------------------------------


async def test_every_attempt_has_its_own_first_content_clock(policy_of: PolicyOf) -> None:
    result = await result_of(policy_of(policy(upstream=TIMEOUTS)), stream(STALL), stream(3.5, content("Hello"), DONE))

    assert (causes(result), result.text) == (["first_content_timeout", None], "Hello")
    assert seconds(result) == 7.5
    assert [attempt.latency_ms for attempt in result.attempts] == [4000, 3500]


async def test_the_total_clock_runs_over_all_attempts(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="timeouts: {first_content: 8s, total: 20s}", targets=3))
    result = await result_of(loaded, stream(STALL), stream(STALL), stream(STALL))

    assert causes(result) == ["first_content_timeout", "first_content_timeout", "total_timeout"]
    assert (result.outcome.value, seconds(result)) == ("failed", 20)


async def test_no_target_is_asked_once_the_total_clock_has_run_out(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="timeouts: {first_content: 30s, total: 5s}"))
    result = await result_of(loaded, stream(STALL), streamed("never"))

    assert (causes(result), seconds(result)) == (["total_timeout"], 5)
    assert result.advice is not None
    assert "timeouts.total" in result.advice


async def test_latency_and_first_content_are_measured_from_the_beginning(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream=TIMEOUTS))
    result = await result_of(loaded, stream(2, Cause.RESET), stream(1, content("a"), 2, content("b"), DONE))

    record = result.record.as_json()
    assert (record["first_content_ms"], record["latency_ms"]) == (3000, 5000)
    assert [a["first_content_ms"] for a in record["attempts"]] == [None, 1000]


async def test_a_token_that_does_not_come_runs_into_the_first_content_clock(policy_of: PolicyOf) -> None:
    auth = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"
    transport = ScriptedTransport({"second": [streamed("Hello")]}, {"first": [Reply(head=[STALL])]})
    async with opened(policy_of(policy(first=auth, upstream=TIMEOUTS)), transport) as engine:
        result = await streamed_result(engine)

    assert causes(result) == ["first_content_timeout", None]
    assert seconds(result) == 4


async def test_a_token_endpoint_has_ten_seconds(policy_of: PolicyOf) -> None:
    auth = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"
    transport = ScriptedTransport({"second": [streamed("Hello")]}, {"first": [Reply(head=[STALL]), token("t")]})
    async with opened(policy_of(policy(first=auth)), transport) as engine:
        result = await streamed_result(engine)

    assert (seconds(result), result.text) == (10, "Hello")
    assert result.attempts[0].failure is not None
    assert result.attempts[0].failure.at_token


# -- after the proper end -----------------------------------------------------------------------------


@pytest.mark.parametrize("step", [PING, b": x", REASONING], ids=["pings", "bytes without an event", "reasoning"])
async def test_an_answer_that_is_whole_is_not_kept_open_by_what_still_comes(policy_of: PolicyOf, step: bytes) -> None:
    reply = stream(content("Hello"), FINISH, *every(0.5, step))
    result = await result_of(policy_of(policy(upstream=TIMEOUTS, targets=1)), reply)

    assert (result.outcome.value, result.text) == ("completed", "Hello")
    assert seconds(result) == 1


async def test_usage_that_comes_a_moment_after_the_proper_end_is_read(policy_of: PolicyOf) -> None:
    reply = stream(content("Hello"), FINISH, 0.4, PING, 0.4, usage(3, 4), STALL)
    result = await result_of(policy_of(policy(upstream=TIMEOUTS, targets=1)), reply)

    assert result.usage is not None
    assert (result.outcome.value, result.usage.prompt, seconds(result)) == ("completed", 3, 1)


# -- the caller's own time ----------------------------------------------------------------------------


async def test_a_caller_who_is_slow_is_not_taken_for_an_idle_endpoint(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("a", "b", "c")]})
    loaded = policy_of(policy(upstream="timeouts: {first_content: 4s, idle: 6s, byte_idle: 3s, total: 1h}"))
    seen: list[Event] = []
    async with (
        opened(loaded, transport) as engine,
        engine.stream(PromptRequest.of(prompt="Hello")) as events,
    ):
        async for happened in events:
            seen.append(happened)
            if isinstance(happened, Text):
                await anyio.sleep(10)

    last = seen[-1]
    assert isinstance(last, Finished)
    assert (last.result.outcome.value, text_of(seen)) == ("completed", "abc")


async def test_a_caller_who_is_slow_with_usage_is_not_taken_for_an_idle_endpoint(policy_of: PolicyOf) -> None:
    reply = stream(ROLE, content("a"), usage(1, 1), 0.8, ROLE, 0.8, content("b"), FINISH, DONE)
    loaded = policy_of(policy(upstream="timeouts: {first_content: 4s, idle: 3s, total: 1h}"))
    seen: list[Event] = []
    async with (
        opened(loaded, ScriptedTransport({"first": [reply]})) as engine,
        engine.stream(PromptRequest.of(prompt="Hello")) as events,
    ):
        async for happened in events:
            seen.append(happened)
            await anyio.sleep(2)

    last = seen[-1]
    assert isinstance(last, Finished)
    assert (last.result.outcome.value, last.result.text) == ("completed", "ab")


async def test_the_total_clock_counts_the_caller_s_time_too(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(*itertools.repeat(content("a"), 100))]})
    loaded = policy_of(policy(upstream="timeouts: {total: 20s}"))
    async with opened(loaded, transport) as engine, engine.stream(PromptRequest.of(prompt="Hello")) as events:
        async for happened in events:
            if isinstance(happened, Text):
                await anyio.sleep(3)
            if isinstance(happened, Finished):
                assert causes(happened.result) == ["total_timeout"]
                assert happened.result.outcome.value == "interrupted"
