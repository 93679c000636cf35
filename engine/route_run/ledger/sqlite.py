"""The ledger on SQLite: one writer, chained entries, writes that come together share one transaction.

Decides when an entry counts as stored: with `strict` and `grouped` after it has reached the disk
(write-ahead log, `synchronous=FULL`; with less, a power cut loses acknowledged entries).
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path

import anyio
from anyio.streams.memory import MemoryObjectReceiveStream, MemoryObjectSendStream

from route_run.errors import LedgerError
from route_run.ledger.chain import GENESIS, Entry, EntryKind, canonical, link
from route_run.transport.tasks import background_tasks

MOST_WAITING = 1024
"""Writes that may wait for the writer; a further one waits for its place."""
LARGEST_GROUP = 256
BUSY_SECONDS = 10.0

SCHEMA_VERSION = 1
_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    seq INTEGER PRIMARY KEY,
    at REAL NOT NULL,
    kind TEXT NOT NULL,
    request_id TEXT NOT NULL,
    text TEXT NOT NULL,
    hash TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS entries_by_request ON entries (request_id, seq);
CREATE INDEX IF NOT EXISTS entries_by_kind ON entries (kind, seq);
"""


class _Write:
    """Entries with their canonical text, on their way to the disk."""

    def __init__(self, entries: Sequence[tuple[Entry, str]]) -> None:
        self.entries = entries
        self.done = anyio.Event()
        self.error: str | None = None


class SqliteLedger:
    """Use ``async with SqliteLedger.open(path, …) as ledger``."""

    def __init__(self, path: Path, connection: sqlite3.Connection, writes: MemoryObjectSendStream[_Write]) -> None:
        self._path = path
        self._connection = connection
        self._writes = writes
        self._idle = anyio.Event()

    @classmethod
    @asynccontextmanager
    async def open(
        cls, path: Path, *, durability: str = "grouped", keep_after: float | None = None, now: float = 0.0
    ) -> AsyncIterator[SqliteLedger]:
        """Open or make a ledger file; raises LedgerError when that is not possible.

        ``keep_after`` (seconds since 1970) removes older entries first; the chain stays whole.
        """
        connection = await anyio.to_thread.run_sync(_opened, path, durability)
        try:
            if keep_after is not None:
                await anyio.to_thread.run_sync(_prune, connection, keep_after, now)
            sending, receiving = anyio.create_memory_object_stream[_Write](MOST_WAITING)
            async with background_tasks() as tasks:
                ledger = cls(path, connection, sending)
                tasks.start_soon(ledger._write_all, receiving, 1 if durability == "strict" else LARGEST_GROUP)
                try:
                    yield ledger
                finally:
                    await ledger._drained()
        finally:
            connection.close()

    async def append(self, entries: Sequence[Entry]) -> None:
        """Store entries together, or none of them; raises LedgerError when they cannot be stored."""
        try:
            # written here, so that an entry that cannot be written takes no other with it
            write = _Write([(entry, canonical(entry)) for entry in entries])
        except (TypeError, ValueError) as error:
            raise LedgerError(f"an entry cannot be written: {error}") from error
        try:
            await self._writes.send(write)
        except (anyio.ClosedResourceError, anyio.BrokenResourceError) as error:
            raise LedgerError("the ledger is closed") from error
        await write.done.wait()
        if write.error is not None:
            raise LedgerError(write.error)

    async def _drained(self) -> None:
        """Take no more writes, and wait until those on their way have reached the disk."""
        self._writes.close()
        with anyio.CancelScope(shield=True):
            await self._idle.wait()

    async def _write_all(self, writes: MemoryObjectReceiveStream[_Write], largest: int) -> None:
        """Ends when the ledger is closed, not when it is cancelled: a cancelled request has a record too."""
        with anyio.CancelScope(shield=True):
            try:
                async with writes:
                    async for first in writes:
                        group = [first, *_waiting(writes, largest - 1)]
                        error = await anyio.to_thread.run_sync(self._store, [e for w in group for e in w.entries])
                        for write in group:
                            write.error = error
                            write.done.set()
            finally:
                self._idle.set()  # after a defect too: closing waits for it, shielded

    def _store(self, entries: Sequence[tuple[Entry, str]]) -> str | None:
        """Store entries in one transaction; returns why they could not be, in words."""
        try:
            _append(self._connection, entries)
        except sqlite3.Error as error:
            return f"the ledger {self._path} cannot be written: {error}"
        return None


