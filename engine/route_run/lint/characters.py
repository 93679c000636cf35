"""Characters that a reader does not see, that turn the reading direction, or that look like others.

Decides by code point (Unicode 15, chapters 23.2 to 23.8; UTS #39 for confusable letters). Invisible joiners that a
script or an emoji needs are no finding.
"""

from __future__ import annotations

import re
import unicodedata

from route_run.guard.normalise import normalised

DIRECTION = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
"""Marks, embeddings, overrides and isolates of the reading direction."""
_JOINERS = frozenset("\u200c\u200d")
_SELECTORS = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_TAGS = re.compile("[\U000e0020-\U000e007f]")
INVISIBLE = re.compile(
    "[\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200d\u2060-\u2064\u206a-\u206f\u3164\ufe00-\ufe0f"
    "\ufeff\uffa0\ufff9-\ufffb\U0001d173-\U0001d17a\U000e0000-\U000e01ef]"
)
_WORD = re.compile(r"[^\W\d_]+")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC")


def name_of(character: str) -> str:
    """A character for a message: its code point and its name."""
    return f"U+{ord(character):04X} ({unicodedata.name(character, 'no name').lower()})"


def is_needed(text: str, offset: int) -> bool:
    """Whether an invisible character has a place where it stands: within an emoji or a script that joins letters."""
    character = text[offset]
    before, after = text[max(0, offset - 1) : offset], text[offset + 1 : offset + 2]
    if _SELECTORS.match(character):
        return bool(before) and (_is_symbol(before) or before in "0123456789#*")
    if _TAGS.match(character):
        return _is_flag(text, offset)
    if character in _JOINERS:
        return bool(before and after) and (
            (_is_symbol(before) and _is_symbol(after)) or (_joins(before) and _joins(after))
        )
    return False


def _is_symbol(character: str) -> bool:
    return unicodedata.category(character) in ("So", "Sk", "Sm", "Mn", "Me") and not character.isascii()


def _is_flag(text: str, offset: int) -> bool:
    """Tags spell the region of a flag, after a black flag and up to a cancel tag; nowhere else have they a use."""
    start = offset
    while start > 0 and offset - start < 8 and _TAGS.match(text[start - 1]):
        start -= 1
    return start > 0 and text[start - 1] == "\U0001f3f4"


def _joins(character: str) -> bool:
    """Letters and marks of scripts whose spelling needs joiners: Arabic, and those of India and around."""
    return (
        0x0600 <= ord(character) <= 0x08FF or 0x0900 <= ord(character) <= 0x0DFF or 0x1000 <= ord(character) <= 0x109F
    )


def mixed_scripts(text: str) -> tuple[str, str, str] | None:
    """A word whose letters come from two scripts that look alike, and both scripts; None when there is none."""
    if text.isascii():
        return None
    for word in _WORD.findall(text):
        found = dict.fromkeys(script for letter in word if (script := _script(letter)))
        if len(found) > 1:
            first, second, *_ = found
            return word, first.capitalize(), second.capitalize()
    return None


def foreign_letters(text: str) -> str:
    """The letters of a text that are not Latin but look so, each once."""
    kept = (c for c in dict.fromkeys(text) if not c.isascii() and _script(c) not in ("", "LATIN"))
    return "".join(c for c in kept if (normalised(c) or c).isascii())


def skeleton(text: str) -> str:
    """What a text looks like: look-alike letters, compatibility forms and invisible characters undone."""
    return (normalised(text) or text).strip()


def _script(letter: str) -> str:
    if letter.isascii():
        return "LATIN"
    name = unicodedata.name(letter, "")
    return next((script for script in _SCRIPTS if name.startswith(script)), "")
