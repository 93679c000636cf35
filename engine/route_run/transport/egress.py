"""The egress guard: which addresses may be connected to.

Decides for every address a name resolves to, before a socket is opened; what is connected to is the
address that was checked. Public addresses are allowed; private ones only where the policy names
their network.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Sequence
from typing import Any

import anyio
import httpcore2

from route_run.flow.failure import Cause
from route_run.transport.seam import TransportError

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CLOSE_WITHIN = 2.0
"""Seconds that closing a connection may take, whatever ends it."""

_LOOPBACK = (ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128"))
_METADATA = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "100.100.100.200", "168.63.129.16", "fd00:ec2::254")
)
# is_global calls these public although they lead to other addresses, or to none
_CARRIERS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "::/96", "::ffff:0:0:0/96",
        "192.88.99.0/24", "192.0.0.0/24",
    )
)  # fmt: skip


def networks(names: Iterable[str]) -> tuple[Network, ...]:
    """The networks that `allow_networks` names."""
    return tuple(
        network for name in names for network in (_LOOPBACK if name == "loopback" else (ipaddress.ip_network(name),))
    )


def denial(address: Address, allowed: Sequence[Network]) -> str | None:
    """Why an address may not be connected to, in words; None when it may."""
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return denial(address.ipv4_mapped, allowed)
    carried = _carried(address)
    if carried in _METADATA:
        return f"{address} leads to {carried}, a cloud's metadata address"
    holding = [network for network in allowed if network.version == address.version and address in network]
    if address in _METADATA:
        # a cloud's metadata service gives out credentials: a wide network does not mean it
        is_named = any(network.num_addresses == 1 for network in holding)
        return None if is_named else f"{address} is a cloud's metadata address"
    if holding:
        return None
    if any(address in network for network in _CARRIERS if network.version == address.version):
        return f"{address} leads to another address"
    if address.is_multicast or not address.is_global:
        return f"{address} is a {_kind(address)} address"
    return None


def _carried(address: Address) -> Address | None:
    """The IPv4 address that an IPv6 one leads to: by NAT64, 6to4, or written into its last 32 bits."""
    if isinstance(address, ipaddress.IPv4Address):
        return None
    if address.sixtofour is not None:
        return address.sixtofour
    return ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF) if any(address in n for n in _EMBEDDING) else None


def _kind(address: Address) -> str:
    if address.is_loopback:
        return "loopback"
    if address.is_link_local:
        return "link-local"
    if address.is_multicast:
        return "multicast"
    return "private" if address.is_private else "reserved"


_EMBEDDING = tuple(ipaddress.ip_network(text) for text in ("64:ff9b::/96", "::/96", "::ffff:0:0:0/96"))


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
        except anyio.get_cancelled_exc_class():  # the library closes after errors only
            with anyio.move_on_after(CLOSE_WITHIN, shield=True):
                await self._stream.aclose()
            raise
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
