"""Decoding an answer whatever form it comes in: a stream of events, JSON lines, or one JSON body.

Decides which form the bytes have. A dialect supplies two functions: what one event means, and what
one whole body means.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from route_run.flow.outcome import ToolPiece, Usage
from route_run.wire.answer import MAX_ANSWER, AnswerDecoder, Content, End, Piece, Problem, Progress, Unreadable
from route_run.wire.frames import Frame, FrameDecoder, FrameError

_NO_ANSWER_TYPES = ("text/html", "application/xhtml", "application/xml", "text/xml", "image/", "application/pdf")


class EventReader(Protocol):
    """What the events of one stream mean: each adds its pieces; ValueError says that it cannot be read."""

    progress: Progress

    def read(self, frame: Frame, pieces: list[Piece]) -> None: ...


BodyReader = Callable[[bytes], list[Piece]]
"""What a whole body means, its End included; raises ValueError for a body that cannot be read."""


def choose_decoder(content_type: str, streamed: bool, events: EventReader, read_body: BodyReader) -> AnswerDecoder:
    """The decoder for an answer by what was asked and what its content type says."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind.startswith(_NO_ANSWER_TYPES):
        return _Refused(f"the answer is {kind}, not JSON or an event stream")
    is_stream = kind in ("text/event-stream", "application/x-ndjson", "application/jsonl", "application/stream+json")
    if is_stream or (streamed and kind != "application/json"):
        return StreamDecoder(events)
    return JsonDecoder(events if streamed else None, read_body)


class StreamDecoder:
    """A stream of events, ended by the dialect's own terminator."""

    def __init__(self, events: EventReader) -> None:
        self._frames = FrameDecoder()
        self._events = events
        self._received = 0
        self._failed = False

    @property
    def progress(self) -> Progress:
        return self._events.progress

    def feed(self, chunk: bytes) -> list[Piece]:
        if self._failed or self.progress is Progress.DONE:
            return []
        self._received += len(chunk)
        if self._received > MAX_ANSWER:
            return self._fail(f"the answer is larger than {MAX_ANSWER:,} bytes")
        try:
            frames = self._frames.feed(chunk)
        except FrameError as error:
            return [*self._pieces(error.frames), *self._fail(str(error))]
        return self._pieces(frames)

    def finish(self) -> list[Piece]:
        if self._failed:
            return []
        pieces = self._pieces(self._frames.finish())
        # half a line at the end says nothing about the dialect: the answer is truncated, not unreadable
        return [piece for piece in pieces if not isinstance(piece, Unreadable)]

    def _pieces(self, frames: list[Frame]) -> list[Piece]:
        pieces: list[Piece] = []
        events = self._events
        for frame in frames:
            if events.progress is Progress.DONE:
                break
            before, was_open = len(pieces), events.progress is Progress.OPEN
            try:
                events.read(frame, pieces)
            except ValueError as error:
                return [*pieces, *self._fail(f"an event cannot be read: {error}")]
            if not was_open:  # what follows the proper end is usage at most
                pieces[before:] = [piece for piece in pieces[before:] if isinstance(piece, Usage | Problem)]
        return pieces

    def _fail(self, message: str) -> list[Piece]:
        """Read no further; an answer that has ended properly stays one, whatever follows it."""
        self._failed = True
        return [Unreadable(message)] if self.progress is Progress.OPEN else []


class JsonDecoder:
    """One JSON body; where a stream was asked for, also JSON lines that come one by one."""

    def __init__(self, events: EventReader | None, read_body: BodyReader) -> None:
        self._lines = StreamDecoder(events) if events is not None else None
        self._read_body = read_body
        self._parts: list[bytes] = []
        self._received = 0
        self._are_lines = False
        self._progress = Progress.OPEN

    @property
    def progress(self) -> Progress:
        if self._lines is not None and self._progress is Progress.OPEN:
            return self._lines.progress
        return self._progress

    def feed(self, chunk: bytes) -> list[Piece]:
        self._received += len(chunk)
        if self._received > MAX_ANSWER:
            self._lines = None
            return [Unreadable(f"the answer is larger than {MAX_ANSWER:,} bytes")]
        if self._lines is None:
            self._parts.append(chunk)
            return []
        pieces = self._lines.feed(chunk)
        if any(isinstance(piece, Content | ToolPiece | End | Usage) for piece in pieces):
            self._are_lines = True  # there is no whole body to wait for
            self._parts.clear()
            return pieces
        if self._are_lines:
            return pieces
        self._parts.append(chunk)
        if any(isinstance(piece, Unreadable) for piece in pieces):
            self._lines = None  # one body over several lines
            return []
        return pieces

    def finish(self) -> list[Piece]:
        if self._lines is not None:
            pieces = self._lines.finish()
            if pieces or self._lines.progress is not Progress.OPEN or self._are_lines:
                return pieces
        body = b"".join(self._parts)
        if not body.strip():
            return [Unreadable("the answer is empty")]
        try:
            pieces = self._read_body(body)
        except ValueError as error:
            return [Unreadable(f"the answer cannot be read: {error}")]
        if any(isinstance(piece, End) for piece in pieces):
            self._progress = Progress.DONE
        return pieces


class _Refused:
    """An answer whose type alone says that it is none."""

    progress = Progress.OPEN

    def __init__(self, message: str) -> None:
        self._message = message

    def feed(self, chunk: bytes) -> list[Piece]:
        return []

    def finish(self) -> list[Piece]:
        return [Unreadable(self._message)]
