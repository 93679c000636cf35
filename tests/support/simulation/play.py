"""Plays one scenario: the real engine over the endpoints, callers, clocks and the ledger of one seed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import anyio

from route_run.errors import LedgerError
from route_run.flow.event import Finished
from route_run.flow.request import PromptRequest
from route_run.ledger import Entry, MemoryLedger
from route_run.runtime.engine import Engine
from route_run.table import Loaded, load
from support.clocks import VIRTUAL_BACKENDS
from support.policies import write_policy
from support.simulation.endpoints import Endpoints
from support.simulation.scenario import Scenario
from support.simulation.world import BEGAN, LONGEST, SECRETS, SUSPENDED, Told, World


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
            standing = engine._wiring.standing
            if standing.live or standing.counters.live or standing.counters.waiting:
                world.left_behind = f"{standing!r} {standing.counters!r} {standing.counters.live}"
    world.hangs, world.is_closed = hangs.cancelled_caught, transport.is_closed
    return world


async def _call(world: World, engine: Engine, told: Told) -> None:
    caller = told.caller
    await anyio.sleep(caller.starts)
    told.began = anyio.current_time()
    request = PromptRequest.of(
        prompt=f"request-{caller.number}.",
        tags={"n": str(caller.number)},
        allow_restart=world.scenario.shape.restart,
    )
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
        time_of_day = BEGAN + passed + scenario.skew + jumped
        self._world.readings[time_of_day] = anyio.current_time()
        return time_of_day


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


@lru_cache(maxsize=4000)
def loaded(text: str) -> Loaded:
    """A policy from its text."""
    with TemporaryDirectory() as folder:
        return load([write_policy(Path(folder), text)])
