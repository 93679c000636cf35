"""The HTTP transport: httpx2 on connections that the egress guard makes. The only home of httpx2.

No redirects are followed, no cookies kept, no proxies or certificates taken from the environment;
bodies are asked for and read unencoded.
"""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import anyio
import httpcore2
import httpx2

from route_run import __version__
from route_run.flow.failure import Cause
from route_run.transport.addresses import networks
from route_run.transport.egress import GuardedNetwork
from route_run.transport.seam import Call, Response, TransportError, Way

MAX_CONNECTIONS = 1000
KEEPALIVE = 3.0
"""Seconds that an idle connection is kept: below the 5 s after which common servers close theirs."""
CLOSE_WITHIN = 2.0

_HEADERS = {"user-agent": f"route-run/{__version__}", "accept-encoding": "identity"}
_connects: ContextVar[list[str] | None] = ContextVar("connects", default=None)
"""Where the call under way notes the connections it makes; none made means that a kept one was used."""


class HttpTransport:
    """Carries calls over HTTP/1.1; ``ways`` are those of all destinations by name."""

    is_simulated = False
    is_free = False

    def __init__(self, ways: Mapping[str, Way]) -> None:
        self._ways = ways
        self._clients: dict[tuple[Way, bool], httpx2.AsyncClient] = {}
        self._contexts: dict[str, ssl.SSLContext] = {}

    async def send(self, call: Call) -> Response:
        client = self._client(self._ways[call.destination], call.fresh)
        timeout = httpx2.Timeout(None, connect=call.connect_timeout, pool=call.connect_timeout)
        made: list[str] = []
        token = _connects.set(made)
        try:
            request = client.build_request(
                call.request.method,
                call.request.url,
                headers={**_HEADERS, **call.request.headers},
                content=call.request.body,
                timeout=timeout,
            )
            response = await client.send(request, stream=True)
        except _ERRORS as error:
            raise _translated(error, is_kept=not made) from error
        finally:
            _connects.reset(token)
        return _HttpResponse(response)

    async def aclose(self) -> None:
        with anyio.move_on_after(CLOSE_WITHIN, shield=True):
            for client in self._clients.values():
                await client.aclose()

    def _client(self, way: Way, fresh: bool) -> httpx2.AsyncClient:
        if (way, fresh) not in self._clients:
            self._clients[way, fresh] = httpx2.AsyncClient(
                transport=_GuardedTransport(way, self._context(way.ca_pem), keep=not fresh),
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
                follow_redirects=False,
                trust_env=False,
            )
        return self._clients[way, fresh]

    def _context(self, ca_pem: str) -> ssl.SSLContext:
        if ca_pem not in self._contexts:
            trusted = (
                ssl.create_default_context(cadata=ca_pem) if ca_pem else httpx2.create_ssl_context(trust_env=False)
            )
            self._contexts[ca_pem] = trusted
        return self._contexts[ca_pem]


class _NotingNetwork(GuardedNetwork):
    async def connect_tcp(self, host: str, *args: Any, **kwargs: Any) -> httpcore2.AsyncNetworkStream:
        if (made := _connects.get()) is not None:
            made.append(host)
        return await super().connect_tcp(host, *args, **kwargs)


class _GuardedTransport(httpx2.AsyncBaseTransport):
    """httpx2's own pool, on a network that checks every address (its transport takes no network of ours)."""

    def __init__(self, way: Way, context: ssl.SSLContext, *, keep: bool) -> None:
        self._pool = httpcore2.AsyncConnectionPool(
            ssl_context=context,
            proxy=httpcore2.Proxy(way.proxy) if way.proxy else None,
            max_connections=MAX_CONNECTIONS,
            max_keepalive_connections=MAX_CONNECTIONS if keep else 0,
            keepalive_expiry=KEEPALIVE,
            network_backend=_NotingNetwork(networks(way.allow_networks)),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        url = request.url
        response = await self._pool.handle_async_request(
            httpcore2.Request(
                method=request.method,
                url=httpcore2.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx2.Response(
            response.status, headers=response.headers, stream=_Body(response.stream), extensions=response.extensions
        )

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Body(httpx2.AsyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        # what is left half read must be closed by us: the garbage collector cannot await
        async with aclosing(aiter(self._stream)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class _HttpResponse:
    """A response of httpx2 behind the seam."""

    def __init__(self, response: httpx2.Response) -> None:
        self.status = response.status_code
        self.headers: Mapping[str, str] = dict(response.headers)
        self._response = response
        self._chunks = response.aiter_raw()

    async def read(self) -> bytes:
        if self.headers.get("content-encoding", "identity").strip().lower() != "identity":
            raise TransportError(Cause.NO_ANSWER, "the answer is encoded although that was not asked for")
        try:
            return await anext(self._chunks, b"")
        except _ERRORS as error:
            raise _translated(error, is_kept=False) from error

    async def aclose(self) -> None:
        with anyio.move_on_after(CLOSE_WITHIN, shield=True):
            await self._chunks.aclose()
            await self._response.aclose()


_ERRORS = (
    httpcore2.TimeoutException,
    httpcore2.NetworkError,
    httpcore2.ProtocolError,
    httpcore2.ProxyError,
    httpcore2.UnsupportedProtocol,
    httpx2.InvalidURL,
    UnicodeError,
)
"""Everything that sending and reading can raise besides our own; httpx2's errors are its transport's, not ours."""


def _translated(error: Exception, *, is_kept: bool) -> TransportError:
    """The cause of an error; ``is_kept`` says that a kept connection was used and no answer had begun."""
    words = " ".join(str(error).split())[:200]
    match error:
        case httpcore2.PoolTimeout():
            return TransportError(Cause.POOL_TIMEOUT, "all connections to this destination are in use")
        case httpcore2.ConnectTimeout():
            return TransportError(Cause.CONNECT_TIMEOUT, "no connection in time")
        case httpcore2.ConnectError():
            return TransportError(Cause.REFUSED, words or "no connection")
        case httpcore2.ProxyError():
            return TransportError(Cause.UNSENDABLE, f"the proxy refuses: {words}")
        case httpcore2.LocalProtocolError() | httpcore2.UnsupportedProtocol() | httpx2.InvalidURL() | UnicodeError():
            return TransportError(Cause.UNSENDABLE, f"the request cannot be written: {words}")
        case httpcore2.RemoteProtocolError() if "without sending" not in words:
            return TransportError(Cause.PROTOCOL, f"not HTTP as it should be: {words}")
    if is_kept:
        return TransportError(Cause.STALE, "a kept connection was closed before the answer began")
    return TransportError(Cause.RESET, "the connection broke off")
