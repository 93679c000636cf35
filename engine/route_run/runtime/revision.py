"""The git revision of a policy folder, read from the repository's files without running git."""

from __future__ import annotations

import re
from pathlib import Path

_HASH = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")


def git_revision(folder: Path) -> str | None:
    """The commit that is checked out where a folder lies, or None outside of a repository.

    It says nothing of uncommitted changes; the policy's digest does.
    """
    try:
        for parent in (folder.resolve(), *folder.resolve().parents):
            if (parent / ".git").exists():
                return _head(_git_folder(parent / ".git"))
    except (OSError, UnicodeDecodeError):
        return None
    return None


def _git_folder(git: Path) -> Path:
    """The folder itself, or where the file of a worktree or submodule points."""
    if git.is_dir():
        return git
    pointed = git.read_text().partition("gitdir:")[2].strip()
    return (git.parent / pointed).resolve()


def _head(git: Path) -> str | None:
    head = (git / "HEAD").read_text().strip()
    if not head.startswith("ref:"):
        return head if _HASH.match(head) else None
    name = head.removeprefix("ref:").strip()
    common_file = git / "commondir"
    common = (git / common_file.read_text().strip()).resolve() if common_file.is_file() else git
    for place in (git, common):
        if (place / name).is_file():
            found = (place / name).read_text().strip()
            return found if _HASH.match(found) else None
    return _packed(common / "packed-refs", name)


def _packed(file: Path, name: str) -> str | None:
    if not file.is_file():
        return None
    for line in file.read_text().splitlines():
        commit, _, ref = line.partition(" ")
        if ref == name and _HASH.match(commit):
            return commit
    return None
