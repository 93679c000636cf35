"""The ledger on SQLite: what is acknowledged is stored, whole, in order and chained."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest

from route_run.errors import LedgerError
from route_run.ledger import Entry, EntryKind, LedgerReader, MemoryLedger, SqliteLedger
from support.ledgers import append_each, broken, record

pytestmark = pytest.mark.anyio


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "ledger.sqlite3"


def stored(path: Path) -> list[str]:
    """The request ids in the order of the file."""
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT request_id FROM entries ORDER BY seq")]


async def test_what_is_appended_is_read_back(path: Path) -> None:
    await append_each(path, [record(1, route="sales"), record(2)])

    with LedgerReader(path) as reader:
        (entry,) = reader.entries_of(record(1).request_id)
    assert entry == {
        "kind": "record",
        "request_id": record(1).request_id,
        "at": record(1).at,
        "body": record(1, route="sales").body,
    }


async def test_entries_stand_in_the_order_of_the_calls(path: Path) -> None:
    await append_each(path, [record(n) for n in range(1, 30)])

    assert stored(path) == [record(n).request_id for n in range(1, 30)]


async def test_a_ledger_is_opened_again_and_goes_on(path: Path) -> None:
    await append_each(path, [record(1)])
    await append_each(path, [record(2)])

    assert len(stored(path)) == 2
    assert broken(path) == []


async def test_the_chain_is_the_one_that_memory_makes(path: Path) -> None:
    entries = [record(1), record(2, error="schön ☃ 'quoted'"), record(3)]
    memory = MemoryLedger()
    await memory.append(entries)
    await append_each(path, entries)

    with closing(sqlite3.connect(path)) as connection:
        (head,) = connection.execute("SELECT hash FROM entries ORDER BY seq DESC LIMIT 1").fetchone()
    assert head == memory.head


async def test_an_entry_is_on_the_disk_when_append_returns(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        await ledger.append([record(1)])
        assert stored(path) == [record(1).request_id]


async def test_a_thousand_concurrent_appends_share_few_transactions(path: Path) -> None:
    begun: list[str] = []
    async with SqliteLedger.open(path) as ledger:
        ledger._connection.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)
        async with anyio.create_task_group() as tasks:
            for number in range(1000):
                tasks.start_soon(ledger.append, [record(number)])
        ledger._connection.set_trace_callback(None)

    assert len(stored(path)) == 1000
    assert broken(path) == []
    assert len(begun) <= 100


async def test_a_strict_ledger_makes_a_transaction_for_each_append(path: Path) -> None:
    begun: list[str] = []
    async with SqliteLedger.open(path, durability="strict") as ledger:
        ledger._connection.set_trace_callback(lambda sql: begun.append(sql) if sql.startswith("BEGIN") else None)
        async with anyio.create_task_group() as tasks:
            for number in range(20):
                tasks.start_soon(ledger.append, [record(number)])
        ledger._connection.set_trace_callback(None)

    assert len(begun) == 20


@pytest.mark.parametrize(("durability", "synchronous"), [("strict", 2), ("grouped", 2), ("off", 0)])
async def test_durability_is_what_sqlite_is_asked_for(path: Path, durability: str, synchronous: int) -> None:
    async with SqliteLedger.open(path, durability=durability) as ledger:
        assert ledger._connection.execute("PRAGMA synchronous").fetchone() == (synchronous,)
        assert ledger._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_writes_on_their_way_are_stored_when_the_ledger_closes(path: Path) -> None:
    outcomes: list[str] = []

    async def one(ledger: SqliteLedger, number: int) -> None:
        await ledger.append([record(number)])
        outcomes.append("stored")

    async with anyio.create_task_group() as tasks, SqliteLedger.open(path) as ledger:
        for number in range(50):
            tasks.start_soon(one, ledger, number)
        for _ in range(5):  # until every one of them waits for the disk
            await anyio.lowlevel.checkpoint()

    assert len(outcomes) == len(stored(path)) == 50


async def test_a_closed_ledger_says_so(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        pass

    with pytest.raises(LedgerError, match="closed"):
        await ledger.append([record(1)])


async def test_an_append_that_is_given_up_leaves_the_chain_whole(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        for number in range(20):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ledger.append, [record(number)])
                if number % 2:
                    await anyio.lowlevel.checkpoint()
                tasks.cancel_scope.cancel()
        await ledger.append([record(99)])

    assert stored(path)[-1] == record(99).request_id
    assert broken(path) == []


async def test_what_the_block_raises_arrives_as_it_was(path: Path) -> None:
    raised = KeyError("mine")
    with pytest.raises(KeyError) as caught:
        await raised_inside(path, raised)

    assert caught.value is raised
    assert stored(path) == [record(1).request_id]


async def raised_inside(path: Path, error: Exception) -> None:
    async with SqliteLedger.open(path) as ledger:
        await ledger.append([record(1)])
        raise error


# -- entries that cannot be stored --------------------------------------------------------------------

NOT_A_NUMBER = record(7, latency_ms=float("nan"))
NOT_UTF_8 = record(7, error="\ud800")


@pytest.mark.parametrize("bad", [NOT_A_NUMBER, NOT_UTF_8], ids=["NaN", "a lone surrogate"])
async def test_entries_are_stored_together_or_not_at_all(path: Path, bad: Entry) -> None:
    async with SqliteLedger.open(path) as ledger:
        with pytest.raises(LedgerError, match="cannot be written"):
            await ledger.append([record(1), bad])
        await ledger.append([record(2)])

    assert stored(path) == [record(2).request_id]
    assert broken(path) == []


async def test_an_entry_that_cannot_be_stored_takes_no_other_with_it(path: Path) -> None:
    failed: list[str] = []

    async def one(ledger: SqliteLedger, entries: Sequence[Entry]) -> None:
        try:
            await ledger.append(entries)
        except LedgerError:
            failed.append(entries[0].request_id)

    async with SqliteLedger.open(path) as ledger, anyio.create_task_group() as tasks:
        for number in range(10):
            tasks.start_soon(one, ledger, [NOT_A_NUMBER if number == 5 else record(100 + number)])

    assert failed == [NOT_A_NUMBER.request_id]
    assert len(stored(path)) == 9


# -- the file -----------------------------------------------------------------------------------------


async def test_only_its_owner_can_read_the_file_and_its_folder(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        await ledger.append([record(1)])
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}

    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_a_parent_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(LedgerError, match=r"the ledger .*/file/ledger\.sqlite3 cannot be opened"):
        await append_each(tmp_path / "file" / "ledger.sqlite3", [])


async def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=f"the ledger {tmp_path} cannot be opened"):
        await append_each(tmp_path, [])


async def test_a_file_that_is_no_ledger_is_named_and_left_alone(path: Path) -> None:
    content = b"not a database, certainly not\n" * 100
    path.parent.mkdir()
    await anyio.Path(path).write_bytes(content)

    with pytest.raises(LedgerError, match=f"the ledger {path} cannot be opened: file is not a database"):
        await append_each(path, [record(1)])
    assert await anyio.Path(path).read_bytes() == content


async def test_a_ledger_of_a_newer_release_is_named_and_left_alone(path: Path) -> None:
    await append_each(path, [record(1)])
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version=2")

    with pytest.raises(LedgerError, match=rf"the ledger {path} has version 2; this release reads version 1"):
        await append_each(path, [record(2)])
    assert stored(path) == [record(1).request_id]


async def test_a_file_that_breaks_while_it_is_open_is_named(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        await ledger.append([record(1)])
        ledger._connection.execute("DROP TABLE entries")
        with pytest.raises(LedgerError, match=str(path)):
            await ledger.append([record(2)])


async def test_a_full_disk_is_told_as_such_and_names_the_file(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        await ledger.append([record(1)])
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count={pages + 1}")
        with pytest.raises(LedgerError) as raised:
            await ledger.append([record(2, error="x" * 100_000)])

    assert "full" in str(raised.value)
    assert str(path) in str(raised.value)


async def test_a_full_disk_loses_nothing_that_was_stored_and_is_gone_with_its_cause(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        await ledger.append([record(1)])
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count={pages + 1}")
        with pytest.raises(LedgerError):
            await ledger.append([record(2, error="x" * 100_000)])
        ledger._connection.execute("PRAGMA max_page_count=100000")
        await ledger.append([record(3)])

    assert stored(path) == [record(1).request_id, record(3).request_id]
    assert broken(path) == []


async def test_another_process_that_never_lets_go_is_told_as_such(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("route_run.ledger.sqlite.BUSY_SECONDS", 0.05)
    async with SqliteLedger.open(path) as ledger:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="locked"):
                await ledger.append([record(1)])
            other.execute("ROLLBACK")
        await ledger.append([record(2)])

    assert stored(path) == [record(2).request_id]


async def test_another_process_that_lets_go_in_time_is_waited_for(path: Path) -> None:
    async with SqliteLedger.open(path) as ledger:
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        timer = threading.Timer(0.1, other.execute, ["ROLLBACK"])
        timer.start()
        await ledger.append([record(1)])
        timer.join()
        other.close()

    assert stored(path) == [record(1).request_id]


# -- pruning ------------------------------------------------------------------------------------------


async def pruned(path: Path, keep_after: float, now: float, *more: Entry) -> None:
    await append_each(path, more, keep_after=keep_after, now=now)


def bodies(path: Path, kind: EntryKind) -> list[dict[str, Any]]:
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT text FROM entries WHERE kind = ? ORDER BY seq", (kind.value,)).fetchall()
    return [json.loads(text)["body"] for (text,) in rows]


async def test_pruning_removes_the_old_and_keeps_the_chain_whole(path: Path) -> None:
    await append_each(path, [record(n) for n in range(1, 11)])
    await pruned(path, record(6).at, record(11).at, record(12))

    assert [name for name in stored(path) if name] == [record(n).request_id for n in (6, 7, 8, 9, 10, 12)]
    assert broken(path) == []


async def test_pruning_is_itself_an_entry_that_tells_how_many_went(path: Path) -> None:
    await append_each(path, [record(n) for n in range(1, 11)])
    await pruned(path, record(6).at, record(11).at)

    (told,) = bodies(path, EntryKind.PRUNED)
    assert (told["removed"], told["last_seq"]) == (5, 5)


async def test_pruning_where_nothing_is_old_changes_nothing(path: Path) -> None:
    await append_each(path, [record(1), record(2)])
    await pruned(path, record(1).at, record(3).at)

    assert stored(path) == [record(1).request_id, record(2).request_id]


async def test_pruning_an_empty_ledger_changes_nothing(path: Path) -> None:
    await pruned(path, 100.0, 200.0)

    assert stored(path) == []


async def test_pruning_everything_leaves_a_chain_that_goes_on(path: Path) -> None:
    await append_each(path, [record(1), record(2)])
    await pruned(path, record(5).at, record(9).at, record(10))

    assert [name for name in stored(path) if name] == [record(10).request_id]
    assert broken(path) == []


async def test_pruning_again_and_again_keeps_the_chain_whole(path: Path) -> None:
    for day in range(8):
        entries = [record(day * 10 + n) for n in range(5)]
        await append_each(path, entries, keep_after=record(day * 10 - 12).at, now=record(day * 10).at)
        assert broken(path) == []

    assert len([name for name in stored(path) if name]) == 10


async def test_a_clock_that_was_set_back_never_lets_a_newer_entry_go(path: Path) -> None:
    await append_each(path, [record(1), record(2, at=record(50).at), record(3), record(4)])
    await pruned(path, record(40).at, record(60).at)

    assert [name for name in stored(path) if name] == [record(n).request_id for n in (2, 3, 4)]
    assert broken(path) == []
