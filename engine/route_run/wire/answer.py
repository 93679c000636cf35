"""What an answer is made of on its way in and out, the same for every dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

import msgspec

from route_run.flow.outcome import ToolPiece, Usage

MAX_ANSWER = 64 << 20
"""Largest answer in bytes."""


class Content(msgspec.Struct, frozen=True):
    """A piece of the answer's text, never empty."""

    text: str


@dataclass(frozen=True, slots=True)
class End:
    """The provider's own end of the answer; ``reason`` is its word for why, empty where it gives none."""

    reason: str = ""


@dataclass(frozen=True, slots=True)
class Problem:
    """An error that the provider reports; ``status`` 0 where it names none."""

    message: str
    code: str = ""
    status: int = 0


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What came is no answer in this dialect."""

    message: str


Piece = Content | ToolPiece | Usage | End | Problem | Unreadable


class Progress(Enum):
    """How far an answer has come: still open, properly ended with more to read, or done."""

    OPEN = "open"
    ENDED = "ended"
    DONE = "done"


class AnswerDecoder(Protocol):
    """Decodes one answer: feed it chunks, then finish it; no call raises for what came in."""

    @property
    def progress(self) -> Progress:
        """OPEN at the end of the bytes means truncated."""
        ...

    def feed(self, chunk: bytes) -> list[Piece]: ...

    def finish(self) -> list[Piece]: ...


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer, for the ways out: the simulator's and the gateway's."""

    text: str = ""
    tool_calls: Sequence[ToolPiece] = ()
    usage: Usage | None = None
    reason: str = "stop"
    model: str = ""
    id: str = "answer"
    pieces: Sequence[str] = field(default=())

    def text_pieces(self) -> Sequence[str]:
        """The text as it would be streamed: the pieces given, or word by word."""
        if self.pieces:
            return self.pieces
        words = self.text.split(" ")
        return [word if n == 0 else f" {word}" for n, word in enumerate(words) if word or n]
