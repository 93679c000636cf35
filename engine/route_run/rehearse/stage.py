"""The transport of a rehearsal: every endpoint plays its acts, in this process and on the loop's own clock.

Decides which act comes next. Notes every exchange, so that what the engine did can be held against it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

import anyio

from route_run.flow.failure import Cause
from route_run.ledger import Entry
from route_run.policy.rehearsal import Act
from route_run.rehearse.performance import JSON, Asked, Pause, Performance, Step, perform, words_of
from route_run.table import RoutingTable
from route_run.transport.seam import Call, Purpose, Response, TransportError
from route_run.transport.simulate import usual_answer
from route_run.wire.call import ModelCall
from route_run.wire.dialect import Codec, codec
from route_run.wire.oauth import encode_token, encode_token_error

_TOKEN_LIFE = 3600.0
_TOKEN_PREFIX = "rehearsed-"
_PLAYS_WELL = Act()
_IS_DOWN = Act(fault="refuse")


@dataclass(slots=True)
class Noted:
    """What one request did behind its caller's back: what endpoints were asked, ledger entries, open exchanges."""

    asked: list[tuple[str, ModelCall, Act]] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    open_now: int = 0
    most_open: int = 0

    def begins(self) -> None:
        """One more exchange is under way."""
        self.open_now += 1
        self.most_open = max(self.most_open, self.open_now)


NOTED: ContextVar[Noted | None] = ContextVar("NOTED", default=None)
"""Where the request that is running in this task is noted."""


class NotingLedger:
    """Notes each entry with the request that made it, and keeps no chain: nobody verifies a rehearsal."""

    async def append(self, entries: Sequence[Entry]) -> None:
        if (noted := NOTED.get()) is not None:
            noted.entries += entries


class _Acts:
    """The acts of one endpoint, in their order; the last goes on for good."""

    def __init__(self, acts: Sequence[Act]) -> None:
        self._acts = acts
        self._number = 0
        self._played = 0

    def next(self, now: float) -> Act:
        """The act of the next exchange; ``now`` counts from the beginning of the rehearsal."""
        while self._number + 1 < len(self._acts) and self._is_over(self._acts[self._number], now):
            self._number += 1
            self._played = 0
        self._played += 1
        return self._acts[self._number]

    def _is_over(self, act: Act, now: float) -> bool:
        return now >= act.until if act.until is not None else self._played >= act.times


class Stage:
    """Plays the acts of one rehearsal; the loop's clock is at 0 when it begins."""

    is_simulated = True
    is_free = False

    def __init__(
        self,
        table: RoutingTable,
        endpoints: Mapping[str, Sequence[Act]],
        tokens: Mapping[str, Sequence[Act]],
        down: Sequence[str],
        began_at: float,
    ) -> None:
        self._table = table
        self._endpoints = {name: _Acts(acts) for name, acts in endpoints.items()}
        self._tokens = {name: _Acts(acts) for name, acts in tokens.items()}
        self._down = frozenset(down)
        self._began_at = began_at
        self._granted: dict[str, int] = {}
        self.exchanges: Counter[str] = Counter()

    async def send(self, call: Call) -> Response:
        await anyio.lowlevel.checkpoint()
        match call.purpose:
            case Purpose.TOKEN:
                return await self._grant(call)
            case Purpose.WEBHOOK:
                return _Response(Performance(204))
            case Purpose.INFERENCE:
                return await self._infer(call)

    async def aclose(self) -> None:
        """Nothing is held open."""

    async def _infer(self, call: Call) -> Response:
        now = anyio.current_time()
        name = call.destination
        noted = NOTED.get() or Noted()
        self.exchanges[name] += 1
        acts = self._endpoints.get(name)
        act = _IS_DOWN if name in self._down else acts.next(now) if acts is not None else _PLAYS_WELL
        speaks = codec(self._table.policy.endpoints[name].dialect)
        wanted = speaks.decode_request(call.request.body)
        noted.asked.append((name, wanted, act))
        performance = perform(act, self._asked(call, speaks, wanted, now))
        noted.begins()
        try:
            await _play_head(performance)
        except BaseException:  # a cancelled exchange is over, too
            noted.open_now -= 1
            raise
        return _Response(performance, noted)

    def _asked(self, call: Call, speaks: Codec, wanted: ModelCall, now: float) -> Asked:
        return Asked(
            call.destination,
            speaks,
            wanted,
            usual_answer(self._table, call, wanted),
            self._began_at + now,
            call.connect_timeout,
            is_fresh=call.fresh,
            has_fresh_token=_carries_fresh_token(call),
        )

    async def _grant(self, call: Call) -> Response:
        name = call.destination
        acts = self._tokens.get(name)
        act = acts.next(anyio.current_time()) if acts is not None else _PLAYS_WELL
        performance = token_performance(act, self._granted.get(name, 0) + 1, call.connect_timeout)
        await _play_head(performance)
        if performance.status == 200:
            self._granted[name] = self._granted.get(name, 0) + 1
        return _Response(performance)


def token_performance(act: Act, number: int, connect_timeout: float) -> Performance:
    """What a token endpoint does with one call; ``number`` counts the tokens it has granted."""
    head: list[Step] = [act.headers_after] if act.headers_after else []
    if act.status is not None:
        words = act.message or f"status {act.status} (rehearsed)"
        default = "invalid_client" if act.status < 500 else "server_error"
        body = act.body.encode() if isinstance(act.body, str) else encode_token_error(act.code or default, words)
        return Performance(act.status, JSON, head, [body])
    match act.fault:
        case None | "expired_token":
            return Performance(200, JSON, head, [encode_token(f"{_TOKEN_PREFIX}{number}", _TOKEN_LIFE, None)])
        case "refuse":
            return Performance(head=[*head, Cause.REFUSED])
        case "dns":
            return Performance(head=[*head, Cause.DNS])
        case "tls":
            return Performance(head=[*head, Cause.TLS])
        case "connect_timeout":
            return Performance(head=[connect_timeout, Cause.CONNECT_TIMEOUT])
        case "stall" | "stall_before_content" | "stall_mid":
            return Performance(head=[Pause.FOREVER])
        case "reset" | "reset_mid" | "stale":
            return Performance(head=[*head, Cause.RESET])
        case _:
            return Performance(200, {"content-type": "text/html"}, head, [b"<html>rehearsed</html>"])


def _carries_fresh_token(call: Call) -> bool:
    """Whether the call's token is not the first that was granted; an API key never becomes fresh."""
    _, _, number = call.request.headers.get("authorization", "").partition(f"Bearer {_TOKEN_PREFIX}")
    return number.isdigit() and int(number) > 1


async def _play_head(performance: Performance) -> None:
    for step in performance.head:
        await happen(step)


async def happen(step: Step) -> None:
    """Let a step that is no chunk happen; raises TransportError for a break."""
    match step:
        case Cause():
            raise TransportError(step, words_of(step))
        case Pause():
            await anyio.sleep_forever()
        case float():
            await anyio.sleep(step)


class _Response:
    """An answer that plays its steps."""

    def __init__(self, performance: Performance, noted: Noted | None = None) -> None:
        self.status = performance.status
        self.headers = performance.headers
        self._left = iter(performance.body)
        self._noted = noted

    async def read(self) -> bytes:
        await anyio.lowlevel.checkpoint()
        for step in self._left:
            if isinstance(step, bytes):
                return step
            await happen(step)
        return b""

    async def aclose(self) -> None:
        if self._noted is not None:
            self._noted.open_now -= 1
            self._noted = None
