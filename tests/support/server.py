"""A raw server on loopback that plays bytes and faults, connection by connection.

It runs in threads, beside the event loop under test; every wait of it ends when it is stopped.
"""

from __future__ import annotations

import datetime as dt
import json
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import cache
from typing import Self

import trustme


class Do(Enum):
    """Steps that are no bytes."""

    READ = "read a whole request"
    READ_HEAD = "read the head of a request"
    RESET = "close with a reset"
    CLOSE = "close"
    FINISH_WRITING = "close our half"
    STALL = "say nothing until the client leaves"


Step = bytes | float | Do
Script = Sequence[Step]

PATIENCE = 10.0
"""Seconds after which a thread gives up waiting for a client."""


@dataclass
class Received:
    """A request as it came: ``connection`` counts from 0."""

    connection: int
    head: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The request line."""
        return self.head.partition("\r\n")[0]


class Server:
    """``with Server([Do.READ, ok(b"hi")]) as server``: connection n plays script n, the last one for good."""

    def __init__(self, *scripts: Script, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Received] = []
        self.connections = 0
        self.open_now = 0
        self._scripts = scripts or ([],)
        self._tls = tls
        self._changed = threading.Condition()
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._stop, self._stopped = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._serving: list[threading.Thread] = []

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._accepting.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.close()
        self._accepting.join(PATIENCE)
        for thread in self._serving:
            thread.join(PATIENCE)
        self._stopped.close()
        self._socket.close()

    def wait_until_open(self, count: int, seconds: float = 3.0) -> bool:
        """Whether the number of open connections becomes this one in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self.open_now == count, seconds)

    def _accept(self) -> None:
        while self._is_readable(self._socket, None):
            connection, _ = self._socket.accept()
            with self._changed:
                number = self.connections
                self.connections += 1
                self.open_now += 1
                self._changed.notify_all()
            thread = threading.Thread(target=self._serve, args=(connection, number), daemon=True)
            self._serving.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket, number: int) -> None:
        connection.settimeout(PATIENCE)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            if self._tls is not None:
                connection = self._tls.wrap_socket(connection, server_side=True)
            self._play(connection, number)
        except OSError:
            pass  # the client left, or broke off the handshake
        finally:
            connection.close()
            with self._changed:
                self.open_now -= 1
                self._changed.notify_all()

    def _play(self, connection: socket.socket, number: int) -> None:
        for step in self._scripts[min(number, len(self._scripts) - 1)]:
            match step:
                case Do.READ | Do.READ_HEAD:
                    if not self._read(connection, number, whole=step is Do.READ):
                        return
                case Do.RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                case Do.CLOSE:
                    return
                case Do.FINISH_WRITING:
                    connection.shutdown(socket.SHUT_WR)
                case Do.STALL:
                    self._wait_for_the_end(connection)
                    return
                case bytes():
                    connection.sendall(step)
                case _:
                    self._is_readable(self._stopped, step)
        self._wait_for_the_end(connection)

    def _read(self, connection: socket.socket, number: int, *, whole: bool) -> bool:
        """Read a request; False when the client closed instead of sending one."""
        buffer = b""
        while b"\r\n\r\n" not in buffer:
            if not self._is_readable(connection, PATIENCE) or not (chunk := connection.recv(65536)):
                return False
            buffer += chunk
        head, _, body = buffer.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
        while whole and len(body) < int(headers.get("content-length", 0)):
            chunk = connection.recv(65536)
            if not chunk:
                return False
            body += chunk
        self.requests.append(Received(number, head.decode("latin-1"), body, headers))
        return True

    def _wait_for_the_end(self, connection: socket.socket) -> None:
        while self._is_readable(connection, PATIENCE):
            if not connection.recv(65536):
                return

    def _is_readable(self, connection: socket.socket, seconds: float | None) -> bool:
        """Whether there is something to read; False when the time is over or the server stops."""
        if isinstance(connection, ssl.SSLSocket) and connection.pending():
            return True
        with selectors.DefaultSelector() as selector:
            selector.register(connection, selectors.EVENT_READ)
            if connection is not self._stopped:
                selector.register(self._stopped, selectors.EVENT_READ)
            ready = {key.fileobj for key, _ in selector.select(seconds)}
        return connection in ready and self._stopped not in ready


def ok(body: bytes, content_type: str = "application/json", **headers: str) -> bytes:
    """A whole 200 with its length."""
    return answer(200, body, content_type, **headers)


def answer(status: int, body: bytes = b"", content_type: str = "application/json", **headers: str) -> bytes:
    """A whole answer with its length; ``headers`` are written with underscores."""
    named = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return (
        f"HTTP/1.1 {status} Scripted\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n{named}\r\n"
    ).encode() + body


def chunked(*chunks: bytes, content_type: str = "text/event-stream", whole: bool = True) -> bytes:
    """An answer in chunks, with the last one of size 0 if it is whole."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n".encode()
    return head + b"".join(b"%x\r\n%s\r\n" % (len(c), c) for c in chunks) + (b"0\r\n\r\n" if whole else b"")


def until_close(body: bytes, content_type: str = "text/event-stream") -> bytes:
    """An answer without a length: the end of the connection is its end."""
    return f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\nconnection: close\r\n\r\n".encode() + body


def completion(text: str) -> bytes:
    """A plain chat completion as a body."""
    return json.dumps(
        {
            "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1},
        }
    ).encode()


# -- certificates -------------------------------------------------------------------------------------


@cache
def an_authority() -> str:
    """Some authority, for tests without TLS: reading those of the system takes longer than the tests."""
    return Authority().pem


class Authority:
    """A certificate authority of the test's own; ``pem`` is what `ca_file` would hold."""

    def __init__(self) -> None:
        self._ca = trustme.CA()
        self.pem = self._ca.cert_pem.bytes().decode()

    def context(self, *names: str, expired: bool = False) -> ssl.SSLContext:
        """A server's context with a certificate for these names."""
        now = dt.datetime.now(dt.UTC)
        until = now - dt.timedelta(days=1) if expired else now + dt.timedelta(days=1)
        certificate = self._ca.issue_cert(*names, not_before=now - dt.timedelta(days=2), not_after=until)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        certificate.configure_cert(context)
        return context
