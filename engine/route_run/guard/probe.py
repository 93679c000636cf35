"""One pattern alone, asked about texts: as the scanner asks it, and where in a text it is found.

Decides nothing about scores or guards.
"""

from __future__ import annotations

from functools import cached_property
from itertools import product
from typing import Any

import re2

from route_run.guard.normalise import normalised
from route_run.guard.scanner import options

_NEIGHBOURS = ("", "\n", "x", " ")
"""One of each kind of neighbour that a pattern can ask about: none, a line break, a letter, anything else."""


class Probe:
    """A pattern, compiled; raises ValueError for one that RE2 cannot use."""

    def __init__(self, regex: str) -> None:
        try:
            self._pattern: Any = re2.compile(regex, options())
        except re2.error as error:
            raise ValueError("not a pattern of RE2") from error

    def finds(self, text: str) -> bool:
        """Whether a scanner would find the pattern in a text, disguises undone."""
        if self._pattern.search(text):
            return True
        view = normalised(text)
        return view is not None and self._pattern.search(view) is not None

    def finds_within(self, before: str, text: str, after: str) -> bool:
        """Whether it is found inside of ``text`` alone where that stands between two others."""
        whole = before + text + after
        return self._pattern.search(whole, len(before), len(before) + len(text)) is not None

    @cached_property
    def is_found_anywhere(self) -> bool:
        """Whether nothing at all is enough for it, wherever it is looked for."""
        return all(self.finds_within(b, "", a) for b, a in product(_NEIGHBOURS, repeat=2))
