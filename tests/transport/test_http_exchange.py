"""What the HTTP transport sends and gives back, over real sockets."""

from __future__ import annotations

import gc
import random
import warnings
from collections.abc import AsyncIterator

import anyio
import pytest

from route_run import __version__
from route_run.flow.failure import Cause
from route_run.transport import http
from route_run.transport.http import HttpTransport
from route_run.transport.seam import Call, Purpose, Response, TransportError, Way
from route_run.wire.call import HttpRequest
from support.server import Do, Server, an_authority, answer, chunked, ok, until_close

pytestmark = pytest.mark.anyio

LOOPBACK = Way(allow_networks=("loopback",), ca_pem=an_authority())


def call_to(url: str, *, fresh: bool = False, body: bytes = b"{}", within: float = 5.0, **headers: str) -> Call:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Call(HttpRequest(url, named, body), "e", Purpose.INFERENCE, within, fresh=fresh)


async def whole(response: Response) -> bytes:
    """The body, read to its end."""
    try:
        return b"".join([chunk async for chunk in _chunks(response)])
    finally:
        await response.aclose()


async def _chunks(response: Response) -> AsyncIterator[bytes]:
    while chunk := await response.read():
        yield chunk


@pytest.fixture
async def transport() -> AsyncIterator[HttpTransport]:
    carrier = HttpTransport({"e": LOOPBACK})
    try:
        yield carrier
    finally:
        await carrier.aclose()


# -- out ----------------------------------------------------------------------------------------------


async def test_a_call_is_sent_as_it_is_written(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}")]) as server:
        call = call_to(f"{server.url}/v1/chat/completions", body=b'{"a": 1}', x_own="value", authorization="Bearer t")
        await whole(await transport.send(call))

    (received,) = server.requests
    assert received.line == "POST /v1/chat/completions HTTP/1.1"
    assert received.body == b'{"a": 1}'
    assert received.headers["x-own"] == "value"
    assert received.headers["authorization"] == "Bearer t"
    assert received.headers["content-length"] == "8"
    assert received.headers["host"] == f"127.0.0.1:{server.port}"


async def test_nothing_is_sent_that_nobody_asked_for(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}")]) as server:
        await whole(await transport.send(call_to(f"{server.url}/v1")))

    assert set(server.requests[0].headers) == {"host", "user-agent", "accept-encoding", "content-length"} | (
        set(server.requests[0].headers) & {"accept", "connection"}
    )
    assert server.requests[0].headers["user-agent"] == f"route-run/{__version__}"
    assert server.requests[0].headers["accept-encoding"] == "identity"


async def test_another_method_is_sent_when_the_request_says_so(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}")]) as server:
        request = HttpRequest(f"{server.url}/v1", {}, b"", method="GET")
        await whole(await transport.send(Call(request, "e", Purpose.INFERENCE, 5.0)))

    assert server.requests[0].line.startswith("GET ")


async def test_a_large_body_is_sent_whole(transport: HttpTransport) -> None:
    body = b"x" * 3_000_000
    with Server([Do.READ, ok(b"{}")]) as server:
        await whole(await transport.send(call_to(f"{server.url}/v1", body=body)))

    assert server.requests[0].body == body


async def test_a_cookie_is_neither_kept_nor_sent(transport: HttpTransport) -> None:
    script = [Do.READ, ok(b"{}", set_cookie="session=1; Path=/"), Do.READ, ok(b"{}")]
    with Server(script) as server:
        await whole(await transport.send(call_to(f"{server.url}/v1")))
        await whole(await transport.send(call_to(f"{server.url}/v1")))

    assert "cookie" not in server.requests[1].headers


@pytest.mark.parametrize("value", ["two\r\nx-injected: yes", "two\nlines", "nul\0", "snow ☃"])
async def test_a_header_that_cannot_be_written_sends_nothing(transport: HttpTransport, value: str) -> None:
    with Server([Do.READ, ok(b"{}")]) as server:
        with pytest.raises(TransportError) as raised:
            await transport.send(call_to(f"{server.url}/v1", x_own=value))
        assert server.requests == []

    assert raised.value.cause is Cause.UNSENDABLE


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/v1", "http://[::1/v1", "http://", "//127.0.0.1/v1"])
async def test_a_url_that_cannot_be_asked_is_unsendable(transport: HttpTransport, url: str) -> None:
    with pytest.raises(TransportError) as raised:
        await transport.send(call_to(url))

    assert raised.value.cause is Cause.UNSENDABLE


