"""Ledger files for tests: entries as the engine writes them, stored and changed again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import anyio

from route_run.ledger import Entry, EntryKind, LedgerReader, SqliteLedger

BEGAN = 1_800_000_000.0
"""The time of the first request: 2027-01-15 08:00:00 UTC."""


def record(number: int, *, at: float | None = None, **changed: Any) -> Entry:
    """The record of request ``number``, a minute after the one before; fields can be changed."""
    request_id = changed.pop("request_id", f"req_{number:026d}")
    ended = BEGAN + 60 * number if at is None else at
    return Entry(EntryKind.RECORD, request_id, ended, {**_BODY, "request_id": request_id, "started_at": ended - 1,
        "ended_at": ended, **changed})  # fmt: skip


def attempt(number: int, *, of: int = 1, at: float | None = None, **changed: Any) -> Entry:
    """The start of attempt ``of`` of request ``number``."""
    request_id = changed.pop("request_id", f"req_{number:026d}")
    started = BEGAN + 60 * number - 1 if at is None else at
    body = {"request_id": request_id, "number": of, "route": "all", "endpoint": "first", "model": "m",
        "started_at": started, "policy": "ab" * 32, "attributes": ATTRIBUTES, "simulated": False, "before": None,
        **changed}  # fmt: skip
    return Entry(EntryKind.ATTEMPT, request_id, started, body)


def tagged(**tags: str) -> Mapping[str, Any]:
    """Attributes with these tags."""
    return {**ATTRIBUTES, "tags": tags}


ATTRIBUTES: Mapping[str, Any] = {
    "tags": {},
    "requested_model": None,
    "prompt_tokens": 6,
    "estimate": "estimate@1",
    "needs": [],
    "undeclared_tags": [],
}
ANSWERED: Mapping[str, Any] = {
    "number": 1,
    "endpoint": "first",
    "model": "m",
    "started_at": BEGAN,
    "latency_ms": 900.0,
    "first_content_ms": 300.0,
    "status": 200,
    "failure": None,
    "cause": None,
    "message": None,
    "usage": {"prompt_tokens": 10, "completion_tokens": 5, "cached_tokens": 0},
    "cost_usd": "0.00002",
    "billed": "exact",
    "provider_request_id": None,
}
_BODY: Mapping[str, Any] = {
    "version": 1,
    "latency_ms": 1000.0,
    "first_content_ms": 300.0,
    "outcome": "completed",
    "error": None,
    "finish_reason": "stop",
    "policy": "ab" * 32,
    "git_revision": None,
    "simulated": False,
    "attributes": ATTRIBUTES,
    "seed": 1,
    "snapshot": {"at": BEGAN},
    "route": "all",
    "bounds": [],
    "guards": [],
    "endpoint": "first",
    "model": "m",
    "attempts": [ANSWERED],
    "prompt_bytes": 5,
    "completion_bytes": 5,
    "prompt_hash": None,
    "completion_hash": None,
    "usage": ANSWERED["usage"],
    "cost_usd": "0.00002",
    "webhooks": [],
    "text": None,
}


async def append_each(path: Path, entries: Iterable[Entry], **options: Any) -> None:
    """Store entries one by one."""
    async with SqliteLedger.open(path, **options) as ledger:
        for entry in entries:
            await ledger.append([entry])


async def append_together(path: Path, entries: Sequence[Entry], **options: Any) -> None:
    """Store entries in one transaction."""
    async with SqliteLedger.open(path, **options) as ledger:
        await ledger.append(entries)


def written(path: Path, entries: Sequence[Entry], **options: Any) -> Path:
    """A ledger file with these entries."""
    anyio.run(partial(append_together, path, entries, **options))
    return path


def changed(path: Path, *statements: str) -> Path:
    """The file after somebody has worked on it with SQL."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)
    return path


def broken(path: Path) -> list[tuple[int, str]]:
    """What verifying finds."""
    with LedgerReader(path) as reader:
        return list(reader.broken_links())
