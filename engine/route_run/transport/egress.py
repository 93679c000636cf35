"""The egress guard: nothing is connected to before its address has been checked.

Every address a name resolves to is judged before a socket is opened; what is connected to is the
address that was checked.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any

import anyio
import httpcore2

from route_run.flow.failure import Cause
from route_run.transport.addresses import Address, Network, denial
from route_run.transport.seam import TransportError


class GuardedNetwork(httpcore2.AsyncNetworkBackend):
    """Connects to checked addresses only; one for each set of allowed networks."""

    def __init__(self, allowed: Sequence[Network]) -> None:
        self._allowed = allowed
        self._backend = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        deadline = anyio.current_time() + (timeout if timeout is not None else float("inf"))
        addresses = await self._checked(host, port, deadline)
        problem: Exception | None = None
        for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
            share = (deadline - anyio.current_time()) / left
            try:
                stream = await self._backend.connect_tcp(str(address), port, max(share, 0.001))
                return _TimedStream(stream, deadline)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout) as error:
                problem = error
        if isinstance(problem, httpcore2.ConnectTimeout):
            raise TransportError(Cause.CONNECT_TIMEOUT, f"no connection to {host}:{port} in time") from problem
        raise TransportError(Cause.REFUSED, f"{host}:{port} refuses connections") from problem

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise TransportError(Cause.EGRESS_DENIED, "unix sockets are not connected to")

    async def sleep(self, seconds: float) -> None:
        await anyio.sleep(seconds)

    async def _checked(self, host: str, port: int, deadline: float) -> list[Address]:
        """Every address of a host; raises when one of them is denied, for then the name is not to be trusted."""
        found = None
        with anyio.move_on_at(deadline):
            try:
                found = await anyio.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            except (OSError, UnicodeError) as error:
                raise TransportError(Cause.DNS, f"the name {host} does not resolve") from error
        if found is None:
            raise TransportError(Cause.CONNECT_TIMEOUT, f"the name {host} does not resolve in time")
        addresses = list(dict.fromkeys(ipaddress.ip_address(entry[4][0].partition("%")[0]) for entry in found))
        for address in addresses:
            if (reason := denial(address, self._allowed)) is not None:
                raise TransportError(Cause.EGRESS_DENIED, f"{host} is not connected to: {reason}")
        return addresses


class _TimedStream(httpcore2.AsyncNetworkStream):
    """A connection whose TLS handshake shares the deadline of its connect."""

    def __init__(self, stream: httpcore2.AsyncNetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    async def start_tls(
        self, ssl_context: Any, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore2.AsyncNetworkStream:
        left = max(self._deadline - anyio.current_time(), 0.001)
        try:
            return await self._stream.start_tls(ssl_context, server_hostname, left)
        except httpcore2.ConnectTimeout as error:
            raise TransportError(Cause.CONNECT_TIMEOUT, f"no TLS handshake with {server_hostname} in time") from error
        except httpcore2.ConnectError as error:
            raise TransportError(Cause.TLS, f"no TLS connection to {server_hostname}: {_tls_words(error)}") from error

    async def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return await self._stream.read(max_bytes, timeout)

    async def write(self, buffer: bytes, timeout: float | None = None) -> None:
        await self._stream.write(buffer, timeout)

    async def aclose(self) -> None:
        await self._stream.aclose()

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _tls_words(error: BaseException) -> str:
    """What OpenSSL says, without its source locations."""
    reason = getattr(error.__cause__, "verify_message", None) or getattr(error.__cause__, "reason", None)
    return str(reason or str(error) or "the handshake failed")
