"""Clocks over real sockets: each names itself there too, and a caller who leaves closes the connection at once."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from route_run.flow.event import AttemptStarted, Planned, Text
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from support.engines import causes, completed_result, policy, records, streamed_result
from support.scripted import DONE, FINISH, PING, ROLE, content
from support.server import Authority, Do, Server, chunked, completion, ok

PolicyOf = Callable[..., Loaded]

pytestmark = pytest.mark.anyio

AT_ONCE = 0.1
"""Seconds within which an endpoint sees that nobody waits for its answer any more."""
TRIES = 5
"""A machine that is busy may be late now and then: one of so many tries has to be in time."""


@asynccontextmanager
async def over(
    policy_of: PolicyOf, *urls: str, ledger: MemoryLedger | None = None, first: str = "", **fields: Any
) -> AsyncIterator[Engine]:
    """An engine whose endpoints are these."""
    opened = "allow_networks: [loopback]"
    named = f"{opened}, {first}" if first else opened
    written: Any = policy(first=named, second=opened, targets=len(urls), **fields)
    for name, url in zip(("first", "second"), urls, strict=False):
        written = written.replace(f"https://{name}.test/v1", f"{url}/v1")
    kept = MemoryLedger() if ledger is None else ledger
    async with Engine.open(policy_of(written), ledger=kept, environ={}) as engine:
        yield engine


# -- the clocks ---------------------------------------------------------------------------------------


def chunks(*parts: bytes | float) -> list[bytes | float]:
    """Chunks of a body with pauses between them, without the last one."""
    return [part if isinstance(part, float) else b"%x\r\n%s\r\n" % (len(part), part) for part in parts]


HEAD = chunked(whole=False)
SAID = chunked(ROLE, content("Hel"), whole=False)
DRIP = [part for _ in range(100) for part in (0.05, PING)]

# what the endpoint does, the clock that is short, and which one names itself
CLOCKS: dict[str, tuple[list[Any], str, str]] = {
    "connect": ([Do.STALL], "connect: 200ms", "connect_timeout"),
    "first content before the head": ([Do.READ, Do.STALL], "first_content: 200ms", "first_content_timeout"),
    "first content after the head": ([Do.READ, HEAD, Do.STALL], "first_content: 200ms", "first_content_timeout"),
    "first content under pings": ([Do.READ, HEAD, *chunks(*DRIP)], "first_content: 200ms", "first_content_timeout"),
    "byte idle": ([Do.READ, SAID, Do.STALL], "byte_idle: 200ms", "byte_idle_timeout"),
    "idle under pings": ([Do.READ, SAID, *chunks(*DRIP)], "idle: 200ms, byte_idle: 2s", "idle_timeout"),
    "total": ([Do.READ, SAID, *chunks(*DRIP)], "total: 200ms", "total_timeout"),
    "total before the head": ([Do.READ, Do.STALL], "total: 200ms", "total_timeout"),
}


@pytest.mark.parametrize(("script", "clock", "cause"), CLOCKS.values(), ids=CLOCKS.keys())
async def test_a_clock_names_itself_and_closes_the_connection(
    policy_of: PolicyOf, script: list[Any], clock: str, cause: str
) -> None:
    is_tls = cause == "connect_timeout"  # a handshake that stalls is still a connect
    with Server(script) as server:
        url = server.url.replace("http:", "https:") if is_tls else server.url
        async with over(policy_of, url, upstream=f"timeouts: {{{clock}}}") as engine:
            began = time.monotonic()
            result = await streamed_result(engine)
            took = time.monotonic() - began
            assert server.wait_until_open(0)

    assert causes(result) == [cause]
    assert 0.15 < took < 3


@pytest.mark.parametrize("script", [[Do.READ, Do.STALL], [Do.READ, b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{"]])
async def test_a_plain_answer_runs_into_the_total_clock(policy_of: PolicyOf, script: list[Any]) -> None:
    with Server([*script, Do.STALL]) as server:
        clocks = "timeouts: {first_content: 50ms, idle: 50ms, total: 300ms}"
        async with over(policy_of, server.url, upstream=clocks) as engine:
            result = await completed_result(engine)
        assert server.wait_until_open(0)

    assert causes(result) == ["total_timeout"]


async def test_an_answer_that_is_whole_is_not_kept_open_by_pings(policy_of: PolicyOf) -> None:
    with Server([Do.READ, chunked(ROLE, content("Hello"), FINISH, whole=False), *chunks(*DRIP)]) as server:
        async with over(policy_of, server.url) as engine:
            began = time.monotonic()
            result = await streamed_result(engine)
            took = time.monotonic() - began

    assert (result.outcome.value, result.text) == ("completed", "Hello")
    assert took < 3


# -- the caller leaves --------------------------------------------------------------------------------

MOMENTS: dict[str, tuple[list[Any], type[Any] | None]] = {
    # how far the endpoint comes, and the event at which the caller leaves (None: a cancellation while waiting)
    "in the handshake": ([Do.STALL], None),
    "before the head": ([Do.READ, Do.STALL], None),
    "before any content": ([Do.READ, HEAD, Do.STALL], None),
    "after content": ([Do.READ, SAID, Do.STALL], None),
    "under a flood of content": ([Do.READ, HEAD, *chunks(*[content("x")] * 2000), Do.STALL], Text),
    "at the first content": ([Do.READ, SAID, Do.STALL], Text),
}


async def until(is_so: Callable[[], bool]) -> None:
    for _ in range(1000):
        if is_so():
            return
        await anyio.sleep(0.005)
    raise AssertionError("it never became so")


async def seconds_until_closed(
    engine: Engine, server: Server, at: type[Any] | None = None, *, how: Any = streamed_result, is_read: bool = True
) -> float:
    """Leave a request, at an event or by a cancellation while it waits: how long until its connection is closed."""
    before, asked = server.connections, len(server.requests)
    if at is not None:
        async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
            async for event in events:
                if isinstance(event, at):
                    left_at = time.monotonic()
                    break
    else:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(how, engine)
            await until(lambda: server.connections > before)
            if is_read:
                await until(lambda: len(server.requests) > asked)
            await anyio.sleep(0.02)
            left_at = time.monotonic()
            tasks.cancel_scope.cancel()
    assert server.wait_until_open(0)
    return time.monotonic() - left_at


@pytest.mark.parametrize(("script", "at"), MOMENTS.values(), ids=MOMENTS.keys())
async def test_a_caller_who_leaves_closes_the_connection_at_once(
    policy_of: PolicyOf, script: list[Any], at: type[Any] | None
) -> None:
    ledger = MemoryLedger()
    with Server(script) as server:
        is_read = Do.READ in script
        url = server.url if is_read else server.url.replace("http:", "https:")
        async with over(policy_of, url, ledger=ledger) as engine:
            took = [await seconds_until_closed(engine, server, at, is_read=is_read) for _ in range(TRIES)]

    assert min(took) < AT_ONCE
    assert [record["outcome"] for record in records(ledger)] == ["cancelled"] * TRIES


@pytest.mark.parametrize("script", [[Do.READ, Do.STALL], [Do.READ, SAID, Do.STALL]], ids=["before", "after content"])
async def test_a_caller_who_leaves_closes_a_tls_connection_at_once(
    policy_of: PolicyOf, tmp_path: Path, script: list[Any]
) -> None:
    authority = Authority()
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "ca.pem").write_text(authority.pem)
    with Server(script, tls=authority.context("127.0.0.1")) as server:
        async with over(policy_of, server.url, first="ca_file: ca.pem") as engine:
            took = [await seconds_until_closed(engine, server) for _ in range(TRIES)]

    assert min(took) < AT_ONCE


async def test_a_caller_of_complete_who_leaves_closes_the_connection_at_once(policy_of: PolicyOf) -> None:
    with Server([Do.READ, Do.STALL]) as server:
        async with over(policy_of, server.url) as engine:
            took = [await seconds_until_closed(engine, server, how=completed_result) for _ in range(TRIES)]

    assert min(took) < AT_ONCE


@pytest.mark.parametrize("at", [Planned, AttemptStarted])
async def test_a_caller_who_leaves_before_anything_is_sent_connects_to_nobody(
    policy_of: PolicyOf, at: type[Any]
) -> None:
    with Server([Do.READ, Do.STALL]) as server:
        async with over(policy_of, server.url) as engine:
            await seconds_until_closed(engine, server, at)
        assert server.connections == 0


# -- what the engine itself gives up ------------------------------------------------------------------


async def test_an_answer_that_cannot_pass_closes_its_connection_and_the_next_is_asked(policy_of: PolicyOf) -> None:
    bad = chunked(ROLE, content("Sure, here"), whole=False)
    good = chunked(ROLE, content('{"a": 1}'), FINISH, DONE)
    with Server([Do.READ, bad, Do.STALL]) as first, Server([Do.READ, good]) as second:
        async with over(policy_of, first.url, second.url, route="match: {}, verify: {format: json}") as engine:
            began = time.monotonic()
            result = await streamed_result(engine)
            took = time.monotonic() - began
            assert first.wait_until_open(0)

    assert (result.outcome.value, result.text) == ("completed", '{"a": 1}')
    assert causes(result) == ["invalid_output", None]
    assert took < 3


async def test_a_repair_is_asked_over_the_wire(policy_of: PolicyOf) -> None:
    with Server([Do.READ, ok(completion("no JSON")), Do.READ, ok(completion("{}"))]) as server:
        route = "match: {}, verify: {format: json, repair: 1}"
        async with over(policy_of, server.url, route=route) as engine:
            result = await completed_result(engine)

    assert (result.outcome.value, result.text) == ("completed", "{}")
    assert server.connections == 1
    assert b"no JSON" in server.requests[1].body


async def test_an_answer_that_breaks_off_starts_over_over_the_wire(policy_of: PolicyOf) -> None:
    good = chunked(ROLE, content("Good day"), FINISH, DONE)
    with Server([Do.READ, SAID, 0.05, Do.RESET]) as first, Server([Do.READ, good]) as second:
        async with over(policy_of, first.url, second.url, upstream="fallback: {after_content: restart}") as engine:
            result = await streamed_result(engine, allow_restart=True)
        assert first.wait_until_open(0)

    assert (result.outcome.value, result.text, result.record.restarts) == ("completed", "Good day", 1)
