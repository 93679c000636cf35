"""`route-run show`: every format, where it goes, and what a policy cannot make it do."""

from __future__ import annotations

import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import Commands, command

MakeCommands = Callable[..., Commands]
HOSTILE = "</script><script>alert(1)</script><!-- --> \\u2028 & \" ' | `"


def test_a_table_shows_routes_in_the_order_in_which_they_win(cli: Commands) -> None:
    text = cli("show").out

    assert [text.index(name) for name in ("support", "everything", "data")] == sorted(
        text.index(name) for name in ("support", "everything", "data")
    )
    for words in ("desk: support", "1. first/m", "2. second/m", "temperature, at most 1", "baseline", "by name"):
        assert words in text


def test_a_tree_holds_bounds_and_targets(cli: Commands) -> None:
    text = cli("show", "--format", "tree").out

    assert "bound baseline: guard codename" in text
    assert "1. first/m: 10,000 tokens, 1 in, 2 out USD per million tokens" in text


@pytest.mark.parametrize("form", ["table", "tree"])
def test_without_a_terminal_the_width_is_fixed_and_there_are_no_colours(
    cli: Commands, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = set()
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        monkeypatch.setenv("FORCE_COLOR", "1")
        texts.add(cli("show", "--format", form).out)

    (text,) = texts
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 140
    assert not any(line.endswith(" ") for line in text.splitlines())


@pytest.mark.parametrize(
    ("environ", "is_coloured"), [({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)]
)
def test_colours_are_for_terminals(cli: Commands, environ: dict[str, str], is_coloured: bool) -> None:
    ours, theirs = pty.openpty()
    done = subprocess.Popen(command("show"), stdout=theirs, env={**cli.environ(), **environ})
    os.close(theirs)
    text = b""
    try:
        while piece := os.read(ours, 65536):
            text += piece
    except OSError:  # the other end is closed: a terminal says so with an error
        pass
    finally:
        os.close(ours)

    assert done.wait(30) == 0
    assert (b"\x1b[1m" in text or b"\x1b[2m" in text) is is_coloured


def test_json_holds_origins_bounds_witness_and_the_worst(cli: Commands) -> None:
    routes = {route["name"]: route for route in cli("show", "--format", "json").json["routes"]}
    support = routes["support"]

    assert support["witness"]["targets"] == ["first/m", "second/m"]
    assert support["witness"]["command"] == "route-run explain PROMPT --tag desk=support"
    assert support["bounds"][0]["always"] is True
    assert support["worst"][:2] == ["at most 3 exchanges with 2 targets", "at most 120 s in all"]
    assert any(
        value["name"] == "timeout idle" and "policy.yaml" in value["sources"][0]["place"] for value in support["values"]
    )
    assert routes["data"]["witness"]["command"].endswith("--route data")


def test_rehearsals_that_expect_a_route_are_named(cli: Commands) -> None:
    (cli.folder / "support.test.yaml").write_text(
        "version: 1\nrehearsals:\n"
        "  - name: the first answers\n    request: {prompt: Hi}\n    expect: {route: support}\n"
        "  - name: twice\n    sequence:\n"
        "      - {request: {prompt: Hi}, expect: {route: support}}\n"
        "      - {request: {prompt: Hi}, expect: {route: support}}\n"
    )
    routes = {route["name"]: route for route in cli("show", "--format", "json").json["routes"]}

    assert routes["support"]["rehearsals"] == ["the first answers", "twice"]
    assert routes["data"]["rehearsals"] == []


def test_mermaid_numbers_the_targets_of_a_route(cli: Commands) -> None:
    text = cli("show", "--format", "mermaid").out

    assert text.startswith("flowchart LR\n")
    assert re.search(r"r0 -->\|1\| t0_1\[", text)
    assert re.search(r"r0 -->\|2\| t0_2\[", text)


def test_a_page_is_written_to_a_file(cli: Commands, tmp_path: Path) -> None:
    ran = cli("show", "--format", "html", "-o", str(tmp_path / "policy.html"))

    assert (ran.code, ran.out) == (0, "")
    assert (tmp_path / "policy.html").read_text().startswith("<!doctype html>")


def test_a_file_that_cannot_be_written_is_a_usage_error(cli: Commands, tmp_path: Path) -> None:
    ran = cli("show", "-o", str(tmp_path / "no" / "such"))

    assert ran.code == 2
    assert "cannot be written" in ran.err


def test_a_page_needs_no_network_and_allows_only_its_own_script(cli: Commands) -> None:
    page = cli("show", "--format", "html").out
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)

    assert policy is not None
    assert policy[1].startswith("default-src 'none'; script-src 'sha256-")
    assert (
        re.findall(r"(?:src|href)=|url\(|@import|https?://(?!www\.w3\.org/2000/svg)", page.partition('id="data"')[0])
        == []
    )


def test_nothing_in_a_policy_ends_the_data_of_a_page(cli_on: MakeCommands, cli: Commands) -> None:
    text = (cli.folder / "policy.yaml").read_text()
    named = text.replace(
        "  support: {match", f'  support: {{description: "{HOSTILE.replace(chr(34), chr(92) + chr(34))}", match'
    )
    own = cli_on({"policy.yaml": named, "answer.json": (cli.folder / "answer.json").read_text()})
    page = own("show", "--format", "html").out
    data = re.search(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)

    assert data is not None
    assert page.lower().count("</script>") == 2
    assert "<" not in data[1]
    assert "alert(1)" in data[1]


def test_nothing_in_a_policy_is_more_than_a_text_in_mermaid() -> None:
    from route_run.review.picture.mermaid import text

    assert re.fullmatch(r"[\w ,./#;-]*", text('a"] --> b\n%% <script> | end ; #quot;'))


def test_a_policy_that_is_invalid_is_not_drawn(cli_on: MakeCommands) -> None:
    assert cli_on("version: 1\nroutes: {a: {match: {}, upstream: gone}}\n")("show").code == 1
