"""The engine over real sockets: what the scripted transport promises holds on the wire."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from route_run.flow.event import Finished, Text
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from support.engines import causes, completed_result, events_of, policy, records, streamed_result, text_of
from support.scripted import DONE, FINISH, PING, ROLE, content, usage
from support.server import Authority, Do, Server, answer, chunked, completion, ok, until_close

PolicyOf = Callable[..., Loaded]

pytestmark = pytest.mark.anyio

ANSWER = (ROLE, content("Hel"), content("lo"), FINISH, usage(10, 5), DONE)


@asynccontextmanager
async def over(
    policy_of: PolicyOf, *urls: str, ledger: MemoryLedger | None = None, first: str = "", upstream: str = ""
) -> AsyncIterator[Engine]:
    """An engine whose first and second endpoints are these."""
    opened = "allow_networks: [loopback]"
    written = policy(
        first=f"{opened}{', ' if first else ''}{first}", second=opened, targets=len(urls), upstream=upstream
    )
    for name, url in zip(("first", "second"), urls, strict=False):
        written = written.replace(f"https://{name}.test/v1", f"{url}/v1")
    kept = MemoryLedger() if ledger is None else ledger
    async with Engine.open(policy_of(written), ledger=kept, environ={"KEY": "k"}) as engine:
        yield engine


@pytest.mark.parametrize(
    "written",
    [
        pytest.param([chunked(*ANSWER)], id="in chunks"),
        pytest.param([until_close(b"".join(ANSWER)), Do.CLOSE], id="until the connection closes"),
        pytest.param([ok(b"".join(ANSWER), "text/event-stream")], id="with a length"),
        pytest.param([bytes([byte]) for byte in chunked(*ANSWER)], id="byte by byte"),
        pytest.param([ok(b"".join(ANSWER).replace(b"\n", b"\r\n"), "text/event-stream")], id="with CRLF"),
        pytest.param([ok(completion("Hello"))], id="as plain JSON"),
    ],
)
async def test_a_stream_arrives_however_it_is_sent(policy_of: PolicyOf, written: list[bytes]) -> None:
    with Server([Do.READ, *written]) as server:
        async with over(policy_of, server.url) as engine:
            result = await streamed_result(engine)

    assert (result.outcome.value, result.text) == ("completed", "Hello")


async def test_a_plain_answer_arrives(policy_of: PolicyOf) -> None:
    with Server([Do.READ, ok(completion("Hello"))]) as server:
        async with over(policy_of, server.url, first="auth: {api_key: '${KEY}'}") as engine:
            result = await completed_result(engine)

    assert result.text == "Hello"
    assert server.requests[0].headers["authorization"] == "Bearer k"
    assert json.loads(server.requests[0].body)["stream"] is False


FAULTS = {
    "reset before the head": ([Do.READ, Do.RESET], "reset"),
    "closed before the head": ([Do.READ, Do.CLOSE], "reset"),
    "garbage": ([Do.READ, b"garbage\r\n\r\n"], "protocol"),
    "a huge header": ([Do.READ, answer(200, b"", x_huge="h" * 300_000)], "protocol"),
    "HTML": ([Do.READ, ok(b"<html><title>Sign in</title></html>", "text/html")], "no_answer"),
    "gzip": ([Do.READ, ok(b"\x1f\x8b\x08", content_encoding="gzip")], "no_answer"),
    "a redirect": ([Do.READ, answer(302, b"", location="https://evil.test")], "status"),
    "overloaded": ([Do.READ, answer(529, b'{"error": {"message": "overloaded"}}')], "status"),
    "reset in the stream": ([Do.READ, chunked(ROLE, whole=False), 0.05, Do.RESET], "reset"),
    "closed in the stream": ([Do.READ, chunked(ROLE, PING, whole=False), Do.CLOSE], "reset"),
    "ended without its last word": ([Do.READ, chunked(ROLE, PING)], "truncated"),
    "silence": ([Do.READ, chunked(ROLE, whole=False), Do.STALL], "first_content_timeout"),
    "silence before the head": ([Do.READ, Do.STALL], "first_content_timeout"),
}


@pytest.mark.parametrize(("script", "cause"), FAULTS.values(), ids=FAULTS.keys())
async def test_a_fault_before_any_content_falls_back_and_leaves_no_connection(
    policy_of: PolicyOf, script: list[object], cause: str
) -> None:
    with Server(script) as faulty, Server([Do.READ, chunked(*ANSWER)]) as good:
        # a short clock where it is to run out, and otherwise one that a slow machine does not run into
        clock = "200ms" if cause == "first_content_timeout" else "20s"
        async with over(policy_of, faulty.url, good.url, upstream=f"timeouts: {{first_content: {clock}}}") as engine:
            result = await streamed_result(engine)
        assert faulty.wait_until_open(0)

    assert result.text == "Hello"
    assert causes(result) == [cause, None]


async def test_an_endpoint_where_nothing_listens_falls_back(policy_of: PolicyOf) -> None:
    with Server() as gone:
        url = gone.url
    with Server([Do.READ, chunked(*ANSWER)]) as good:
        async with over(policy_of, url, good.url) as engine:
            assert causes(await streamed_result(engine)) == ["refused", None]


async def test_a_certificate_of_nobody_falls_back(policy_of: PolicyOf) -> None:
    with Server([], tls=Authority().context("127.0.0.1")) as faulty, Server([Do.READ, chunked(*ANSWER)]) as good:
        async with over(policy_of, faulty.url, good.url) as engine:
            result = await streamed_result(engine)

    assert causes(result) == ["tls", None]


async def test_a_private_address_that_is_not_named_falls_back(policy_of: PolicyOf) -> None:
    with Server() as server:
        written = policy(targets=1).replace("https://first.test", server.url)
        async with Engine.open(policy_of(written), ledger=MemoryLedger(), environ={}) as engine:
            result = await streamed_result(engine)
        assert server.connections == 0

    assert causes(result) == ["egress_denied"]
    assert "allow_networks" in (result.advice or "")


async def test_a_fault_after_content_interrupts(policy_of: PolicyOf) -> None:
    with Server([Do.READ, chunked(ROLE, content("Hel"), whole=False), 0.05, Do.RESET]) as server:
        async with over(policy_of, server.url) as engine:
            events = await events_of(engine)

    last = events[-1]
    assert isinstance(last, Finished)
    assert (last.result.outcome.value, text_of(events)) == ("interrupted", "Hel")


@pytest.mark.parametrize("fault", [Do.CLOSE, Do.RESET])
async def test_a_kept_connection_that_dies_is_replaced_once_and_the_request_succeeds(
    policy_of: PolicyOf, fault: Do
) -> None:
    good = [Do.READ, ok(completion("Hello"))]
    with Server([*good, Do.READ, fault], good) as server:
        async with over(policy_of, server.url) as engine:
            results = [await completed_result(engine) for _ in range(2)]

    assert [result.text for result in results] == ["Hello", "Hello"]
    assert causes(results[1]) == ["stale", None]
    assert [request.connection for request in server.requests] == [0, 0, 1]


async def test_streams_one_after_the_other_use_one_connection(policy_of: PolicyOf) -> None:
    with Server([Do.READ, chunked(*ANSWER)] * 3) as server:
        async with over(policy_of, server.url) as engine:
            for _ in range(3):
                await streamed_result(engine)

    assert server.connections == 1


async def test_leaving_the_block_early_closes_the_connection(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    with Server([Do.READ, chunked(ROLE, content("Hel"), whole=False), Do.STALL]) as server:
        async with over(policy_of, server.url, ledger=ledger) as engine:
            async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
                async for event in events:
                    if isinstance(event, Text):
                        break
            assert server.wait_until_open(0)

    assert records(ledger)[0]["outcome"] == "cancelled"


@pytest.mark.parametrize("script", [[Do.READ, Do.STALL], [Do.READ, chunked(ROLE, whole=False), Do.STALL]])
async def test_a_cancelled_request_closes_the_connection(policy_of: PolicyOf, script: list[object]) -> None:
    with Server(script) as server:
        async with over(policy_of, server.url) as engine:
            with anyio.move_on_after(0.2):
                await streamed_result(engine)
            assert server.wait_until_open(0)


async def test_text_is_given_as_soon_as_it_has_arrived(policy_of: PolicyOf) -> None:
    with Server([Do.READ, chunked(ROLE, content("Hel"), whole=False), Do.STALL]) as server:
        async with over(policy_of, server.url) as engine, engine.stream(PromptRequest.of(prompt="Hello")) as events:
            with anyio.fail_after(5):
                seen = [await anext(events) for _ in range(3)]

    assert isinstance(seen[2], Text)
