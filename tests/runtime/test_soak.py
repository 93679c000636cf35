"""Mixed traffic for long: every feature at once, endpoints that fail at random, callers who leave at any moment.

Whatever happens, an answer that is given as whole is whole, every request has one record, and afterwards nothing is
held: no task, connection, file, permit, turn or reservation. `--long --soak MINUTES` says for how long.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest

from route_run.flow.event import Finished, Restarted, Text
from route_run.flow.outcome import Outcome
from route_run.flow.request import PromptRequest
from route_run.ledger import Filter, LedgerReader
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from route_run.transport.http import HttpTransport
from route_run.transport.seam import Way
from support.chaos import FAULTS, WHOLE, Chaos, chaos
from support.tasks import tasks_alive

PolicyOf = Callable[..., Loaded]
pytestmark = pytest.mark.anyio

WORKERS = 24
NAMES = ("first", "second", "third")
FEATURES = ("plain", "hedged", "checked", "waiting")
SCHEMA = (
    '{"type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "examples": [{"word": ""}]}'
)


def _policy(servers: Sequence[Chaos]) -> str:
    fields = "serves: {m: {}}, allow_networks: [loopback], breaker: {consecutive: 5, open: 100ms}"
    more = "retry_budget: {share: 50%, floor: 50}, limits: {concurrent: 20, tokens: 10M/s}"
    endpoints = "\n".join(
        f"  {name}: {{dialect: openai, base_url: '{server.url}/v1', {fields}, {more}}}"
        for name, server in zip(NAMES, servers, strict=True)
    )
    targets = ", ".join(f"{{endpoint: {name}, model: m}}" for name in NAMES)
    common = "retry: {attempts: 2, backoff: {first: 5ms, max: 20ms}}, timeouts: {connect: 1s, first_content: 300ms, \
idle: 300ms, total: 3s}, fallback: {after_content: restart}"
    return f"""\
version: 1
tags: {{feature: {{values: [{", ".join(FEATURES)}], required: true}}, tenant: {{}}}}
endpoints:
{endpoints}
models:
  m: {{context_window: 10000, max_output_tokens: 100, price: {{input: 1, output: 2}}, capabilities: [json]}}
upstreams:
  straight: {{targets: [{targets}], {common}}}
  raced: {{targets: [{targets}], {common}, hedge: {{after: 30ms}}}}
  balanced: {{targets: [{{balance: least_busy, targets: [{targets}]}}], {common}}}
bounds:
  fair: {{match: {{tags: {{feature: waiting}}}}, per: tags.tenant, limits: {{concurrent: 2, when_exceeded: wait,
    wait_at_most: 500ms}}}}
routes:
  plain: {{match: {{tags: {{feature: plain}}}}, upstream: balanced}}
  hedged: {{match: {{tags: {{feature: hedged}}}}, upstream: raced}}
  checked: {{match: {{tags: {{feature: checked}}}}, upstream: straight, verify: {{json_schema: s.json, repair: 1}}}}
  waiting: {{match: {{tags: {{feature: waiting}}}}, upstream: straight}}
