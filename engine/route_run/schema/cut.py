"""Where a document that could not be read to its end breaks off, and where telling its faults one by one does.

Decides what of it is not to be judged: the item that was being read, for the rest of it may stand after
the break. Everything before it is judged as ever.
"""

from __future__ import annotations

from collections.abc import Sequence

from route_run.errors import Code, Finding, Span
from route_run.text import Document

MOST_ERRORS = 300
"""Faults of one document that are told one by one."""
MOST_UNKNOWN = 50
"""Unknown fields of one mapping that are told one by one."""


def is_cut(document: Document, keys: Sequence[str | int]) -> bool:
    """Whether a key path leads to the item at which reading stopped, or into it."""
    if document.complete:
        return False
    item = _last_item(document)
    return bool(item) and tuple(keys[: len(item)]) == item


def _last_item(document: Document) -> tuple[str | int, ...]:
    """A section and a name in it; `ledger` is an item by itself."""
    keys: list[str | int] = []
    node = document.data
    while len(keys) < 2 and keys != ["ledger"] and isinstance(node, dict | list) and node:
        key = next(reversed(node)) if isinstance(node, dict) else len(node) - 1
        keys.append(key)
        node = node[key]  # type: ignore[index]  # a key of this very node
    return tuple(keys)


def too_many(document: Document) -> Finding:
    """What stands for a document as a whole: nothing of it is read any further."""
    return Finding(
        Code.TOO_LARGE,
        Span.of_file(document.path),
        f"more than {MOST_ERRORS} values of this file are not what the schema asks for",
        help="see that it is a policy; `route-run schema policy` prints the schema",
        effect="nothing of this file is used",
    )
