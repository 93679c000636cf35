"""Faults that only exist on the wire, played by real sockets: the kinds of the catalogue below the seam.

The first endpoint has the fault, the second is healthy. Names are those of the catalogue, so that no kind of its
groups `tcp and tls` and `http` is left out; its names of `dns` are played at the resolver in `transport`.
"""

from __future__ import annotations

import os
import random
import socket
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest

from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from route_run.transport.http import HttpTransport
from route_run.transport.seam import Way
from support.engines import causes, completed_result, policy, records, streamed_result
from support.scripted import DONE, FINISH, ROLE, content, usage
from support.server import Authority, Do, Server, Step, answer, chunked, completion, ok, until_close
from support.simulation.catalogue import CATALOGUE
from support.tasks import tasks_alive

PolicyOf = Callable[..., Loaded]
pytestmark = pytest.mark.anyio

ANSWER = (ROLE, content("Hel"), content("lo"), FINISH, usage(10, 5), DONE)
WHOLE = b"".join(ANSWER)
BEGUN = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
AUTHORITY = Authority()


def _sized(body: bytes, length: int, more: bytes = b"") -> bytes:
    return BEGUN + more + b"content-length: %d\r\n\r\n" % length + body


# what an endpoint plays, and the causes that its attempt may have; no cause: it answers all the same
FAULTS: Mapping[str, tuple[Sequence[Step], frozenset[str | None]]] = {
    "reset before the head": ([Do.READ, Do.RESET], frozenset({"reset"})),
    "reset inside of the head": ([Do.READ, BEGUN[:20], 0.05, Do.RESET], frozenset({"reset", "protocol"})),
    "closed early": ([Do.READ, Do.CLOSE], frozenset({"reset"})),
    "a slow head": ([Do.READ, *(step for at in range(0, 60, 6) for step in (0.01, BEGUN[at : at + 6])), b"\r\n", WHOLE,
                     Do.CLOSE], frozenset({None})),
    "a stray 1xx": ([Do.READ, b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
                     chunked(*ANSWER)], frozenset({None})),
    "a redirect": ([Do.READ, answer(307, location="https://elsewhere.test/v1")], frozenset({"status"})),
    "a huge header": ([Do.READ, answer(200, x_huge="h" * 300_000)], frozenset({"protocol"})),
    "a folded header": ([Do.READ, BEGUN + b"x-folded: a\r\n b\r\ncontent-length: %d\r\n\r\n" % len(WHOLE) + WHOLE],
                        frozenset({None, "protocol"})),
    "shorter than announced": ([Do.READ, _sized(ROLE, 500), Do.CLOSE], frozenset({"reset", "protocol"})),
    "longer than announced": ([Do.READ, _sized(WHOLE, len(ROLE))], frozenset({"truncated", "protocol"})),
    "a chunk that is cut": ([Do.READ, chunked(ROLE, whole=False), b"ff\r\nshort", Do.CLOSE],
                            frozenset({"reset", "protocol"})),
    "a bad chunk": ([Do.READ, chunked(ROLE, whole=False), b"zz\r\nnot a size\r\n"], frozenset({"protocol"})),
    "a bomb": ([Do.READ, _sized(b"\x1f\x8b\x08" + b"\0" * 4000, 4003, b"content-encoding: gzip\r\n")],
               frozenset({"no_answer"})),
    "bad gzip": ([Do.READ, _sized(b"no gzip", 7, b"content-encoding: gzip\r\n")], frozenset({"no_answer"})),
    "the end of the connection is the end": ([Do.READ, until_close(WHOLE), Do.CLOSE], frozenset({None})),
}  # fmt: skip
OF_THEIR_OWN = frozenset(
    {
        "refused", "a black hole", "a stale connection", "a certificate that has expired",
        "a certificate of another name", "a handshake that stalls",
    }
)  # fmt: skip
"""Kinds that need more than one script: their tests follow."""


