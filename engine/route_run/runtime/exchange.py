"""One exchange with one target: login, request, answer, every clock.

Decides nothing about what comes after; it says how the exchange went. Every wait has a deadline, and
each names itself when it passes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from route_run.flow.delay import server_delay
from route_run.flow.failure import Cause, Failure
from route_run.flow.outcome import ToolPiece
from route_run.runtime.login import Login
from route_run.runtime.resolve import ReadyEndpoint
from route_run.transport.seam import Call, Purpose, Response, Transport, TransportError
from route_run.wire.answer import AnswerDecoder, Content, Piece, Problem, Progress, Unreadable
from route_run.wire.body import MAX_ERROR_TEXT, clean, problem_in
from route_run.wire.call import HttpRequest, ModelCall

MAX_ERROR_BODY = 64 << 10
MAX_NAME = 100
"""Longest name of the provider's that is kept, in characters: a request's id, a reason, an error's code."""
MAX_CHALLENGE = 80
LAST_WORD = 0.05
"""Seconds that are waited for the end of a body whose answer is done."""
AFTER_THE_END = 1.0
"""Seconds that are waited for usage after an answer's proper end, whatever else comes in them."""


class Failed(Exception):
    """Raised inside the runtime when an exchange fails."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


@dataclass(frozen=True, slots=True)
class Clocks:
    """The deadlines of one exchange, in seconds; ``total_at`` is a moment of the loop's clock."""

    connect: float
    first_content: float
    idle: float
    byte_idle: float
    total_at: float


