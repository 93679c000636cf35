"""Every key and every text of a policy's documents, with its place; rehearsals hold texts of any kind on purpose.

Decides nothing about them. What rules read here does not depend on other findings: a document with faults
is read as far as the reader could.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from route_run.errors import Position, Span
from route_run.text import Document, Kind

PROSE = frozenset({"description", "owner", "why"})
"""Fields that are written for people."""
SAMPLES = frozenset({"regex", "must_match", "must_not_match"})
"""Fields that hold texts of any kind on purpose."""


@dataclass(frozen=True, slots=True)
class Text:
    """One key or one value that is text.

    ``keys`` lead to it, the last of them is the key itself for a key; ``field`` is the name of the field that holds
    it, whatever lists stand in between.
    """

    document: Document
    keys: tuple[str | int, ...]
    content: str
    is_key: bool
    field: str

    @property
    def span(self) -> Span:
        return self.document.span_of_key(self.keys) if self.is_key else self.document.span_of(self.keys)


def texts_of(documents: Iterable[Document]) -> Iterator[Text]:
    """Every key and every text, document by document, in the order they stand in."""
    for document in documents:
        if document.kind is not Kind.TEST:
            yield from _within(document, (), "", document.data)


def _within(document: Document, keys: tuple[str | int, ...], field: str, value: object) -> Iterator[Text]:
    # as deep as the reader lets a document be
    if isinstance(value, str):
        yield Text(document, keys, value, is_key=False, field=field)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield Text(document, (*keys, key), key, is_key=True, field=key)
            yield from _within(document, (*keys, key), key, inner)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _within(document, (*keys, index), field, inner)


class Places:
    """From offsets in a document's text to spans."""

    def __init__(self, document: Document) -> None:
        self._path = document.path
        self._starts = [0, *accumulate(len(line) for line in document.text.splitlines(keepends=True))]

    def span(self, start: int, end: int) -> Span:
        """The span of the stretch from one offset to another."""
        return Span(self._path, self._position(start), self._position(end))

    def _position(self, offset: int) -> Position:
        line = bisect_right(self._starts, offset) - 1
        return Position(line + 1, offset - self._starts[line] + 1)
