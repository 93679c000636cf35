"""One attempt of a request: an exchange turned into events, with its answer checked.

Decides when text may reach the caller: at once, or once the output check has passed. An answer that is
held is checked while it comes, and given up as soon as it cannot pass any more.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import anyio

from route_run.flow.classify import classify
from route_run.flow.event import Text, ToolCallPiece, UsageReported
from route_run.flow.failure import Billed, Cause, Failure, Verdict
from route_run.flow.outcome import ToolPiece, Usage
from route_run.flow.plan import PlannedTarget
from route_run.flow.record import Attempt, cost_of
from route_run.flow.repair import Conversation, repairing
from route_run.flow.request import PromptRequest
from route_run.guard import OutputCheck
from route_run.runtime.exchange import MAX_NAME, Exchange, Failed
from route_run.table import Deliver, Route
from route_run.wire.answer import Content, End, Piece, Problem, Unreadable

Delivered = Text | ToolCallPiece | UsageReported

_REFUSALS = frozenset({"content_filter", "refusal", "safety"})


class RunningAttempt:
    """Call ``more`` until it gives None; then ``failure`` says how it ended. Close it in any case."""

    def __init__(
        self,
        number: int,
        planned: PlannedTarget,
        route: Route,
        exchange: Exchange,
        *,
        started_at: float,
        is_free: bool,
        is_repair: bool = False,
    ) -> None:
        self.number = number
        self.planned = planned
        self.exchange = exchange
        self.failure: Failure | None = None
        self.has_delivered = False
        self.finish_reason: str | None = None
        self.text: list[str] = []
        self.tool_pieces: list[ToolPiece] = []
        self.usage: Usage | None = None
        self.started_at = started_at
        self._is_free = is_free
        self._is_repair = is_repair
        self.first_content_ms: float | None = None
        self._check: OutputCheck | None = route.output_check
        self._holds = route.deliver is Deliver.VERIFIED and route.output_check is not None
        self._early = self._check.begin() if self._check is not None and self._holds and exchange.is_streamed else None
        self._held: list[Delivered] = []
        self._read_ahead: list[Delivered] | None = None
        self._over = False
        self._failed_after_ms: float | None = None
        self._is_whole = False
        self.began = anyio.current_time()

    @property
    def is_answering(self) -> bool:
        """Whether this attempt gives the answer: content of it was delivered, or it has ended well."""
        return self.has_delivered or (self._over and self.failure is None)

    async def start(self, *, refused: Mapping[str, str] | None, reconnect: bool, now: float) -> None:
        """Send the request; a failure ends the attempt."""
        try:
            await self.exchange.start(refused=refused, reconnect=reconnect, now=now)
        except Failed as failed:
            self.break_off(failed.failure)

    async def until_content(self) -> None:
        """Read up to the first content or the end; what came with it is what ``more`` gives next."""
        self._read_ahead = []
        while self.first_content_ms is None and (pieces := await self._read()) is not None:
            self._read_ahead += pieces

    async def more(self) -> list[Delivered] | None:
        """The next events for the caller, possibly none; None once the attempt is over."""
        if self._read_ahead is None:
            return await self._read()
        ahead, self._read_ahead = self._read_ahead, None
        return ahead

    async def _read(self) -> list[Delivered] | None:
        if self._over:
            return None
        try:
            pieces = await self.exchange.next()
        except Failed as failed:
            self.break_off(failed.failure)
            return []
        if self._over:  # it was made void meanwhile
            return None
        if pieces is None:
            return self._ended_well()
        return self._passed_on(pieces)

    def break_off(self, failure: Failure) -> None:
        """End the attempt from outside, unless it has come to an end of its own."""
        if not self._over:
            self._end(failure)

    def make_void(self, failure: Failure) -> None:
        """End the attempt from outside, and count for nothing what it delivered or came to."""
        self.has_delivered = False
        self._end(failure)

    async def aclose(self) -> None:
        """Give the connection back."""
        await self.exchange.aclose()

    def repair(self, request: PromptRequest) -> Conversation | None:
        """The conversation that asks for a correction of the answer, where it was invalid and that fits."""
        if self.failure is None or self.failure.cause is not Cause.INVALID_OUTPUT:
            return None
        answer = self.exchange.redact("".join(self.text))
        return repairing(request, self.planned, answer, self.exchange.redact(self.failure.message))

    def ended(self) -> Attempt:
        """The attempt as records keep it."""
        verdict = classify(self.failure) if self.failure is not None else None
        billed = self._billed(verdict)
        return Attempt(
            number=self.number,
            endpoint=self.planned.target.endpoint,
            model=self.planned.target.model,
            started_at=self.started_at,
            latency_ms=self._elapsed_ms() if self._failed_after_ms is None else self._failed_after_ms,
            first_content_ms=self.first_content_ms,
            status=self.exchange.status,
            failure=self.failure,
            verdict=verdict,
            usage=self.usage,
            cost=self._cost(billed),
            billed=billed,
            provider_request_id=self.exchange.provider_request_id,
            repair=self._is_repair,
        )

    def _billed(self, verdict: Verdict | None) -> Billed:
        """What is known of the bill: a usage is exact once the answer is whole, and what gave content is not free."""
        billed = verdict.billed if verdict is not None else Billed.EXACT
        is_unsure = {
            Billed.EXACT: self.usage is None or not self._is_whole,
            Billed.NONE: self.first_content_ms is not None,
            Billed.UNKNOWN: True,
        }
        return Billed.UNKNOWN if is_unsure[billed] else billed

    def _cost(self, billed: Billed) -> Decimal | None:
        """What is known of the cost. Usage before the end of an answer is a part of it: no sum to be shown."""
        if billed is Billed.NONE or self._is_free:
            return Decimal(0)
        return cost_of(self.usage, self.planned.target.price) if billed is Billed.EXACT else None

    def _passed_on(self, pieces: list[Piece]) -> list[Delivered]:
        events: list[Delivered] = []
        for piece in pieces:
            match piece:
                case Content(text):
                    self.text.append(text)
                    events.append(Text(text, self.number))
                    if self._early is not None and (reason := self._early.feed(text)) is not None:
                        self._end(Failure(Cause.INVALID_OUTPUT, reason, self.exchange.status))
                        break
                case ToolPiece():
                    self.tool_pieces.append(piece)
                    events.append(ToolCallPiece(piece, self.number))
                case Usage():
                    self.usage = piece
                    events.append(UsageReported(piece, self.number))
                case End(reason):
                    self.finish_reason = self.exchange.told(reason, MAX_NAME) or None
                case Problem() | Unreadable():
                    self._end(self.exchange.failure_of(piece))
                    break
        return self._delivered(events)

    def _delivered(self, events: list[Delivered]) -> list[Delivered]:
        has_content = any(isinstance(event, Text | ToolCallPiece) for event in events)
        if has_content and self.first_content_ms is None:
            self.first_content_ms = self._elapsed_ms()
        if self._holds:
            self._held += events
            return []
        self.has_delivered = self.has_delivered or has_content
        # usage that comes before any content is kept: nothing reaches the caller before the first content
        if not self.has_delivered:
            self._held += events
            return []
        released, self._held = [*self._held, *events], []
        return released

    def _ended_well(self) -> list[Delivered]:
        self._over = self._is_whole = True
        is_empty = not self.text and not self.tool_pieces
        if is_empty and self.finish_reason in _REFUSALS:
            self._end(
                Failure(Cause.CONTENT_REFUSED, f"the provider ended with {self.finish_reason}", self.exchange.status)
            )
            return []
        if self._check is not None and (reason := self._check.reason("".join(self.text))) is not None:
            self._end(Failure(Cause.INVALID_OUTPUT, reason, self.exchange.status))
            return []
        self.has_delivered = self.has_delivered or not is_empty
        released, self._held = self._held, []
        return released

    def _end(self, failure: Failure) -> None:
        self._over = True
        self.failure = failure
        self._failed_after_ms = self._elapsed_ms()

    def _elapsed_ms(self) -> float:
        return round((anyio.current_time() - self.began) * 1000, 3)
