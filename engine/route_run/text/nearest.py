"""Words in messages: which known one somebody most likely meant, lists of them, and long ones cut."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word closest to ``word``, or None when nothing is close; ties go to the first in order."""
    candidates = sorted(known)
    lowered = {candidate.casefold(): candidate for candidate in reversed(candidates)}
    if (same := lowered.get(word.casefold())) is not None:
        return same
    if len(word) >= 3:
        starting = [c for c in candidates if c.casefold().startswith(word.casefold())]
        if len(starting) == 1:
            return starting[0]
    close = difflib.get_close_matches(word, candidates, n=1, cutoff=0.6)
    return close[0] if close else None


def listed(words: Iterable[str], most: int = 12) -> str:
    """Words for a message, quoted and in order, the rest counted."""
    ordered = sorted(words)
    shown = ", ".join(f"`{word}`" for word in ordered[:most])
    more = len(ordered) - most
    return shown + (f" and {more} more" if more > 0 else "")


def short(text: str, most: int = 60) -> str:
    """A text for a message, cut where it is longer than ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