# -- back ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 201, 204, 301, 400, 401, 404, 429, 500, 503, 529])
async def test_every_status_is_an_answer(transport: HttpTransport, status: int) -> None:
    with Server([Do.READ, answer(status, b"" if status == 204 else b"{}")]) as server:
        response = await transport.send(call_to(f"{server.url}/v1"))
        await whole(response)

    assert response.status == status


async def test_header_names_come_back_in_lower_case(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}", Retry_After="7", X_Request_ID="abc")]) as server:
        response = await transport.send(call_to(f"{server.url}/v1"))
        await response.aclose()

    assert response.headers["retry-after"] == "7"
    assert response.headers["x-request-id"] == "abc"


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(ok(b"data: 1\n\ndata: 2\n\n"), id="with a length"),
        pytest.param(chunked(b"data: 1\n\n", b"data: 2\n\n"), id="in chunks"),
        pytest.param(until_close(b"data: 1\n\ndata: 2\n\n"), id="until the connection closes"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n" + ok(b"data: 1\n\ndata: 2\n\n"), id="after a stray 100"),
    ],
)
async def test_a_body_is_whole_however_its_end_is_told(transport: HttpTransport, written: bytes) -> None:
    with Server([Do.READ, written, Do.CLOSE]) as server:
        body = await whole(await transport.send(call_to(f"{server.url}/v1")))

    assert body == b"data: 1\n\ndata: 2\n\n"


async def test_an_answer_may_come_byte_by_byte(transport: HttpTransport) -> None:
    written = chunked(b"data: snow \xe2\x98\x83\n\n", b"data: [DONE]\n\n")
    with Server([Do.READ, *(bytes([byte]) for byte in written)]) as server:
        body = await whole(await transport.send(call_to(f"{server.url}/v1")))

    assert body == b"data: snow \xe2\x98\x83\n\ndata: [DONE]\n\n"


async def test_a_chunk_is_given_before_the_next_one_comes(transport: HttpTransport) -> None:
    with Server([Do.READ, chunked(b"data: 1\n\n", whole=False), Do.STALL]) as server:
        response = await transport.send(call_to(f"{server.url}/v1"))
        with anyio.fail_after(5):
            first = await response.read()
        await response.aclose()

    assert first == b"data: 1\n\n"


async def test_a_redirect_is_not_followed(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}")]) as elsewhere:
        with Server([Do.READ, answer(307, b"", location=f"{elsewhere.url}/stolen")]) as server:
            response = await transport.send(call_to(f"{server.url}/v1", authorization="Bearer t"))
            await response.aclose()
        assert elsewhere.connections == 0

    assert response.status == 307


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "GZIP"])
async def test_an_encoded_body_is_no_answer(transport: HttpTransport, encoding: str) -> None:
    with Server([Do.READ, ok(b"\x1f\x8b\x08", content_encoding=encoding)]) as server:
        response = await transport.send(call_to(f"{server.url}/v1"))
        with pytest.raises(TransportError) as raised:
            await response.read()
        await response.aclose()

    assert raised.value.cause is Cause.NO_ANSWER


async def test_an_answer_that_names_identity_is_read(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}", content_encoding="identity")]) as server:
        assert await whole(await transport.send(call_to(f"{server.url}/v1"))) == b"{}"


# -- what goes wrong ----------------------------------------------------------------------------------

