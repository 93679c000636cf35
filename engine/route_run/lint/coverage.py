"""Which patterns of a guard another pattern makes superfluous.

Decides what is proved: equal expressions, and a pattern of plain words that lies inside of what another one finds
wherever it stands; and what only seems so, by examples.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice, product

from route_run.lint.patterns import GuardPatterns, WrittenPattern

MOST_PAIRS = 20_000
"""Pairs of patterns that are compared in one guard; guards with more are compared as far."""

Pair = tuple[WrittenPattern, WrittenPattern]

_PLAIN = re.compile(r"(?P<open>\\b)?(?P<words>(?:[A-Za-z0-9 _,;:!'\"-]|\\[-.,!?'\"/])+)(?P<close>\\b)?\Z")
_SURROUNDINGS = ("", "\n", "x", " ")
"""One of each kind of neighbour that a pattern can ask about: none, a line break, a letter, anything else."""


def same_expression(guard: GuardPatterns) -> Iterator[Pair]:
    """Patterns of the policy whose expression another one has already, with that other."""
    first: dict[str, WrittenPattern] = {}
    for pattern in guard.members:
        other = first.setdefault(pattern.regex, pattern)
        if other is not pattern and pattern.document is not None:
            yield pattern, other


def covering(guard: GuardPatterns) -> Iterator[Pair]:
    """Patterns of plain words with another one that finds every match of theirs and alone makes the guard fire."""
    for pattern in guard.members:
        words = _PLAIN.match(pattern.regex)
        if words is None or pattern.document is None:
            continue
        for other in _deciding(guard, pattern):
            if _always_finds(other, words):
                yield pattern, other
                break


def seeming_to_cover(guard: GuardPatterns) -> Iterator[Pair]:
    """Patterns with two examples or more, all of which another one finds that alone makes the guard fire."""
    for pattern in guard.members:
        if pattern.document is None or len(pattern.must_match) < 2 or pattern.cannot_match:
            continue
        texts = [text for _, text in pattern.samples("must_match")]
        for other in _deciding(guard, pattern):
            if texts and all(other.finds(text) for text in texts):
                yield pattern, other
                break


def _deciding(guard: GuardPatterns, pattern: WrittenPattern) -> Iterator[WrittenPattern]:
    others = (o for o in guard.members if o is not pattern and o.regex != pattern.regex and o.score >= guard.threshold)
    return islice(others, max(1, MOST_PAIRS // max(1, len(guard.members))))


def _always_finds(other: WrittenPattern, words: re.Match[str]) -> bool:
    """Whether a pattern is found inside of the words alone, whatever stands around them."""
    text = re.sub(r"\\(.)", r"\1", words["words"])
    before = [s for s in _SURROUNDINGS if not (words["open"] and _is_word(s) is _is_word(text[0]))]
    after = [s for s in _SURROUNDINGS if not (words["close"] and _is_word(s) is _is_word(text[-1]))]
    if "(?" in other.regex.replace("(?:", "") or not before or not after:
        return False  # flags could make case count
    return all(other.probe.finds_within(b, text, a) for b, a in product(before, after))


def _is_word(neighbour: str) -> bool:
    return neighbour[:1].isalnum() or neighbour[:1] == "_"
