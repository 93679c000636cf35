"""How destinations are reached: TLS by whom the policy trusts, proxies it names, nothing from the environment."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from route_run.flow.failure import Cause
from route_run.transport.http import HttpTransport
from route_run.transport.seam import Call, Purpose, TransportError, Way
from route_run.wire.call import HttpRequest
from support.server import Authority, Do, Server, ok

pytestmark = pytest.mark.anyio

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Asks a URL over a way, and gives the status."""
    opened: list[HttpTransport] = []

    async def asked(url: str, *, within: float = 5.0, **way: Any) -> int:
        transport = HttpTransport({"e": Way(**{"allow_networks": ("loopback",), **way})})
        opened.append(transport)
        response = await transport.send(Call(HttpRequest(url, {}, b"{}"), "e", Purpose.INFERENCE, within))
        await response.aclose()
        return response.status

    try:
        yield asked
    finally:
        for transport in opened:
            await transport.aclose()


SCRIPT = [Do.READ, ok(b"{}")]


# -- TLS ----------------------------------------------------------------------------------------------


async def test_a_certificate_of_the_named_authority_is_trusted(ask: Ask, authority: Authority) -> None:
    with Server(SCRIPT, tls=authority.context("127.0.0.1")) as server:
        assert await ask(f"{server.url}/v1", ca_pem=authority.pem) == 200


@pytest.mark.parametrize(
    ("names", "expired", "trusts_it", "words"),
    [
        pytest.param(["127.0.0.1"], False, False, "self-signed certificate|unable to get local issuer", id="unknown"),
        pytest.param(["other.test"], False, True, "IP address mismatch|not valid for", id="another name"),
        pytest.param(["127.0.0.1"], True, True, "certificate has expired", id="expired"),
    ],
)
async def test_a_certificate_that_does_not_hold_is_refused_in_words(
    ask: Ask, authority: Authority, names: list[str], expired: bool, trusts_it: bool, words: str
) -> None:
    with Server(SCRIPT, tls=authority.context(*names, expired=expired)) as server:
        with pytest.raises(TransportError, match=words) as raised:
            await ask(f"{server.url}/v1", ca_pem=authority.pem if trusts_it else "")
        assert server.requests == []

    assert raised.value.cause is Cause.TLS
    assert "_ssl.c" not in str(raised.value)


async def test_a_named_authority_stands_instead_of_the_system_s(ask: Ask, authority: Authority) -> None:
    with Server(SCRIPT, tls=authority.context("127.0.0.1")) as server, pytest.raises(TransportError) as raised:
        await ask(f"{server.url}/v1", ca_pem=Authority().pem)

    assert raised.value.cause is Cause.TLS