@asynccontextmanager
async def over(
    policy_of: PolicyOf, *urls: str, ledger: MemoryLedger | None = None, timeouts: str = "", ca_file: bool = False
) -> AsyncIterator[Engine]:
    """An engine whose endpoints are these."""
    network = "allow_networks: [loopback]"
    first = f"{network}, ca_file: authority.pem" if ca_file else network
    upstream = f"timeouts: {{{timeouts}}}" if timeouts else ""
    written = policy(first=first, second=network, targets=len(urls), upstream=upstream)
    for name, url in zip(("first", "second"), urls, strict=False):
        written = written.replace(f"https://{name}.test/v1", f"{url}/v1")
    loaded = policy_of({"policy.yaml": written, "authority.pem": AUTHORITY.pem})
    async with Engine.open(loaded, ledger=MemoryLedger() if ledger is None else ledger, environ={}) as engine:
        yield engine


def test_every_kind_below_the_seam_is_played():
    below = {kind.name for kind in CATALOGUE if kind.group in ("tcp and tls", "http")}
    assert below == set(FAULTS) | OF_THEIR_OWN


@pytest.mark.parametrize(("script", "allowed"), FAULTS.values(), ids=FAULTS)
async def test_a_fault_on_the_wire_falls_back_or_does_no_harm(
    policy_of: PolicyOf, script: Sequence[Step], allowed: frozenset[str | None]
) -> None:
    ledger = MemoryLedger()
    with Server(script) as faulty, Server([Do.READ, chunked(*ANSWER)]) as good:
        async with over(policy_of, faulty.url, good.url, ledger=ledger) as engine:
            result = await streamed_result(engine)
        assert faulty.wait_until_open(0)

    assert (result.outcome.value, result.text) == ("completed", "Hello")
    assert causes(result)[0] in allowed
    assert len(result.attempts) == (1 if causes(result)[0] is None else 2)
    (record,) = records(ledger)
    assert [attempt["cause"] for attempt in record["attempts"]] == causes(result)


async def test_a_black_hole_costs_the_connect_clock_and_no_more(policy_of: PolicyOf) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as hole:
        port = hole.getsockname()[1]
        waiting = [socket.socket() for _ in range(4)]
        for one in waiting:  # nobody accepts, so the next connection is neither made nor refused
            one.setblocking(False)
            one.connect_ex(("127.0.0.1", port))
        with Server([Do.READ, chunked(*ANSWER)]) as good:
            async with over(policy_of, f"http://127.0.0.1:{port}", good.url, timeouts="connect: 300ms") as engine:
                began = time.monotonic()
                result = await streamed_result(engine)
        for one in waiting:
            one.close()

    assert causes(result) == ["connect_timeout", None]
    assert time.monotonic() - began < 10


async def test_a_port_where_nobody_listens_is_refused(policy_of: PolicyOf) -> None:
    with Server() as gone:
        url = gone.url
    with Server([Do.READ, chunked(*ANSWER)]) as good:
        async with over(policy_of, url, good.url) as engine:
            assert causes(await streamed_result(engine)) == ["refused", None]


async def test_a_kept_connection_that_died_is_replaced_for_free(policy_of: PolicyOf) -> None:
    one = [Do.READ, chunked(*ANSWER)]
    with Server([*one, Do.READ, Do.RESET], one) as server:
        async with over(policy_of, server.url) as engine:
            results = [await streamed_result(engine) for _ in range(2)]

    assert [causes(result) for result in results] == [[None], ["stale", None]]


@pytest.mark.parametrize(("name", "expired"), [("127.0.0.1", True), ("elsewhere.test", False)])
async def test_a_certificate_that_does_not_hold_falls_back(policy_of: PolicyOf, name: str, expired: bool) -> None:
    tls = AUTHORITY.context(name, expired=expired)
    with Server([Do.READ, chunked(*ANSWER)], tls=tls) as faulty, Server([Do.READ, chunked(*ANSWER)]) as good:
        async with over(policy_of, faulty.url, good.url, ca_file=True) as engine:
            assert causes(await streamed_result(engine)) == ["tls", None]
        assert faulty.requests == []


async def test_a_handshake_that_stalls_is_a_connection_that_does_not_come(policy_of: PolicyOf) -> None:
    with Server([Do.STALL]) as faulty, Server([Do.READ, chunked(*ANSWER)]) as good:
        url = faulty.url.replace("http:", "https:")
        async with over(policy_of, url, good.url, timeouts="connect: 300ms", ca_file=True) as engine:
            assert causes(await streamed_result(engine)) == ["connect_timeout", None]


