"""Plays one scenario: the real engine over endpoints, token endpoints, callers, clocks and a ledger of one seed.

Everything that happens is written into a journal, in its order and with its moment: the same seed gives the same
journal, which is how a failure is replayed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from route_run.errors import LedgerError
from route_run.flow.event import Event, Finished, Result
from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.ledger import Entry, EntryKind, MemoryLedger
from route_run.policy import Dialect
from route_run.runtime.engine import Engine
from route_run.table import Loaded, load
from route_run.transport.seam import Call, Purpose, TransportError
from support.clocks import VIRTUAL_BACKENDS
from support.policies import write_policy
from support.scripted import Pause, Step
from support.simulation.catalogue import Kind, Play, healthy
from support.simulation.provider import JSON, Said, Script, error_body, said
from support.simulation.scenario import Caller, Scenario

BEGAN = 1_800_000_000.0
SECRETS = {"KEY": "canary-of-the-key", "SECRET": "canary-of-the-client", "ID": "client"}
LONGEST = 4 * 3600.0
"""Virtual seconds after which a world that has not come to its end hangs."""
SUSPENDED = 3600.0


@dataclass
class Exchange:
    """One call to an endpoint, as the provider saw it."""

    caller: int
    endpoint: str
    at: float
    kind: Kind | None
    script: Script
    said: Said
    token: str = ""
    stored_before: int = 0
    handed: int = 0
    """Bytes of the body that were read from it."""
    is_refused_token: bool = False
    closed_at: float | None = None

    @property
    def meets(self) -> str:
        return self.kind.name if self.kind else "healthy"

    def told(self, spare: int = 0) -> tuple[str, str, bool]:
        """Text, arguments of tools, and whether the end was given, in the bytes that were read and ``spare`` more."""
        text, arguments, is_ended, at = "", "", False, 0
        for piece in self.script.pieces:
            at += len(piece.data)
            if at > self.handed + spare:
                break
            text, arguments, is_ended = text + piece.text, arguments + piece.arguments, is_ended or piece.is_end
        return text, arguments, is_ended


@dataclass
class Fetch:
    """One call to a token endpoint."""

    endpoint: str
    at: float
    kind: Kind | None
    token: str = ""
    ended_at: float | None = None


@dataclass
class Told:
    """What one caller saw."""

    caller: Caller
    began: float = 0.0
    ended: float = 0.0
    left_at: float | None = None
    events: list[tuple[float, Event]] = field(default_factory=list)
    result: Result | None = None
    refused: LedgerError | None = None


@dataclass
class World:
    """What happened in one scenario."""

    scenario: Scenario
    began: float
    journal: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    entries: Sequence[Entry] = ()
    met: set[str] = field(default_factory=set)
    is_ledger_broken: bool = False
    hangs: bool = False
    is_closed: bool = False

    def note(self, *what: object) -> None:
        self.journal.append(f"{anyio.current_time() - self.began:10.3f}  {' '.join(map(str, what))}")

    def of(self, caller: int) -> list[Exchange]:
        """The exchanges of one caller in their order."""
        return [exchange for exchange in self.exchanges if exchange.caller == caller]


def play(scenario: Scenario, backend: str) -> World:
    """Play a scenario to its end on one backend."""
    name, options = VIRTUAL_BACKENDS[backend]()
    if name == "asyncio":
        return anyio.run(_played, scenario, backend=name, backend_options=options)
    with _repeatable_trio(scenario.seed):
        return anyio.run(_played, scenario, backend=name, backend_options=options)


@contextmanager
def _repeatable_trio(seed: int) -> Iterator[None]:
    """Trio mixes the order of tasks on purpose; here the seed says how."""
    from trio._core import _run

    run: Any = _run
    before = run._ALLOW_DETERMINISTIC_SCHEDULING, run._r
    run._ALLOW_DETERMINISTIC_SCHEDULING, run._r = True, Random(seed)
    try:
        yield
    finally:
        run._ALLOW_DETERMINISTIC_SCHEDULING, run._r = before


async def _played(scenario: Scenario) -> World:
    world = World(scenario, anyio.current_time())
    transport, ledger = Endpoints(world), FaultyLedger(world)
    world.entries = ledger.entries
    with anyio.move_on_after(LONGEST) as hangs:
        async with Engine.open(
            loaded(scenario.shape.text()),
            ledger=ledger,
            environ=SECRETS,
            transport=transport,
            clock=SkewedClock(world),
            seed=scenario.seed,
        ) as engine:
            world.told = [Told(caller) for caller in scenario.callers]
            async with anyio.create_task_group() as tasks:
                for told in world.told:
                    tasks.start_soon(_call, world, engine, told)
                if scenario.suspend_at is not None:
                    tasks.start_soon(_suspend, world)
    world.hangs, world.is_closed = hangs.cancelled_caught, transport.is_closed
    return world


async def _call(world: World, engine: Engine, told: Told) -> None:
    caller = told.caller
    await anyio.sleep(caller.starts)
    told.began = anyio.current_time()
    request = PromptRequest.of(prompt=f"request-{caller.number}.", tags={"n": str(caller.number)})
    limit = float("inf") if caller.leaves_after is None else caller.leaves_after
    try:
        with anyio.move_on_after(limit) as scope:
            if caller.streamed or caller.leaves_at_event:
                await _read(world, engine, told, request)
            else:
                told.result = await engine.complete(request)
    except LedgerError as error:
        told.refused = error
    told.ended = anyio.current_time()
    if scope.cancelled_caught:
        told.left_at = scope.deadline
    if told.left_at is not None:
        early = any(exchange.handed for exchange in world.of(caller.number))
        world.met.add("the caller leaves after the first byte" if early else "the caller leaves before the first byte")
    world.note(f"caller {caller.number}", "left" if told.left_at is not None else _outcome(told))


async def _read(world: World, engine: Engine, told: Told, request: PromptRequest) -> None:
    async with engine.stream(request) as events:
        async for event in events:
            told.events.append((anyio.current_time(), event))
            if isinstance(event, Finished):
                told.result = event.result
            if told.caller.reads_every:
                world.met.add("a slow reader")
                await anyio.sleep(told.caller.reads_every)
            if told.caller.leaves_at_event == len(told.events) and not isinstance(event, Finished):
                told.left_at = anyio.current_time()
                return


def _outcome(told: Told) -> str:
    return told.result.outcome.value if told.result else f"refused by the ledger: {told.refused}"


async def _suspend(world: World) -> None:
    """The machine sleeps for an hour: every clock is an hour later at once."""
    assert world.scenario.suspend_at is not None
    await anyio.sleep(world.scenario.suspend_at)
    world.met.add("suspended")
    import sniffio

    if sniffio.current_async_library() == "trio":
        import trio

        clock: Any = trio.lowlevel.current_clock()
        clock.jump(SUSPENDED)
    else:
        import asyncio

        loop: Any = asyncio.get_running_loop()
        loop._jumping.now += SUSPENDED
    world.note("suspended for an hour")


class SkewedClock:
    """The time of day here: not that of the providers, and it may jump."""

    def __init__(self, world: World) -> None:
        self._world = world
        if world.scenario.skew:
            world.met.add("clocks that differ")

    def now(self) -> float:
        scenario, passed = self._world.scenario, anyio.current_time() - self._world.began
        jumped = 0.0
        if scenario.jump_at is not None and passed >= scenario.jump_at:
            self._world.met.add("the time of day jumps by an hour")
            jumped = scenario.jump
        return BEGAN + passed + scenario.skew + jumped


class FaultyLedger(MemoryLedger):
    """Stores slowly, and now and then not at all."""

    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world
        self._dice = world.scenario.dice("ledger")

    async def append(self, entries: Sequence[Entry]) -> None:
        await anyio.sleep(self._dice.choice((0, 0.001, 0.005)))
        faults = self._world.scenario.ledger_faults
        if faults and self._dice.random() < 0.2:
            self._world.is_ledger_broken = True
            self._world.met.add(faults[0].name)
            self._world.note("ledger:", faults[0].name)
            raise LedgerError(faults[0].name)
        await super().append(entries)
        self._world.note("stored", *(entry.kind.value for entry in entries))


class Endpoints:
    """All endpoints and token endpoints of a world, behind the seam of the transport."""

    is_simulated = False

    def __init__(self, world: World) -> None:
        self.is_closed = False
        self._world = world
        self._calls: dict[str, int] = {}
        self._valid: dict[str, str] = {}
        self._revoked: set[str] = set()
        shape = world.scenario.shape
        self._dialects = dict(zip(shape.names, shape.dialects, strict=True))
        self._logins = dict(zip(shape.names, shape.logins, strict=True))

    async def send(self, call: Call) -> Answering:
        await anyio.lowlevel.checkpoint()
        if call.purpose is Purpose.TOKEN:
            return await self._grant(call)
        exchange = self._exchange(call)
        self._world.exchanges.append(exchange)
        self._world.note(f"-> {exchange.endpoint} for caller {exchange.caller}, meets: {exchange.meets}")
        try:
            for step in exchange.script.head:
                await _happen(step)
        except BaseException:
            exchange.closed_at = anyio.current_time()
            raise
        return Answering(exchange.script, exchange)

    async def aclose(self) -> None:
        self.is_closed = True

    def _count(self, name: str) -> int:
        self._calls[name] = self._calls.get(name, -1) + 1
        return self._calls[name]

    def _exchange(self, call: Call) -> Exchange:
        world, name = self._world, call.destination
        number = self._count(name)
        dialect, body = self._dialects[name], json.loads(call.request.body)
        found = re.search(r"request-(\d+)\.", json.dumps(body["messages"]))
        assert found is not None, "the prompt is not in the request"
        caller, dice = int(found.group(1)), world.scenario.dice("exchange", name, number)
        shape = world.scenario.shape
        answer = said(
            len(world.exchanges), dice, tools=shape.tools and dialect is not Dialect.COGNIGY, json_text=shape.verify
        )
        passed = anyio.current_time() - world.began
        wants_stream = bool(body.get("stream")) or dialect is Dialect.COGNIGY
        playing = Play(dice, dialect, answer, wants_stream, call.connect_timeout, BEGAN + passed)
        kind = world.scenario.meets(name, number)
        token = call.request.headers.get("authorization", "").removeprefix("Bearer ")
        is_refused = self._logins[name] == "oauth2" and self._is_refused(name, token)
        if is_refused:
            script = Script(401, JSON, (), (error_body(dialect, "the token is not valid", ""),))
        else:
            script = (kind.script if kind and kind.script else healthy)(playing)
            if kind:
                world.met.add(kind.name)
        exchange = Exchange(
            caller, name, anyio.current_time(), None if is_refused else kind, script, answer,
            token, is_refused_token=is_refused,
        )  # fmt: skip
        exchange.stored_before = sum(
            entry.kind is EntryKind.ATTEMPT and dict(entry.body["attributes"])["tags"].get("n") == str(caller)
            for entry in world.entries
        )
        return exchange

    def _is_refused(self, name: str, token: str) -> bool:
        """Whether an endpoint refuses a token: it is revoked, or the scenario revokes it now."""
        faults = {kind.name for kind in self._world.scenario.token_faults}
        if "a storm of 401" in faults and token not in self._revoked:
            dice = self._world.scenario.dice("revoked", token)
            if (
                dice.random() < 0.5
                and self._world.scenario.dice("uses", token, len(self._world.exchanges)).random() < 0.5
            ):
                self._revoked.add(token)
                self._world.met.add("a storm of 401")
        return token in self._revoked

    async def _grant(self, call: Call) -> Answering:
        world, name = self._world, call.destination
        number = self._count(f"{name} (token)")
        dice = world.scenario.dice("token", name, number)
        faults = [kind for kind in world.scenario.token_faults if kind.name != "a storm of 401"]
        kind = dice.choice(faults) if faults and dice.random() < 0.5 else None
        fetch = Fetch(name, anyio.current_time(), kind)
        world.fetches.append(fetch)
        world.note(f"-> token of {name}, meets: {kind.name if kind else 'healthy'}")
        if kind:
            world.met.add(kind.name)
        script, fetch.token = token_script(kind, f"token.{name}.{number}.canary", world.scenario.token_life, dice)
        try:
            await anyio.sleep(dice.choice((0, 0.1, 2.0)))
            for step in script.head:
                await _happen(step)
        finally:
            fetch.ended_at = anyio.current_time()
        return Answering(script, None)


def token_script(kind: Kind | None, token: str, life: float, dice: Any) -> tuple[Script, str]:
    """What a token endpoint answers, and the token in it if there is one."""
    granted: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": life}
    match kind.name if kind else None:
        case "the token endpoint is down":
            return Script(dice.choice((500, 502, 503, 429)), JSON, (), (b'{"error": "server_error"}',)), ""
        case "the token endpoint hangs":
            return Script(head=(Pause.FOREVER,)), ""
        case "an odd expiry":
            granted["expires_in"] = dice.choice((0, -1, "soon", None, True, 1e300, "60", [], 0.5))
        case "a narrowed scope":
            granted["scope"] = "other"
            return Script(200, JSON, (), (json.dumps(granted).encode(),)), ""
        case "a rotated secret":
            return Script(401, JSON, (), (b'{"error": "invalid_client"}',)), ""
    return Script(200, JSON, (), (json.dumps(granted).encode(),)), token


class Answering:
    """An answer that plays its script."""

    def __init__(self, script: Script, exchange: Exchange | None) -> None:
        self.status = script.status
        self.headers = script.headers
        self._exchange = exchange
        self._left = list(script.body)
        self._is_closed = False

    async def read(self) -> bytes:
        assert not self._is_closed, "a closed answer is read"
        await anyio.lowlevel.checkpoint()
        while self._left:
            step = self._left.pop(0)
            if isinstance(step, bytes):
                if self._exchange:
                    self._exchange.handed += len(step)
                return step
            await _happen(step)
        return b""

    async def aclose(self) -> None:
        self._is_closed = True
        if self._exchange and self._exchange.closed_at is None:
            self._exchange.closed_at = anyio.current_time()
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()


async def _happen(step: Step) -> None:
    match step:
        case Cause():
            raise TransportError(step, f"simulated {step.value}")
        case Pause():
            await anyio.sleep_forever()
        case float() | int():
            await anyio.sleep(step)


@lru_cache(maxsize=4000)
def loaded(text: str) -> Loaded:
    """A policy from its text."""
    with TemporaryDirectory() as folder:
        return load([write_policy(Path(folder), text)])
