"""The engine: a policy opened for use.

``async with Engine.open("routes") as engine:`` then ``async with engine.stream(request) as events:`` or
``await engine.complete(request)``. Runs on asyncio and trio.
"""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from pathlib import Path

import anyio

from route_run.errors import MisuseError, PolicyError
from route_run.flow.event import Event, Finished, Result
from route_run.flow.limits import Used
from route_run.flow.request import PromptRequest
from route_run.ledger import Ledger, SqliteLedger, default_url, path_of
from route_run.runtime.clock import Clock, SystemClock
from route_run.runtime.counters import Counters
from route_run.runtime.hooks import Deliverer
from route_run.runtime.login import Login
from route_run.runtime.request import RunningRequest
from route_run.runtime.resolve import resolve
from route_run.runtime.revision import git_revision
from route_run.runtime.standing import Standing
from route_run.runtime.wiring import Wiring
from route_run.table import Limit, Loaded, load
from route_run.transport.seam import Transport, Way
from route_run.transport.tasks import background_tasks

DELIVER_AT_CLOSE = 5.0
"""Seconds that closing the engine waits for webhooks that are being told."""

PolicySource = Loaded | str | Path | Sequence[str | Path]


class Engine:
    """An open policy. Make one with ``Engine.open``; all methods may be called by many tasks at once."""

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._is_open = True

    def __repr__(self) -> str:
        return f"<Engine policy={self._wiring.table.digest[:12]} {'open' if self._is_open else 'closed'}>"

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        policy: PolicySource,
        *,
        ledger: Ledger | str | None = None,
        environ: Mapping[str, str] | None = None,
        transport: Transport | None = None,
        clock: Clock | None = None,
        seed: int | None = None,
        find_revision: Callable[[Path], str | None] = git_revision,
        used: Sequence[tuple[Limit, Used]] = (),
    ) -> AsyncIterator[Engine]:
        """Open a policy: folders, or what ``load`` made of them.

        ``ledger`` is a ledger or a `sqlite:///FILE` URL (default: the environment's ROUTE_RUN_LEDGER, else a
        file in the user's state folder); ``environ`` resolves references (default: the process's);
        ``transport`` carries calls (default: HTTP); ``seed`` makes ids and jitter repeatable;
        ``find_revision`` says which commit a policy folder is of, for the records; ``used`` is what is used of
        limits already.

        Raises PolicyError for an invalid policy or one that uses what this release does not enforce,
        UnresolvedReferences for missing secrets, LedgerError when the ledger cannot be opened. Closing
        waits at most 5 s for webhooks and logs which were not delivered.
        """
        loaded = policy if isinstance(policy, Loaded) else load([policy] if isinstance(policy, str | Path) else policy)
        table = loaded.table
        for scanner in table.scanners.values():
            scanner.prepare()
        if loaded.deferred:
            raise PolicyError(loaded.deferred)
        environment = os.environ if environ is None else environ
        is_simulated = transport is not None and transport.is_simulated
        resolved = resolve(table.policy, None if is_simulated else environment)
        places = [endpoint.place for endpoint in resolved.endpoints.values()]
        places += [webhook.place for webhook in resolved.webhooks.values()]
        dice = random.Random(seed)  # noqa: S311  # for jitter and ids; nothing secret comes from it
        clock = clock or SystemClock()
        async with AsyncExitStack() as stack:
            kept = await stack.enter_async_context(_opened_ledger(loaded, ledger, environment, clock))
            carrier = transport or _http({place.name: place.way for place in places})
            stack.push_async_callback(carrier.aclose)
            tasks = await stack.enter_async_context(background_tasks())
            logins = {place.name: Login(place, carrier, tasks, dice.random, resolved.redact) for place in places}
            deliverer = Deliverer(resolved.webhooks, logins, carrier, kept, clock, tasks, dice.random)
            revision = find_revision(loaded.reading.documents[0].folder)
            counters = Counters()
            for limit, already in used:
                counters.begin(limit, already, anyio.current_time(), clock.now())
            standing = Standing(table.policy, dice.random, clock, counters)
            engine = cls(Wiring(table, resolved, logins, carrier, kept, deliverer, standing, clock, dice, revision))
            try:
                yield engine
            finally:
                await engine._close()

    @asynccontextmanager
    async def stream(self, request: PromptRequest) -> AsyncIterator[AsyncIterator[Event]]:
        """The events of one request, as they happen; the last is always Finished, whatever the outcome.

        Leaving the block early cancels the request and closes its connection. Raises LedgerError when
        the ledger refuses.
        """
        async with self._running(request, streamed=True) as running:
            yield running.events

    async def complete(self, request: PromptRequest) -> Result:
        """Run one request to its end; raises LedgerError when the ledger refuses."""
        async with self._running(request, streamed=False) as running:
            async for event in running.events:
                if isinstance(event, Finished):
                    return event.result
        raise AssertionError("every request ends with Finished")

    @asynccontextmanager
    async def _running(self, request: PromptRequest, *, streamed: bool) -> AsyncIterator[RunningRequest]:
        if not self._is_open:
            raise MisuseError("the engine is closed")
        async with AsyncExitStack() as stack:
            running = RunningRequest(self._wiring, request, streamed=streamed)
            await stack.enter_async_context(aclosing(running))
            if running.hedges:
                running.tasks = await stack.enter_async_context(background_tasks())
            yield running

    async def _close(self) -> None:
        self._is_open = False
        await self._wiring.deliverer.aclose(DELIVER_AT_CLOSE)


@asynccontextmanager
async def _opened_ledger(
    loaded: Loaded, ledger: Ledger | str | None, environ: Mapping[str, str], clock: Clock
) -> AsyncIterator[Ledger]:
    if ledger is not None and not isinstance(ledger, str):
        yield ledger
        return
    rules = loaded.partial.policy.ledger
    path = path_of(ledger or default_url(environ))
    now = clock.now()
    keep_after = now - rules.retention if rules.retention is not None else None
    async with SqliteLedger.open(path, durability=rules.durability, keep_after=keep_after, now=now) as opened:
        yield opened


def _http(ways: Mapping[str, Way]) -> Transport:
    # imported here: a simulation should not pay for an HTTP client
    from route_run.transport.http import HttpTransport

    return HttpTransport(ways)
