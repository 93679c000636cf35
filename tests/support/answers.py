"""Answers as bytes and back: reading them through a dialect, and what a reader makes of all pieces together."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from route_run.flow.outcome import ToolPiece, Usage
from route_run.policy import Dialect
from route_run.wire.answer import Content, End, Piece, Problem, Progress, Unreadable
from route_run.wire.dialect import codec

STREAM = "text/event-stream"
JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Received:
    """Everything one answer gave, and how far it came."""

    pieces: list[Piece]
    progress: Progress

    @property
    def text(self) -> str:
        return "".join(piece.text for piece in self.pieces if isinstance(piece, Content))

    @property
    def calls(self) -> list[tuple[str, str, str]]:
        """Tool calls as (id, name, arguments), their pieces put together by index."""
        whole: dict[int, tuple[str, str, str]] = {}
        for piece in self.pieces:
            if isinstance(piece, ToolPiece):
                known = whole.get(piece.index, ("", "", ""))
                whole[piece.index] = (known[0] or piece.id, known[1] or piece.name, known[2] + piece.arguments)
        return [whole[index] for index in sorted(whole)]

    @property
    def usage(self) -> Usage | None:
        """The last usage that was reported: it counts."""
        return next((piece for piece in reversed(self.pieces) if isinstance(piece, Usage)), None)

    @property
    def reasons(self) -> list[str]:
        """The reasons of all ends; a proper answer has exactly one."""
        return [piece.reason for piece in self.pieces if isinstance(piece, End)]

    @property
    def problems(self) -> list[Problem]:
        return [piece for piece in self.pieces if isinstance(piece, Problem)]

    @property
    def unreadable(self) -> list[Unreadable]:
        return [piece for piece in self.pieces if isinstance(piece, Unreadable)]


def receive(
    dialect: Dialect, chunks: bytes | Iterable[bytes], content_type: str = STREAM, *, streamed: bool = True
) -> Received:
    """Feed an answer to the decoder of a dialect and finish it."""
    decoder = codec(dialect).decoder(content_type, streamed=streamed)
    parts = [chunks] if isinstance(chunks, bytes) else chunks
    pieces = [piece for part in parts for piece in decoder.feed(part)]
    pieces += decoder.finish()
    return Received(pieces, decoder.progress)


def sse(*payloads: Any, end: bytes = b"\n") -> bytes:
    """Events of JSON values, or of bytes as they are."""
    written = (value if isinstance(value, bytes) else json.dumps(value).encode() for value in payloads)
    return b"".join(b"data: " + payload + end + end for payload in written)


def named_sse(*events: dict[str, Any]) -> bytes:
    """Events that carry their `type` as their name too, as Anthropic's do."""
    return b"".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events)


def json_lines(*values: Any) -> bytes:
    """Bare JSON, one value a line."""
    return b"".join(json.dumps(value).encode() + b"\n" for value in values)


def chunk(delta: dict[str, Any] | None = None, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """One chunk of a chat completion stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "choices": choices} | fields


def said(text: str, reason: str | None = None, **fields: Any) -> dict[str, Any]:
    """A chunk with a piece of text."""
    return chunk({"content": text}, reason, **fields)
