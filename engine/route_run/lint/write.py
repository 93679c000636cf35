"""Files written whole or not at all: a temporary file beside each, then a rename.

Decides which files are written to: no symbolic links, no file that changed since it was read. The mode of
a file stays. All temporary files exist before the first rename, so that a full disk leaves nothing half done.
"""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from route_run.lint.fix import Change


class WriteRefused(Exception):
    """Raised when a file cannot or must not be written; says which and why. Nothing has been written."""


def write_changes(changes: Iterable[Change]) -> None:
    """Write fixed files; raises WriteRefused."""
    changes = list(changes)
    for change in changes:
        try:
            if change.path.is_symlink():
                raise WriteRefused(f"{change.path} is a symbolic link; nothing was written")
            if change.path.read_bytes() != change.before:
                raise WriteRefused(f"{change.path} has changed since it was read; nothing was written")
        except OSError as error:
            raise WriteRefused(f"{change.path} cannot be read: {error.strerror}") from error
    write_files({change.path: change.after for change in changes})


def write_files(contents: Mapping[Path, bytes]) -> None:
    """Write files, each whole or not at all; raises WriteRefused."""
    contents = {path.resolve() if path.is_symlink() else path: content for path, content in contents.items()}
    staged: list[tuple[Path, Path]] = []
    path = Path()
    try:
        for path, content in contents.items():
            if _is_special(path):
                continue
            staged.append((_staged(path, content), path))
        for temporary, path in staged:
            temporary.replace(path)
        for path, content in contents.items():
            if _is_special(path):
                path.write_bytes(content)
    except OSError as error:
        raise WriteRefused(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        for temporary, _ in staged:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()


def _is_special(path: Path) -> bool:
    """Whether a path is there and no regular file: a pipe or /dev/stdout is written to, not replaced."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _staged(path: Path, content: bytes) -> Path:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
            os.fchmod(file.fileno(), _mode(path))
    except OSError:
        temporary.unlink()
        raise
    return temporary


def _mode(path: Path) -> int:
    try:
        return stat.S_IMODE(path.stat().st_mode)
    except FileNotFoundError:
        return 0o666 & ~_umask()


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
