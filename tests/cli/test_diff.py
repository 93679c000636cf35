"""`route-run diff`: folders and git revisions on either side, its formats, its exit codes and what it refuses."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from support.commands import Commands
from support.ledgers import record, written


def git(where: Path, *arguments: str) -> str:
    named = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@a"}
    environ = {**os.environ, **named, "GIT_CONFIG_GLOBAL": os.devnull}
    done = subprocess.run(["git", *arguments], cwd=where, env=environ, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def repository(cli: Commands) -> Commands:
    """The policy of ``cli`` in a repository, committed; then a lower maximum in the working tree."""
    where = cli.folder.parent
    git(where, "init", "-q", "-b", "main")
    git(where, "add", ".")
    git(where, "commit", "-qm", "first")
    git(where, "tag", "v1")
    file = cli.folder / "policy.yaml"
    file.write_text(file.read_text().replace("{max: 1}", "{max: 0.5}"))
    return cli


def test_the_working_tree_is_compared_with_a_revision(repository: Commands) -> None:
    ran = repository("diff", "main")

    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("1 group of requests changes from main to the working tree\nrisks: limit-lowered\n")
    assert "range temperature  at most 1, else refused  →  at most 0.5, else refused" in ran.out


@pytest.mark.parametrize("revision", ["v1", "HEAD", "main~0"])
def test_every_way_to_name_a_revision_will_do(repository: Commands, revision: str) -> None:
    assert "1 group of requests" in repository("diff", revision).out


def test_two_revisions_are_compared(repository: Commands) -> None:
    git(repository.folder.parent, "commit", "-qam", "second")

    assert "from HEAD~1 to HEAD" in repository("diff", "HEAD~1", "HEAD").out
    assert repository("diff", "HEAD").out == "no decision changed from HEAD to the working tree\n"


def test_two_folders_are_compared_without_git(cli: Commands, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "policy.yaml").write_text((cli.folder / "policy.yaml").read_text().replace("score: 1.0", "score: 0.9"))
    (other / "answer.json").write_text((cli.folder / "answer.json").read_text())

    assert "injection-loosened" in cli("diff", str(cli.folder), str(other)).out


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ((), 0),
        (("--exit-code",), 1),
        (("--fail-on", "limit-lowered"), 1),
        (("--fail-on", "residency-widened"), 0),
        (("--fail-on", "residency-widened", "--fail-on", "limit-lowered"), 1),
        (("--fail-on", "any"), 1),
    ],
)
def test_the_exit_code_is_what_was_asked_for(repository: Commands, options: tuple[str, ...], code: int) -> None:
    assert repository("diff", "main", *options).code == code


def test_nothing_fails_where_nothing_changed(repository: Commands) -> None:
    git(repository.folder.parent, "commit", "-qam", "second")

    assert repository("diff", "main", "--exit-code", "--fail-on", "any").code == 0


def test_markdown_is_a_comment_and_json_an_object(repository: Commands) -> None:
    markdown = repository("diff", "main", "--format", "markdown").out
    data = repository("diff", "main", "--format", "json").json

    assert markdown.startswith("### Routing policy: 1 group of requests changes")
    assert "| **limit-lowered** |" in markdown
    assert (data["risks"], data["base"]["name"]) == (["limit-lowered"], "main")


def test_a_policy_that_is_invalid_on_one_side_shows_its_findings_there(repository: Commands) -> None:
    file = repository.folder / "policy.yaml"
    file.write_text(file.read_text().replace("upstream: patient", "upstream: pateint"))
    git(repository.folder.parent, "commit", "-qam", "broken")
    ran = repository("diff", "v1", "HEAD")

    assert ran.code == 1
    assert f"--> HEAD:{repository.folder}/policy.yaml:" in ran.err
    assert "the policy of HEAD is invalid: 1 error" in ran.err
    assert repository("diff", "v1", "HEAD", "--format", "json").json["error"]["kind"] == "policy"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("mian",), "did you mean `main`? branches and tags: `main`, `v1`"),
        (("--", "--upload-pack=x"), "neither a folder nor a git revision"),
        (("",), "neither a folder nor a git revision"),
        (("main", "--fail-on", "cost"), "is not one of"),
        (("main", "--replay", "gone.sqlite3"), "there is no ledger at gone.sqlite3"),
    ],
)
def test_what_is_not_there_is_a_usage_error_that_names_what_is(
    repository: Commands, arguments: tuple[str, ...], said: str
) -> None:
    ran = repository("diff", *arguments)

    assert ran.code == 2
    assert said in ran.err


def test_a_folder_that_the_revision_does_not_have_is_named_with_those_it_has(repository: Commands) -> None:
    later = repository.folder.parent / "later"
    later.mkdir()
    (later / "policy.yaml").write_text("version: 1\n")
    ran = Commands(later, repository.ledger, repository._capsys, repository._monkeypatch)("diff", "main")

    assert ran.code == 2
    assert "the revision `main` has no folder `later`; its folders: `routes`" in ran.err


def test_a_folder_outside_of_any_repository_says_so(cli: Commands) -> None:
    ran = cli("diff", "main")

    assert ran.code == 2
    assert "`main` is not a folder, and no git revision can be read" in ran.err


def test_without_git_folders_can_still_be_compared(cli: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")

    assert "git is not installed" in cli("diff", "main").err
    assert cli("diff", str(cli.folder)).out.startswith("no decision changed")


def test_nothing_of_the_repository_is_run_or_changed(repository: Commands) -> None:
    where = repository.folder.parent
    hook = where / ".git" / "hooks" / "post-checkout"
    hook.write_text("#!/bin/sh\ntouch hooked\n")
    hook.chmod(0o755)
    before = git(where, "status", "--porcelain")
    repository("diff", "main")

    assert git(where, "status", "--porcelain") == before
    assert not (where / "hooked").exists()


def test_a_symbolic_link_in_a_revision_is_refused_and_not_followed(repository: Commands) -> None:
    (repository.folder / "link.yaml").symlink_to("/etc/passwd")
    git(repository.folder.parent, "add", ".")
    git(repository.folder.parent, "commit", "-qm", "link")
    (repository.folder / "link.yaml").unlink()
    ran = repository("diff", "HEAD")

    assert ran.code == 1
    assert "symbolic links are refused" in ran.err


def test_the_ledger_is_asked_again(repository: Commands, tmp_path: Path) -> None:
    path = written(tmp_path / "past.sqlite3", [record(1), record(2, simulated=True)])
    file = repository.folder / "policy.yaml"
    file.write_text(file.read_text().replace("main: {targets: [{endpoint: first, model: m}, ", "main: {targets: ["))
    text = repository("diff", "main", "--replay", f"sqlite:///{path}").out
    data = repository("diff", "main", "--replay", str(path), "--simulated", "--format", "json").json

    assert "replay: 0 of 1 past requests" in text or "could not be judged" in text
    assert "1 simulated ones left out" in text
    assert (data["replay"]["requests"], data["replay"]["simulated_left_out"]) == (2, 0)


def test_a_difference_reads_no_secret_and_prints_none(repository: Commands) -> None:
    file = repository.folder / "policy.yaml"
    file.write_text(file.read_text().replace("${FIRST_KEY}", "${OTHER_KEY}"))
    text = json.dumps(repository("diff", "main", "--format", "json").json)

    assert "${OTHER_KEY}" in text
