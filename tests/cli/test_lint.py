"""`route-run lint` and `rule`: reports to files, fixes, suppressions, baselines, a document from an editor."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import Commands

MakeCommands = Callable[..., Commands]
TYPO = "version: 1\ntags: {desk: {requird: true}}  # kept\n"
DATED = "version: 1\ntags:\n  desk: {values: [2024-08-06]}\n"
SUPPRESSED = DATED.replace("}\n", "}  # route-run: ignore[RR015] because we read it alone, until 9999-01-31\n")


def on_disk(cli: Commands, name: str = "policy.yaml") -> str:
    return (cli.folder / name).read_text()


# -- reports -----------------------------------------------------------------------------------------------


def test_several_reports_come_from_one_run(cli_on: MakeCommands, tmp_path: Path) -> None:
    outputs = {style: tmp_path / f"lint.{style}" for style in ("json", "sarif", "junit", "gitlab", "github", "text")}
    asked = [word for style, path in outputs.items() for word in ("--output", f"{style}={path}")]

    ran = cli_on(TYPO)("lint", *asked)

    assert ran.code == 1
    assert ran.out == outputs["text"].read_text()
    assert json.loads(outputs["sarif"].read_text())["version"] == "2.1.0"
    assert len(json.loads(outputs["json"].read_text())["findings"]) == 1
    assert outputs["github"].read_text().startswith("::error ")


def test_reports_name_files_from_where_the_command_runs(cli_on: MakeCommands, monkeypatch: pytest.MonkeyPatch) -> None:
    cli = cli_on(TYPO)
    monkeypatch.chdir(cli.folder.parent)

    (entry,) = cli("lint", "--format", "gitlab").json

    assert entry["location"]["path"] == "own/policy.yaml"


def test_a_report_that_cannot_be_written_is_a_usage_error_and_leaves_nothing_half_written(
    cli_on: MakeCommands, tmp_path: Path
) -> None:
    first = tmp_path / "first.json"

    ran = cli_on(TYPO)("lint", "--output", f"json={first}", "--output", f"sarif={tmp_path / 'no' / 'such.sarif'}")

    assert ran.code == 2
    assert "such.sarif cannot be written: No such file or directory" in ran.err
    assert ran.out == ""
    assert not first.exists()


WRONG: dict[str, tuple[tuple[str, ...], str]] = {
    "an output without a path": (("--output", "json"), "--output takes FORMAT=PATH"),
    "an output of an unknown format": (("--output", "xml=a"), "--output takes FORMAT=PATH"),
    "one file for two reports": (("--output", "json=a", "--output", "text=a"), "--output names a twice"),
    "an unknown code": (("--select", "RR999"), "no rule starts with `RR999`"),
    "a misspelt rule": (("--ignore", "unkown-field"), "a similar one exists: `unknown-field`"),
    "unsafe without fixing": (("--unsafe-fixes",), "--unsafe-fixes goes with --fix or --diff"),
    "two things to do": (("--fix", "--debt"), "--fix or --diff and --debt do not go together"),
    "a baseline to update and none named": (("--update-baseline",), "--update-baseline needs --baseline FILE"),
    "a baseline that is not there": (("--baseline", "/nowhere/b.json"), "is not there"),
    "a name for stdin without it": (("--stdin-filename", "a.yaml"), "--stdin-filename goes with `-`"),
    "stdin without a name": (("-",), "--stdin-filename says which file it stands for"),
    "fixing stdin": (("-", "--stdin-filename", "a.yaml", "--fix"), "for a document from stdin use --diff"),
}


@pytest.mark.parametrize(("arguments", "words"), WRONG.values(), ids=WRONG.keys())
def test_usage(cli: Commands, arguments: tuple[str, ...], words: str) -> None:
    ran = cli("lint", *arguments)

    assert ran.code == 2
    assert words in " ".join(ran.err.split())


# -- what counts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 1), ("info", 1)])
def test_the_level_decides_what_fails(cli_on: MakeCommands, level: str, code: int) -> None:
    assert cli_on(DATED)("lint", "--fail-level", level).code == code


@pytest.mark.parametrize("chosen", [("--select", "RR1"), ("--ignore", "looks-like-a-date"), ("--ignore", "rr0,RR1")])
def test_what_is_not_chosen_is_counted_and_does_not_fail(cli_on: MakeCommands, chosen: tuple[str, ...]) -> None:
    ran = cli_on(DATED)("lint", *chosen, "--fail-level", "warning")

    assert (ran.code, ran.out) == (0, "no findings in 1 file (1 not shown)\n")


def test_an_invalid_policy_fails_whatever_was_chosen(cli_on: MakeCommands) -> None:
    ran = cli_on(TYPO)("lint", "--select", "RR6")

    assert (ran.code, ran.out) == (1, "no findings in 1 file (1 not shown)\n")


# -- fixes -------------------------------------------------------------------------------------------------


def test_fixing_mends_the_file_and_reports_what_is_left(cli_on: MakeCommands) -> None:
    cli = cli_on(TYPO)

    ran = cli("lint", "--fix")

    assert on_disk(cli) == TYPO.replace("requird", "required")
    assert ran.code == 0
    assert ran.out.splitlines()[0] == "no findings in 1 file"
    assert ran.out.splitlines()[1].startswith("1 edit in 1 file, the policy was invalid before (it is valid now)")


def test_a_diff_writes_nothing_and_fails_when_there_is_something_to_mend(cli_on: MakeCommands) -> None:
    cli = cli_on(TYPO)

    ran = cli("lint", "--diff")

    assert on_disk(cli) == TYPO
    assert ran.code == 1
    assert "-tags: {desk: {requird: true}}  # kept\n+tags: {desk: {required: true}}  # kept\n" in ran.out
    assert cli("lint", "--fix").code == 0
    assert cli("lint", "--diff").out == ""
    assert cli("lint", "--diff").code == 0


def test_the_summary_of_fixing_stays_out_of_machine_output(cli_on: MakeCommands) -> None:
    ran = cli_on(DATED)("lint", "--fix", "--format", "json")

    assert ran.json["findings"] == []
    assert ran.err == "1 edit in 1 file, 0 decisions changed (the compiled policies are equal)\n"


def test_a_file_that_cannot_be_written_is_a_usage_error(cli_on: MakeCommands, monkeypatch: pytest.MonkeyPatch) -> None:
    import tempfile

    def refuses(**_: object) -> object:
        raise PermissionError(13, "Permission denied")

    cli = cli_on(TYPO)
    monkeypatch.setattr(tempfile, "mkstemp", refuses)

    ran = cli("lint", "--fix")

    assert ran.code == 2
    assert "policy.yaml cannot be written: Permission denied" in ran.err
    assert on_disk(cli) == TYPO


# -- suppressions and baseline -----------------------------------------------------------------------------


def test_suppressed_findings_are_counted(cli_on: MakeCommands) -> None:
    assert cli_on(SUPPRESSED)("lint").out == "no findings in 1 file (1 suppressed)\n"


def test_debt_lists_suppressions_with_their_age_and_reason(cli_on: MakeCommands) -> None:
    cli = cli_on(SUPPRESSED)
    git = shutil.which("git")
    assert git is not None
    for arguments in (("init", "-q"), ("add", "."), ("commit", "-q", "-m", "x", "--date", "2020-01-02T12:00:00Z")):
        named = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
        subprocess.run([git, *named, *arguments], cwd=cli.folder, check=True, capture_output=True)

    head, row = cli("lint", "--debt").out.splitlines()

    assert head.split() == ["place", "codes", "age", "until", "reason"]
    assert "policy.yaml:3:33  RR015  " in row
    assert row.endswith("days left  we read it alone")
    assert int(row.split("RR015")[1].split()[0]) > 2000


def test_the_age_of_what_git_does_not_know_is_unknown(cli_on: MakeCommands) -> None:
    assert "unknown" in cli_on(SUPPRESSED)("lint", "--debt").out
    assert cli_on("version: 1\n")("lint", "--debt").out == "no suppressions\n"


def test_a_baseline_is_written_once_and_only_shrinks_after(cli_on: MakeCommands, tmp_path: Path) -> None:
    cli, path = cli_on(DATED), tmp_path / "lint.json"
    named = ("--baseline", str(path))

    assert "with 1 findings; from now on it may only shrink" in cli("lint", *named, "--update-baseline").out
    assert cli("lint", *named, "--fail-level", "info").out == "no findings in 1 file (1 in the baseline)\n"
    (cli.folder / "more.yaml").write_text("version: 1\ntags: {team: {values: [2025-08-06]}}\n")
    assert "removed 0 of 1 findings" in cli("lint", *named, "--update-baseline").out
    assert cli("lint", *named, "--fail-level", "warning").code == 1
    (cli.folder / "policy.yaml").write_text("version: 1\n")
    assert "warning[RR906]" in cli("lint", *named).out
    assert "removed 1 of 1 findings" in cli("lint", *named, "--update-baseline").out
    assert json.loads(path.read_text()) == {"version": 1, "findings": {}}


# -- a document from an editor -----------------------------------------------------------------------------


def test_a_document_from_stdin_stands_in_the_place_of_its_file(cli: Commands) -> None:
    text = on_disk(cli).replace("upstream: patient", "upstream: pateint")
    name = str(cli.folder / "policy.yaml")

    found = cli("lint", "-", "--stdin-filename", name, "--format", "json", stdin=text.encode()).json["findings"]

    assert ("RR201", name) in [(finding["code"], finding["path"]) for finding in found]
    assert cli("lint").code == 0


def test_a_new_document_is_checked_beside_the_others_and_what_concerns_it_is_shown(cli: Commands) -> None:
    name = str(cli.folder / "deeper" / "new.yaml")
    good = b"version: 1\nroutes:\n  extra: {upstream: patient, callable: true}\n"

    assert cli("lint", "-", "--stdin-filename", name, stdin=good).out == "no findings in 2 files\n"
    ran = cli("lint", "-", "--stdin-filename", name, stdin=good.replace(b"extra", b"slow"))
    assert ran.code == 1
    assert "error[RR202] `slow` is defined a second time" in ran.out
    assert f"--> {name}:3:3 first here" in ran.out
    assert ran.out.count("error[") == 1


def test_a_document_outside_of_every_folder_is_a_policy_of_its_own(cli: Commands, tmp_path: Path) -> None:
    ran = cli("lint", "-", "--stdin-filename", str(tmp_path / "alone.yaml"), stdin=TYPO.encode())

    assert "alone.yaml:2:15" in ran.out
    assert ran.out.endswith("1 error in 1 file (1 can be fixed with --fix)\n")


def test_a_diff_of_a_document_from_stdin_is_about_the_document(cli: Commands, tmp_path: Path) -> None:
    ran = cli("lint", "-", "--stdin-filename", str(tmp_path / "alone.yaml"), "--diff", stdin=TYPO.encode())

    assert "+tags: {desk: {required: true}}  # kept\n" in ran.out
    assert not (tmp_path / "alone.yaml").exists()


@pytest.mark.parametrize("stdin", [b"\xff\xfe", b"[" * 3000, b"x" * 2_000_000, b"", b"a: &a [*a]"])
def test_whatever_stands_in_an_editor_is_a_finding(cli: Commands, stdin: bytes) -> None:
    name = str(cli.folder / "new.yaml")
    ran = cli("lint", "-", "--stdin-filename", name, "--format", "json", stdin=stdin)

    assert ran.code == 1
    assert {finding["path"] for finding in ran.json["findings"]} == {name}


# -- rule --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["RR103", "rr103", "unknown-field"])
def test_a_rule_explains_itself(cli: Commands, word: str) -> None:
    text = cli("rule", word, bare=True).out

    assert text.startswith("RR103 unknown-field\n")
    for part in ("Why:", "Bad:", "Good:", "Effect:", "Fix:", "severity    error", "confidence  proved"):
        assert part in text


def test_a_misspelt_rule_is_a_usage_error_with_a_similar_one(cli: Commands) -> None:
    ran = cli("rule", "unkown-field", bare=True)

    assert ran.code == 2
    assert "A similar one exists: `unknown-field`." in ran.err


def test_all_rules_are_listed_as_text_and_as_json(cli: Commands) -> None:
    text, data = cli("rule", bare=True).out, cli("rule", "--json", bare=True).json

    assert [entry["code"] for entry in data] == sorted(entry["code"] for entry in data)
    assert all(f"  {entry['code']}  {entry['slug']}" in text for entry in data)
    assert cli("rule", "RR103", "--json", bare=True).json in data
