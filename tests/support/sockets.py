"""Sees every connection that this process begins, whoever makes it."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_watching: list[list[Any]] = []
_is_installed = False


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and _watching:
        for seen in _watching:
            seen.append(arguments[1])


@contextmanager
def connects_seen() -> Iterator[list[Any]]:
    """The addresses that sockets are asked to connect to while the block runs."""
    global _is_installed  # noqa: PLW0603  # an audit hook cannot be taken out again, so it is put in once
    if not _is_installed:
        sys.addaudithook(_hook)
        _is_installed = True
    seen: list[Any] = []
    _watching.append(seen)
    try:
        yield seen
    finally:
        _watching.remove(seen)