async def test_the_name_is_asked_for_in_the_handshake_though_an_address_is_connected_to(
    ask: Ask, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    genuine = socket.getaddrinfo
    monkeypatch.setattr(
        socket,
        "getaddrinfo",
        lambda host, *rest, **more: genuine("127.0.0.1" if "inside" in str(host) else host, *rest, **more),
    )
    asked_for: list[str | None] = []
    context = authority.context("inside.test")
    context.sni_callback = lambda _socket, name, _context: asked_for.append(name)
    with Server(SCRIPT, tls=context) as server:
        status = await ask(f"https://inside.test:{server.port}/v1", ca_pem=authority.pem)

    assert status == 200
    assert asked_for == ["inside.test"]


async def test_a_handshake_that_stalls_is_a_connect_timeout(ask: Ask) -> None:
    with Server([Do.STALL]) as server:
        with pytest.raises(TransportError) as raised:
            await ask(f"https://127.0.0.1:{server.port}/v1", within=0.1)
        assert server.wait_until_open(0)

    assert raised.value.cause is Cause.CONNECT_TIMEOUT


async def test_a_handshake_that_is_cancelled_closes_its_connection(ask: Ask) -> None:
    with Server([Do.STALL]) as server:
        with anyio.move_on_after(0.2) as scope:
            await ask(f"https://127.0.0.1:{server.port}/v1", within=20)
        assert server.wait_until_open(0)

    assert scope.cancelled_caught
    assert server.connections == 1


@pytest.mark.parametrize("script", [[b"HTTP/1.1 400 Bad\r\n\r\n"], [Do.CLOSE], [0.02, Do.RESET]])
async def test_a_server_that_speaks_no_tls_is_a_tls_failure(ask: Ask, script: list[Any]) -> None:
    with Server(script) as server, pytest.raises(TransportError) as raised:
        await ask(f"https://127.0.0.1:{server.port}/v1")

    assert raised.value.cause is Cause.TLS


async def test_old_protocols_are_not_spoken(ask: Ask, authority: Authority) -> None:
    context = authority.context("127.0.0.1")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with Server(SCRIPT, tls=context) as server, pytest.raises(TransportError) as raised:
        await ask(f"{server.url}/v1", ca_pem=authority.pem)

    assert raised.value.cause is Cause.TLS


# -- nothing from the environment ---------------------------------------------------------------------


@pytest.mark.parametrize("name", ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"])
async def test_a_proxy_of_the_environment_is_not_used(ask: Ask, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    with Server(SCRIPT) as proxy, Server(SCRIPT) as server:
        monkeypatch.setenv(name, proxy.url)
        assert await ask(f"{server.url}/v1") == 200
        assert proxy.connections == 0


async def test_a_tls_proxy_of_the_environment_is_not_used(
    ask: Ask, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Server(SCRIPT) as proxy, Server(SCRIPT, tls=authority.context("127.0.0.1")) as server:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        assert await ask(f"{server.url}/v1", ca_pem=authority.pem) == 200
        assert proxy.connections == 0


async def test_an_authority_of_the_environment_is_not_trusted(
    ask: Ask, authority: Authority, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_text(authority.pem)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with Server(SCRIPT, tls=authority.context("127.0.0.1")) as server, pytest.raises(TransportError) as raised:
        await ask(f"{server.url}/v1")

    assert raised.value.cause is Cause.TLS


async def test_passwords_of_a_netrc_are_not_sent(ask: Ask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login somebody password something\n")
    (tmp_path / "netrc").chmod(0o600)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Server(SCRIPT) as server:
        await ask(f"{server.url}/v1")

    assert "authorization" not in server.requests[0].headers


# -- proxies of the policy ----------------------------------------------------------------------------


async def test_a_proxy_of_the_policy_carries_plain_calls(ask: Ask) -> None:
    with Server(SCRIPT) as proxy:
        status = await ask("http://upstream.test/v1", proxy=proxy.url)

    assert status == 200
    assert proxy.requests[0].line == "POST http://upstream.test/v1 HTTP/1.1"
    assert proxy.requests[0].headers["host"] == "upstream.test"


async def test_a_proxy_of_the_policy_tunnels_tls_and_the_certificate_is_still_checked(
    ask: Ask, authority: Authority
) -> None:
    opened = b"HTTP/1.1 200 Connection established\r\n\r\n"
    with Server([Do.READ, opened, Do.STALL]) as proxy, pytest.raises(TransportError) as raised:
        await ask("https://upstream.test/v1", proxy=proxy.url, ca_pem=authority.pem, within=0.5)

    assert proxy.requests[0].line == "CONNECT upstream.test:443 HTTP/1.1"
    assert raised.value.cause is Cause.CONNECT_TIMEOUT


async def test_a_proxy_that_refuses_says_so(ask: Ask, authority: Authority) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n"
    with Server([Do.READ, refusal]) as proxy, pytest.raises(TransportError, match="the proxy refuses: 407") as raised:
        await ask("https://upstream.test/v1", proxy=proxy.url, ca_pem=authority.pem)

    assert raised.value.cause is Cause.UNSENDABLE


async def test_a_proxy_is_connected_to_only_where_its_network_is_named(ask: Ask) -> None:
    with Server(SCRIPT) as proxy:
        with pytest.raises(TransportError) as raised:
            await ask("http://upstream.test/v1", proxy=proxy.url, allow_networks=())
        assert proxy.connections == 0

    assert raised.value.cause is Cause.EGRESS_DENIED
