"""Words in messages: which known one somebody most likely meant, lists of them, and long ones cut."""

from __future__ import annotations

import difflib
import re
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
    # of equally close words difflib gives the last in order first
    close = difflib.get_close_matches(word, candidates, n=max(1, len(candidates)), cutoff=0.6)
    if not close:
        return None
    best = _likeness(close[0], word)
    return min(candidate for candidate in close if _likeness(candidate, word) == best)


def _likeness(candidate: str, word: str) -> float:
    return difflib.SequenceMatcher(None, candidate, word).ratio()


def typo_of(word: str, known: Iterable[str], *, is_closed: bool) -> str | None:
    """The one known word that ``word`` can only be a misspelling of, or None when that is not sure.

    ``is_closed`` says that nobody but the language defines such words. A name that people define may be
    another name that is still missing (`eu-west` is no slip for `us-west`, `gpt-4o` none for `gpt-4`): there
    a single long word of letters has to have one letter too many, too few or two in the wrong order.
    """
    reach = 1 if len(word) < 5 else 2
    close = [candidate for candidate in set(known) if _steps(word, candidate, reach) <= reach]
    if len(close) != 1:
        return None
    return close[0] if is_closed or _is_slip(word, close[0]) else None


def _is_slip(word: str, candidate: str) -> bool:
    ours, theirs = re.split(r"([^A-Za-z]+)", word), re.split(r"([^A-Za-z]+)", candidate)
    differing = [(a, b) for a, b in zip(ours, theirs, strict=False) if a != b]
    if len(ours) != len(theirs) or len(differing) != 1:
        return False
    a, b = differing[0]
    is_exchanged_letter = len(a) == len(b) and sorted(a) != sorted(b)
    return a.isalpha() and b.isalpha() and min(len(a), len(b)) >= 4 and not is_exchanged_letter and _steps(a, b, 1) == 1


def _steps(a: str, b: str, most: int) -> int:
    """How many letters have to be added, left out, exchanged or swapped with their neighbour; ``most`` + 1 for more.

    Source: optimal string alignment, G. Navarro, "A guided tour to approximate string matching" (2001).
    """
    if abs(len(a) - len(b)) > most:
        return most + 1
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        above, before, row = before, row, [i]
        for j, y in enumerate(b, start=1):
            steps = min(before[j] + 1, row[j - 1] + 1, before[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and a[i - 2] == y:
                steps = min(steps, above[j - 2] + 1)
            row.append(steps)
    return min(row[-1], most + 1)


def listed(words: Iterable[str], most: int = 12) -> str:
    """Words for a message, quoted and in order, the rest counted."""
    ordered = sorted(words)
    shown = ", ".join(f"`{word}`" for word in ordered[:most])
    more = len(ordered) - most
    return shown + (f" and {more} more" if more > 0 else "")


def short(text: str, most: int = 60) -> str:
    """A text for a message, cut where it is longer than ``most`` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
