"""A second view of a text in which common disguises are undone.

Decides what counts as the same text: compatibility forms (Unicode NFKC), invisible characters,
diacritics, look-alike letters of other scripts, and runs of white space. Patterns are matched
against the text as it is and against this view; a text that has nothing to undo has no second view.
"""

from __future__ import annotations

import unicodedata

_LOOKALIKES = str.maketrans(
    "асԁеһіјӏорԛѕѵԝхуᴀʙᴄᴅᴇɢʜɪᴊᴋʟᴍɴᴏᴘʀѕᴛᴜᴠᴡʏᴢαγικνορτυχАВЕЅЗІЈКМНОРСТХҮΑΒΕΖΗΙΚΜΝΟΡΤΥΧ",
    "acdehijlopqsvwxyabcdeghijklmnoprstuvwyzayiknoptuxABES3IJKMHOPCTXYABEZHIKMNOPTYX",
)
"""Letters of the Cyrillic and Greek scripts and small capitals that are drawn like Latin ones."""

_INVISIBLE = frozenset({"Cf", "Cc", "Co", "Cn"})


def normalised(text: str) -> str | None:
    """The second view of a text, or None when it would be the text itself."""
    view = text if text.isascii() else _plain_letters(text)
    if "\n" in view or "\t" in view or "  " in view or "\r" in view:
        view = " ".join(view.split())
    return None if view == text else view


def _plain_letters(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text)
    kept = [c for c in decomposed if c.isascii() or not _is_dropped(c)]
    return "".join(kept).translate(_LOOKALIKES)


def _is_dropped(character: str) -> bool:
    category = unicodedata.category(character)
    return category == "Mn" or category in _INVISIBLE
