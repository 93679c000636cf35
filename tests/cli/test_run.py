"""`route-run run`: the answer on stdout, everything else on stderr, an exit code for every outcome."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from route_run.cli import selectors
from route_run.ledger import Filter, LedgerReader
from support.commands import Commands
from support.engines import policy
from support.server import Do, Server, completion, ok

SIMULATED = ("run", "--simulate", "Hello")


def outcomes(path: Path) -> list[str]:
    with LedgerReader(path) as reader:
        return [record["outcome"] for record in reader.records(Filter(), 100)]


# -- outcomes -----------------------------------------------------------------------------------------

OUTCOMES: dict[str, tuple[tuple[str, ...], int]] = {
    "completed": (("Hello",), 0),
    "rejected": (("Tell me about Project Zephyr",), 3),
    "refused": (("Hello", "--param", "temperature=9"), 4),
    "failed": (("Hello", "--fault", "first=400"), 5),
    "output_invalid": (("Hello", "--route", "data"), 6),
    "interrupted": (("Hello", "--fault", "first=truncate"), 7),
}


@pytest.mark.parametrize("form", [(), ("--json",), ("--events",)], ids=["text", "json", "events"])
@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_has_its_exit_code_and_its_record(cli: Commands, outcome: str, form: tuple[str, ...]) -> None:
    arguments, code = OUTCOMES[outcome]
    ran = cli("run", "--simulate", *arguments, *form)

    assert ran.code == code
    assert outcomes(cli.ledger) == [outcome]


@pytest.mark.parametrize("outcome", [outcome for outcome in OUTCOMES if outcome != "completed"])
def test_what_went_wrong_is_told_on_stderr(cli: Commands, outcome: str) -> None:
    ran = cli("run", "--simulate", *OUTCOMES[outcome][0])

    assert f"{outcome}: " in ran.err
    assert outcome not in ran.out


@pytest.mark.parametrize(
    ("fault", "words"), [("401", "the API key is wrong"), ("404", "knows no such path"), ("302", "redirects are not")]
)
def test_what_can_be_done_is_told_on_stderr(cli: Commands, fault: str, words: str) -> None:
    ran = cli("run", "--simulate", "Hello", "--fault", f"first={fault}", "--fault", f"second={fault}")

    assert ran.code == 5
    assert "what to do: " in ran.err
    assert words in ran.err


# -- text ---------------------------------------------------------------------------------------------


def test_the_answer_and_nothing_else_is_on_stdout(cli: Commands) -> None:
    assert cli(*SIMULATED).out == "Simulated answer from first.\n"


def test_route_and_end_are_on_stderr(cli: Commands) -> None:
    ran = cli(*SIMULATED)

    assert "route everything: upstream main, 2 targets" in ran.err
    assert "completed by first/m in " in ran.err
    assert "simulated, req_" in ran.err


def test_attempts_and_fallbacks_are_on_stderr(cli: Commands) -> None:
    ran = cli(*SIMULATED, "--fault", "first=503")

    assert "attempt 1: first/m failed: 503 overloaded" in ran.err
    assert "attempt 2: second/m" in ran.err
    assert ran.out == "Simulated answer from second.\n"


def test_a_wait_is_told(cli: Commands) -> None:
    ran = cli(*SIMULATED, "--route", "slow", "--fault", "first=429:10ms", "--fault", "first=503")

    assert "retry after 0.01 s" in ran.err
    assert "attempt 2: first/own after " in ran.err


def test_webhooks_that_would_be_told_are_named(cli: Commands) -> None:
    assert "would tell webhooks: ops of completed" in cli(*SIMULATED).err


def test_a_broken_answer_ends_its_line_before_the_message(cli: Commands) -> None:
    ran = cli(*SIMULATED, "--fault", "first=truncate")

    assert ran.out == "Simulated answer from\n"
    assert "interrupted: first: the answer broke off" in ran.err


def test_quiet_says_nothing_where_all_is_well(cli: Commands) -> None:
    ran = cli(*SIMULATED, "--quiet", "--fault", "first=503")

    assert (ran.code, ran.out, ran.err) == (0, "Simulated answer from second.\n", "")


def test_quiet_still_says_what_went_wrong(cli: Commands) -> None:
    assert "rejected" in cli("run", "--simulate", "-q", "project zephyr").err


# -- JSON ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_json_is_one_object_with_the_result(cli: Commands, outcome: str) -> None:
    ran = cli("run", "--simulate", "--json", *OUTCOMES[outcome][0])

    assert ran.out.count("\n") == 1
    assert ran.json["outcome"] == outcome
    assert ran.err == ""


def test_json_holds_text_attempts_usage_and_cost(cli: Commands) -> None:
    result = cli(*SIMULATED, "--json", "--fault", "first=503").json

    assert result["text"] == "Simulated answer from second."
    assert [(a["endpoint"], a["failure"]) for a in result["attempts"]] == [("first", "overloaded"), ("second", None)]
    assert result["cost_usd"] == "0"
    assert result["usage"]["completion_tokens"] > 0
    assert (result["simulated"], result["route"], result["endpoint"]) == (True, "everything", "second")


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_events_are_json_lines_with_one_end(cli: Commands, outcome: str) -> None:
    events = cli("run", "--simulate", "--events", *OUTCOMES[outcome][0]).lines

    assert events[0]["event"] == "planned"
    assert [event["event"] for event in events].count("finished") == 1
    assert events[-1]["event"] == "finished"
    assert events[-1]["outcome"] == outcome
    assert "".join(event["text"] for event in events if event["event"] == "text") == events[-1]["text"]


def test_json_and_events_exclude_each_other(cli: Commands) -> None:
    assert cli(*SIMULATED, "--json", "--events").code == 2


# -- the prompt ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("arguments", [(), ("-",)])
def test_the_prompt_is_read_from_stdin(cli: Commands, arguments: tuple[str, ...]) -> None:
    ran = cli("run", "--simulate", "--json", *arguments, stdin=b"Tell me about Project Zephyr\n")

    assert ran.json["outcome"] == "rejected"


def test_stdin_that_is_not_utf_8_is_told_with_the_place(cli: Commands) -> None:
    ran = cli("run", "--simulate", stdin=b"caf\xe9 au lait")

    assert ran.code == 2
    assert "standard input is not UTF-8: byte 0xe9 at offset 3" in ran.err


@pytest.mark.parametrize("prompt", ["", " ", "\n\t"])
def test_an_empty_prompt_is_refused(cli: Commands, prompt: str) -> None:
    ran = cli("run", "--simulate", prompt)

    assert ran.code == 2
    assert "the prompt is empty" in ran.err


def test_an_empty_stdin_is_refused(cli: Commands) -> None:
    ran = cli("run", "--simulate")

    assert ran.code == 2
    assert "the prompt is empty" in ran.err


def test_a_prompt_of_ten_megabytes_is_refused_in_words(cli: Commands) -> None:
    ran = cli("run", "--simulate", stdin=b"all work and no play " * 500_000)

    assert ran.code == 4
    assert "exceed the context window of 10000" in ran.err
    assert len(ran.err) < 1000


def test_a_prompt_beyond_the_cap_is_told_before_it_is_read_whole(
    cli: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selectors, "MAX_PROMPT", 100)
    ran = cli("run", "--simulate", stdin=b"x" * 101)

    assert ran.code == 2
    assert "standard input holds more than 100 bytes" in ran.err


def test_a_document_goes_along(cli: Commands, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("all about Project Zephyr")
    ran = cli(*SIMULATED, "--json", "--document", str(tmp_path / "notes.txt"))

    assert ran.json["outcome"] == "rejected"


@pytest.mark.parametrize(("content", "words"), [(None, "cannot be read: No such file"), (b"\xff", "is not UTF-8")])
def test_a_document_that_cannot_be_read_is_named(
    cli: Commands, tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "notes.txt"
    if content is not None:
        path.write_bytes(content)
    ran = cli(*SIMULATED, "--document", str(path))

    assert ran.code == 2
    assert f"{path} {words}" in ran.err


@pytest.mark.parametrize(
    "arguments",
    [
        ("caf\udce9",),
        ("Hello", "--tag", "tenant=caf\udce9"),
        ("Hello", "--route", "caf\udce9"),
        ("Hello", "--model", "\udce9"),
    ],
    ids=["prompt", "tag", "route", "model"],
)
def test_an_argument_that_is_not_utf_8_is_a_usage_error(cli: Commands, arguments: tuple[str, ...]) -> None:
    # what a shell hands over as raw bytes comes in as lone surrogates
    ran = cli("run", "--simulate", *arguments)

    assert ran.code == 2
    assert "ledger" not in ran.err
    assert not cli.ledger.exists()


# -- selectors ----------------------------------------------------------------------------------------


def test_tags_pick_the_route(cli: Commands) -> None:
    assert cli(*SIMULATED, "--json", "--tag", "desk=support").json["route"] == "support"


def test_a_route_is_called_by_name(cli: Commands) -> None:
    assert cli(*SIMULATED, "--json", "--route", "slow").json["route"] == "slow"


def test_parameters_are_sent(cli: Commands) -> None:
    events = cli(*SIMULATED, "--events", "--param", "temperature=0.5", "--param", "max_tokens=20").lines

    assert events[0]["plan"]["parameters"] == {"max_tokens": 20, "temperature": 0.5}


def test_stop_may_be_given_several_times(cli: Commands) -> None:
    events = cli(*SIMULATED, "--events", "--param", "stop=a", "--param", "stop=b").lines

    assert events[0]["plan"]["parameters"] == {"stop": ["a", "b"]}


# -- a real server ------------------------------------------------------------------------------------


def real(cli_on: Callable[..., Commands], server: Server) -> Commands:
    text = policy(first="allow_networks: [loopback], auth: {api_key: '${KEY}'}", targets=1)
    return cli_on(text.replace("https://first.test", server.url))


def test_a_real_endpoint_is_asked(cli_on: Callable[..., Commands], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEY", "the-key")
    with Server([Do.READ, ok(completion("Hello from afar"))]) as server:
        ran = real(cli_on, server)("run", "Hello")

    assert (ran.code, ran.out) == (0, "Hello from afar\n")
    assert server.requests[0].headers["authorization"] == "Bearer the-key"


def test_nothing_of_the_key_is_printed_or_kept_when_it_is_refused(
    cli_on: Callable[..., Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "canary-4711-canary")
    body = json.dumps({"error": {"message": "wrong key canary-4711-canary"}}).encode()
    script = [Do.READ, b"HTTP/1.1 401 No\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)]
    with Server(script) as server:
        cli = real(cli_on, server)
        ran = [cli("run", "Hello"), cli("run", "Hello", "--json"), cli("run", "Hello", "--events")]
        shown = [cli("audit", "list"), cli("audit", "list", "--json")]

    assert [one.code for one in ran] == [5, 5, 5]
    assert "wrong key ***" in ran[0].err
    assert all("canary" not in one.out + one.err for one in (*ran, *shown))
    assert all(b"canary" not in path.read_bytes() for path in cli.ledger.parent.glob("ledger*"))


def test_an_endpoint_that_cannot_be_reached_is_told_in_words(
    cli_on: Callable[..., Commands], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "the-key")
    with Server() as server:
        pass
    ran = real(cli_on, server)("run", "Hello")

    assert ran.code == 5
    assert f"127.0.0.1:{server.port} refuses connections" in ran.err
    assert "nothing listens there" in ran.err
