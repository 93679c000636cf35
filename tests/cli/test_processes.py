"""The command line as a process: signals, pipes that close, terminals, what is imported."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import pytest

from route_run.errors import LedgerError
from route_run.ledger import Filter, LedgerReader
from support.commands import Commands, command
from support.engines import policy
from support.ledgers import record, written
from support.scripted import DONE, FINISH, content
from support.server import Do, Server, chunked

STALLED = ("run", "--simulate", "Hello", "--route", "slow", "--fault", "first=stall")
STALLED_MID = ("run", "--simulate", "Hello", "--route", "slow", "--fault", "first=stall_mid")


def outcomes(path: Path) -> list[str]:
    with LedgerReader(path) as reader:
        return [found["outcome"] for found in reader.records(Filter(), 10)]


def request_id(path: Path) -> str:
    """That of the only request in the ledger."""
    with LedgerReader(path) as reader:
        (found,) = reader.records(Filter(), 10)
    return str(found["request_id"])


# -- signals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_cancels_a_request_that_is_stuck_and_records_it(cli: Commands, number: signal.Signals) -> None:
    process = cli.started(*STALLED)
    _wait_for(cli.ledger, process)
    before = time.monotonic()
    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert out == ""
    assert outcomes(cli.ledger) == ["cancelled"]
    assert err.splitlines()[-1] == f"cancelled ({request_id(cli.ledger)})"
    assert time.monotonic() - before < 4


def test_a_signal_before_anything_was_sent_is_recorded_too(cli: Commands) -> None:
    process = cli.started(*STALLED)
    assert process.stderr is not None
    assert "route slow" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)

    assert process.returncode == 130
    assert outcomes(cli.ledger) == ["cancelled"]


def test_a_signal_while_the_command_is_being_loaded_ends_it_without_a_word() -> None:
    interrupted = """
import sys
class Interrupting:
    def find_spec(self, name, *rest):
        if name == "click":
            raise KeyboardInterrupt
sys.meta_path.insert(0, Interrupting())
from route_run.__main__ import main
main()
"""
    done = subprocess.run([sys.executable, "-c", interrupted], capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_a_signal_in_the_middle_of_an_answer_ends_its_line(cli: Commands) -> None:
    process = cli.started(*STALLED_MID)
    assert process.stdout is not None
    first = os.read(process.stdout.fileno(), 100).decode()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    assert (first + out).startswith("Simulated answer")
    assert (first + out).endswith("\n")
    assert err.splitlines()[-1] == f"cancelled ({request_id(cli.ledger)})"


@pytest.mark.parametrize("form", ["--json", "--events"])
def test_a_request_that_a_signal_ended_says_so_in_json(cli: Commands, form: str) -> None:
    process = cli.started(*STALLED, form)
    _wait_for(cli.ledger, process)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)

    assert process.returncode == 130
    ended = json.loads(out.splitlines()[-1])
    assert (ended["outcome"], ended["request_id"]) == ("cancelled", request_id(cli.ledger))
    assert "Traceback" not in err


def _wait_for(path: Path, process: subprocess.Popen[str]) -> None:
    """Wait until an attempt was stored."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(LedgerError), LedgerReader(path) as reader:  # the file is being made
            if reader.count():
                return
        time.sleep(0.02)
    raise AssertionError("nothing was stored")


# -- pipes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments",
    [
        ("run", "--simulate", "Hello"),
        ("run", "--simulate", "Hello", "--events"),
        ("explain", "Hello"),
        ("audit", "list"),
        ("--help",),
    ],
    ids=" ".join,
)
def test_a_reader_who_has_left_makes_no_noise(cli: Commands, arguments: tuple[str, ...]) -> None:
    written(cli.ledger, [record(n) for n in range(2000)] if "list" in arguments else [record(1)])
    ours, theirs = os.pipe()
    os.close(ours)
    process = cli.started(*arguments, stdout=theirs)
    os.close(theirs)
    _, err = process.communicate(timeout=30)

    assert process.returncode == 141
    assert "Traceback" not in err
    assert "Exception ignored" not in err
    assert "Error" not in err


def test_head_of_a_long_list_is_silent(cli: Commands) -> None:
    written(cli.ledger, [record(n) for n in range(3000)])
    line = f"{' '.join(command('audit', 'list', '-n', '3000'))} | head -1"
    found = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=cli.environ(), timeout=30, check=False
    )

    assert found.stdout.startswith("started (UTC)")
    assert found.stderr == ""


def test_a_request_whose_reader_has_left_is_recorded(cli: Commands) -> None:
    ours, theirs = os.pipe()
    os.close(ours)
    process = cli.started("run", "--simulate", "Hello", stdout=theirs)
    os.close(theirs)
    process.communicate(timeout=30)

    assert outcomes(cli.ledger) == ["cancelled"]


