"""The ledger under several processes, and under processes that die."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import anyio
import pytest

from route_run.ledger import LedgerReader, SqliteLedger
from support import appender
from support.ledgers import broken, record, written

APPENDER = [sys.executable, appender.__file__]


def started(path: Path, name: str, count: int, *more: str) -> subprocess.Popen[str]:
    """A process that appends, and says a line for each entry that is stored."""
    command = [*APPENDER, str(path), name, str(count), *more]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def stored(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [row[0] for row in connection.execute("SELECT request_id FROM entries ORDER BY seq")]


def test_several_processes_append_to_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    processes = [started(path, name, 60) for name in ("a", "b", "c", "d")]
    said = [process.communicate(timeout=60)[0].split() for process in processes]

    assert [len(lines) for lines in said] == [60] * 4
    assert sorted(stored(path)) == sorted(line for lines in said for line in lines)
    assert broken(path) == []


def test_each_process_finds_its_own_entries_in_its_own_order(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    processes = [started(path, name, 30) for name in ("a", "b")]
    for process in processes:
        process.communicate(timeout=60)

    for name in ("a", "b"):
        assert [i for i in stored(path) if i.startswith(name)] == [f"{name}-{n}" for n in range(1, 31)]


def test_many_may_make_one_ledger_at_the_same_moment(tmp_path: Path) -> None:
    """SQLite itself says "database is locked" to some of them; enough tries to see it nearly always."""
    for number in range(60):
        path, at_once = tmp_path / f"{number}.sqlite3", threading.Barrier(8)

        def make(path: Path = path, at_once: threading.Barrier = at_once) -> None:
            at_once.wait()
            anyio.run(opened_and_closed, path)

        with ThreadPoolExecutor(8) as threads:
            for made in [threads.submit(make) for _ in range(8)]:
                made.result()


async def opened_and_closed(path: Path) -> None:
    async with SqliteLedger.open(path):
        pass


def kill_rounds(path: Path, rounds: int) -> None:
    """Kill a process while it appends, again and again; what it said was stored has to be there each time."""
    dice = random.Random(11)
    acknowledged: set[str] = set()
    for number in range(rounds):
        process = started(path, f"round{number}", 1_000_000)
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(dice.randint(1, 40))]
        process.kill()
        lines += process.communicate()[0].splitlines(keepends=True)
        acknowledged |= {line.strip() for line in lines if line.endswith("\n")}
        assert acknowledged <= set(stored(path))
        assert broken(path) == []


def test_no_acknowledged_entry_is_lost_when_a_process_is_killed(tmp_path: Path) -> None:
    kill_rounds(tmp_path / "ledger.sqlite3", 20)


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_no_acknowledged_entry_is_lost_in_a_thousand_kills(tmp_path: Path) -> None:
    for part in range(20):  # the chain is verified whole each time, so a file holds fifty rounds
        kill_rounds(tmp_path / f"ledger{part}.sqlite3", 50)


def test_a_file_that_may_not_grow_is_told_by_name_and_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    said = started(path, "a", 100_000, "120000").communicate(timeout=60)[0].splitlines()

    assert "LedgerError: the ledger " in said[-1]
    assert str(path) in said[-1]
    assert set(said[:-1]) <= set(stored(path))
    assert broken(path) == []


def without_override() -> list[str]:
    """A command prefix under which even root has to keep to permissions."""
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None:
        pytest.skip("root reads and writes everything, and there is no setpriv to take that away")
    return ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]


def test_a_file_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    path = written(tmp_path / "ledger.sqlite3", [record(1)])
    path.chmod(0o400)
    command = [*without_override(), *APPENDER, str(path), "a", "1"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout

    assert said.strip() == f"LedgerError: the ledger {path} cannot be opened: [Errno 13] Permission denied: '{path}'"


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(mode=0o500)
    command = [*without_override(), *APPENDER, str(folder / "ledger.sqlite3"), "a", "1"]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False).stdout

    assert said.startswith(f"LedgerError: the ledger {folder / 'ledger.sqlite3'} cannot be opened")


def test_a_ledger_is_read_while_another_process_writes_it(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite3"
    process = started(path, "a", 1_000_000)
    assert process.stdout is not None
    for _ in range(5):
        process.stdout.readline()
    with LedgerReader(path) as reader:
        count, links = reader.count(), list(reader.broken_links())
    process.kill()
    process.communicate()

    assert count >= 5
    assert links == []


DEFECTIVE = """
import pathlib, sys, anyio
from route_run.ledger import sqlite
from support.ledgers import append_each, record

def defective(*arguments):
    raise ZeroDivisionError("a defect")

sqlite._append = defective
try:
    anyio.run(append_each, pathlib.Path(sys.argv[1]), [record(1)])
except ZeroDivisionError:
    print("ended")
"""


def test_a_defect_of_the_writer_ends_the_ledger_instead_of_hanging_it(tmp_path: Path) -> None:
    # as a process of its own, because what hangs here cannot be cancelled
    process = subprocess.Popen(
        [sys.executable, "-c", DEFECTIVE, str(tmp_path / "ledger.sqlite3")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    try:
        said, _ = process.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        said = "still hanging after 10 s"

    assert said == "ended\n"
