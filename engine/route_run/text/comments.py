"""The comments of a document, which YAML parsers throw away.

Decides where a comment is one: outside of every scalar, at the start of a line or after a blank
(YAML 1.2.2, section 6.6). A `#` inside of a text, quoted or in a block, is never taken for a comment.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from route_run.errors import Position, Span
from route_run.text.document import Document
from route_run.text.parse import LOADER


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment: ``text`` without its `#` and the blanks around, ``is_alone`` when nothing stands before it."""

    span: Span
    text: str
    is_alone: bool


def comments_of(document: Document) -> Iterator[Comment]:
    """The comments of a document in order; none of one that could not be read to its end."""
    if not document.complete or "#" not in document.text:
        return
    taken = _scalars(document.text)
    for number, line in enumerate(document.text.splitlines()):
        start = _start_of_comment(line, taken.get(number, []))
        if start is not None:
            where = Span(document.path, Position(number + 1, start + 1), Position(number + 1, len(line) + 1))
            yield Comment(where, line[start:].lstrip("#").strip(), not line[:start].strip())


def _scalars(text: str) -> dict[int, list[tuple[int, int]]]:
    """Per line the columns that scalars take."""
    taken: dict[int, list[tuple[int, int]]] = {}
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.ScalarEvent):
            start, end = event.start_mark, event.end_mark
            assert start is not None and end is not None  # events of a text have places
            for line in range(start.line, end.line + 1):
                first = start.column if line == start.line else 0
                last = end.column if line == end.line else len(text)
                taken.setdefault(line, []).append((first, last))
    return taken


def _start_of_comment(line: str, taken: list[tuple[int, int]]) -> int | None:
    column = line.find("#")
    while column >= 0:
        is_free = not any(first <= column < last for first, last in taken)
        if is_free and (column == 0 or line[column - 1] in " \t"):
            return column
        column = line.find("#", column + 1)
    return None
