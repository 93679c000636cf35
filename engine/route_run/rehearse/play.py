"""Playing a rehearsal: the real engine on scripted endpoints, in virtual time.

Decides when each request begins and notes what its caller sees and when. What ought to have happened is
not known here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio

from route_run.errors import RouteRunError
from route_run.flow.decide import decide
from route_run.flow.event import Event, Finished, Planned, Restarted, Text, ToolCallPiece
from route_run.flow.plan import Plan
from route_run.flow.request import PromptRequest
from route_run.flow.snapshot import Snapshot
from route_run.ledger import EntryKind
from route_run.policy.rehearsal import Rehearsal, RequestScript, Scene
from route_run.rehearse.clock import Backend, run_virtually
from route_run.rehearse.quota import used_already
from route_run.rehearse.request import request_of
from route_run.rehearse.stage import NOTED, Noted, NotingLedger, Stage
from route_run.runtime.clock import LoopClock
from route_run.runtime.engine import Engine
from route_run.table import Loaded

DEFAULT_AT = datetime(2026, 1, 1, tzinfo=UTC)
"""The time of day at which a rehearsal begins that does not say."""
APART = 1e-6
"""Seconds between requests that are made at once: their order is defined on every backend."""


@dataclass(slots=True)
class Run:
    """One request of a rehearsal and what came of it; times in seconds of the loop's clock.

    ``record`` is what the ledger keeps (None when the run was cut), ``events`` what the caller saw and when.
    """

    scene: int
    number: int
    request: PromptRequest
    began: float = 0.0
    ended: float | None = None
    events: list[tuple[float, Event]] = field(default_factory=list)
    noted: Noted = field(default_factory=Noted)
    plan: Plan | None = None
    problem: str = ""

    @property
    def records(self) -> list[Mapping[str, Any]]:
        """The records that were stored for it; the engine stores exactly one."""
        return [entry.body for entry in self.noted.entries if entry.kind is EntryKind.RECORD]

    @property
    def record(self) -> Mapping[str, Any] | None:
        records = self.records
        return records[0] if records else None

    @property
    def took(self) -> float | None:
        """Seconds from the beginning to the end; None when it did not end."""
        return None if self.ended is None else self.ended - self.began

    @property
    def first_content(self) -> float | None:
        """Seconds until the caller had the first content."""
        for at, event in self.events:
            is_content = isinstance(event, Text | ToolCallPiece)
            if is_content or (isinstance(event, Finished) and (event.result.text or event.result.tool_calls)):
                return at - self.began
        return None

    @property
    def text(self) -> str:
        """What the caller was given and holds at the end: piece by piece, or with the result."""
        pieces: list[str] = []
        for _, event in self.events:
            if isinstance(event, Restarted):
                pieces.clear()
            elif isinstance(event, Text):
                pieces.append(event.text)
        if pieces or not self.events or not isinstance(self.events[-1][1], Finished):
            return "".join(pieces)
        return self.events[-1][1].result.text


@dataclass(frozen=True, slots=True)
class Played:
    """A rehearsal that was played: its runs in the order in which they began, exchanges by endpoint.

    ``was_cut`` says that it had not ended at its virtual deadline.
    """

    runs: Sequence[Run]
    exchanges: Mapping[str, int]
    was_cut: bool = False
    problem: str = ""


def play(loaded: Loaded, rehearsal: Rehearsal, backend: Backend) -> Played:
    """Play one rehearsal to its end or to its virtual deadline; the same arguments give the same."""
    return run_virtually(_Play(loaded, rehearsal).played, backend)


class _Play:
    def __init__(self, loaded: Loaded, rehearsal: Rehearsal) -> None:
        self._loaded = loaded
        self._rehearsal = rehearsal
        self._began_at = (rehearsal.at or DEFAULT_AT).timestamp()
        self._runs: list[Run] = []

    async def played(self) -> Played:
        rehearsal = self._rehearsal
        stage = Stage(self._loaded.table, rehearsal.endpoints, rehearsal.tokens, rehearsal.down, self._began_at)
        opened = Engine.open(
            self._loaded,
            ledger=NotingLedger(),
            environ={},
            transport=stage,
            clock=LoopClock(self._began_at),
            seed=rehearsal.seed,
            find_revision=_of_no_commit,
            used=used_already(self._loaded.table, rehearsal.quota),
        )
        async with opened as engine:
            with anyio.move_on_after(rehearsal.cut_after) as scope:
                await self._all(engine, rehearsal.scenes)
        was_cut = scope.cancelled_caught
        for run in self._runs:
            if run.plan is None and run.record is not None:
                run.plan = self._replayed(run)
        return Played(tuple(self._runs), dict(stage.exchanges), was_cut)

    async def _all(self, engine: Engine, scenes: Sequence[Scene]) -> None:
        if len(scenes) == 1 and not scenes[0].after:
            await self._scene(engine, 0, scenes[0])
            return
        async with anyio.create_task_group() as tasks:
            before_began, before_ended = anyio.Event(), anyio.Event()
            before_began.set()
            before_ended.set()
            for number, scene in enumerate(scenes):
                began, ended = anyio.Event(), anyio.Event()
                due = before_began if scene.overlap else before_ended
                # after the last of those that are made at once
                apart = scenes[number - 1].repeat if number and scene.overlap and scenes[number - 1].together else 1
                after = scene.after + apart * APART
                tasks.start_soon(self._placed, engine, number, scene, after, due, began, ended)
                before_began, before_ended = began, ended

    async def _placed(
        self,
        engine: Engine,
        number: int,
        scene: Scene,
        after: float,
        due: anyio.Event,
        began: anyio.Event,
        ended: anyio.Event,
    ) -> None:
        await due.wait()
        await anyio.sleep(after)
        began.set()
        await self._scene(engine, number, scene)
        ended.set()

    async def _scene(self, engine: Engine, number: int, scene: Scene) -> None:
        request = request_of(scene.request)
        runs = [Run(number, n, request) for n in range(scene.repeat)]
        if not scene.together:
            for run in runs:
                await self._run(engine, run, scene.request)
            return
        async with anyio.create_task_group() as tasks:
            for run in runs:
                tasks.start_soon(self._run, engine, run, scene.request, run.number * APART)

    async def _run(self, engine: Engine, run: Run, script: RequestScript, after: float = 0.0) -> None:
        if after:
            await anyio.sleep(after)
        token = NOTED.set(run.noted)
        self._runs.append(run)
        run.began = anyio.current_time()
        try:
            with anyio.move_on_after(float("inf") if script.give_up_after is None else script.give_up_after):
                await _made(engine, run, streamed=script.stream)
            run.ended = anyio.current_time()
        except RouteRunError as error:
            run.problem = str(error)
            run.ended = anyio.current_time()
        finally:
            NOTED.reset(token)

    def _replayed(self, run: Run) -> Plan:
        """The plan of a request whose caller was not shown it: decisions replay from what records keep."""
        assert run.record is not None
        snapshot = Snapshot.of_json(run.record["snapshot"])
        return decide(self._loaded.table, run.request, snapshot, run.record["seed"])


def _of_no_commit(folder: Path) -> None:
    """A rehearsal says nothing of a commit: it is the same in every checkout."""


async def _made(engine: Engine, run: Run, *, streamed: bool) -> None:
    if not streamed:
        result = await engine.complete(run.request)
        run.events.append((anyio.current_time(), Finished(result)))
        run.plan = result.record.plan
        return
    async with engine.stream(run.request) as events:
        async for event in events:
            run.events.append((anyio.current_time(), event))
            if isinstance(event, Planned):
                run.plan = event.plan