HALF = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-le"
SHORT = b'HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"half'
STREAMING = chunked(b"data: 1\n\n", whole=False)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        pytest.param([Do.READ, Do.RESET], Cause.RESET, id="reset before the head"),
        pytest.param([Do.READ, Do.CLOSE], Cause.RESET, id="closed before the head"),
        pytest.param([Do.READ, Do.FINISH_WRITING], Cause.RESET, id="half closed before the head"),
        pytest.param([Do.READ, HALF, Do.RESET], Cause.RESET, id="reset in the head"),
        pytest.param([Do.READ, HALF, Do.CLOSE], Cause.RESET, id="closed in the head"),
        pytest.param([Do.READ, b"SSH-2.0-OpenSSH_9.2\r\n\r\n"], Cause.PROTOCOL, id="another protocol"),
        pytest.param([Do.READ, b"\0\1\2\3\r\n\r\n"], Cause.PROTOCOL, id="garbage"),
        pytest.param([Do.READ, b"HTTP/1.1 abc Huh\r\n\r\n"], Cause.PROTOCOL, id="no status"),
        pytest.param([Do.READ, answer(200, b"", x_huge="h" * 300_000)], Cause.PROTOCOL, id="huge header"),
        pytest.param([Do.READ, b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 60_000], Cause.PROTOCOL, id="endless headers"),
        pytest.param([Do.READ, b"HTTP/1.1 200 OK\r\nbad name: 1\r\n\r\n"], Cause.PROTOCOL, id="bad header name"),
        pytest.param(
            [Do.READ, b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab"],
            Cause.PROTOCOL,
            id="two lengths",
        ),
    ],
)
async def test_what_goes_wrong_before_an_answer_has_its_cause(
    transport: HttpTransport, script: list[object], cause: Cause
) -> None:
    with Server(script) as server, anyio.fail_after(8):
        with pytest.raises(TransportError) as raised:
            await transport.send(call_to(f"{server.url}/v1"))
        assert server.wait_until_open(0)

    assert raised.value.cause is cause
    assert "\n" not in str(raised.value)


async def test_a_connection_that_is_reset_as_soon_as_it_is_made_is_reset_or_refused(transport: HttpTransport) -> None:
    with Server([Do.RESET]) as server, pytest.raises(TransportError) as raised:
        await transport.send(call_to(f"{server.url}/v1"))

    assert raised.value.cause in (Cause.RESET, Cause.REFUSED)


@pytest.mark.parametrize(
    ("script", "cause"),
    [
        pytest.param([STREAMING, 0.05, Do.RESET], Cause.RESET, id="reset in the stream"),
        pytest.param([STREAMING, Do.CLOSE], Cause.RESET, id="closed in the stream"),
        pytest.param([STREAMING, Do.FINISH_WRITING], Cause.RESET, id="half closed in the stream"),
        pytest.param([SHORT, Do.CLOSE], Cause.RESET, id="shorter than its length"),
        pytest.param([STREAMING, b"zz\r\nxx"], Cause.PROTOCOL, id="a chunk without a size"),
        pytest.param([STREAMING, b"5\r\nhelloworld\r\n"], Cause.PROTOCOL, id="a chunk longer than its size"),
    ],
)
async def test_what_goes_wrong_in_a_body_has_its_cause(
    transport: HttpTransport, script: list[object], cause: Cause
) -> None:
    with Server([Do.READ, *script]) as server, anyio.fail_after(8):
        response = await transport.send(call_to(f"{server.url}/v1"))
        with pytest.raises(TransportError) as raised:
            await whole(response)
        assert server.wait_until_open(0)

    assert raised.value.cause is cause


async def test_a_full_pool_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http, "MAX_CONNECTIONS", 1)
    transport = HttpTransport({"e": LOOPBACK})
    with Server([Do.READ, STREAMING, Do.STALL]) as server:
        held = await transport.send(call_to(f"{server.url}/v1"))
        with pytest.raises(TransportError) as raised:
            await transport.send(call_to(f"{server.url}/v1", within=0.05))
        await held.aclose()
        await transport.aclose()

    assert raised.value.cause is Cause.POOL_TIMEOUT


# -- kept connections ---------------------------------------------------------------------------------


async def test_a_connection_is_used_again(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}")] * 3) as server:
        for _ in range(3):
            await whole(await transport.send(call_to(f"{server.url}/v1")))

    assert [request.connection for request in server.requests] == [0, 0, 0]


async def test_a_connection_that_was_closed_while_idle_is_replaced_silently(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}"), Do.CLOSE]) as server:
        await whole(await transport.send(call_to(f"{server.url}/v1")))
        assert server.wait_until_open(0)
        await whole(await transport.send(call_to(f"{server.url}/v1")))

    assert [request.connection for request in server.requests] == [0, 1]