@pytest.mark.parametrize(
    ("closed", "code", "out"),
    [
        pytest.param("2>&-", 0, "Simulated answer from first.\n", id="stderr"),
        pytest.param("<&-", 0, "Simulated answer from first.\n", id="stdin"),
    ],
)
def test_a_stream_that_is_closed_from_the_start_does_no_harm(cli: Commands, closed: str, code: int, out: str) -> None:
    line = f"{' '.join(command('run', '--simulate', 'Hello'))} {closed}"
    found = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=cli.environ(), timeout=30, check=False
    )

    assert (found.returncode, found.stdout) == (code, out)


@pytest.mark.parametrize("arguments", [("run", "--simulate", "Hello"), ("lint",)])
def test_a_stdout_that_is_closed_from_the_start_is_no_defect_of_ours(cli: Commands, arguments: tuple[str, ...]) -> None:
    line = f"{' '.join(command(*arguments))} >&-"
    found = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=cli.environ(), timeout=30, check=False
    )

    assert found.returncode != 70
    assert "defect" not in found.stderr
    assert "Traceback" not in found.stderr


def test_a_closed_stdin_without_a_prompt_is_a_usage_error(cli: Commands) -> None:
    line = f"{' '.join(command('run', '--simulate'))} <&-"
    found = subprocess.run(
        ["sh", "-c", line], capture_output=True, text=True, env=cli.environ(), timeout=30, check=False
    )

    assert found.returncode == 2
    assert "defect" not in found.stderr


def test_a_prompt_is_read_from_a_pipe(cli: Commands) -> None:
    ran = cli.process("run", "--simulate", "--json", stdin="Erzähl von Project Zephyr".encode())

    assert ran.returncode == 3
    assert json.loads(ran.stdout)["outcome"] == "rejected"


def test_output_is_utf_8_in_the_poorest_locale(cli: Commands) -> None:
    ran = cli.process("explain", "Hello", "--tag", "tenant=Łódź", environ={"LC_ALL": "C"})

    assert ran.returncode == 0
    assert "tenant=Łódź" in ran.stdout


# -- terminals ----------------------------------------------------------------------------------------

