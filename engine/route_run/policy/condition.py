"""Conditions of a match as written: atoms, negation, presence. The algebra of them lives in `table`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Atom:
    """A value, or every value that starts with it."""

    text: str
    is_prefix: bool = False

    def __str__(self) -> str:
        return f"{self.text}*" if self.is_prefix else self.text


@dataclass(frozen=True, slots=True)
class Condition:
    """Any of ``atoms``, or with ``negated`` everything but them; or, with ``present``, only whether it is there."""

    atoms: tuple[Atom, ...] = ()
    negated: bool = False
    present: bool | None = None


def condition(written: Any) -> Condition:
    """The condition that a document writes as text, list or mapping.

    Raises KeyError or TypeError for what no schema passes.
    """
    if isinstance(written, Condition):
        return written
    if isinstance(written, Mapping) and "present" in written:
        if not isinstance(written["present"], bool):
            raise TypeError("`present` is true or false")
        return Condition(present=written["present"])
    if isinstance(written, Mapping) and "not" in written:
        return Condition(_atoms(written["not"]), negated=True)
    return Condition(_atoms(written))


def _atoms(written: Any) -> tuple[Atom, ...]:
    if isinstance(written, str):
        return (Atom(written),)
    if isinstance(written, Mapping):
        if not isinstance(written["prefix"], str):
            raise TypeError("a prefix is a text")
        return (Atom(written["prefix"], is_prefix=True),)
    return tuple(atom for entry in written for atom in _atoms(entry))