"""


class _Traffic:
    """Callers beside each other; ``seen`` counts how their requests ended, ``begun`` those that there were."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self.seen: Counter[str] = Counter()
        self.begun = 0
        self._engine = engine
        self._dice = random.Random(seed)

    async def run(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        async with anyio.create_task_group() as tasks:
            for _ in range(WORKERS):
                tasks.start_soon(self._calls, until)

    async def _calls(self, until: float) -> None:
        dice = self._dice
        while time.monotonic() < until:
            tags = {"feature": dice.choice(FEATURES), "tenant": dice.choice("abc")}
            request = PromptRequest.of(prompt="Hello", tags=tags, allow_restart=dice.random() < 0.7)
            self.begun += 1
            ended = "left"  # also one that had ended and was given up while its block was being left
            with anyio.move_on_after(dice.uniform(0, 0.1) if dice.random() < 0.2 else 10):
                ended = await (self._stream if dice.random() < 0.7 else self._complete)(request)
            self.seen[ended] += 1

    async def _complete(self, request: PromptRequest) -> str:
        result = await self._engine.complete(request)
        return self._judge(result.outcome, result.text)

    async def _stream(self, request: PromptRequest) -> str:
        text, ended = "", ""
        leaves_after = self._dice.randint(1, 12) if self._dice.random() < 0.1 else 1_000
        async with self._engine.stream(request) as events:
            async for event in events:
                assert not ended, "an event after the last one"
                leaves_after -= 1
                if not leaves_after:
                    return "left"
                match event:
                    case Text(piece):
                        text += piece
                    case Restarted():
                        text = ""
                    case Finished(result):
                        assert result.text == text
                        ended = self._judge(result.outcome, text)
        assert ended
        return ended

    def _judge(self, outcome: Outcome, text: str) -> str:
        if outcome is Outcome.COMPLETED:
            assert text in (WHOLE, "wrong" * 5, "no JSON"), "an answer that is given as whole is whole"
        else:
            assert text in ("wrong" * 5, "no JSON") or WHOLE.startswith(text), "no answer is mixed from two"
        return outcome.value


@pytest.mark.parametrize("is_long", [False, pytest.param(True, marks=[pytest.mark.long, pytest.mark.timeout(0)])])
async def test_mixed_traffic_leaves_nothing_behind(
    request: pytest.FixtureRequest, policy_of: PolicyOf, tmp_path: Path, is_long: bool
) -> None:
    seconds = request.config.getoption("--soak") * 60 if is_long else 1.5
    path = tmp_path / "ledger.db"
    transport = HttpTransport(dict.fromkeys(NAMES, Way(allow_networks=("loopback",))))
    async with chaos(0.5, 0.25, 0.0, seed=1) as servers:
        loaded = policy_of({"policy.yaml": _policy(servers), "s.json": SCHEMA})
        async with Engine.open(loaded, ledger=f"sqlite:///{path}", environ={}, transport=transport, seed=1) as engine:
            traffic = _Traffic(engine, seed=1)
            await traffic.run(min(20.0, seconds / 3))  # until pools and caches are warm
            await _settled(servers)
            before = _held(engine, transport)
            memory = _memory()
            await traffic.run(seconds)
            await _settled(servers)
            after = _held(engine, transport)
            grown = _memory() - memory
        met = sum((server.met for server in servers), Counter[str]())
    records, entries, broken = _read(path)
    print(f"{traffic.begun} requests {dict(traffic.seen)} {before} {after} grown {grown:.1f} MiB, {entries} entries")  # noqa: T201  # the figures of a long run, shown with -s

    assert after == before
    assert after["permits"] == after["live"] == after["waiting"] == after["busy"] == after["reserved"] == 0
    assert set(met) == {"healthy", *FAULTS} or not is_long
    assert traffic.seen.total() == traffic.begun == records
    assert traffic.seen["completed"] > traffic.begun / 2
    assert traffic.seen["left"]
    assert broken == []
    assert grown <= 8 + seconds / 120 or not is_long, "MiB"


async def _settled(servers: Sequence[Chaos]) -> None:
    """Wait until the servers have closed what is idle; that the pools still keep their side of it is no leak."""
    for _ in range(600):
        if not any(server.open_now for server in servers):
            return
        await anyio.sleep(0.05)


def _held(engine: Engine, transport: HttpTransport) -> dict[str, int]:
    standing = engine._wiring.standing
    pools: list[Any] = [client._transport._pool for client in transport._clients.values()]  # type: ignore[attr-defined]
    return {
        "tasks": tasks_alive(),
        "files beside pools": _files() - sum(len(pool.connections) for pool in pools),
        "permits": standing.live,
        "live": standing.counters.live,
        "waiting": standing.counters.waiting,
        "reserved": sum(counter.used.reserved for counter in standing.counters._counters.values()),
        "busy": sum(not connection.is_idle() for pool in pools for connection in pool.connections),
    }


def _files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


def _read(path: Path) -> tuple[int, int, list[tuple[int, str]]]:
    """How many records and entries the ledger has, and where its chain is broken."""
    with LedgerReader(path) as reader:
        found = len({record["request_id"] for record in reader.records(Filter(), 10_000_000)})
        return found, reader.count(), list(reader.broken_links())


def _memory() -> float:
    """Resident memory in MiB, 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20 if statm.exists() else 0.0
