"""Whoever changes a ledger is found out: every way of working on the file that shows in the chain."""

from __future__ import annotations

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from route_run.ledger import Entry, EntryKind
from route_run.ledger.chain import GENESIS, canonical, link
from support.ledgers import attempt, broken, changed, record, written

COUNT = 12


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger of six requests: entries 1 to 12, an attempt and a record of each."""
    entries = [entry for number in range(COUNT // 2) for entry in (attempt(number), record(number))]
    return written(tmp_path / "ledger.sqlite3", entries)


def test_an_untouched_ledger_is_whole(ledger: Path) -> None:
    assert broken(ledger) == []


@pytest.mark.parametrize("seq", range(1, COUNT + 1))
def test_a_changed_text_is_found_where_it_is(ledger: Path, seq: int) -> None:
    changed(ledger, f'UPDATE entries SET text = replace(text, \'"route":"all"\', \'"route":"own"\') WHERE seq = {seq}')

    assert [number for number, _ in broken(ledger)] == [seq]


def test_a_single_changed_character_is_found_wherever_it_is(ledger: Path) -> None:
    dice = random.Random(5)
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        for _ in range(60):
            seq = dice.randint(1, COUNT)
            (text,) = connection.execute("SELECT text FROM entries WHERE seq = ?", (seq,)).fetchone()
            place = dice.randrange(len(text))
            spoilt = text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]
            connection.execute("UPDATE entries SET text = ? WHERE seq = ?", (spoilt, seq))
            assert seq in [number for number, _ in broken(ledger)]
            connection.execute("UPDATE entries SET text = ? WHERE seq = ?", (text, seq))

    assert broken(ledger) == []


@pytest.mark.parametrize("seq", [1, 6, COUNT])
def test_a_changed_hash_is_found(ledger: Path, seq: int) -> None:
    changed(ledger, f"UPDATE entries SET hash = '{'f' * 64}' WHERE seq = {seq}")

    assert seq in [number for number, _ in broken(ledger)]


def test_a_change_with_its_own_hash_made_anew_is_found_at_the_next_entry(ledger: Path) -> None:
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        (before,) = connection.execute("SELECT hash FROM entries WHERE seq = 5").fetchone()
        (text,) = connection.execute("SELECT text FROM entries WHERE seq = 6").fetchone()
        spoilt = text.replace('"completed"', '"cancelled"')
        connection.execute("UPDATE entries SET text = ?, hash = ? WHERE seq = 6", (spoilt, link(before, spoilt)))

    assert [number for number, _ in broken(ledger)] == [7]


@pytest.mark.parametrize("removed", [(1,), (1, 2, 3), (6,), (5, 6), (2, 9), (11,)])
def test_removed_entries_are_found(ledger: Path, removed: tuple[int, ...]) -> None:
    changed(ledger, f"DELETE FROM entries WHERE seq IN ({', '.join(map(str, removed))})")

    assert broken(ledger)


def test_removed_entries_are_named(ledger: Path) -> None:
    changed(ledger, "DELETE FROM entries WHERE seq IN (5, 6)")

    assert (7, "entries 5 to 6 are missing") in broken(ledger)


def test_removed_entries_whose_gap_was_closed_are_found(ledger: Path) -> None:
    changed(ledger, "DELETE FROM entries WHERE seq = 6", "UPDATE entries SET seq = seq - 1 WHERE seq > 6")

    assert [number for number, _ in broken(ledger)] == [6]


@pytest.mark.parametrize(("one", "other"), [(1, 2), (4, 9), (11, 12)])
def test_swapped_entries_are_found(ledger: Path, one: int, other: int) -> None:
    changed(
        ledger,
        f"UPDATE entries SET seq = 1000 WHERE seq = {one}",
        f"UPDATE entries SET seq = {one} WHERE seq = {other}",
        f"UPDATE entries SET seq = {other} WHERE seq = 1000",
    )

    assert one in [number for number, _ in broken(ledger)]


def test_an_entry_that_was_put_in_is_found(ledger: Path) -> None:
    changed(
        ledger,
        "UPDATE entries SET seq = -seq WHERE seq > 6",
        "UPDATE entries SET seq = -seq + 1 WHERE seq < 0",
        "INSERT INTO entries SELECT 7, at, kind, request_id, text, hash FROM entries WHERE seq = 6",
    )

    assert 7 in [number for number, _ in broken(ledger)]


def test_entries_of_another_ledger_are_found(ledger: Path, tmp_path: Path) -> None:
    other = written(tmp_path / "other.sqlite3", [record(50), record(51)])
    with closing(sqlite3.connect(other)) as connection:
        (row,) = connection.execute("SELECT text, hash FROM entries WHERE seq = 2").fetchall()
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET text = ?, hash = ? WHERE seq = 8", row)

    assert 8 in [number for number, _ in broken(ledger)]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param("UPDATE entries SET kind = 'delivery' WHERE seq = 6", id="kind"),
        pytest.param("UPDATE entries SET request_id = 'req_other' WHERE seq = 6", id="request id"),
        pytest.param("UPDATE entries SET at = 0 WHERE seq = 6", id="time"),
    ],
)
def test_a_column_that_no_longer_says_what_its_entry_says_is_found(ledger: Path, change: str) -> None:
    # the columns are what lists, filters and sums go by: a record could be hidden with them
    changed(ledger, change)

    assert 6 in [number for number, _ in broken(ledger)]


@pytest.mark.parametrize("text", ["", "[1]", '{"body": 1}'])
def test_an_entry_about_pruning_that_was_spoilt_is_found(ledger: Path, text: str) -> None:
    written(ledger, [record(90)], keep_after=record(3).at, now=record(80).at)
    assert broken(ledger) == []
    with closing(sqlite3.connect(ledger, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET text = ? WHERE kind = 'pruned'", (text,))

    assert broken(ledger)


def test_a_ledger_cut_at_its_front_without_a_word_is_found_even_after_pruning(ledger: Path) -> None:
    written(ledger, [record(90)], keep_after=record(2).at, now=record(80).at)
    changed(ledger, "DELETE FROM entries WHERE seq IN (SELECT seq FROM entries ORDER BY seq LIMIT 2)")

    assert broken(ledger)


# -- the chain itself ---------------------------------------------------------------------------------


def test_a_hash_follows_from_the_one_before_and_from_every_part_of_an_entry() -> None:
    entry = Entry(EntryKind.RECORD, "req_1", 1.0, {"a": 1})
    others = [
        Entry(EntryKind.ATTEMPT, "req_1", 1.0, {"a": 1}),
        Entry(EntryKind.RECORD, "req_2", 1.0, {"a": 1}),
        Entry(EntryKind.RECORD, "req_1", 2.0, {"a": 1}),
        Entry(EntryKind.RECORD, "req_1", 1.0, {"a": 2}),
    ]
    hashes = {link(GENESIS, canonical(e)) for e in (entry, *others)} | {link("1" * 64, canonical(entry))}

    assert len(hashes) == 6


def test_the_order_of_fields_does_not_count() -> None:
    one = Entry(EntryKind.RECORD, "r", 1.0, {"a": 1, "b": {"c": 2, "d": 3}})
    other = Entry(EntryKind.RECORD, "r", 1.0, {"b": {"d": 3, "c": 2}, "a": 1})

    assert canonical(one) == canonical(other)


def test_the_chain_of_version_1_stays_what_it_is() -> None:
    text = canonical(Entry(EntryKind.RECORD, "req_1", 1.5, {"a": "ü", "b": None}))

    assert text == '{"at":1.5,"body":{"a":"ü","b":null},"kind":"record","request_id":"req_1"}'
    assert link(GENESIS, text) == "f365e0031734498d37167cf9b64bf9a53cc15c240243317e1892b61106cc1522"
