"""How a request can end, and what an answer is made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Outcome(Enum):
    """The end of a request; exactly one of these."""

    COMPLETED = "completed"
    REJECTED = "rejected"
    REFUSED = "refused"
    FAILED = "failed"
    OUTPUT_INVALID = "output_invalid"
    INTERRUPTED = "interrupted"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens as the provider reports them; ``prompt`` includes what came from its cache."""

    prompt: int
    completion: int
    cached: int = 0


@dataclass(frozen=True, slots=True)
class ToolPiece:
    """A piece of one tool call: id and name come first, arguments in fragments."""

    index: int
    id: str = ""
    name: str = ""
    arguments: str = ""
