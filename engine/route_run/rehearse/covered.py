"""What of a policy can be exercised by rehearsals, and how much of it was. Data only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from route_run.errors import Span


class What(Enum):
    """What can be exercised."""

    ROUTE = "route"
    TARGET = "target"
    FALLBACK = "fallback"
    EXHAUSTED = "exhausted"
    BOUND = "bound"
    LABEL = "label"
    RANGE = "range"
    GUARD = "guard"
    PATTERN = "pattern"
    LIMIT = "limit"
    HEDGE = "hedge"
    RESTART = "restart"
    REPAIR = "repair"
    BREAKER = "breaker"


Key = tuple[What, str, str]
"""What, the name of the item, and which part of it."""


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be exercised: its words, where it stands, and how often it was."""

    what: What
    words: str
    span: Span
    count: int

    @property
    def is_covered(self) -> bool:
        return self.count > 0


@dataclass(frozen=True, slots=True)
class Gap:
    """An item that no rehearsal exercises: why, and the fields of a request to start from, if there is one.

    ``acts`` are what endpoints have to do on the way, ``quota`` what has to be used up, as a rehearsal writes it.
    """

    item: Item
    why: str
    witness: Mapping[str, Any] | None = None
    acts: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    quota: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Coverage:
    """Every item in the order of its place, and the gaps."""

    items: tuple[Item, ...]
    gaps: tuple[Gap, ...]

    @property
    def share(self) -> float:
        """Between 0 and 1."""
        covered = sum(item.is_covered for item in self.items)
        return covered / len(self.items) if self.items else 1.0
