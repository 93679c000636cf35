"""The guard at work: names are resolved once, every address is checked, the checked one is connected to."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import Any

import pytest

from route_run.flow.failure import Cause
from route_run.transport.http import HttpTransport
from route_run.transport.seam import Call, Purpose, TransportError, Way
from route_run.wire.call import HttpRequest
from support.server import Do, Server, an_authority, ok
from support.sockets import connects_seen

pytestmark = pytest.mark.anyio

Resolver = Callable[..., None]


@pytest.fixture
def resolves(monkeypatch: pytest.MonkeyPatch) -> Resolver:
    """Makes names resolve to what a test says; each look-up of a name takes the next of its answers."""
    genuine = socket.getaddrinfo
    answers: dict[str, list[list[str]]] = {}

    def scripted(host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in answers:
            return genuine(host, port, *rest, **more)
        if not answers[name]:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        found = answers[name].pop(0) if len(answers[name]) > 1 else answers[name][0]
        return [entry for address in found for entry in genuine(address, port, *rest, **more)]

    monkeypatch.setattr(socket, "getaddrinfo", scripted)

    def set_answers(name: str, *found: list[str]) -> None:
        answers[name] = list(found)

    return set_answers


async def ask(url: str, *allowed: str, within: float = 2.0) -> int:
    """The status of one request to a URL."""
    transport = HttpTransport({"e": Way(allow_networks=allowed, ca_pem=an_authority())})
    try:
        response = await transport.send(Call(HttpRequest(url, {}, b"{}"), "e", Purpose.INFERENCE, within))
        await response.aclose()
        return response.status
    finally:
        await transport.aclose()


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "0x7f.1",
        "2130706433",
        "0x7f000001",
        "0",
        "localhost",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "10.0.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "2852039166",
        "0xA9FEA9FE",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[64:ff9b::7f00:1]",
        "100.100.100.200",
    ],
)
async def test_a_denied_host_is_not_connected_to_however_it_is_written(host: str) -> None:
    with connects_seen() as connects, pytest.raises(TransportError) as raised:
        await ask(f"http://{host}:8080/v1")

    assert raised.value.cause is Cause.EGRESS_DENIED
    assert connects == []


async def test_an_address_in_octal_is_not_even_tried() -> None:
    with connects_seen() as connects, pytest.raises(TransportError) as raised:
        await ask("http://0177.0.0.1:8080/v1", "loopback")

    assert raised.value.cause is Cause.UNSENDABLE
    assert connects == []


@pytest.mark.parametrize("address", ["127.0.0.1", "10.1.2.3", "169.254.169.254", "::1", "fd00::1", "64:ff9b::a00:1"])
async def test_a_name_that_resolves_to_a_denied_address_is_not_connected_to(resolves: Resolver, address: str) -> None:
    resolves("public.example", [address])

    with connects_seen() as connects, pytest.raises(TransportError, match=r"public\.example") as raised:
        await ask("http://public.example/v1")

    assert raised.value.cause is Cause.EGRESS_DENIED
    assert connects == []


@pytest.mark.parametrize("found", [["93.184.216.34", "127.0.0.1"], ["127.0.0.1", "93.184.216.34"]])
async def test_a_name_with_one_denied_address_is_not_connected_to_at_all(resolves: Resolver, found: list[str]) -> None:
    resolves("mixed.example", found)

    with connects_seen() as connects, pytest.raises(TransportError) as raised:
        await ask("http://mixed.example/v1")

    assert raised.value.cause is Cause.EGRESS_DENIED
    assert connects == []


async def test_a_name_is_resolved_once_and_what_was_checked_is_connected_to(resolves: Resolver) -> None:
    with Server([Do.READ, ok(b"{}")]) as server:
        resolves("rebinding.example", ["127.0.0.1"], ["10.0.0.1"])
        with connects_seen() as connects:
            status = await ask(f"http://rebinding.example:{server.port}/v1", "loopback")

    assert status == 200
    assert connects == [("127.0.0.1", server.port)]


async def test_the_name_stays_in_the_host_header(resolves: Resolver) -> None:
    resolves("inside.example", ["127.0.0.1"])
    with Server([Do.READ, ok(b"{}")]) as server:
        await ask(f"http://inside.example:{server.port}/v1", "loopback")

    assert server.requests[0].headers["host"] == f"inside.example:{server.port}"


async def test_the_next_address_of_a_name_is_tried_when_one_refuses(resolves: Resolver) -> None:
    resolves("two.example", ["127.0.0.2", "127.0.0.1"])
    with Server([Do.READ, ok(b"{}")]) as server:
        status = await ask(f"http://two.example:{server.port}/v1", "loopback")

    assert status == 200


async def test_a_name_that_does_not_resolve_says_so(resolves: Resolver) -> None:
    resolves("nowhere.example")

    with pytest.raises(TransportError, match=r"nowhere\.example does not resolve") as raised:
        await ask("http://nowhere.example/v1")

    assert raised.value.cause is Cause.DNS


async def test_a_name_that_takes_too_long_to_resolve_is_a_connect_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    genuine = socket.getaddrinfo
    over = threading.Event()

    def slow(host: Any, port: Any, family: int = 0, kind: int = 0, proto: int = 0, flags: int = 0) -> Any:
        if flags & socket.AI_NUMERICHOST:
            return genuine(host, port, family, kind, proto, flags)
        over.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    try:
        with pytest.raises(TransportError) as raised:
            await ask("http://slow.example/v1", within=0.05)
    finally:
        over.set()

    assert raised.value.cause is Cause.CONNECT_TIMEOUT


async def test_a_port_where_nothing_listens_says_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        port = closed_soon.getsockname()[1]

    with pytest.raises(TransportError) as raised:
        await ask(f"http://127.0.0.1:{port}/v1", "loopback")

    assert raised.value.cause is Cause.REFUSED


async def test_a_network_that_is_not_named_for_this_destination_stays_closed() -> None:
    transport = HttpTransport({"inside": Way(("loopback",)), "outside": Way()})
    with Server([Do.READ, ok(b"{}")]) as server, connects_seen() as connects:
        call = Call(HttpRequest(f"{server.url}/v1", {}, b"{}"), "inside", Purpose.INFERENCE, 2.0)
        await (await transport.send(call)).aclose()
        with pytest.raises(TransportError) as raised:
            await transport.send(Call(call.request, "outside", Purpose.INFERENCE, 2.0))
        await transport.aclose()

    assert raised.value.cause is Cause.EGRESS_DENIED
    assert len(connects) == 1


async def test_a_denial_names_the_host_and_the_kind_of_address() -> None:
    with pytest.raises(TransportError, match=r"127\.1 is not connected to: 127\.0\.0\.1 is a loopback address"):
        await ask("http://127.1/v1")
