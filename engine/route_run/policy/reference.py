"""References to the environment and to files, and the secrets they resolve to.

Decides what a reference names; never reads one. Resolving is a lookup that the caller passes in.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from route_run.schema.formats import REFERENCE


class Where(Enum):
    """Where a reference points."""

    ENVIRONMENT = "environment"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Reference:
    """`${NAME}` or `${file:/path}`; two references are equal when they point at the same thing."""

    where: Where
    name: str

    def __str__(self) -> str:
        return f"${{{self.name}}}" if self.where is Where.ENVIRONMENT else f"${{file:{self.name}}}"


class Secret:
    """A text that is never printed: its repr, str and format are ``***``; ``reveal()`` gives the text."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that has to send it."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(("secret", self._text))

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not pickled")


Resolve = Callable[[Reference], str]
"""Looks a reference up; what it raises is the resolver's own affair."""


def is_reference(text: str) -> bool:
    """Whether a text is a reference as a whole."""
    return REFERENCE.match(text) is not None


def parse_reference(text: str) -> Reference:
    """The reference a text is; raises ValueError for any other text."""
    if not is_reference(text):
        raise ValueError("not a reference")
    inner = text[2:-1]
    if inner.startswith("file:"):
        return Reference(Where.FILE, inner.removeprefix("file:"))
    return Reference(Where.ENVIRONMENT, inner)