ESCAPE = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(cli: Commands, *arguments: str, environ: Mapping[str, str] | None = None) -> tuple[int, str]:
    """Run a command with all of its streams on a terminal; its exit code and what the terminal got."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        command(*arguments),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**cli.environ(), **(environ or {})},
        close_fds=True,
    )
    os.close(theirs)
    got = b""
    try:
        while select.select([ours], [], [], 30)[0] and (chunk := _read(ours)):
            got += chunk
        return process.wait(30), got.decode("utf-8", "replace").replace("\r\n", "\n")
    finally:
        os.close(ours)


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # Linux says so when the other side has left
        return b""


INVALID = policy().replace("upstream: main", "upstream: mian")
PAINTED = [("run", "--simulate", "Hello"), ("lint",), ("audit", "list")]


@pytest.mark.parametrize("arguments", PAINTED, ids=" ".join)
def test_there_are_colours_on_a_terminal(cli: Commands, arguments: tuple[str, ...]) -> None:
    written(cli.ledger, [record(1)])
    if arguments == ("lint",):
        (cli.folder / "policy.yaml").write_text(INVALID)

    assert ESCAPE.search(on_terminal(cli, *arguments)[1])


@pytest.mark.parametrize(
    ("arguments", "environ"),
    [(PAINTED[0], {"NO_COLOR": "1"}), (PAINTED[1], {"NO_COLOR": "1"}), (PAINTED[2], {"TERM": "dumb"})],
    ids=["run", "lint", "audit on a dumb terminal"],
)
def test_there_are_no_colours_where_nobody_wants_them(
    cli: Commands, arguments: tuple[str, ...], environ: Mapping[str, str]
) -> None:
    written(cli.ledger, [record(1)])
    if arguments == ("lint",):
        (cli.folder / "policy.yaml").write_text(INVALID)

    assert "\x1b" not in on_terminal(cli, *arguments, environ=environ)[1]


@pytest.mark.parametrize("arguments", PAINTED, ids=" ".join)
def test_there_are_no_colours_in_a_pipe(cli: Commands, arguments: tuple[str, ...]) -> None:
    written(cli.ledger, [record(1)])
    ran = cli.process(*arguments)

    assert "\x1b" not in ran.stdout + ran.stderr


UGLY = "plain \x1b]0;title\x07 \x1b[31mred\x1b[0m \x08 \x9b31m \u202eback é☃\ttab\nline"


def ugly_server(cli_on: Callable[..., Commands], server: Server) -> Commands:
    text = policy(first="allow_networks: [loopback]", targets=1).replace("https://first.test", server.url)
    return cli_on(text)


def test_what_a_terminal_would_act_on_is_taken_out_of_an_answer(cli_on: Callable[..., Commands]) -> None:
    with Server([Do.READ, chunked(*map(content, (UGLY[:9], UGLY[9:])), FINISH, DONE)]) as server:
        cli = ugly_server(cli_on, server)
        code, got = on_terminal(cli, "run", "Hello", environ={"NO_COLOR": "1"})

    assert code == 0
    assert not any(mark in got for mark in ("\x1b", "\x07", "\x08", "\x9b", "\u202e"))
    assert "é☃" in got
    assert "tab\nline" in got


def test_an_answer_goes_through_a_pipe_as_it_came(cli_on: Callable[..., Commands]) -> None:
    with Server([Do.READ, chunked(content(UGLY), FINISH, DONE)]) as server:
        ran = ugly_server(cli_on, server).process("run", "Hello")

    assert (ran.returncode, ran.stdout) == (0, UGLY + "\n")


def test_the_words_of_an_endpoint_s_error_do_not_reach_the_terminal_as_they_are(
    cli_on: Callable[..., Commands],
) -> None:
    body = json.dumps({"error": {"message": UGLY}}).encode()
    with Server([Do.READ, b"HTTP/1.1 400 No\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)]) as server:
        code, got = on_terminal(ugly_server(cli_on, server), "run", "Hello", environ={"NO_COLOR": "1"})

    assert code == 5
    assert not any(mark in got for mark in ("\x1b", "\x07", "\x08", "\x9b", "\u202e"))


def test_on_a_terminal_a_prompt_is_asked_for_in_words(cli: Commands) -> None:
    code, got = on_terminal(cli, "run", "--simulate")

    assert code == 2
    assert "Give a prompt as an argument, or on standard input." in got


def test_an_answer_appears_as_it_comes(cli_on: Callable[..., Commands]) -> None:
    with Server([Do.READ, chunked(content("first words"), whole=False), Do.STALL]) as server:
        process = ugly_server(cli_on, server).started("run", "Hello")
        assert process.stdout is not None
        got = os.read(process.stdout.fileno(), 100)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=20)

    assert got == b"first words"


# -- imports ------------------------------------------------------------------------------------------

HEAVY = (
    "yaml",
    "pydantic",
    "jsonschema",
    "httpx2",
    "httpcore2",
    "re2",
    "msgspec",
    "anyio",
    "asyncio",
    "trio",
    "sqlite3",
    "referencing",
    "rpds",
    "attrs",
    "rich",
    "socket",
    "ssl",
    "email",
    "logging",
    "subprocess",
    "zipfile",
    "importlib.metadata",
)


SOUND = """\
version: 1
tags: {desk: {values: [support, sales]}}
endpoints:
  main: {dialect: openai, base_url: https://a.example/v1, auth: {api_key: "${MAIN_KEY}"}, serves: {small: {}}}
models:
  small: {context_window: 8000, max_output_tokens: 1000, parameters: {temperature: {min: 0, max: 2}}}
upstreams:
  main: {targets: [{endpoint: main, model: small}], timeouts: {total: 90s}}
guards: {injection: {packs: [builtin/injection@1]}}
bounds: {baseline: {match: {}, guards: [injection]}}
routes:
  support: {match: {tags: {desk: support}}, upstream: main}
  everything-else: {match: {}, upstream: main}
"""


def imported_by(cli: Commands, *arguments: str) -> set[str]:
    program = (
        "import sys\n"
        "from route_run.cli.main import _exit_code\n"
        f"_exit_code({list(arguments)!r})\n"
        f"print(*sorted(set({HEAVY!r}) & set(sys.modules)), file=sys.stderr)\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, env=cli.environ(), timeout=30, check=True
    )
    return set(found.stderr.split())


def test_help_imports_nothing_heavy(cli: Commands) -> None:
    assert imported_by(cli, "--help") == set()


def test_a_simulation_does_not_import_an_http_client(cli: Commands) -> None:
    assert imported_by(cli, "run", "--simulate", "--quiet", "Hello") & {"httpx2", "httpcore2", "trio"} == set()


def test_a_lint_of_a_sound_policy_imports_what_reads_it_and_its_patterns_and_nothing_else(
    cli_on: Callable[..., Commands],
) -> None:
    cli = cli_on(SOUND)

    assert cli("lint").code == 0
    assert imported_by(cli, "lint") == {"yaml", "re2"}


def test_only_findings_of_a_schema_import_what_words_them(cli_on: Callable[..., Commands]) -> None:
    assert imported_by(cli_on("version: 1\nroutes: 7\n"), "lint") >= {"yaml", "jsonschema"}


def test_the_command_is_there_under_its_name(cli: Commands) -> None:
    script = Path(sys.executable).parent / "route-run"
    found = subprocess.run([script, "--version"], capture_output=True, text=True, timeout=30, check=True)

    assert found.stdout.startswith("route-run, version ")
