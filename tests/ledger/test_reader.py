"""Reading a ledger: which records, one request whole, sums of cost that never take the unknown for nothing."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from route_run.errors import LedgerError
from route_run.ledger import Entry, EntryKind, Filter, LedgerReader
from route_run.ledger.reader import CostRow
from support.ledgers import ANSWERED, attempt, changed, record, tagged, written

UNKNOWN = {"cost_usd": None, "usage": None}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite3"


def listed(path: Path, most: int = 100, **wanted: Any) -> list[str]:
    """The numbers of the requests that a filter finds, newest first."""
    with LedgerReader(path) as reader:
        return [str(int(body["request_id"][4:])) for body in reader.records(Filter(**wanted), most)]


def costs(path: Path, group_by: str = "model", **wanted: Any) -> list[CostRow]:
    with LedgerReader(path) as reader:
        return reader.costs(Filter(**wanted), group_by)


# -- lists --------------------------------------------------------------------------------------------


def test_twice_as_many_requests_are_twice_the_work(tmp_path: Path) -> None:
    small, large = (_steps(tmp_path / f"{count}.sqlite3", count) for count in (200, 400))
    assert large < 2.5 * small


def _steps(path: Path, count: int) -> int:
    """How many hundreds of steps SQLite needs to list so many requests, each with an attempt and a record."""
    written(path, [entry for number in range(count) for entry in (attempt(number), record(number))])
    steps = 0

    def counted() -> int:
        nonlocal steps
        steps += 1
        return 0

    with LedgerReader(path) as reader:
        reader._connection.set_progress_handler(counted, 100)
        assert len(reader.records(Filter(), 20)) == 20
    return steps


def test_records_come_newest_first(path: Path) -> None:
    written(path, [record(1), record(2), record(3)])

    assert listed(path) == ["3", "2", "1"]


def test_no_more_are_given_than_asked_for(path: Path) -> None:
    written(path, [record(n) for n in range(1, 9)])

    assert listed(path, most=3) == ["8", "7", "6"]


def test_a_record_is_given_as_it_was_stored(path: Path) -> None:
    written(path, [record(1, error="schön ☃")])

    with LedgerReader(path) as reader:
        assert reader.records(Filter(), 1) == [dict(record(1, error="schön ☃").body)]


MANY = [
    record(1),
    record(2, outcome="failed", endpoint=None, model=None),
    record(3, route="sales"),
    record(4, endpoint="second"),
    record(5, simulated=True),
    record(6, outcome="rejected", endpoint=None, attempts=[]),
]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({}, "654321"),
        ({"outcome": "failed"}, "2"),
        ({"outcome": "completed"}, "5431"),
        ({"outcome": "cancelled"}, ""),
        ({"route": "sales"}, "3"),
        ({"route": "sale"}, ""),
        ({"endpoint": "second"}, "4"),
        ({"simulated": True}, "5"),
        ({"simulated": False}, "64321"),
        ({"since": record(4).at}, "654"),
        ({"since": record(4).at + 0.5}, "65"),
        ({"outcome": "completed", "endpoint": "first", "since": record(2).at}, "53"),
    ],
)
def test_a_filter_finds_what_it_names(path: Path, wanted: dict[str, Any], found: str) -> None:
    written(path, MANY)

    assert listed(path, **wanted) == list(found)


def test_a_request_whose_end_was_never_stored_is_shown_as_unfinished(path: Path) -> None:
    written(path, [attempt(1), record(1), attempt(2), attempt(2, of=2, endpoint="second")])

    with LedgerReader(path) as reader:
        first, second = reader.records(Filter(), 10)
    assert (first["request_id"], first["outcome"]) == (record(2).request_id, "unfinished")
    assert second["outcome"] == "completed"


def test_what_an_unfinished_request_cost_is_not_known(path: Path) -> None:
    written(path, [attempt(1)])

    with LedgerReader(path) as reader:
        (body,) = reader.records(Filter(), 10)
    assert body["cost_usd"] is None
    assert body["usage"] is None


@pytest.mark.parametrize(
    ("wanted", "found"),
    [({"outcome": "unfinished"}, "2"), ({"outcome": "completed"}, "1"), ({"route": "all"}, "21"), ({"route": "x"}, "")],
)
def test_unfinished_requests_are_filtered_like_others(path: Path, wanted: dict[str, Any], found: str) -> None:
    written(path, [attempt(1), record(1), attempt(2)])

    assert listed(path, **wanted) == list(found)


def test_a_ledger_without_entries_lists_nothing(path: Path) -> None:
    written(path, [])

    assert listed(path) == []


# -- one request --------------------------------------------------------------------------------------


def test_every_entry_of_a_request_is_given_in_order(path: Path) -> None:
    delivery = Entry(EntryKind.DELIVERY, record(1).request_id, 5.0, {"id": "msg_1", "outcome": "delivered"})
    written(path, [attempt(1), attempt(2), attempt(1, of=2), record(1), delivery, record(2)])

    with LedgerReader(path) as reader:
        kinds = [entry["kind"] for entry in reader.entries_of(record(1).request_id)]
    assert kinds == ["attempt", "attempt", "record", "delivery"]


IDS = ("req_aaaaaa111", "req_aaaaaa222", "req_aaaaaa2", "req_bbbbbb")


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("req_bbbbbb", "req_bbbbbb"),
        ("req_bb", "req_bbbbbb"),
        ("req_aaaaaa1", "req_aaaaaa111"),
        ("req_aaaaaa2", "req_aaaaaa2"),
        ("req_aaaaaa22", "req_aaaaaa222"),
        ("req_b", None),
        ("", None),
        ("req_zzzzzz", None),
        ("%", None),
        ("req_b%", None),
        ("______", None),
        ("REQ_BBBBBB", None),
        ("bbbbbb", None),
        ("req_bbbbbbb", None),
    ],
)
def test_a_request_is_found_by_its_id_or_the_start_of_it(path: Path, asked: str, found: str | None) -> None:
    written(path, [record(n, request_id=name) for n, name in enumerate(IDS)])

    with LedgerReader(path) as reader:
        entries = reader.entries_of(asked)
    assert [entry["request_id"] for entry in entries] == ([found] if found else [])


def test_a_start_that_several_ids_have_is_refused(path: Path) -> None:
    written(path, [record(n, request_id=name) for n, name in enumerate(IDS)])

    with LedgerReader(path) as reader, pytest.raises(LedgerError, match="`req_aaaa` is the start of several"):
        reader.entries_of("req_aaaa")


# -- costs --------------------------------------------------------------------------------------------


def group_of(row: CostRow) -> tuple[str, int, str, int]:
    return row.group, row.requests, str(row.cost), row.unpriced


def test_costs_are_added_up_exactly(path: Path) -> None:
    written(path, [record(n, cost_usd="0.1") for n in range(3)] + [record(9, cost_usd="0.00000001")])

    (row,) = costs(path)
    assert row.cost == Decimal("0.30000001")


def test_a_cost_that_is_not_known_is_counted_and_added_to_nothing(path: Path) -> None:
    written(path, [record(1, cost_usd="0.5"), record(2, **UNKNOWN), record(3, **UNKNOWN)])

    assert [group_of(row) for row in costs(path)] == [("m", 3, "0.5", 2)]


def test_a_request_that_was_never_sent_has_no_unknown_cost(path: Path) -> None:
    written(path, [record(1, outcome="refused", attempts=[], cost_usd="0", usage=None)])

    assert [row.unpriced for row in costs(path, "outcome")] == [0]


def test_what_a_failed_request_cost_is_added_up_too(path: Path) -> None:
    failed = {**ANSWERED, "failure": "broken"}
    written(path, [record(1, outcome="failed", endpoint=None, attempts=[failed], cost_usd="0.25")])

    assert [group_of(row) for row in costs(path, "outcome")] == [("failed", 1, "0.25", 0)]


def test_tokens_are_added_up(path: Path) -> None:
    written(path, [record(1), record(2), record(3, **UNKNOWN)])

    (row,) = costs(path)
    assert (row.prompt_tokens, row.completion_tokens) == (20, 10)


DAY = 86_400
SPREAD: Sequence[Entry] = [
    record(1, cost_usd="1", route="a", attributes=tagged(tenant="acme")),
    record(2, cost_usd="2", route="b", endpoint="second", attributes=tagged(tenant="zeta")),
    record(3, cost_usd="4", route="a", model="other"),
    record(4, cost_usd="8", at=record(4).at + DAY, outcome="interrupted"),
]


@pytest.mark.parametrize(
    ("group_by", "sums"),
    [
        ("route", {"all": "8", "a": "5", "b": "2"}),
        ("model", {"m": "11", "other": "4"}),
        ("endpoint", {"first": "13", "second": "2"}),
        ("outcome", {"interrupted": "8", "completed": "7"}),
        ("day", {"2027-01-16": "8", "2027-01-15": "7"}),
        ("tags.tenant", {"–": "12", "zeta": "2", "acme": "1"}),
        ("tags.nobody", {"–": "15"}),
    ],
)
def test_costs_are_summed_by_group_dearest_first(path: Path, group_by: str, sums: dict[str, str]) -> None:
    written(path, SPREAD)

    assert [(row.group, str(row.cost)) for row in costs(path, group_by)] == list(sums.items())


def test_simulated_requests_can_be_left_out(path: Path) -> None:
    written(path, [record(1, cost_usd="1"), record(2, cost_usd="0", simulated=True)])

    assert [row.requests for row in costs(path, simulated=False)] == [1]


def test_costs_keep_to_the_filter(path: Path) -> None:
    written(path, SPREAD)

    assert [str(row.cost) for row in costs(path, "model", route="a", since=record(2).at)] == ["4"]


# -- files that cannot be read ------------------------------------------------------------------------


def everything(path: Path) -> None:
    """All that a reader can be asked."""
    with LedgerReader(path) as reader:
        reader.records(Filter(), 10)
        reader.entries_of("req_0000000")
        reader.costs(Filter(), "model")
        reader.count()
        list(reader.broken_links())


def test_a_ledger_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(LedgerError, match=f"there is no ledger at {path} yet"):
        LedgerReader(path)


def test_a_reader_makes_no_file(path: Path) -> None:
    with pytest.raises(LedgerError):
        LedgerReader(path)
    assert list(path.parent.iterdir()) == []


@pytest.mark.parametrize("content", [b"not a database at all, really\n" * 99, b"SQLite format 3\0" + b"\xff" * 4096])
def test_a_file_that_is_no_ledger_is_named(path: Path, content: bytes) -> None:
    path.write_bytes(content)

    with pytest.raises(LedgerError, match=str(path)):
        everything(path)


def test_a_folder_in_its_place_is_named(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match=str(tmp_path)):
        everything(tmp_path)


def test_an_empty_file_is_named(path: Path) -> None:
    path.touch()

    with pytest.raises(LedgerError, match=str(path)):
        everything(path)


def test_a_ledger_of_a_newer_release_is_named_with_both_versions(path: Path) -> None:
    written(path, [record(1)])
    changed(path, "PRAGMA user_version=2")

    with pytest.raises(LedgerError, match=rf"the ledger {path} has version 2; this release reads version 1"):
        everything(path)


def test_a_page_that_was_overwritten_is_named(path: Path) -> None:
    written(path, [record(n, error="x" * 500) for n in range(60)])
    content = bytearray(path.read_bytes())
    content[4096:] = b"\xff" * (len(content) - 4096)
    path.write_bytes(content)

    with pytest.raises(LedgerError, match=str(path)):
        everything(path)


@pytest.mark.parametrize("text", ["", "not json", "[1]"])
@pytest.mark.parametrize("ask", ["list", "show", "cost"])
def test_an_entry_that_was_spoilt_is_told_as_a_broken_ledger(path: Path, text: str, ask: str) -> None:
    written(path, [record(1)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE entries SET text = ?", (text,))

    with LedgerReader(path) as reader:
        asks: Mapping[str, Callable[[], object]] = {
            "list": lambda: reader.records(Filter(), 10),
            "show": lambda: reader.entries_of(record(1).request_id),
            "cost": lambda: reader.costs(Filter(), "model"),
        }
        with pytest.raises(LedgerError, match=str(path)):
            asks[ask]()
