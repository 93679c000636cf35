"""The git revision of a policy folder, held against what git itself says."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from route_run.ledger import MemoryLedger
from route_run.runtime.engine import Engine
from route_run.runtime.revision import git_revision
from support.engines import policy, records, streamed_result
from support.policies import write_policy
from support.scripted import ScriptedTransport, streamed

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git to compare with")

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=t", "-c", "user.email=t@t.test", "-c", "init.defaultBranch=main"]
    command = ["git", *identity, "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit; the policy lies in `routes`."""
    folder = tmp_path / "repository"
    (folder / "routes").mkdir(parents=True)
    (folder / "routes" / "policy.yaml").write_text("version: 1\n")
    git(folder, "init", "--ref-format=files") if _knows_formats(folder) else git(folder, "init")
    git(folder, "add", ".")
    git(folder, "commit", "-m", "one")
    return folder


def _knows_formats(folder: Path) -> bool:
    found = subprocess.run(["git", "init", "-h"], capture_output=True, text=True, check=False, cwd=folder)
    return "--ref-format" in found.stdout + found.stderr


def test_a_loose_reference_is_read(repository: Path) -> None:
    assert git_revision(repository / "routes") == git(repository, "rev-parse", "HEAD")


def test_the_repository_itself_may_be_the_policy_folder(repository: Path) -> None:
    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")


def test_a_packed_reference_is_read(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    assert not (repository / ".git" / "refs" / "heads" / "main").exists()

    assert git_revision(repository / "routes") == git(repository, "rev-parse", "HEAD")


def test_a_loose_reference_stands_before_a_packed_one(repository: Path) -> None:
    git(repository, "pack-refs", "--all")
    git(repository, "commit", "--allow-empty", "-m", "two")

    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")


def test_a_packed_branch_is_not_taken_for_another_with_the_same_end(repository: Path) -> None:
    git(repository, "branch", "x/main")
    git(repository, "commit", "--allow-empty", "-m", "two")
    git(repository, "pack-refs", "--all")

    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")


def test_a_detached_head_is_read(repository: Path) -> None:
    git(repository, "checkout", "--detach", "HEAD")

    assert git_revision(repository / "routes") == git(repository, "rev-parse", "HEAD")


def test_a_branch_with_slashes_is_read(repository: Path) -> None:
    git(repository, "checkout", "-b", "feature/of/mine")
    git(repository, "commit", "--allow-empty", "-m", "two")

    assert git_revision(repository) == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("packed", [False, True])
def test_a_worktree_is_read(repository: Path, tmp_path: Path, packed: bool) -> None:
    git(repository, "worktree", "add", "-b", "other", str(tmp_path / "worktree"))
    git(tmp_path / "worktree", "commit", "--allow-empty", "-m", "two")
    if packed:
        git(repository, "pack-refs", "--all")
    found = git_revision(tmp_path / "worktree" / "routes")

    assert found == git(tmp_path / "worktree", "rev-parse", "HEAD")
    assert found != git(repository, "rev-parse", "HEAD")


def test_a_submodule_is_read(repository: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", str(repository), "inner")

    assert git_revision(outer / "inner" / "routes") == git(repository, "rev-parse", "HEAD")


def test_a_folder_that_is_linked_to_is_read_where_it_lies(repository: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(repository / "routes")

    assert git_revision(tmp_path / "link") == git(repository, "rev-parse", "HEAD")


@pytest.mark.anyio
async def test_a_record_holds_the_revision_of_its_policy(repository: Path) -> None:
    write_policy(repository / "routes", policy())
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    async with Engine.open(repository / "routes", ledger=ledger, environ={}, transport=transport) as engine:
        await streamed_result(engine)

    assert records(ledger)[0]["git_revision"] == git(repository, "rev-parse", "HEAD")


def test_outside_of_a_repository_there_is_no_revision(tmp_path: Path) -> None:
    assert git_revision(tmp_path) is None


def test_a_repository_without_a_commit_has_no_revision(tmp_path: Path) -> None:
    git(tmp_path, "init")

    assert git_revision(tmp_path) is None


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({}, id="empty"),
        pytest.param({"HEAD": ""}, id="empty head"),
        pytest.param({"HEAD": "ref: refs/heads/main\n"}, id="unborn"),
        pytest.param({"HEAD": "ref: refs/heads/main\n", "refs/heads/main": "nonsense\n"}, id="no hash"),
        pytest.param({"HEAD": "not a hash\n"}, id="no reference"),
        pytest.param({"HEAD": COMMIT[:20]}, id="half a hash"),
        pytest.param({"HEAD": "ref: refs/heads/main\n", "packed-refs": "# pack-refs\n^" + COMMIT}, id="peeled only"),
        pytest.param({"HEAD": "ref: \n"}, id="no name"),
    ],
)
def test_a_repository_that_is_broken_has_no_revision(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / ".git" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / ".git" / name).write_text(text)
    (tmp_path / ".git").mkdir(exist_ok=True)

    assert git_revision(tmp_path) is None


@pytest.mark.parametrize("content", [b"", b"gitdir: /no/such/folder\n", b"\xff\xfe", b"gitdir: \n", b"garbage"])
def test_a_file_that_points_nowhere_gives_no_revision(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".git").write_bytes(content)

    assert git_revision(tmp_path) is None


def test_a_hash_of_the_longer_kind_is_read(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "HEAD").write_text("ab" * 32 + "\n")

    assert git_revision(tmp_path) == "ab" * 32
