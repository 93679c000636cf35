"""One pattern alone, asked about texts: as the scanner asks it, and where in a text it is found.

Decides nothing about scores or guards.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from itertools import product
from typing import Any

import re2

from route_run.guard.budget import PATTERN_MEMORY
from route_run.guard.normalise import normalised
from route_run.guard.scanner import options, searchable

_NEIGHBOURS = ("", "\n", "x", " ")
"""One of each kind of neighbour that a pattern can ask about: none, a line break, a letter, anything else."""


def views_of(text: str) -> tuple[bytes, ...]:
    """A text as a scanner sees it: as it is, and with disguises undone where there are any."""
    view = normalised(text)
    return (searchable(text),) if view is None else (searchable(text), searchable(view))


class Probe:
    """A pattern, compiled; raises ValueError for one that RE2 cannot use."""

    def __init__(self, regex: str) -> None:
        chosen = options()
        chosen.never_capture = True
        chosen.max_mem = PATTERN_MEMORY
        try:
            self._pattern: Any = re2.compile(searchable(regex), chosen)
        except re2.error as error:
            raise ValueError("not a pattern of RE2") from error

    @property
    def steps(self) -> int:
        """The length of the compiled program."""
        return int(self._pattern.programsize)

    def finds(self, views: Sequence[bytes]) -> bool:
        """Whether a scanner would find the pattern in a text, given its views."""
        return any(self._pattern.search(view) for view in views)

    def finds_within(self, before: str, text: str, after: str) -> bool:
        """Whether it is found inside of ``text`` alone where that stands between two others."""
        head, middle = searchable(before), searchable(text)
        whole = head + middle + searchable(after)
        return self._pattern.search(whole, len(head), len(head) + len(middle)) is not None

    @cached_property
    def is_found_anywhere(self) -> bool:
        """Whether nothing at all is enough for it, wherever it is looked for."""
        return all(self.finds_within(before, "", after) for before, after in product(_NEIGHBOURS, repeat=2))
