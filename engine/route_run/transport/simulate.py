"""The in-process transport: answers for every endpoint through the bytes of its own dialect.

What the engine sends is decoded by the inverse of the encoder, and what comes back is encoded and
decoded again, so the whole path is the real one but for sockets. Faults make an endpoint fail the
way real ones do.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

import anyio

from route_run.errors import MisuseError
from route_run.flow.failure import Cause
from route_run.flow.outcome import Usage
from route_run.flow.request import Message
from route_run.policy import units
from route_run.table import BYTES_PER_TOKEN, RoutingTable
from route_run.text.nearest import listed, nearest
from route_run.transport.seam import Call, Purpose, Response, TransportError
from route_run.wire.answer import Answer, Problem
from route_run.wire.call import ModelCall
from route_run.wire.dialect import Codec, codec
from route_run.wire.oauth import encode_token

_TOKEN_LIFE = 3600.0
_TOKEN_PREFIX = "simulated-"
_JSON = {"content-type": "application/json"}
_STREAM = {"content-type": "text/event-stream"}


class FaultKind(Enum):
    """How a simulated endpoint can fail; ``STATUS`` is written as the number itself."""

    STATUS = "STATUS"
    REFUSE = "refuse"
    RESET = "reset"
    STALL = "stall"
    STALL_MID = "stall_mid"
    TRUNCATE = "truncate"
    HTML = "html"
    BAD_JSON = "bad_json"
    ERROR_EVENT = "error_event"
    EXPIRED_TOKEN = "expired_token"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault; ``retry_after`` is what a status says, in seconds."""

    kind: FaultKind
    status: int = 0
    retry_after: float | None = None


def parse_fault(text: str) -> Fault:
    """A fault as written on a command line: `503`, `429:2s`, `stall`, …; raises MisuseError."""
    word, colon, delay = text.partition(":")
    if word.isascii() and word.isdigit() and not word.startswith("0"):
        return _status_fault(int(word[:4]), delay if colon else None)
    kinds = {kind.value: kind for kind in FaultKind if kind is not FaultKind.STATUS}
    if word not in kinds or colon:
        similar = nearest(word, kinds)
        hint = f"did you mean `{similar}`? " if similar else ""
        raise MisuseError(f"`{text}` is not a fault; {hint}known: a status such as 503 or 429:2s, {listed(kinds)}")
    return Fault(kinds[word])


def _status_fault(status: int, delay: str | None) -> Fault:
    if not 300 <= status <= 599:
        raise MisuseError(f"`{status}` is not the status of a fault; it has to be from 300 to 599")
    try:
        seconds = None if delay is None else units.duration(f"{delay}s" if delay.isdigit() else delay)
    except ValueError as error:
        raise MisuseError(f"`{delay}` is not a duration such as `2s`") from error
    return Fault(FaultKind.STATUS, status, seconds)


class SimulatedTransport:
    """Answers every call in this process. Several faults of one endpoint come in their order, the last for good."""

    is_simulated = True
    is_free = True

    def __init__(self, table: RoutingTable, faults: Mapping[str, Sequence[Fault]] | None = None) -> None:
        self._table = table
        self._faults = {name: list(sequence) for name, sequence in (faults or {}).items()}
        unknown = sorted(self._faults.keys() - table.policy.endpoints.keys())
        if unknown:
            raise MisuseError(f"there is no endpoint `{unknown[0]}`; known: {listed(table.policy.endpoints)}")
        self._tokens: dict[str, int] = defaultdict(int)

    async def send(self, call: Call) -> Response:
        await anyio.lowlevel.checkpoint()
        match call.purpose:
            case Purpose.TOKEN:
                return self._grant(call)
            case Purpose.WEBHOOK:
                return _SimulatedResponse(204, {}, [])
            case Purpose.INFERENCE:
                return await self._infer(call)

    async def aclose(self) -> None:
        """Nothing is held open."""

    def _grant(self, call: Call) -> Response:
        self._tokens[call.destination] += 1
        token = f"{_TOKEN_PREFIX}{self._tokens[call.destination]}"
        body = encode_token(token, _TOKEN_LIFE, None)
        return _SimulatedResponse(200, {"content-type": "application/json"}, [body])

    async def _infer(self, call: Call) -> Response:
        speaks = codec(self._table.policy.endpoints[call.destination].dialect)
        wanted = speaks.decode_request(call.request.body)
        fault = self._next_fault(call.destination)
        answer = usual_answer(self._table, call, wanted)
        if fault is not None:
            return await _failing(fault, call, speaks, wanted, answer)
        return _answering(speaks, wanted, answer)

    def _next_fault(self, endpoint: str) -> Fault | None:
        sequence = self._faults.get(endpoint)
        if not sequence:
            return None
        return sequence.pop(0) if len(sequence) > 1 else sequence[0]


