"""A server of chat completions that fails at random, for traffic that goes on for long.

It lives in the event loop of the test, needs constant memory and counts what it was asked. What a request
meets is drawn from dice, so a run can be played again.
"""

from __future__ import annotations

import json
import random
import socket
import struct
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import anyio
import anyio.abc

from support.scripted import DONE, FINISH, ROLE, content, usage
from support.server import answer, completion, ok

PIECES = ('{"word": "one ', "two ", "three ", "four ", 'five"}')
WHOLE = "".join(PIECES)
"""What every healthy answer says, streamed or plain."""
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SILENCE = 5.0
"""Seconds after which a silent connection is closed, in case that nobody leaves."""
IDLE = 0.5
"""Seconds that a connection is kept between two requests: shorter than clients keep it, so that some find it closed."""

HEALTHY = "healthy"
FAULTS = (
    "reset", "reset mid", "close mid", "truncated", "stall", "stall mid", "late", "malformed", "error event",
    "wrong", "html", "429", "500", "502", "503", "529", "400",
)  # fmt: skip
_BODY = b'{"error": {"message": "chaos"}}'


class Chaos:
    """``share`` of all requests meet one of the ``FAULTS``; ``met`` counts what they met, ``open_now`` connections."""

    def __init__(self, share: float, seed: int) -> None:
        self.met: Counter[str] = Counter()
        self.open_now = 0
        self.url = ""
        self._share = share
        self._dice = random.Random(seed)

    async def serve(self, stream: anyio.abc.SocketStream) -> None:
        """Answer requests on one connection until a fault or the client ends it."""
        self.open_now += 1
        try:
            while (request := await _request(stream)) is not None:
                fault = self._dice.choice(FAULTS) if self._dice.random() < self._share else HEALTHY
                self.met[fault] += 1
                if not await _answer(stream, fault, is_streamed=bool(request.get("stream"))):
                    return
        except (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError, OSError):
            return  # the client left
        finally:
            self.open_now -= 1
            with anyio.CancelScope(shield=True):
                await anyio.aclose_forcefully(stream)


@asynccontextmanager
async def chaos(*shares: float, seed: int) -> AsyncIterator[list[Chaos]]:
    """Servers on loopback, one for each share of faults."""
    async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
        servers = [Chaos(share, seed + number) for number, share in enumerate(shares)]
        for server in servers:
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1", backlog=512)
            await stack.enter_async_context(listener)
            server.url = f"http://127.0.0.1:{listener.extra(anyio.abc.SocketAttribute.local_port)}"
            tasks.start_soon(listener.serve, server.serve)
        yield servers
        tasks.cancel_scope.cancel()


async def _request(stream: anyio.abc.SocketStream) -> Mapping[str, object] | None:
    """The body of the next request, None when there is none in time."""
    received = b""
    with anyio.move_on_after(IDLE) as scope:
        received = await stream.receive()
    if scope.cancelled_caught:
        return None
    while b"\r\n\r\n" not in received:
        received += await stream.receive()
    head, _, body = received.partition(b"\r\n\r\n")
    lines = (line.partition(b":") for line in head.lower().split(b"\r\n")[1:])
    length = next(int(value) for name, _, value in lines if name == b"content-length")
    while len(body) < length:
        body += await stream.receive()
    found: dict[str, object] = json.loads(body)
    return found


async def _answer(stream: anyio.abc.SocketStream, fault: str, *, is_streamed: bool) -> bool:
    """Play one answer; False when the connection is over with it."""
    match fault:
        case "400" | "429" | "500" | "502" | "503" | "529":
            headers = {"retry_after_ms": "20"} if fault in ("429", "503") else {}
            await stream.send(answer(int(fault), _BODY, **headers))
            return True
        case "html":
            await stream.send(ok(b"<html></html>", "text/html"))
            return True
        case "reset":
            return _reset(stream)
        case "stall":
            return await _silence(stream)
        case "late":
            await anyio.sleep(0.15)
        case _ if not is_streamed and fault not in (HEALTHY, "wrong"):
            return _reset(stream)
    if not is_streamed:
        await stream.send(ok(completion("no JSON" if fault == "wrong" else WHOLE)))
        return True
    return await _stream(stream, fault)


async def _stream(stream: anyio.abc.SocketStream, fault: str) -> bool:
    await stream.send(BEGUN + _chunk(ROLE))
    for number, piece in enumerate(PIECES):
        await anyio.sleep(0.002)
        if number == 3:
            match fault:
                case "reset mid":
                    return _reset(stream)
                case "close mid":
                    return False
                case "truncated":
                    await stream.send(b"0\r\n\r\n")
                    return True
                case "stall mid":
                    return await _silence(stream)
                case "malformed":
                    await stream.send(_chunk(b"data: {broken\n\n"))
                case "error event":
                    await stream.send(_chunk(b'data: {"error": {"message": "chaos", "code": "server_error"}}\n\n'))
        await stream.send(_chunk(content("wrong" if fault == "wrong" else piece)))
    await stream.send(_chunk(FINISH) + _chunk(usage(10, 5)) + _chunk(DONE) + b"0\r\n\r\n")
    return True


async def _silence(stream: anyio.abc.SocketStream) -> bool:
    """Say nothing until the client leaves."""
    with anyio.move_on_after(SILENCE):
        await stream.receive()
    return False


def _reset(stream: anyio.abc.SocketStream) -> bool:
    raw = stream.extra(anyio.abc.SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)
