"""Policy folders as a git revision holds them, read through git into a folder of their own.

Decides what is taken from a revision: regular files and symbolic links (which the loader refuses by name) below
the policy folders, within caps. Nothing is checked out, no hook and no filter runs.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from route_run.errors import MisuseError
from route_run.text.nearest import listed, nearest

MOST_FILES = 20_000
MOST_BYTES = 64 << 20
"""Most bytes taken from one revision."""
_SECONDS = 60
_QUIET = ("--no-optional-locks", "--literal-pathspecs", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")


@dataclass(frozen=True, slots=True)
class _Blob:
    name: str
    path: PurePosixPath
    size: int
    is_link: bool


def extract(revision: str, folders: Sequence[Path], into: Path) -> list[Path]:
    """Write the policy folders as they are in a revision below ``into``; the folders there, in the same order.

    Raises MisuseError, which names what was found, when there is no git, no repository, no such revision or no
    such folder in it.
    """
    return [_extracted(revision, folder, into / str(number)) for number, folder in enumerate(folders)]


def _extracted(revision: str, folder: Path, into: Path) -> Path:
    place = folder.absolute()
    existing = next(parent for parent in (place, *place.parents) if parent.is_dir())
    try:
        top = Path(_git(existing, "rev-parse", "--show-toplevel").decode().rstrip("\n"))
    except MisuseError as error:
        raise MisuseError(f"`{revision}` is not a folder, and no git revision can be read: {error}") from error
    try:
        inside = place.resolve().relative_to(top.resolve())
    except ValueError as error:
        raise MisuseError(f"{folder} is not inside of the git repository {top}") from error
    commit = _commit(top, revision)
    blobs = list(_blobs(top, commit, inside))
    if not blobs:
        raise MisuseError(f"the revision `{revision}` has no folder `{inside}`; {_what_there_is(top, commit)}")
    _write(top, blobs, into)
    return into / inside


def _commit(top: Path, revision: str) -> str:
    found = b""
    if revision and not revision.startswith("-"):
        wanted = f"{revision}^{{commit}}"
        found = _git(top, "rev-parse", "--verify", "--quiet", "--end-of-options", wanted, may_fail=True)
    if not found:
        refs = _git(top, "for-each-ref", "--format=%(refname:short)", "--count=1000").decode("utf-8", "replace")
        names = refs.split()
        similar = nearest(revision, names)
        hint = f"did you mean `{similar}`? " if similar else ""
        known = listed(names) if names else "none, the repository has no commit"
        raise MisuseError(f"`{revision}` is neither a folder nor a git revision; {hint}branches and tags: {known}")
    return found.decode().strip()


def _blobs(top: Path, commit: str, inside: Path) -> Iterator[_Blob]:
    """The files of a folder in a commit; raises MisuseError when there is more of them than is taken."""
    where = ["--", inside.as_posix()] if inside.parts else []
    size = 0
    for count, entry in enumerate(_git(top, "ls-tree", "-r", "-z", "-l", "--full-tree", commit, *where).split(b"\0")):
        if not entry:
            continue
        described, _, name = entry.partition(b"\t")
        mode, kind, blob, length = described.split()
        path = PurePosixPath(name.decode("utf-8", "surrogateescape"))
        if kind != b"blob" or ".." in path.parts or path.is_absolute():
            continue
        size += int(length)
        if size > MOST_BYTES or count >= MOST_FILES:
            raise MisuseError(f"`{inside}` holds more than {MOST_FILES:,} files or {MOST_BYTES >> 20} MiB there")
        yield _Blob(blob.decode(), path, int(length), is_link=mode == b"120000")


def _write(top: Path, blobs: Sequence[_Blob], into: Path) -> None:
    content = _git(top, "cat-file", "--batch", stdin="".join(f"{blob.name}\n" for blob in blobs).encode())
    start = 0
    for blob in blobs:
        start = content.index(b"\n", start) + 1
        text = content[start : start + blob.size]
        start += blob.size + 1
        target = into / blob.path
        target.parent.mkdir(parents=True, exist_ok=True)
        if blob.is_link:
            target.symlink_to(text.decode("utf-8", "surrogateescape"))
        else:
            target.write_bytes(text)


def _what_there_is(top: Path, commit: str) -> str:
    names = _git(top, "ls-tree", "-d", "-z", "--name-only", "--full-tree", commit).decode("utf-8", "replace")
    found = [name for name in names.split("\0") if name]
    return f"its folders: {listed(found)}" if found else "it has no folders"


def _git(where: Path, *arguments: str, stdin: bytes = b"", may_fail: bool = False) -> bytes:
    command = ["git", *_QUIET, "-C", str(where), *arguments]
    try:
        done = subprocess.run(command, input=stdin, capture_output=True, timeout=_SECONDS, check=False)  # noqa: S603  # no shell, and revisions stand behind --end-of-options
    except FileNotFoundError as error:
        raise MisuseError("git is not installed; compare two folders instead") from error
    except subprocess.TimeoutExpired as error:
        raise MisuseError(f"git {arguments[0]} did not answer within {_SECONDS} s") from error
    if done.returncode and not may_fail:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        raise MisuseError(f"git {arguments[0]} in {where}: {said[0] if said else f'exit code {done.returncode}'}")
    return b"" if done.returncode else done.stdout
