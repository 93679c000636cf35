"""What is wrong with a command is one clear message, or one JSON object, and the right exit code."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.commands import Commands
from support.engines import policy

SIMULATED = ("run", "--simulate", "Hello")

# -- usage --------------------------------------------------------------------------------------------

USAGE: dict[str, tuple[tuple[str, ...], str]] = {
    "an unknown command": (("rnu",), "There is no command `rnu`. Did you mean `run`?"),
    "a command like nothing": (("zzzzz",), "Commands: run, lint, rule"),
    "an unknown option": (("run", "Hello", "--simulat"), "--simulate"),
    "an unknown parameter": ((*SIMULATED, "--param", "temprature=1"), "did you mean `temperature`?"),
    "a parameter like nothing": ((*SIMULATED, "--param", "zzzzz=1"), "known: `frequency_penalty`"),
    "a parameter without a value": ((*SIMULATED, "--param", "temperature"), "--param takes NAME=VALUE"),
    "a parameter that is no number": ((*SIMULATED, "--param", "temperature=hot"), "temperature is a number, not `hot`"),
    "a parameter that is not whole": ((*SIMULATED, "--param", "max_tokens=1.5"), "max_tokens is a whole number"),
    "a parameter that is not finite": ((*SIMULATED, "--param", "temperature=nan"), "temperature"),
    "a tag without a value": ((*SIMULATED, "--tag", "desk"), "--tag takes NAME=VALUE, not `desk`"),
    "a tag without a name": ((*SIMULATED, "--tag", "=support"), "--tag takes NAME=VALUE"),
    "a tag given twice": ((*SIMULATED, "--tag", "desk=sales", "--tag", "desk=support"), "`desk` is given twice"),
    "an unknown fault": ((*SIMULATED, "--fault", "first=stal"), "did you mean `stall`?"),
    "a fault of nobody": (
        (*SIMULATED, "--fault", "frist=503"),
        "there is no endpoint `frist`; known: `first`, `second`",
    ),
    "a fault without a kind": ((*SIMULATED, "--fault", "first"), "--fault takes NAME=VALUE"),
    "a fault that is sent": (("run", "Hello", "--fault", "first=503"), "--fault needs --simulate"),
    "two forms": ((*SIMULATED, "--json", "--events"), "exclude each other"),
    "an unknown form": (("lint", "--format", "xml"), "'xml' is not one of"),
    "an unknown schema": (("schema", "polcy"), "'polcy' is not one of"),
    "an unknown group": (("audit", "cost", "--by", "colour"), "--by takes route, model"),
    "an unknown outcome": (("audit", "list", "--outcome", "fine"), "'fine' is not one of"),
    "a time that is none": (("audit", "list", "--since", "yesterday"), "--since takes a duration such as 24h"),
    "none of a list": (("audit", "list", "-n", "0"), "0 is not in the range"),
    "no subcommand": (("audit",), "Commands:"),
    "a ledger of another kind": (("--ledger", "postgresql://u:secret@h/d", "audit", "list"), "sqlite:///FILE"),
}


@pytest.mark.parametrize(("arguments", "words"), USAGE.values(), ids=USAGE.keys())
def test_a_mistake_in_a_command_is_told_in_words_and_exits_with_2(
    cli: Commands, arguments: tuple[str, ...], words: str
) -> None:
    cli(*SIMULATED)  # so that there is a ledger
    ran = cli(*arguments, bare="--ledger" in arguments)

    assert ran.code == 2
    assert words in ran.err + ran.out
    assert "secret" not in ran.err


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--route", "suport"), "there is no route `suport`; did you mean `support`?", id="route"),
        pytest.param(("--tag", "desk=suport"), "did you mean `support`?", id="value of a tag"),
        pytest.param(("--route", "everything"), "the route `everything` is not callable", id="route not callable"),
    ],
)
def test_a_mistake_about_the_policy_is_a_refusal_with_the_right_answer(
    cli: Commands, arguments: tuple[str, ...], words: str
) -> None:
    ran = cli(*SIMULATED, *arguments)

    assert ran.code == 4
    assert words in ran.err


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param((*SIMULATED, "--json", "--param", "temprature=1"), 2, id="parameter"),
        pytest.param((*SIMULATED, "--events", "--tag", "desk"), 2, id="tag"),
        pytest.param((*SIMULATED, "--json", "--fault", "first=stal"), 2, id="fault"),
        pytest.param((*SIMULATED, "--json", "--document", "/no/such/file"), 2, id="document"),
        pytest.param(("run", "--simulate", "--json", ""), 2, id="empty prompt"),
        pytest.param(("run", "Hello", "--json"), 2, id="missing secrets"),
        pytest.param(("run", "Hello", "--json", "--simulate", "--simulat"), 2, id="unknown option"),
        pytest.param(("explain", "Hello", "--json", "--param", "temprature=1"), 2, id="explain"),
        pytest.param(("audit", "show", "--json", "req_zzzzzz"), 2, id="unknown request"),
        pytest.param(("audit", "list", "--json", "--since", "soon"), 2, id="time"),
        pytest.param(("audit", "cost", "--json", "--by", "colour"), 2, id="group"),
        pytest.param(("--policy", "/no/such/folder", "run", "Hello", "--json"), 1, id="policy folder"),
        pytest.param(("--policy", "/no/such/folder", "explain", "Hello", "--json"), 1, id="policy folder of explain"),
    ],
)
def test_with_json_an_error_is_one_object(cli: Commands, arguments: tuple[str, ...], code: int) -> None:
    cli(*SIMULATED)  # so that there is a ledger
    ran = cli(*arguments)

    assert ran.code == code
    assert set(ran.json) == {"error"}
    assert ran.json["error"]["kind"]
    assert ran.json["error"]["message"]


# -- the policy ---------------------------------------------------------------------------------------

COMMANDS = [("run", "Hello", "--simulate"), ("run", "Hello"), ("explain", "Hello"), ("lint",)]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_policy_folder_that_is_not_there_is_named(cli: Commands, tmp_path: Path, command: tuple[str, ...]) -> None:
    ran = cli("--policy", str(tmp_path / "nowhere"), *command, bare=True)

    assert ran.code == 1
    assert f"{tmp_path / 'nowhere'}" in ran.err + ran.out
    assert "route-run init" in ran.err + ran.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_policy_folder_that_is_empty_is_named(cli: Commands, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "empty").mkdir()
    ran = cli("--policy", str(tmp_path / "empty"), *command, bare=True)

    assert ran.code == 1
    assert "holds no `*.yaml` file" in ran.err + ran.out


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_an_invalid_policy_is_told_with_all_of_its_findings(
    cli_on: Callable[..., Commands], command: tuple[str, ...]
) -> None:
    cli = cli_on(policy().replace("upstream: main", "upstream: mian").replace("serves:", "sevres:"))
    ran = cli(*command)

    assert ran.code == 1
    for words in ("there is no upstream `mian`", "sevres", "did you mean", "policy.yaml:"):
        assert words in ran.err + ran.out
    assert not cli.ledger.exists()


def test_an_invalid_policy_is_one_object_with_its_findings(cli_on: Callable[..., Commands]) -> None:
    ran = cli_on(policy().replace("upstream: main", "upstream: mian"))("run", "Hello", "--json")

    assert ran.code == 1
    assert ran.json["error"]["kind"] == "policy"
    (finding,) = ran.json["error"]["findings"]
    assert (finding["code"], finding["line"]) == ("RR201", 10)


def test_a_policy_file_that_is_not_utf_8_is_named(cli_on: Callable[..., Commands]) -> None:
    cli = cli_on(policy())
    (cli.folder / "more.yaml").write_bytes(b"version: 1\n# caf\xe9\n")
    ran = cli("lint")

    assert ran.code == 1
    assert "more.yaml" in ran.out
    assert "UTF-8" in ran.out


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_what_is_not_enforced_yet_refuses_to_run_and_names_its_line(
    cli_on: Callable[..., Commands], form: tuple[str, ...]
) -> None:
    ran = cli_on(policy(upstream="hedge: {after: 2s}"))("run", "Hello", "--simulate", *form)

    assert ran.code == 1
    assert "hedge" in ran.err + ran.out
    assert "8" in ran.err + ran.out


# -- secrets ------------------------------------------------------------------------------------------

MISSING = ("FIRST_KEY", "SECOND_URL", "SECOND_KEY", "HOOK_URL", "HOOK_SECRET")


def test_every_missing_name_is_listed_at_once(cli: Commands) -> None:
    ran = cli("run", "Hello")

    assert ran.code == 2
    assert all(f"{name} is not set" in ran.err for name in MISSING)
    assert "policy.yaml:6:" in ran.err
    assert not cli.ledger.exists()


def test_every_missing_name_is_in_the_object(cli: Commands) -> None:
    error = cli("run", "Hello", "--json").json["error"]

    assert error["kind"] == "unresolved"
    assert {problem["message"] for problem in error["problems"]} == {f"{name} is not set" for name in MISSING}
    assert all("policy.yaml:" in problem["place"] for problem in error["problems"])


@pytest.mark.parametrize("command", [("run", "Hello", "--simulate"), ("explain", "Hello"), ("lint",)], ids=" ".join)
def test_no_secret_is_needed_for_what_sends_nothing(cli: Commands, command: tuple[str, ...]) -> None:
    assert cli(*command).code == 0


# -- the ledger ---------------------------------------------------------------------------------------


def newer(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=9")
    connection.close()


SPOILT: dict[str, Callable[[Path], Any]] = {
    "a folder": lambda path: path.mkdir(),
    "another file": lambda path: path.write_bytes(b"this is no ledger at all\n" * 50),
    "a newer release's": newer,
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=SPOILT.keys())
@pytest.mark.parametrize("command", [SIMULATED, ("audit", "list"), ("audit", "verify")], ids=" ".join)
def test_a_ledger_that_will_not_do_is_named(
    cli: Commands, spoil: Callable[[Path], Any], command: tuple[str, ...]
) -> None:
    spoil(cli.ledger)
    ran = cli(*command)

    assert ran.code == 2
    assert str(cli.ledger) in ran.err
    assert ran.out == ""


@pytest.mark.parametrize("command", ["list", "cost", "verify", "show req_0000000"])
def test_where_there_is_no_ledger_yet_that_is_said(cli: Commands, command: str) -> None:
    ran = cli("audit", *command.split())

    assert ran.code == 2
    assert f"there is no ledger at {cli.ledger} yet" in ran.err
    assert not cli.ledger.exists()


# -- defects ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", [(), ("--json",)])
def test_a_defect_is_one_line_and_says_how_to_see_more(
    cli: Commands, monkeypatch: pytest.MonkeyPatch, form: tuple[str, ...]
) -> None:
    def defective(*_: object) -> None:
        raise ZeroDivisionError("a defect")

    monkeypatch.setattr("route_run.cli.explain.decide", defective)
    ran = cli("explain", "Hello", *form)

    assert ran.code == 70
    assert "ZeroDivisionError: a defect" in ran.err + ran.out
    assert len((ran.err + ran.out).splitlines()) <= 2
    if form:
        assert ran.json["error"]["kind"] == "internal"
    else:
        assert "ROUTE_RUN_DEBUG=1" in ran.err


def test_control_characters_in_a_message_do_not_reach_the_terminal(cli: Commands) -> None:
    ran = cli("audit", "show", "req_\x1b[31mred")

    assert ran.code == 2
    assert "\x1b" not in ran.err