def _waiting(writes: MemoryObjectReceiveStream[_Write], most: int) -> Iterable[_Write]:
    found: list[_Write] = []
    while len(found) < most:
        try:
            found.append(writes.receive_nowait())
        except (anyio.WouldBlock, anyio.EndOfStream):
            break
    return found


def connect(path: Path, *, read_only: bool = False) -> sqlite3.Connection:
    """A connection to a ledger file; raises LedgerError that names the file."""
    try:
        if read_only:
            return sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise LedgerError(f"the ledger {path} cannot be opened: {error}") from error


def _opened(path: Path, durability: str) -> sqlite3.Connection:
    connection = connect(path)
    try:
        _use_write_ahead_log(connection)
        connection.execute(f"PRAGMA synchronous={'OFF' if durability == 'off' else 'FULL'}")
        check_version(connection, path)
        connection.executescript(_SCHEMA)
        connection.execute(f"PRAGMA user_version={SCHEMA_VERSION}")
    except sqlite3.Error as error:
        connection.close()
        raise LedgerError(f"the ledger {path} cannot be opened: {error}") from error
    except LedgerError:
        connection.close()
        raise
    return connection


def _use_write_ahead_log(connection: sqlite3.Connection) -> None:
    """SQLite does not wait for others when it changes the journal: two who make a ledger would lock each other out."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            time.sleep(0.01)
        else:
            return


def check_version(connection: sqlite3.Connection, path: Path) -> None:
    """Raises LedgerError for a file that a newer release wrote."""
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version not in (0, SCHEMA_VERSION):
        raise LedgerError(f"the ledger {path} has version {version}; this release reads version {SCHEMA_VERSION}")


def _append(connection: sqlite3.Connection, entries: Sequence[tuple[Entry, str]]) -> None:
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")  # other processes append to the same chain
        try:
            row = cursor.execute("SELECT hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
            head = row[0] if row is not None else GENESIS
            for entry, text in entries:
                head = link(head, text)
                cursor.execute(
                    "INSERT INTO entries (at, kind, request_id, text, hash) VALUES (?, ?, ?, ?, ?)",
                    (entry.at, entry.kind.value, entry.request_id, text, head),
                )
            cursor.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:  # a full disk has ended it already
                cursor.execute("ROLLBACK")
            raise


def _prune(connection: sqlite3.Connection, keep_after: float, now: float) -> None:
    """Remove the oldest entries; an entry tells how many went and which hash the rest follows."""
    try:
        first_kept = connection.execute("SELECT min(seq) FROM entries WHERE at >= ?", (keep_after,)).fetchone()[0]
        newest = connection.execute("SELECT max(seq) FROM entries").fetchone()[0]
        last = newest if first_kept is None else first_kept - 1
        row = connection.execute("SELECT seq, hash FROM entries WHERE seq = ?", (last,)).fetchone()
        if row is None:
            return
        (count,) = connection.execute("SELECT count(*) FROM entries WHERE seq <= ?", (last,)).fetchone()
        body = {"removed": count, "last_seq": last, "last_hash": row[1]}
        entry = Entry(EntryKind.PRUNED, "", now, body)
        _append(connection, [(entry, canonical(entry))])
        connection.execute("DELETE FROM entries WHERE seq <= ?", (last,))
    except sqlite3.Error as error:
        raise LedgerError(f"old records cannot be removed: {error}") from error