class Exchange:
    """Use ``start``, then ``next`` until it gives None, then ``aclose`` in any case."""

    def __init__(
        self, endpoint: ReadyEndpoint, call: ModelCall, transport: Transport, login: Login, clocks: Clocks, route: str
    ) -> None:
        self.status = 0
        self.provider_request_id = ""
        self.login_used: Mapping[str, str] = {}
        self._endpoint = endpoint
        self._call = call
        self._transport = transport
        self._login = login
        self._clocks = clocks
        self._route = route
        self._response: Response | None = None
        self._decoder: AnswerDecoder | None = None
        self._content_deadline = float("inf")
        self._content_cause = Cause.FIRST_CONTENT_TIMEOUT
        self._given_at: float | None = None
        self._last_read_by: float | None = None
        self._at_end = False

    async def start(self, *, refused: Mapping[str, str] | None, reconnect: bool, now: float) -> None:
        """Send the request and read the head of the answer; raises Failed.

        ``refused`` is a login that was not accepted, ``reconnect`` asks for a new connection; ``now`` is
        the time of day, for delays that the server gives as a date.
        """
        if self._call.stream:
            self._content_deadline = anyio.current_time() + self._clocks.first_content
        deadline, cause = self._first_deadline()
        with anyio.move_on_at(deadline) as scope:
            self.login_used = await self._logged_in(refused)
            await self._send(self.login_used, reconnect)
        if scope.cancelled_caught:
            raise self._timed_out(cause)
        assert self._response is not None
        self.status = self._response.status
        headers = self._response.headers
        self.provider_request_id = self.told(headers.get("x-request-id") or headers.get("request-id", ""), MAX_NAME)
        if not 200 <= self.status < 300:
            raise Failed(await self._status_failure(now))
        self._decoder = self._endpoint.speaks.decoder(headers.get("content-type", ""), streamed=self._call.stream)

    async def next(self) -> list[Piece] | None:
        """The next pieces of the answer, None after its proper end; raises Failed for any other end."""
        assert self._decoder is not None
        if self._at_end:
            if self._decoder.progress is Progress.OPEN:
                raise Failed(Failure(Cause.TRUNCATED, "the answer broke off before its proper end", self.status))
            return None
        if self._decoder.progress is Progress.DONE:
            return None
        chunk = await self._read()
        if chunk is None:
            return None
        self._at_end = not chunk
        pieces = self._decoder.feed(chunk) if chunk else self._decoder.finish()
        if pieces:
            self._given_at = anyio.current_time()
            if any(isinstance(piece, Content | ToolPiece) for piece in pieces):
                self._content_deadline = self._given_at + self._clocks.idle
                self._content_cause = Cause.IDLE_TIMEOUT
        return pieces

    @property
    def is_streamed(self) -> bool:
        """Whether the answer was asked for in pieces."""
        return self._call.stream

    def redact(self, text: str) -> str:
        """A text of the other side without secrets."""
        return self._login.redact(text)

    def told(self, text: str, most: int = MAX_ERROR_TEXT) -> str:
        """What the other side says, fit to be kept: without secrets, on one line, capped."""
        return clean(self.redact(text), most)

    def failure_of(self, piece: Problem | Unreadable) -> Failure:
        """What a piece that is no answer means."""
        if isinstance(piece, Unreadable):
            return Failure(Cause.NO_ANSWER, self.told(piece.message), self.status)
        return Failure(
            Cause.ERROR_EVENT,
            self.told(piece.message),
            piece.status,
            self.told(piece.code, MAX_NAME),
            oauth2=self._login.uses_tokens,
        )

    async def aclose(self) -> None:
        """Give the connection back, or close it when the answer was not read to its end."""
        if self._response is None:
            return
        try:
            if self._decoder is not None and self._decoder.progress is Progress.DONE and not self._at_end:
                await self._read_the_rest()
        finally:
            await self._response.aclose()

    async def _read_the_rest(self) -> None:
        """After the dialect's last word the end of the body is due: with it the connection can be kept."""
        assert self._response is not None
        self._at_end = True
        with anyio.move_on_after(LAST_WORD):
            try:
                while await self._response.read():
                    pass
            except TransportError:
                return  # the answer is whole; only the connection is not worth keeping

    # -- the way out ---------------------------------------------------------------------------------

    async def _logged_in(self, refused: Mapping[str, str] | None) -> Mapping[str, str]:
        found = await self._login.headers(refused)
        if isinstance(found, Failure):
            raise Failed(found)
        return found

    async def _send(self, login: Mapping[str, str], reconnect: bool) -> None:
        accept = "text/event-stream, application/json" if self._call.stream else "application/json"
        head = {"content-type": "application/json", "accept": accept}
        request = HttpRequest(
            self._endpoint.place.url,
            {**head, **self._endpoint.place.headers, **login},
            self._endpoint.speaks.encode_request(self._call),
        )
        call = Call(request, self._endpoint.place.name, Purpose.INFERENCE, self._clocks.connect, self._route, reconnect)
        try:
            self._response = await self._transport.send(call)
        except TransportError as error:
            raise Failed(Failure(error.cause, self.told(str(error)))) from error

    # -- the way back --------------------------------------------------------------------------------

    async def _read(self) -> bytes | None:
        """The next chunk; None when waiting after the proper end is not worth it."""
        assert self._response is not None and self._decoder is not None
        has_ended = self._decoder.progress is Progress.ENDED
        if self._given_at is not None:  # the time that the caller took is not the endpoint's
            self._content_deadline += anyio.current_time() - self._given_at
            self._given_at = None
        deadline, cause = self._next_deadline(has_ended)
        problem: TransportError | None = None
        chunk = b""
        with anyio.move_on_at(deadline) as scope:
            try:
                chunk = await self._response.read()
            except TransportError as error:
                problem = error
        if has_ended and (scope.cancelled_caught or problem is not None):
            return None
        if scope.cancelled_caught:
            raise self._timed_out(cause)
        if problem is not None:
            raise Failed(Failure(problem.cause, self.told(str(problem)), self.status)) from problem
        return chunk

    async def _status_failure(self, now: float) -> Failure:
        assert self._response is not None
        headers = self._response.headers
        body = await self._error_body()
        problem = problem_in(body, headers.get("content-type", ""))
        challenge = headers.get("www-authenticate", "")
        words = problem.message or f"status {self.status} without a body"
        if self.status == 401 and "error=" in challenge and "expired" not in words:
            words = f"{words} ({self.told(challenge.partition('error=')[2], MAX_CHALLENGE)})"
        return Failure(
            Cause.STATUS,
            self.told(words),
            self.status,
            self.told(problem.code, MAX_NAME),
            server_delay(headers, now),
            oauth2=self._login.uses_tokens,
            may_retry=headers.get("x-should-retry", "").lower() != "false",
        )

    async def _error_body(self) -> bytes:
        """What can be had of an error's body in a short while: the status alone says enough."""
        assert self._response is not None
        body = b""
        deadline = min(self._clocks.total_at, anyio.current_time() + self._clocks.connect)
        with anyio.move_on_at(deadline):
            try:
                while len(body) < MAX_ERROR_BODY and (chunk := await self._response.read()):
                    body += chunk
            except TransportError:
                return body  # the status has been seen; what is left of its body adds nothing
        return body[:MAX_ERROR_BODY]

    # -- clocks --------------------------------------------------------------------------------------

    def _first_deadline(self) -> tuple[float, Cause]:
        return min(
            (self._clocks.total_at, Cause.TOTAL_TIMEOUT), (self._content_deadline, self._content_cause), key=_moment
        )

    def _next_deadline(self, has_ended: bool) -> tuple[float, Cause]:
        total = (self._clocks.total_at, Cause.TOTAL_TIMEOUT)
        if has_ended:
            if self._last_read_by is None:
                self._last_read_by = anyio.current_time() + AFTER_THE_END
            return min(total, (self._last_read_by, Cause.IDLE_TIMEOUT), key=_moment)
        if not self._call.stream:
            return total
        by_bytes = (anyio.current_time() + self._clocks.byte_idle, Cause.BYTE_IDLE_TIMEOUT)
        if self._content_cause is Cause.FIRST_CONTENT_TIMEOUT:
            return min(total, (self._content_deadline, self._content_cause), key=_moment)
        return min(total, (self._content_deadline, self._content_cause), by_bytes, key=_moment)

    def _timed_out(self, cause: Cause) -> Failed:
        words = {
            Cause.TOTAL_TIMEOUT: "the request's total time is over",
            Cause.FIRST_CONTENT_TIMEOUT: f"no content within {self._clocks.first_content:g} s",
            Cause.IDLE_TIMEOUT: f"no further content within {self._clocks.idle:g} s",
            Cause.BYTE_IDLE_TIMEOUT: f"not a byte within {self._clocks.byte_idle:g} s",
        }
        return Failed(Failure(cause, words[cause], self.status))


def _moment(deadline: tuple[float, Cause]) -> float:
    return deadline[0]
