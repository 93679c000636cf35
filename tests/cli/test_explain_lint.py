"""`route-run explain` and `route-run lint`: decisions and findings, as text and as JSON; nothing is sent or stored."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from support.commands import Commands
from support.engines import policy
from support.policies import write_policy
from support.sockets import connects_seen

MakeCommands = Callable[..., Commands]

# -- explain ------------------------------------------------------------------------------------------

ASKED: dict[str, tuple[tuple[str, ...], int]] = {
    "sent": (("Hello", "--tag", "desk=support"), 0),
    "rejected": (("Tell me about Project Zephyr",), 3),
    "refused": (("Hello", "--param", "temperature=9"), 4),
}


@pytest.mark.parametrize("form", [(), ("--json",)])
@pytest.mark.parametrize("asked", ASKED)
def test_an_explanation_exits_as_the_request_would_begin(cli: Commands, asked: str, form: tuple[str, ...]) -> None:
    arguments, code = ASKED[asked]

    assert cli("explain", *arguments, *form).code == code


def test_an_explanation_names_route_bounds_targets_and_their_places(cli: Commands) -> None:
    text = cli("explain", "Hello", "--tag", "desk=support").out

    for words in ("support: is the narrowest match", "baseline", "1. first/m", "2. second/m", "upstream    main"):
        assert words in text
    line = (cli.folder / "policy.yaml").read_text().partition("  support: ")[0].count("\n") + 1
    assert f"policy.yaml:{line}:3" in text


@pytest.mark.parametrize("asked", ["rejected", "refused"])
def test_an_explanation_says_why_nothing_would_be_sent(cli: Commands, asked: str) -> None:
    assert cli("explain", *ASKED[asked][0]).out.splitlines()[-1].startswith(asked)


def test_a_plan_as_json_holds_everything_that_was_decided(cli: Commands) -> None:
    plan = cli("explain", "--json", "Hello", "--tag", "desk=sales", "--param", "temperature=0.5").json

    assert (plan["route"], plan["upstream"], plan["bounds"]) == ("everything", "main", ["baseline"])
    assert plan["parameters"] == {"temperature": 0.5}
    assert [target["endpoint"] for target in plan["targets"]] == ["first", "second"]
    assert plan["attributes"]["tags"] == {"desk": "sales"}
    assert plan["stop"] is None
    assert plan["deferred"] == []


def test_the_plan_as_json_is_the_one_that_run_shows(cli: Commands) -> None:
    explained = cli("explain", "--json", "Hello").json
    planned = cli("run", "--simulate", "--events", "Hello").lines[0]["plan"]

    for varying in ("seed", "at"):
        del planned[varying], explained[varying]
    assert {key: value for key, value in explained.items() if key not in ("deferred", "effective")} == planned


def test_explaining_twice_prints_the_same(cli: Commands) -> None:
    assert cli("explain", "--json", "Hello") == cli("explain", "--json", "Hello")


def test_a_tag_that_is_not_declared_is_said_to_match_nothing(cli: Commands) -> None:
    assert "dsk: not declared by the policy" in cli("explain", "Hello", "--tag", "dsk=support").out


def test_explaining_sends_nothing_and_stores_nothing(cli: Commands) -> None:
    with connects_seen() as connects:
        cli("explain", "Hello")

    assert connects == []
    assert not cli.ledger.exists()


def test_what_is_not_enforced_yet_is_marked(cli_on: MakeCommands) -> None:
    cli = cli_on(policy(upstream="hedge: {after: 2s}"))
    text, plan = cli("explain", "Hello"), cli("explain", "Hello", "--json")

    assert (text.code, plan.code) == (0, 0)
    assert "deferred" in text.out
    assert "hedge" in text.out
    assert [finding["line"] for finding in plan.json["deferred"]] == [8]


def test_an_explanation_holds_no_control_characters_of_what_was_asked(cli: Commands) -> None:
    assert "\x1b" not in cli("explain", "Hello", "--tag", "tenant=\x1b[31mred", "--model", "\x1b[2J").out


# -- lint ---------------------------------------------------------------------------------------------


def test_a_valid_policy_has_no_findings(cli: Commands) -> None:
    ran = cli("lint")

    assert (ran.code, ran.out) == (0, "no findings in 1 file\n")


def test_findings_are_shown_with_place_line_and_fix(cli_on: MakeCommands) -> None:
    ran = cli_on(policy().replace("upstream: main", "upstream: mian"))("lint")

    assert ran.code == 1
    assert "error[RR201] there is no upstream `mian`" in ran.out
    assert "policy.yaml:10:" in ran.out
    assert "10 |   all: {match: {}, upstream: mian}" in ran.out
    assert "^^^^" in ran.out
    assert "did you mean `main`" in ran.out
    assert ran.out.splitlines()[-1] == "1 error in 1 file (1 can be fixed with --fix)"


def test_all_findings_come_at_once(cli_on: MakeCommands) -> None:
    text = policy().replace("upstream: main", "upstream: mian").replace("serves:", "sevres:")
    ran = cli_on(text + "tags: {a: {vlaues: [b]}}\n")("lint")

    assert ran.code == 1
    for words in ("`mian`", "sevres", "vlaues"):
        assert words in ran.out


@pytest.mark.parametrize("upstream", ["hedge: {after: 2s}", "fallback: {after_content: restart}"])
def test_a_warning_does_not_fail(cli_on: MakeCommands, upstream: str) -> None:
    ran = cli_on(policy(upstream=upstream))("lint")

    assert ran.code == 0
    assert "warning[RR110]" in ran.out


def test_findings_as_json_are_one_object(cli_on: MakeCommands) -> None:
    ran = cli_on(policy(upstream="hedge: {after: 2s}").replace("upstream: main", "upstream: mian"))(
        "lint", "--format", "json"
    )

    assert ran.code == 1
    summary = ran.json["summary"]
    assert (summary["error"], summary["warning"], summary["files"], summary["valid"]) == (1, 1, 1, False)
    assert {finding["code"] for finding in ran.json["findings"]} == {"RR110", "RR201"}
    assert {"path", "line", "column", "end_line", "end_column", "message", "help"} <= set(ran.json["findings"][0])


def test_a_valid_policy_as_json_has_an_empty_list(cli: Commands) -> None:
    ran = cli("lint", "--format", "json")

    assert (ran.code, ran.json["findings"]) == (0, [])


def test_linting_twice_prints_the_same(cli_on: MakeCommands) -> None:
    text = policy().replace("upstream: main", "upstream: mian").replace("serves:", "sevres:")
    cli = cli_on({"b.yaml": text, "a.yaml": "version: 1\ntags: {x: {vlaues: [y]}}\n"})

    assert cli("lint") == cli("lint")
    assert cli("lint", "--format", "json") == cli("lint", "--format", "json")


def test_paths_stand_in_for_the_policy_option_and_are_one_policy(
    cli: Commands, tmp_path_factory: pytest.TempPathFactory
) -> None:
    head, _, routes = policy().partition("routes:")
    common = write_policy(tmp_path_factory.mktemp("common"), head)
    prod = write_policy(tmp_path_factory.mktemp("prod"), f"version: 1\nroutes:{routes}")

    assert cli("lint", str(common), str(prod)).out == "no findings in 2 files\n"
    assert cli("lint", str(prod)).code == 1


def test_a_single_file_may_be_linted(cli: Commands) -> None:
    cli.folder.joinpath("answer.json").unlink()
    text = policy()
    (cli.folder / "policy.yaml").write_text(text)

    assert cli("lint", str(cli.folder / "policy.yaml")).code == 0


def test_a_literal_secret_is_a_finding_that_does_not_show_it(cli_on: MakeCommands) -> None:
    cli = cli_on(policy(first="auth: {api_key: sk-canary-4711-canary}"))
    text, found = cli("lint"), cli("lint", "--format", "json")

    assert text.code == 1
    assert "canary" not in text.out + text.err + found.out
    assert "RR108" in text.out


def test_control_characters_of_a_file_do_not_reach_the_terminal(cli_on: MakeCommands) -> None:
    ran = cli_on(policy() + 'owner: "\\e[31m"  # \x1b[31m\n')("lint")

    assert ran.code == 1
    assert "\x1b" not in ran.out


def test_json_of_findings_is_the_same_bytes_for_the_same_policy(cli_on: MakeCommands) -> None:
    cli = cli_on(policy().replace("upstream: main", "upstream: mian"))
    first = cli("lint", "--format", "json").out
    (cli.folder / "policy.yaml").touch()

    assert json.loads(first) == cli("lint", "--format", "json").json
