"""A second view of a text in which common disguises are undone.

Decides what counts as the same text: compatibility forms (Unicode NFKC), invisible and control
characters, diacritics, look-alike letters of other scripts, and runs of white space. Patterns are matched
against the text as it is and against this view; a text that has nothing to undo has no second view.
"""

from __future__ import annotations

import unicodedata

_LOOKALIKES = str.maketrans(
    "асԁеһіјӏорԛѕѵԝхуᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀѕᴛᴜᴠᴡʏᴢαγικνορτυχАВЕЅЗІЈКМНОРСТХҮΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "acdehijlopqsvwxyabcdeghijklmnoprstuvwyzayiknoptuxABES3IJKMHOPCTXYABEZHIKMNOPTYX",
)
"""Letters of the Cyrillic and Greek scripts and small capitals that are drawn like Latin ones."""

_CONTROLS = dict.fromkeys([*range(0x09), *range(0x0E, 0x1C), 0x7F])
"""The control characters of ASCII that are not white space, for ``str.translate`` to drop."""

_DROPPED = frozenset({"Mn", "Cf", "Cc", "Co", "Cn", "Cs"})


def normalised(text: str) -> str | None:
    """The second view of a text, or None when it would be the text itself."""
    if text.isascii() and text.isprintable() and "  " not in text:
        return None
    letters = text.translate(_CONTROLS) if text.isascii() else _plain_letters(text)
    view = " ".join(letters.split())
    return None if view == text else view


def _plain_letters(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    kept = [c for c in decomposed if c.isascii() or not _is_dropped(c)]
    return "".join(kept).translate(_LOOKALIKES | _CONTROLS)


def _is_dropped(character: str) -> bool:
    return unicodedata.category(character) in _DROPPED and not character.isspace()
