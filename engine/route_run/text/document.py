"""A document: plain data, and beside it the place of every key and value.

Decides where a key path stands in the text. Knows nothing about what the data means.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import TypeAlias

from route_run.errors import Position, Span

JSON: TypeAlias = "None | bool | int | float | str | list[JSON] | dict[str, JSON]"
Place: TypeAlias = tuple[int, int, int, int]
"""Start line, start column, end line, end column; all from 0, columns in code points."""
KeyPath: TypeAlias = tuple[str | int, ...]


class Kind(Enum):
    """What a file of a policy folder holds, told by its name."""

    POLICY = "policy"
    PACK = "pack"
    TEST = "test"


@dataclass(slots=True)
class Marks:
    """The places of one mapping or sequence; ``keys`` is empty for a sequence."""

    place: Place
    keys: dict[str, Place] = field(default_factory=dict)
    items: dict[str | int, Marks | Place] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One file as data with positions.

    ``path`` is what a person would open, ``name`` the path inside the policy folder,
    ``flaws`` the starts of values that could not be read as they stand (a finding says why),
    ``complete`` is false when reading stopped at a syntax error and ``data`` holds what came before.
    """

    path: str
    name: str
    folder: Path
    kind: Kind
    text: str
    data: JSON
    marks: Marks | Place
    flaws: frozenset[tuple[int, int]] = frozenset()
    complete: bool = True

    def span_of(self, keys: Sequence[str | int]) -> Span:
        """The span of the value at a key path, or of the nearest parent that exists."""
        node: Marks | Place = self.marks
        for key in keys:
            if not isinstance(node, Marks) or key not in node.items:
                break
            node = node.items[key]
        return self._span(node.place if isinstance(node, Marks) else node)

    def span_of_key(self, keys: Sequence[str | int]) -> Span:
        """The span of the last key of a path; of its value where there is no such key."""
        *parents, last = keys
        node: Marks | Place = self.marks
        for key in parents:
            if not isinstance(node, Marks) or key not in node.items:
                return self.span_of(keys)
            node = node.items[key]
        if isinstance(node, Marks) and isinstance(last, str) and last in node.keys:
            return self._span(node.keys[last])
        return self.span_of(keys)

    def is_flawed(self, span: Span) -> bool:
        """Whether a finding of the reader already stands within this span."""
        return any(span.start <= Position(line + 1, column + 1) <= span.end for line, column in self.flaws)

    def _span(self, place: Place) -> Span:
        line, column, end_line, end_column = place
        return Span(self.path, Position(line + 1, column + 1), Position(end_line + 1, end_column + 1))
