"""Telling webhooks: which events a request makes, and getting them delivered.

Deliveries live in memory: each is retried on a growing schedule while the engine is open, and closing
the engine waits a few seconds for those under way and names what was not delivered.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from route_run.errors import LedgerError
from route_run.flow.delay import server_delay
from route_run.flow.failure import Failure
from route_run.flow.outcome import Outcome
from route_run.flow.plan import Plan
from route_run.flow.record import Attempt, Record
from route_run.ledger import Entry, EntryKind, Ledger
from route_run.runtime.clock import Clock
from route_run.runtime.login import Login
from route_run.runtime.resolve import ReadyWebhook
from route_run.table import Hook
from route_run.transport.seam import Call, Purpose, Response, Transport, TransportError
from route_run.wire.call import HttpRequest
from route_run.wire.webhook import payload, signed_headers

log = logging.getLogger("route_run.webhooks")

SCHEDULE = (0.0, 5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Seconds before each try, as Standard Webhooks proposes; each ± 20 %."""
DELIVER_WITHIN = 20.0
CONNECT_WITHIN = 5.0
MOST_WAITING = 10_000
"""Deliveries that may wait in memory; a further one is dropped and named."""
GONE = 410


@dataclass(frozen=True, slots=True)
class Message:
    """One event for one webhook; ``id`` stays the same over all tries."""

    id: str
    webhook: str
    event: str


def events_of(outcome: Outcome, plan: Plan, attempts: Sequence[Attempt]) -> Iterator[str]:
    """The events of one request: its outcome, and what happened on the way."""
    yield outcome.value
    if len({(attempt.endpoint, attempt.model) for attempt in attempts}) > 1:
        yield "fell_back"
    if plan.stop is None and plan.flagged_by:
        yield "flagged"


def messages_for(hooks: Sequence[Hook], events: Sequence[str], new_id: Callable[[], str]) -> tuple[Message, ...]:
    """Who is told what."""
    return tuple(Message(new_id(), hook.name, event) for hook in hooks for event in events if event in hook.events)


@dataclass(frozen=True, slots=True)
class _Tried:
    """How one try went, and how long the receiver asks to wait before the next, in seconds."""

    words: str
    retry_after: float | None = None
    is_over: bool = False


class Deliverer:
    """Delivers messages in tasks of the engine."""

    def __init__(
        self,
        webhooks: Mapping[str, ReadyWebhook],
        logins: Mapping[str, Login],
        transport: Transport,
        ledger: Ledger,
        clock: Clock,
        tasks: TaskGroup,
        dice: Callable[[], float],
    ) -> None:
        self._webhooks = webhooks
        self._logins = logins
        self._transport = transport
        self._ledger = ledger
        self._clock = clock
        self._tasks = tasks
        self._dice = dice
        self._open: dict[str, Message] = {}
        self._scopes: set[anyio.CancelScope] = set()
        self._is_open = True
        self._disabled: set[str] = set()
        self._all_done = anyio.Event()

    def send(self, record: Record, messages: Sequence[Message]) -> None:
        """Begin to deliver; returns at once. A simulation lists messages and sends none."""
        if self._transport.is_simulated:
            return
        for message in messages:
            if not self._is_open or len(self._open) >= MOST_WAITING or message.webhook in self._disabled:
                log.error("webhook %s: %s of %s is dropped", message.webhook, message.event, record.request_id)
                continue
            self._open[message.id] = message
            self._tasks.start_soon(self._deliver, record, message, payload(record, message.event))

    async def aclose(self, seconds: float) -> None:
        """Wait until all is delivered, at most so long; names what is not, and gives it up."""
        with anyio.move_on_after(seconds, shield=True):
            while self._open:
                self._all_done = anyio.Event()
                await self._all_done.wait()
        self._is_open = False
        for scope in tuple(self._scopes):
            scope.cancel()
        for message in self._open.values():
            log.error("webhook %s was not told of %s (%s)", message.webhook, message.event, message.id)

    async def _deliver(self, record: Record, message: Message, body: bytes) -> None:
        """Goes on when the engine is cancelled, until the engine has waited long enough for it."""
        with anyio.CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            try:
                await self._try_all(record, message, body)
            finally:
                self._scopes.discard(scope)

    async def _try_all(self, record: Record, message: Message, body: bytes) -> None:
        tried = _Tried("not tried")
        tries = 0
        for base in SCHEDULE:
            asked = tried.retry_after
            wait = base * (0.8 + 0.4 * self._dice()) if asked is None else min(max(asked, base), 2 * base)
            await anyio.sleep(wait)
            tried = await self._try(message, body)
            tries += 1
            if tried.is_over:
                break
            log.warning(
                "webhook %s: %s of %s, try %d: %s",
                message.webhook,
                message.event,
                record.request_id,
                tries,
                tried.words,
            )
        await self._note(record, message, tries, tried.words)
        del self._open[message.id]
        self._all_done.set()

    async def _try(self, message: Message, body: bytes) -> _Tried:
        webhook = self._webhooks[message.webhook]
        login = await self._logins[message.webhook].headers()
        if isinstance(login, Failure):
            return _Tried(login.message)
        timestamp = int(self._clock.now())
        headers = {
            "content-type": "application/json",
            **webhook.place.headers,
            **login,
            **signed_headers(message.id, timestamp, body, webhook.keys),
        }
        call = Call(HttpRequest(webhook.place.url, headers, body), message.webhook, Purpose.WEBHOOK, CONNECT_WITHIN)
        with anyio.move_on_after(DELIVER_WITHIN):
            try:
                response = await self._transport.send(call)
            except TransportError as error:
                return _Tried(self._logins[message.webhook].redact(str(error)))
            await response.aclose()
            return self._judged(message, response)
        return _Tried(f"no answer within {DELIVER_WITHIN:g} s")

    def _judged(self, message: Message, response: Response) -> _Tried:
        if 200 <= response.status < 300:
            return _Tried("delivered", is_over=True)
        if response.status == GONE:
            self._disabled.add(message.webhook)
            return _Tried("the receiver says 410: it is not told any more", is_over=True)
        return _Tried(f"status {response.status}", server_delay(response.headers, self._clock.now()))

    async def _note(self, record: Record, message: Message, tries: int, outcome: str) -> None:
        body = {
            "id": message.id,
            "webhook": message.webhook,
            "event": message.event,
            "tries": tries,
            "outcome": outcome,
        }
        try:
            await self._ledger.append([Entry(EntryKind.DELIVERY, record.request_id, self._clock.now(), body)])
        except LedgerError as error:
            log.error("webhook %s: %s", message.webhook, error)
