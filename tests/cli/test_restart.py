"""`run --allow-restart` and repairs: nobody ever takes the text of two attempts for one answer."""

from __future__ import annotations

import json
import os
import pty
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from support.commands import Commands, Ran, command
from support.engines import policy

MakeCommands = Callable[..., Commands]

RESTART = "fallback: {after_content: restart}, timeouts: {first_content: 2s, idle: 2s}"
BROKEN = ("run", "--simulate", "Hello", "--fault", "first=truncate")
PARTIAL, WHOLE = "Simulated answer from", "Simulated answer from second."


@pytest.fixture
def restarting(cli_on: MakeCommands) -> Commands:
    """Commands on a policy whose upstream lets answers start over."""
    return cli_on(policy(upstream=RESTART))


# -- a script ------------------------------------------------------------------------------------------


def test_without_the_flag_the_request_is_interrupted(restarting: Commands) -> None:
    ran = restarting(*BROKEN)

    assert (ran.code, ran.out) == (7, f"{PARTIAL}\n")


def test_the_flag_alone_starts_nothing_over(cli_on: MakeCommands) -> None:
    ran = cli_on(policy())(*BROKEN, "--allow-restart")

    assert (ran.code, ran.out) == (7, f"{PARTIAL}\n")


def test_into_a_pipe_there_is_the_text_of_the_last_attempt_only(restarting: Commands) -> None:
    ran = restarting(*BROKEN, "--allow-restart")

    assert (ran.code, ran.out) == (0, f"{WHOLE}\n")
    assert "the answer starts over with attempt 2" in ran.err


def test_into_a_pipe_of_a_process_too(restarting: Commands) -> None:
    done = restarting.process(*BROKEN, "--allow-restart", "--quiet")

    assert (done.returncode, done.stdout, done.stderr) == (0, f"{WHOLE}\n", "")


def test_what_was_said_last_is_written_where_no_answer_came(restarting: Commands) -> None:
    ran = restarting(*BROKEN, "--fault", "second=503", "--allow-restart")

    assert (ran.code, ran.out) == (7, f"{PARTIAL}\n")


def test_json_holds_the_last_text_and_says_that_it_started_over(restarting: Commands) -> None:
    ran = restarting(*BROKEN, "--allow-restart", "--json")

    assert (ran.json["outcome"], ran.json["text"], ran.json["restarts"]) == ("completed", WHOLE, 1)


def test_events_say_where_the_answer_starts_over(restarting: Commands) -> None:
    events = restarting(*BROKEN, "--allow-restart", "--events").lines

    names = [event["event"] for event in events]
    assert names.index("restarted") > len(names) - 1 - names[::-1].index("attempt_started")
    assert {"event": "restarted", "number": 2} in events
    before = names.index("restarted")
    assert "".join(event["text"] for event in events[:before] if event["event"] == "text") == PARTIAL
    assert "".join(event["text"] for event in events[before:] if event["event"] == "text") == WHOLE


# -- a person ------------------------------------------------------------------------------------------


def on_a_terminal(cli: Commands, *arguments: str, **environ: str) -> str:
    """What a person sees of stdout; the notes on stderr go elsewhere."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        command(*arguments), stdin=subprocess.DEVNULL, stdout=theirs, stderr=subprocess.DEVNULL,
        env={**cli.environ(), **environ},
    ) as process:  # fmt: skip
        os.close(theirs)
        seen = b""
        while True:
            try:
                seen += os.read(ours, 65536)
            except OSError:
                break  # the other side is closed
        assert process.wait(60) == 0
    os.close(ours)
    return seen.decode().replace("\r\n", "\n")


def test_on_a_terminal_a_line_marks_what_is_void(restarting: Commands) -> None:
    seen = on_a_terminal(restarting, *BROKEN, "--allow-restart", NO_COLOR="1")

    assert seen == f"{PARTIAL}\n--- void so far: the answer starts over with attempt 2 ---\n{WHOLE}\n"


@pytest.mark.parametrize("quiet", [(), ("--quiet",)])
def test_the_mark_is_coloured_and_not_left_out_for_quiet(restarting: Commands, quiet: tuple[str, ...]) -> None:
    seen = on_a_terminal(restarting, *BROKEN, "--allow-restart", *quiet)

    assert "\x1b[33m" in seen
    assert "void so far" in seen


# -- repairs -------------------------------------------------------------------------------------------

SCHEMA = {"type": "object", "required": ["answer"], "examples": [{}]}  # so that simulations answer wrongly


def shown(cli_on: MakeCommands, *arguments: str) -> tuple[Ran, Any]:
    route = "match: {}, verify: {json_schema: answer.json, repair: 1}"
    cli = cli_on({"policy.yaml": policy(route=route, targets=1), "answer.json": json.dumps(SCHEMA)})
    return cli("run", "--simulate", "Hello", *arguments), cli


def test_a_repair_is_told(cli_on: MakeCommands) -> None:
    ran, _ = shown(cli_on)

    assert ran.code == 6
    assert "attempt 2: first/m, asked to correct its answer" in ran.err
    assert "output_invalid: 2 attempts failed" in ran.err
    assert ran.out == ""


def test_the_ledger_shows_a_repair(cli_on: MakeCommands) -> None:
    _, cli = shown(cli_on)
    (request,) = cli("audit", "list", "--json").lines

    assert [attempt["repair"] for attempt in request["attempts"]] == [False, True]
    assert "first/m (repair): invalid_output" in cli("audit", "show", request["request_id"]).out


def test_the_ledger_shows_a_restart(restarting: Commands) -> None:
    restarting(*BROKEN, "--allow-restart")
    (request,) = restarting("audit", "list", "--json").lines

    assert "restarts    1" in restarting("audit", "show", request["request_id"]).out


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"upstream": RESTART}, "as it streams; an answer that breaks off starts over if the caller allows it"),
        ({"route": "match: {}, verify: {format: json, repair: 1}"}, "once verified, repaired once if need be"),
    ],
)
def test_the_plan_says_what_is_done_about_an_answer(cli_on: MakeCommands, fields: dict[str, str], words: str) -> None:
    assert words in cli_on(policy(**fields))("explain", "Hello").out