# -- nothing is left behind ---------------------------------------------------------------------------


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


async def _come_down_to(files: int) -> bool:
    """Whether the files of this process are so few in time: the server may still accept who has already left."""
    for _ in range(100):
        if _open_files() <= files:
            return True
        await anyio.sleep(0.03)
    return False


def _busy(transport: HttpTransport) -> list[Any]:
    """Connections of all pools that somebody still holds."""
    pools: list[Any] = [client._transport._pool for client in transport._clients.values()]  # type: ignore[attr-defined]
    return [connection for pool in pools for connection in pool.connections if not connection.is_idle()]


@pytest.mark.parametrize("count", [200, pytest.param(10_000, marks=[pytest.mark.long, pytest.mark.timeout(0)])])
async def test_random_cancellations_leave_tasks_sockets_and_slots_as_they_were(policy_of: PolicyOf, count: int) -> None:
    """Requests are given up at any moment: while they connect, while they wait, inside of a stream, at its end."""
    dice = random.Random(count)
    parts = [chunked(ROLE, whole=False), 0.002, _chunk(content("Hel")), 0.002, _chunk(FINISH + DONE), b"0\r\n\r\n"]
    script = [step for _ in range(30) for step in (Do.READ, 0.002, *parts)]
    transport, ledger = HttpTransport({"first": Way(allow_networks=("loopback",))}), MemoryLedger()
    with Server(script) as server:
        written = policy(targets=1, first="allow_networks: [loopback]").replace("https://first.test", server.url)
        tasks, files = tasks_alive(), _open_files()
        async with Engine.open(policy_of(written), ledger=ledger, environ={}, transport=transport) as engine:
            inside = tasks_alive()

            async def one(after: float, streamed: bool) -> None:
                with anyio.move_on_after(after):
                    await (streamed_result if streamed else completed_result)(engine)

            for _ in range(count // 20):
                async with anyio.create_task_group() as group:
                    for _ in range(20):
                        group.start_soon(one, dice.choice((0.0, dice.uniform(0, 0.05))), dice.random() < 0.7)
            assert tasks_alive() == inside
            assert _busy(transport) == []
            last = await streamed_result(engine)
        assert server.wait_until_open(0)
        assert tasks_alive() == tasks
        assert await _come_down_to(files + 1)  # what the server waits with for the next connection
    found = records(ledger)
    assert last.text == "Hel"
    assert len(found) == count + 1
    assert {record["outcome"] for record in found} >= {"cancelled"}


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@pytest.mark.long
@pytest.mark.timeout(0)
async def test_an_engine_that_runs_for_long_does_not_grow(request: pytest.FixtureRequest, policy_of: PolicyOf) -> None:
    """`--soak MINUTES` says for how long: memory, files and tasks stay as they are once the engine is warm."""
    minutes = request.config.getoption("--soak")
    script = [step for _ in range(100) for step in (Do.READ, ok(WHOLE, "text/event-stream"))]
    plain = [step for _ in range(100) for step in (Do.READ, ok(completion("Hello")))]
    ledger = _Forgetting()
    with Server(script) as first, Server(plain) as second:
        async with over(policy_of, first.url, second.url, ledger=ledger) as engine:
            await _busy_for(engine, 10)
            tasks, files, memory = tasks_alive(), _open_files(), _memory()
            await _busy_for(engine, minutes * 60)
            assert tasks_alive() == tasks
            assert _open_files() <= files + 8
            assert _memory() - memory <= 1 + minutes / 10, "MiB"
    assert ledger.stored > 100


class _Forgetting(MemoryLedger):
    """Counts, and keeps nothing."""

    stored = 0

    async def append(self, entries: Any) -> None:
        self.stored += len(entries)


async def _busy_for(engine: Engine, seconds: float) -> None:
    async def one() -> None:
        while time.monotonic() < until:
            assert (await engine.complete(PromptRequest.of(prompt="Hello"))).text == "Hello"
            await streamed_result(engine)

    until = time.monotonic() + seconds
    async with anyio.create_task_group() as group:
        for _ in range(4):
            group.start_soon(one)


def _memory() -> float:
    """Resident memory in MiB, 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if statm.exists() else 0.0
