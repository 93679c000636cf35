r"""How much the patterns of one policy may cost to compile.

Decides when a pattern, or all of them together, are too large: a few characters such as `\pL{1000}` can stand for
a program of a million steps.
"""

from __future__ import annotations

import re2

from route_run.guard.scanner import options

PATTERN_MEMORY = 1 << 20
"""Bytes that one compiled pattern may take."""
MOST_STEPS = 250_000
"""Steps that the programs of all patterns of a policy may have together; those of the packs that ship have 75,000."""
STEPS_OF_A_REFUSED = 40_000
"""What a pattern that is too large counts for: about what was compiled of it."""


class Budget:
    """What is left of a policy's steps; ``is_spent`` when the rest is not compiled any more."""

    def __init__(self, steps: int = MOST_STEPS) -> None:
        self._left = steps

    @property
    def is_spent(self) -> bool:
        return self._left < 0

    def problem_of(self, regex: str) -> str:
        """Why a pattern cannot be used, as RE2 says it; empty when it can."""
        chosen = options()
        chosen.max_mem = PATTERN_MEMORY
        try:
            self._left -= int(re2.compile(regex, chosen).programsize)
        except re2.error as error:
            detail = error.args[0] if error.args else str(error)
            text = detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
            self._left -= STEPS_OF_A_REFUSED if "too large" in text else 1
            return text
        except UnicodeEncodeError:
            return "half of a surrogate pair is not a character"
        return ""
