"""Policy folders to documents: which files count, which are refused, and side files by name.

Decides what a folder holds. Symbolic links and ways out of the folder are refused, so what git shows
in review is all that is read.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from route_run.errors import Code, Finding, Span
from route_run.text.document import Document, Kind
from route_run.text.parse import Limits, parse

MAX_FILES = 20_000
"""Most files read in one run."""


@dataclass(frozen=True, slots=True)
class Reading:
    """All documents of a policy in the order of their paths, and what is wrong with their form."""

    documents: tuple[Document, ...]
    findings: tuple[Finding, ...]
    has_refused: bool = False

    @property
    def is_complete(self) -> bool:
        """False when some file or folder was refused or could not be read to its end."""
        return not self.has_refused and all(document.complete for document in self.documents)


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that a document names: its bytes, or in words why there are none."""

    content: bytes
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Entry:
    folder: Path
    path: Path
    problem: Finding | None = None

    @property
    def name(self) -> str:
        return self.path.relative_to(self.folder).as_posix()


def read_folders(
    paths: Sequence[Path], limits: Limits = Limits(), instead: Mapping[Path, bytes] | None = None
) -> Reading:
    """Read policy folders (or single files) as one policy; never raises for what is in them.

    ``instead`` holds what to take for the content of some files; one that lies in a folder need not exist.
    """
    contents = dict(instead or {})
    documents: list[Document] = []
    refused: list[Finding] = []
    findings: list[Finding] = []
    for entry in _entries(paths, refused, contents):
        if entry.problem is not None:
            refused.append(entry.problem)
            continue
        document, problems = _read(entry, limits, contents.get(entry.path))
        documents.append(document)
        findings.extend(problems)
    return Reading(tuple(documents), (*refused, *findings), bool(refused))


def read_named_file(folder: Path, name: str, limit: int = 1 << 20) -> NamedFile:
    """Read a file that a document of ``folder`` names; nothing outside of the folder is ever read."""
    relative = PurePosixPath(name)
    if relative.is_absolute() or ".." in relative.parts or "\\" in name or "\0" in name:
        return NamedFile(b"", "a file is named by its path inside the policy folder, without `..`")
    path = folder
    try:
        for part in relative.parts:
            path = path / part
            if path.is_symlink():
                return NamedFile(b"", "symbolic links are refused")
        if not path.is_file():
            return NamedFile(b"", "there is no such file in the policy folder")
        if path.stat().st_size > limit:
            return NamedFile(b"", f"the file is larger than {limit:,} bytes")
        return NamedFile(path.read_bytes())
    except OSError as error:
        return NamedFile(b"", f"cannot be read: {error.strerror}")


def kind_of(name: str) -> Kind:
    """What a file holds, by its name."""
    if name.endswith(".pack.yaml"):
        return Kind.PACK
    if name.endswith(".test.yaml"):
        return Kind.TEST
    return Kind.POLICY


def _entries(paths: Sequence[Path], findings: list[Finding], contents: Mapping[Path, bytes]) -> Iterator[_Entry]:
    seen: set[Path] = set()
    for root in paths:
        before = len(findings)
        try:
            found = _with_new(root, _found(root, findings, contents), contents)
            home = found[0].folder.resolve() if found else root
        except OSError as error:
            findings.append(_unreadable(root, error))
            continue
        if not found and len(findings) == before:
            findings.append(
                _refused(
                    Code.NO_POLICY,
                    root,
                    "the policy folder holds no `*.yaml` file",
                    "`route-run init` writes a starter policy",
                )
            )
        new = {home / entry.name: entry for entry in found if home / entry.name not in seen}
        seen.update(new)
        if len(seen) > MAX_FILES:
            findings.append(_refused(Code.TOO_LARGE, root, f"more than {MAX_FILES:,} files", "name a smaller folder"))
            return
        yield from new.values()


def _with_new(root: Path, found: list[_Entry], contents: Mapping[Path, bytes]) -> list[_Entry]:
    """The entries of a folder and those that only ``contents`` has, in the order of their names."""
    there = {entry.path for entry in found}
    new = [path for path in contents if path not in there and root in path.parents and _is_meant(path.name)]
    return sorted((*found, *(_entry(root, path) for path in new)), key=lambda e: e.name) if new else found


def _found(root: Path, findings: list[Finding], contents: Mapping[Path, bytes]) -> list[_Entry]:
    if root.is_symlink():
        findings.append(
            _refused(Code.SYMLINK, root, "a symbolic link is refused as a policy folder", "name the folder itself")
        )
        return []
    if root.is_file() or root in contents:
        return [_entry(root.parent, root)]
    if not root.exists():
        findings.append(
            _refused(Code.NO_POLICY, root, "there is no such policy folder", "`route-run init` writes a starter policy")
        )
        return []
    return _walk(root, findings)


def _walk(root: Path, findings: list[Finding]) -> list[_Entry]:
    found: list[_Entry] = []

    def unreadable(error: OSError) -> None:
        findings.append(_unreadable(Path(error.filename or root), error))

    for place, folders, files in os.walk(root, onerror=unreadable):
        here = Path(place)
        linked = [f for f in folders if (here / f).is_symlink()]
        folders[:] = sorted(f for f in folders if not f.startswith(".") and f not in linked)
        found += [_Entry(root, here / f, _link_refused(here / f)) for f in sorted(linked) if not f.startswith(".")]
        found += [_entry(root, here / name) for name in sorted(files) if _is_meant(name)]
    return sorted(found, key=lambda e: e.name)


def _is_meant(name: str) -> bool:
    return name.endswith((".yaml", ".yml")) and not name.startswith(".")


def _entry(root: Path, path: Path) -> _Entry:
    if path.is_symlink():
        return _Entry(root, path, _link_refused(path))
    if path.suffix == ".yml":
        problem = _refused(
            Code.FILE_NAME,
            path,
            "policy files end in `.yaml`; this one is not read",
            f"rename it to `{path.stem}.yaml`",
        )
        return _Entry(root, path, problem)
    return _Entry(root, path)


def _read(entry: _Entry, limits: Limits, content: bytes | None) -> tuple[Document, list[Finding]]:
    kind = kind_of(entry.path.name)
    shown = str(entry.path)
    try:
        content = _bytes_of(entry.path, limits) if content is None else content
    except OSError as error:
        document = Document(shown, entry.name, entry.folder, kind, "", None, (0, 0, 0, 0), complete=False)
        return document, [_unreadable(entry.path, error)]
    return parse(content, path=shown, name=entry.name, folder=entry.folder, kind=kind, limits=limits)


def _bytes_of(path: Path, limits: Limits) -> bytes:
    """At most one byte more than the cap: enough for the parser to refuse a larger file by its size."""
    if not stat.S_ISREG(path.stat().st_mode):  # asked before opening: opening a pipe waits for its writer
        raise OSError("not a regular file")
    with path.open("rb") as file:
        return file.read(limits.bytes + 1)


def _link_refused(path: Path) -> Finding:
    return _refused(Code.SYMLINK, path, "symbolic links are refused", "put the file itself into the folder")


def _unreadable(path: Path, error: OSError) -> Finding:
    return _refused(Code.UNREADABLE, path, f"cannot be read: {error.strerror or error}", "check its permissions")


def _refused(code: Code, path: Path, message: str, help_text: str) -> Finding:
    return Finding(code, Span.of_file(str(path)), message, help=help_text)
