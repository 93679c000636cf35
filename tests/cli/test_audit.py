"""`route-run audit`: what happened, what it cost, whether the ledger is whole."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from route_run.ledger import Entry, EntryKind
from support.commands import Commands
from support.ledgers import ANSWERED, attempt, changed, record, tagged, written

FAILED = {**ANSWERED, "status": 503, "failure": "overloaded", "cause": "status", "message": "too busy \x1b[31m",
    "usage": None, "cost_usd": "0", "billed": "none", "first_content_ms": None}  # fmt: skip
GUARD = {"guard": "injection", "score": 0.9, "threshold": 0.8, "hits": ["override/1"], "fired": True, "then": "flag"}
ENTRIES: Sequence[Entry] = [
    attempt(1),
    record(1, cost_usd="0.5", attributes=tagged(tenant="acme"), git_revision="ab" * 20),
    attempt(2),
    attempt(2, of=2, endpoint="second"),
    record(2, attempts=[FAILED, {**ANSWERED, "number": 2, "endpoint": "second", "cost_usd": None, "billed": "unknown"}],
        endpoint="second", cost_usd=None, usage=None, guards=[GUARD],
        held_back=[{"endpoint": "third", "model": "m", "why": "its breaker is open", "after": 1}],
        webhooks=[{"id": "msg_1", "webhook": "ops", "event": "fell_back"}]),
    record(3, outcome="rejected", attempts=[], endpoint=None, model=None, usage=None, cost_usd="0", route=None,
        error="rejected by the guard \x1b[31m"),
    record(4, simulated=True, cost_usd="0"),
    Entry(EntryKind.DELIVERY, record(2).request_id, 2e9, {"id": "msg_1", "webhook": "ops", "event": "fell_back",
        "tries": 3, "outcome": "delivered"}),
    attempt(5),
]  # fmt: skip
FIRST, SECOND, REJECTED, UNFINISHED = (record(n).request_id for n in (1, 2, 3, 5))


@pytest.fixture
def cli(cli: Commands) -> Commands:
    """Commands on a ledger of five requests: done, fallen back, rejected, simulated, unfinished."""
    written(cli.ledger, ENTRIES)
    return cli


def ids(cli: Commands, *arguments: str) -> list[str]:
    return [str(int(body["request_id"][4:])) for body in cli("audit", "list", "--json", *arguments).lines]


# -- list ---------------------------------------------------------------------------------------------


def test_requests_are_listed_newest_first(cli: Commands) -> None:
    ran = cli("audit", "list")
    rows = ran.out.splitlines()

    assert ran.code == 0
    assert rows[0].split()[:3] == ["started", "(UTC)", "request"]
    assert [row.split()[2][-1] for row in rows[1:]] == ["5", "4", "3", "2", "1"]


def test_a_row_tells_outcome_route_answerer_tokens_time_and_cost(cli: Commands) -> None:
    row = cli("audit", "list").out.splitlines()[-1]

    assert row.split() == ["2027-01-15", "08:00:59", FIRST, "completed", "all", "first/m", "1", "10+5", "1000", "0.5"]


def test_a_cost_that_is_not_known_is_called_so(cli: Commands) -> None:
    rows = cli("audit", "list").out.splitlines()

    assert rows[4].split()[-1] == "unknown"
    assert rows[1].split()[-1] == "unknown"


def test_simulated_and_unfinished_requests_are_marked(cli: Commands) -> None:
    rows = cli("audit", "list").out.splitlines()

    assert "unfinished" in rows[1]
    assert "completed (simulated)" in rows[2]


def test_a_list_as_json_is_a_record_a_line(cli: Commands) -> None:
    records = cli("audit", "list", "--json").lines

    assert [body["outcome"] for body in records] == ["unfinished", "completed", "rejected", "completed", "completed"]
    assert records[-1] == dict(ENTRIES[1].body)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (("-n", "2"), "54"),
        (("--outcome", "rejected"), "3"),
        (("--outcome", "unfinished"), "5"),
        (("--route", "all"), "5421"),
        (("--endpoint", "second"), "2"),
        (("--since", "2027-01-15T08:03:00+00:00"), "543"),
        (("--since", "2027-01-15T09:03:00+01:00"), "543"),
        (("--since", "2027-01-16"), ""),
        (("--since", "2027-01-15"), "54321"),
        (("--outcome", "completed", "--endpoint", "first"), "41"),
    ],
)
def test_a_list_keeps_to_its_filters(cli: Commands, arguments: tuple[str, ...], found: str) -> None:
    assert ids(cli, *arguments) == list(found)


def test_since_may_be_a_duration(cli: Commands) -> None:
    assert len(ids(cli, "--since", "36500d")) == 5


@pytest.mark.parametrize("since", ["", "soon", "2026-13-01", "24", "-1h", "10000-01-01"])
def test_a_since_that_is_no_time_is_a_usage_error(cli: Commands, since: str) -> None:
    ran = cli("audit", "list", "--since", since)

    assert ran.code == 2
    assert "--since takes a duration such as 24h or a date" in ran.err


def test_an_empty_list_has_its_head(cli: Commands) -> None:
    ran = cli("audit", "list", "--route", "nobody")

    assert ran.code == 0
    assert len(ran.out.splitlines()) == 1
    assert cli("audit", "list", "--route", "nobody", "--json").out == ""


# -- show ---------------------------------------------------------------------------------------------


def test_a_request_is_shown_whole(cli: Commands) -> None:
    text = cli("audit", "show", SECOND).out
    assert "held back   third/m after attempt 1: its breaker is open\n" in text

    for words in (
        f"request     {SECOND}",
        "started     2027-01-15 08:01:59 UTC, took 1000 ms",
        "outcome     completed",
        "guard       injection: score 0.9 of 0.8, override/1",
        "attempt 1   first/m: overloaded (too busy",
        "attempt 2   second/m: answered in 900 ms, first content after 300 ms; cost unknown",
        "sizes       prompt 5 bytes, answer 5 bytes",
        "cost        unknown",
        "webhook     ops: fell_back (msg_1)",
        "delivery    msg_1: delivered after 3 tries",
    ):
        assert words in text


def test_a_request_is_shown_with_its_policy_and_tags(cli: Commands) -> None:
    text = cli("audit", "show", FIRST).out

    assert f"policy      {'ab' * 32}, git {'ab' * 20}" in text
    assert "attributes  tenant=acme; 6 estimated prompt tokens" in text
    assert "cost        0.5 USD" in text


def test_a_request_without_an_end_is_shown_as_unfinished(cli: Commands) -> None:
    ran = cli("audit", "show", UNFINISHED)

    assert ran.code == 0
    assert "outcome     unfinished" in ran.out


@pytest.mark.parametrize("name", [REJECTED, SECOND])
def test_nothing_that_a_terminal_would_act_on_is_shown(cli: Commands, name: str) -> None:
    assert "\x1b" not in cli("audit", "show", name).out
    assert "\x1b" not in cli("audit", "list").out


def test_every_entry_is_shown_as_json(cli: Commands) -> None:
    entries = cli("audit", "show", SECOND, "--json").json

    assert [entry["kind"] for entry in entries] == ["attempt", "attempt", "record", "delivery"]


def test_the_start_of_an_id_will_do(cli: Commands) -> None:
    written(cli.ledger, [record(90, request_id="req_zzzzzz0001")])

    assert "req_zzzzzz0001" in cli("audit", "show", "req_zz").out


@pytest.mark.parametrize(("name", "words"), [("req_zzzzzz", "there is no request"), ("req_00", "several request ids")])
def test_an_id_that_names_no_request_or_several_is_a_usage_error(cli: Commands, name: str, words: str) -> None:
    ran = cli("audit", "show", name)

    assert ran.code == 2
    assert words in ran.err


# -- cost ---------------------------------------------------------------------------------------------


def test_costs_are_summed_with_what_is_not_known_beside_them(cli: Commands) -> None:
    rows = [row.split() for row in cli("audit", "cost").out.splitlines()]

    assert rows[1] == ["m", "2", "10", "5", "0.5", "1"]
    assert rows[-1] == ["all", "3", "10", "5", "0.5", "1"]


def test_costs_as_json_are_one_list(cli: Commands) -> None:
    rows = cli("audit", "cost", "--by", "endpoint", "--json").json

    assert {row["group"]: (row["requests"], row["cost_unknown"]) for row in rows} == {
        "first": (1, 0),
        "second": (1, 1),
        "–": (1, 0),
    }


def test_a_group_of_which_no_cost_is_known_does_not_look_free(cli: Commands) -> None:
    rows = {row["group"]: row for row in cli("audit", "cost", "--by", "endpoint", "--json").json}

    assert rows["first"]["cost_usd"] == "0.5"
    assert rows["–"]["cost_usd"] == "0"
    assert rows["second"]["cost_usd"] is None


@pytest.mark.parametrize("group", ["route", "model", "endpoint", "day", "outcome", "tags.tenant", "tags.nobody"])
def test_costs_can_be_summed_by_everything_that_help_names(cli: Commands, group: str) -> None:
    assert cli("audit", "cost", "--by", group).code == 0


def test_costs_by_tag_name_its_values(cli: Commands) -> None:
    assert [row["group"] for row in cli("audit", "cost", "--by", "tags.tenant", "--json").json] == ["acme", "–"]


def test_costs_keep_to_their_filters(cli: Commands) -> None:
    assert [row["requests"] for row in cli("audit", "cost", "--json", "--outcome", "rejected").json] == [1]


# -- verify -------------------------------------------------------------------------------------------


def test_a_whole_ledger_is_said_to_be_whole(cli: Commands) -> None:
    ran = cli("audit", "verify")

    assert (ran.code, ran.out) == (0, f"{len(ENTRIES)} entries, the chain is whole\n")


def test_a_ledger_that_was_worked_on_is_told_entry_by_entry(cli: Commands) -> None:
    changed(
        cli.ledger,
        "UPDATE entries SET text = replace(text, 'completed', 'cancelled') WHERE seq = 2",
        "DELETE FROM entries WHERE seq = 5",
    )
    ran = cli("audit", "verify")

    assert ran.code == 1
    assert "entry 2: its text or a hash before it was changed" in ran.out
    assert "entry 6: entries 5 to 5 are missing" in ran.out
    assert "broken" in ran.out.splitlines()[-1]


def test_a_ledger_after_real_requests_is_whole(cli: Commands) -> None:
    for fault in ("503", "truncate", "html"):
        cli("run", "--simulate", "Hello", "--fault", f"first={fault}")

    assert cli("audit", "verify").code == 0


# -- where the ledger is ------------------------------------------------------------------------------


def test_the_environment_names_the_ledger(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUTE_RUN_LEDGER", f"sqlite:///{cli.ledger}")

    assert cli("audit", "verify", bare=True).code == 0