def usual_answer(table: RoutingTable, call: Call, wanted: ModelCall) -> Answer:
    """What an endpoint says when nobody wrote what: what the route's output check asks for, else who it is."""
    route = table.routes.get(call.route)
    checked = route.output_check if route is not None else None
    text = checked.sample() if checked is not None else f"Simulated answer from {call.destination}."
    return Answer(text=text, usage=usual_usage(wanted, text), model=wanted.model)


def usual_usage(wanted: ModelCall, text: str) -> Usage:
    """The usage that the sizes of a prompt and its answer suggest."""
    return Usage(_tokens(wanted.messages), -(-len(text.encode()) // BYTES_PER_TOKEN))


def _tokens(messages: Iterable[Message]) -> int:
    return -(-sum(len(message.text.encode()) for message in messages) // BYTES_PER_TOKEN)


async def _failing(fault: Fault, call: Call, speaks: Codec, wanted: ModelCall, answer: Answer) -> Response:
    """The fault as the endpoint would show it, in the bytes of its dialect."""
    match fault.kind:
        case FaultKind.REFUSE:
            raise TransportError(Cause.REFUSED, f"{call.destination} refuses connections (simulated)")
        case FaultKind.RESET:
            raise TransportError(Cause.RESET, "the connection broke off (simulated)")
        case FaultKind.STALL:
            await anyio.sleep_forever()
        case FaultKind.EXPIRED_TOKEN if not _carries_fresh_token(call):
            refused = {"www-authenticate": 'Bearer error="invalid_token"'}
            return _problem(speaks, 401, "token expired (simulated)", refused)
        case FaultKind.STATUS:
            after = {} if fault.retry_after is None else {"retry-after": f"{fault.retry_after:g}"}
            return _problem(speaks, fault.status, f"simulated status {fault.status}", after)
    return _spoilt(fault.kind, speaks, wanted, answer)


def _spoilt(kind: FaultKind, speaks: Codec, wanted: ModelCall, answer: Answer) -> Response:
    """A 200 whose body is not what it should be; the right one for kinds that spoil none."""
    match kind:
        case FaultKind.STALL_MID | FaultKind.TRUNCATE:
            return _half(_answering(speaks, wanted, answer), stalls=kind is FaultKind.STALL_MID)
        case FaultKind.HTML:
            page = b"<html><head><title>Bad Gateway</title></head><body>simulated</body></html>"
            return _SimulatedResponse(200, {"content-type": "text/html"}, [page])
        case FaultKind.BAD_JSON:
            return _SimulatedResponse(200, _JSON, [b'{"choices": [{"simulated'])
        case FaultKind.ERROR_EVENT:
            problem = Problem("simulated error inside of a 200", "overloaded_error")
            if wanted.stream:
                return _SimulatedResponse(200, _STREAM, [speaks.encode_problem_event(problem)])
            return _SimulatedResponse(200, _JSON, [speaks.encode_problem(problem)])
        case _:
            return _answering(speaks, wanted, answer)


def _answering(speaks: Codec, wanted: ModelCall, answer: Answer) -> _SimulatedResponse:
    if wanted.stream:
        return _SimulatedResponse(200, _STREAM, list(speaks.encode_stream(answer)))
    return _SimulatedResponse(200, _JSON, [speaks.encode_plain(answer)])


def _problem(speaks: Codec, status: int, message: str, headers: Mapping[str, str]) -> Response:
    return _SimulatedResponse(status, {**_JSON, **headers}, [speaks.encode_problem(Problem(message))])


def _half(whole: _SimulatedResponse, *, stalls: bool) -> Response:
    """The first half of an answer: of its chunks, or of its bytes where it has only one."""
    chunks = whole.chunks
    first = chunks[: len(chunks) // 2] if len(chunks) > 1 else [chunks[0][: len(chunks[0]) // 2]]
    return _SimulatedResponse(whole.status, whole.headers, first, stalls=stalls)


def _carries_fresh_token(call: Call) -> bool:
    """Whether the call's token is not the first that was granted; an API key never becomes fresh."""
    _, _, number = call.request.headers.get("authorization", "").partition(f"Bearer {_TOKEN_PREFIX}")
    return number.isdigit() and int(number) > 1


class _SimulatedResponse:
    """An answer made of chunks; one that stalls never ends."""

    def __init__(
        self, status: int, headers: Mapping[str, str], chunks: Sequence[bytes], *, stalls: bool = False
    ) -> None:
        self.status = status
        self.headers = headers
        self.chunks = chunks
        self._left = iter(chunks)
        self._stalls = stalls

    async def read(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        chunk = next(self._left, b"")
        if not chunk and self._stalls:
            await anyio.sleep_forever()
        return chunk

    async def aclose(self) -> None:
        """Nothing is held open."""