@pytest.mark.parametrize("fault", [Do.CLOSE, Do.RESET])
async def test_a_kept_connection_that_dies_under_a_call_is_stale_and_a_fresh_one_works(
    transport: HttpTransport, fault: Do
) -> None:
    with Server([Do.READ, ok(b"{}"), Do.READ, fault], [Do.READ, ok(b"{}")]) as server:
        await whole(await transport.send(call_to(f"{server.url}/v1")))
        with pytest.raises(TransportError) as raised:
            await transport.send(call_to(f"{server.url}/v1"))
        response = await transport.send(call_to(f"{server.url}/v1", fresh=True))
        await response.aclose()

    assert raised.value.cause is Cause.STALE
    assert response.status == 200
    assert [request.connection for request in server.requests] == [0, 0, 1]


async def test_a_kept_connection_that_breaks_in_its_answer_is_not_stale(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}"), Do.READ, STREAMING, 0.05, Do.RESET]) as server:
        await whole(await transport.send(call_to(f"{server.url}/v1")))
        response = await transport.send(call_to(f"{server.url}/v1"))
        with pytest.raises(TransportError) as raised:
            await whole(response)

    assert raised.value.cause is Cause.RESET


async def test_a_fresh_call_makes_a_connection_of_its_own(transport: HttpTransport) -> None:
    with Server([Do.READ, ok(b"{}"), Do.READ, ok(b"{}")]) as server:
        for _ in range(2):
            await whole(await transport.send(call_to(f"{server.url}/v1", fresh=True)))

    assert [request.connection for request in server.requests] == [0, 1]


async def test_closing_an_answer_before_its_end_closes_its_connection(transport: HttpTransport) -> None:
    with Server([Do.READ, STREAMING, Do.STALL]) as server:
        response = await transport.send(call_to(f"{server.url}/v1"))
        await response.read()
        await response.aclose()

        assert server.wait_until_open(0)


async def test_a_body_that_is_left_unread_leaves_nothing_to_the_garbage_collector(transport: HttpTransport) -> None:
    with Server([Do.READ, STREAMING, Do.STALL]) as server:
        response = await transport.send(call_to(f"{server.url}/v1"))
        await response.read()
        await response.aclose()
        del response
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", ResourceWarning)
            gc.collect()

    assert [str(warning.message) for warning in warned] == []


async def test_closing_the_transport_leaves_no_open_socket() -> None:
    transport = HttpTransport({"e": LOOPBACK})
    with Server([Do.READ, ok(b"{}")], [Do.READ, STREAMING, Do.STALL]) as server:
        await whole(await transport.send(call_to(f"{server.url}/v1")))
        unread = await transport.send(call_to(f"{server.url}/v1", fresh=True))
        await unread.aclose()
        await transport.aclose()

        assert server.wait_until_open(0)


@pytest.mark.parametrize(
    "script",
    [
        pytest.param([Do.READ, Do.STALL], id="before the head"),
        pytest.param([Do.READ, STREAMING, Do.STALL], id="in the body"),
    ],
)
async def test_a_cancelled_call_closes_its_connection(transport: HttpTransport, script: list[object]) -> None:
    with Server(script) as server:
        with anyio.move_on_after(0.1) as scope:
            response = await transport.send(call_to(f"{server.url}/v1"))
            try:
                while await response.read():
                    pass
            finally:
                await response.aclose()

        assert scope.cancelled_caught
        assert server.wait_until_open(0)


def tasks_alive() -> int:
    import sniffio

    if sniffio.current_async_library() == "trio":
        import trio

        return trio.lowlevel.current_statistics().tasks_living
    import asyncio

    return len(asyncio.all_tasks())


async def test_two_hundred_random_cancellations_leave_nothing_behind() -> None:
    dice = random.Random(7)
    transport = HttpTransport({"e": LOOPBACK})
    pieces = [chunked(b"data: 1\n\n", whole=False), 0.002, b"9\r\ndata: 2\n\n\r\n", 0.002, b"0\r\n\r\n"]
    script = [step for _ in range(20) for step in (Do.READ, 0.002, *pieces)]
    before = tasks_alive()

    async def one(after: float) -> None:
        with anyio.move_on_after(after):
            await whole(await transport.send(call_to(f"{server.url}/v1")))

    with Server(script) as server:
        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(20):
                    tasks.start_soon(one, dice.uniform(0, 0.03))
        last = await whole(await transport.send(call_to(f"{server.url}/v1")))
        await transport.aclose()

        assert last == b"data: 1\n\ndata: 2\n\n"
        assert server.wait_until_open(0)
        assert tasks_alive() == before
