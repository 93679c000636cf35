"""Paths as other tools want them: relative to where they look from, with forward slashes, or as a URI."""

from __future__ import annotations

from pathlib import Path, PurePath
from urllib.parse import quote


def shown_path(path: str, root: Path) -> str:
    """A path relative to a root where it lies below it, else as it is; with forward slashes."""
    pure = PurePath(path)
    if pure.is_absolute() and pure.is_relative_to(root):
        pure = pure.relative_to(root)
    return pure.as_posix()


def uri_of(path: str, root: Path) -> str:
    """A path as a URI reference: relative below a root, else a `file:` URI."""
    shown = shown_path(path, root)
    quoted = quote(shown, safe="/-._~", errors="surrogateescape")
    return f"file://{quoted}" if PurePath(shown).is_absolute() else quoted
