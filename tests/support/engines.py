"""Engines over scripted transports: a small policy, an engine in virtual time, what it stored."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from typing import Any

import anyio

from route_run.errors import LedgerError
from route_run.flow.event import Event, Finished, Result, Text
from route_run.flow.limits import Used
from route_run.flow.request import PromptRequest
from route_run.ledger import Entry, EntryKind, MemoryLedger
from route_run.runtime.clock import LoopClock
from route_run.runtime.engine import Engine
from route_run.schema import schema_text
from route_run.table import Limit, Loaded
from route_run.transport.seam import Transport

BEGAN = 1_800_000_000.0
"""The time of day at which every scripted engine begins."""

ENVIRON = {"KEY": "key-of-the-first", "SECRET": "secret-of-the-client", "ID": "client"}


def policy(
    *,
    first: str = "",
    second: str = "",
    upstream: str = "",
    route: str = "match: {}",
    more: str = "",
    dialect: str = "openai",
    targets: int = 2,
) -> str:
    """A policy of one route and up to three endpoints that serve one model; arguments add fields in flow style."""
    names = ["first", "second", "third"][:targets]
    fields = {"first": first, "second": second, "third": ""}
    endpoints = "\n".join(
        f"  {name}: {{dialect: {dialect}, base_url: 'https://{name}.test/v1', serves: {{m: {{}}}}"
        + (f", {fields[name]}" if fields[name] else "")
        + "}"
        for name in names
    )
    listed = ", ".join(f"{{endpoint: {name}, model: m}}" for name in names)
    return f"""\
version: 1
endpoints:
{endpoints}
models:
  m: {{context_window: 10000, max_output_tokens: 1000, price: {{input: 1, output: 2}}, capabilities: [json, tools]}}
upstreams:
  main: {{targets: [{listed}]{", " if upstream else ""}{upstream}}}
routes:
  all: {{{route}, upstream: main}}
{more}
"""


@asynccontextmanager
async def opened(
    loaded: Loaded,
    transport: Transport,
    ledger: Any = None,
    environ: Mapping[str, str] = ENVIRON,
    seed: int = 1,
    used: Sequence[tuple[Limit, Used]] = (),
) -> AsyncIterator[Engine]:
    """An engine whose time of day moves with the loop's clock."""
    kept = MemoryLedger() if ledger is None else ledger
    async with Engine.open(
        loaded, ledger=kept, environ=environ, transport=transport, clock=LoopClock(BEGAN), seed=seed, used=used
    ) as engine:
        yield engine


async def events_of(engine: Engine, prompt: str = "Hello", **fields: Any) -> list[Event]:
    """All events of one streamed request."""
    async with engine.stream(PromptRequest.of(prompt=prompt, **fields)) as events:
        return [event async for event in events]


async def streamed_result(engine: Engine, prompt: str = "Hello", **fields: Any) -> Result:
    """The result of one streamed request."""
    last = (await events_of(engine, prompt, **fields))[-1]
    assert isinstance(last, Finished)
    return last.result


async def completed_result(engine: Engine, prompt: str = "Hello", **fields: Any) -> Result:
    """The result of one request that asks for a plain answer."""
    return await engine.complete(PromptRequest.of(prompt=prompt, **fields))


def text_of(events: list[Event]) -> str:
    """The text that a caller was given."""
    return "".join(event.text for event in events if isinstance(event, Text))


def causes(result: Result) -> list[str | None]:
    """Per attempt the cause of its failure, None for the one that answered."""
    return [attempt.failure.cause.value if attempt.failure else None for attempt in result.attempts]


def records(ledger: MemoryLedger) -> list[dict[str, Any]]:
    """The records that were stored; each is held to the schema."""
    found = [dict(entry.body) for entry in ledger.entries if entry.kind is EntryKind.RECORD]
    for record in found:
        _record_schema().validate(record)
    return found


@cache
def _record_schema() -> Any:
    import json

    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema_text("record")))


class AwaitingLedger(MemoryLedger):
    """Gives way before it stores and once more before it says so, as a ledger on a disk does."""

    async def append(self, entries: Any) -> None:
        await anyio.lowlevel.checkpoint()
        await super().append(entries)
        await anyio.lowlevel.checkpoint()


class RefusingLedger(MemoryLedger):
    """Stores nothing of one kind."""

    def __init__(self, *refused: EntryKind) -> None:
        super().__init__()
        self._refused = refused

    async def append(self, entries: Any) -> None:
        if any(isinstance(entry, Entry) and entry.kind in self._refused for entry in entries):
            raise LedgerError("the disk is full")
        await super().append(entries)
