"""The answer that a caller holds: of which attempt it is, and how often what came before was made void.

Decides when another attempt's content makes void what was given; sends and stores nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

from route_run.flow.outcome import ToolPiece
from route_run.flow.request import ToolCall
from route_run.runtime.attempt import RunningAttempt


class Answer:
    """What one request's caller was given so far; ``began`` is when the request began, in seconds."""

    def __init__(self, began: float) -> None:
        self.restarts = 0
        self.first_content_ms: float | None = None
        self._began = began
        self._number = 0  # of the attempt that it is from
        self._texts: list[str] = []
        self._tool_pieces: list[ToolPiece] = []

    @property
    def text(self) -> str:
        """The whole text."""
        return "".join(self._texts)

    @property
    def tool_calls(self) -> tuple[ToolCall, ...]:
        """Whole tool calls from their pieces; arguments stand as the provider sent them."""
        return _assembled(self._tool_pieces)

    def starts_over(self, running: RunningAttempt) -> bool:
        """Whether an attempt that begins to answer makes void what the caller was given by another."""
        if not running.is_answering or self._number == running.number:
            return False
        is_void = self._number > 0
        self._number = running.number
        self.restarts += is_void
        self._texts, self._tool_pieces, self.first_content_ms = [], [], None
        return is_void

    def keep(self, running: RunningAttempt) -> None:
        """Take what an ended attempt delivered, if the caller holds it."""
        if not running.has_delivered or running.number != self._number:
            return
        self._texts, self._tool_pieces = running.text, running.tool_pieces
        if running.first_content_ms is not None:
            self.first_content_ms = round((running.began - self._began) * 1000 + running.first_content_ms, 3)


def _assembled(pieces: Sequence[ToolPiece]) -> tuple[ToolCall, ...]:
    ids: dict[int, str] = {}
    names: dict[int, str] = {}
    arguments: dict[int, list[str]] = {}
    for piece in pieces:
        ids[piece.index] = ids.get(piece.index) or piece.id
        names[piece.index] = names.get(piece.index) or piece.name
        arguments.setdefault(piece.index, []).append(piece.arguments)
    return tuple(
        ToolCall.model_construct(id=ids[index], name=names[index], arguments="".join(parts))
        for index, parts in sorted(arguments.items())
    )
