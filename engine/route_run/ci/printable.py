"""Texts from outside, such that no terminal and no log acts on them."""

from __future__ import annotations


def printable(text: str) -> str:
    """A text without anything a terminal or a log would act on: as long as it was, on one line."""
    shown = "".join(c if c.isprintable() else " " if c == "\t" else "·" for c in text)
    return shown.replace("##[", "#·[")
