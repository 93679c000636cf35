"""One request from plan to record: drives the attempt machine over exchanges.

Decides nothing itself: the plan says what may be asked, the machine what comes next, the attempt what
reaches the caller. This is the only place where they meet clocks, ledger and webhooks.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence

import anyio

from route_run.errors import LedgerError
from route_run.flow.advice import advice
from route_run.flow.classify import classify
from route_run.flow.decide import decide
from route_run.flow.event import AttemptEnded, AttemptStarted, Event, Finished, Planned, Result
from route_run.flow.failure import Cause, Failure
from route_run.flow.machine import Course, Finish, Send, State, Step, start, step
from route_run.flow.outcome import Outcome, ToolPiece
from route_run.flow.plan import PlannedTarget, Snapshot, attributes_as_json
from route_run.flow.record import Attempt, Measured, Record, keyed_hash, total_cost
from route_run.flow.request import PromptRequest, ToolCall
from route_run.ledger import Entry, EntryKind
from route_run.runtime.attempt import RunningAttempt
from route_run.runtime.exchange import Clocks, Exchange
from route_run.runtime.hooks import Message, events_of, messages_for
from route_run.runtime.wiring import Wiring, new_id
from route_run.table import Route
from route_run.wire.call import ModelCall

log = logging.getLogger("route_run")

STORE_WITHIN = 30.0
"""Seconds that storing a record may take: it cannot be cancelled, and a ledger that takes longer is broken."""
GIVE_UP_WITHIN = 5.0
"""The same once the caller has given up, and for closing what is open then."""


class RunningRequest:
    """One request under way: ``events`` gives everything a caller sees. Close it in any case.

    Exactly one record is stored, wherever the caller gives up.
    """

    def __init__(self, wiring: Wiring, request: PromptRequest, *, streamed: bool) -> None:
        self._wiring = wiring
        self._request = request
        self._streamed = streamed
        self._started_at = wiring.clock.now()
        self._began = anyio.current_time()
        self.id = new_id("req", self._started_at, wiring.random.getrandbits)
        self._plan = decide(wiring.table, request, Snapshot(self._started_at), wiring.random.getrandbits(63))
        self._attempts: list[Attempt] = []
        self._texts: list[str] = []
        self._tool_pieces: list[ToolPiece] = []
        self._login_used: Mapping[str, str] = {}
        self._running: RunningAttempt | None = None
        self._first_content_ms: float | None = None
        self._finish_reason: str | None = None
        self._events = self._run()
        self._is_recorded = False
        # how the request ends when it does not come to an end of its own
        self._broken_off = (Outcome.CANCELLED, Failure(Cause.CANCELLED, "the caller gave up"))

    @property
    def events(self) -> AsyncGenerator[Event, None]:
        """Plan, attempts, text, and one Finished at the very end; raises LedgerError if the ledger refuses."""
        return self._events

    async def aclose(self) -> None:
        """Close what is open; what has no record yet is recorded as broken off."""
        await self._events.aclose()
        if self._is_recorded:
            return
        outcome, failure = self._broken_off
        if self._running is not None:
            self._running.break_off(failure)
            with anyio.move_on_after(GIVE_UP_WITHIN, shield=True):
                await self._running.aclose()
            self._keep(self._running)
        try:
            await self._finished(outcome, failure, GIVE_UP_WITHIN)
        except LedgerError as error:
            log.error("request %s: %s", self.id, error)

    async def _run(self) -> AsyncGenerator[Event, None]:
        try:
            yield Planned(self._plan)
            if self._plan.stop is not None:
                yield Finished(await self._finished(self._plan.stop.outcome, None))
                return
            state: State
            move: Send | Finish
            state, move = start(self._course())
            while isinstance(move, Send):
                running = await self._begin(move)
                yield AttemptStarted(
                    running.number,
                    running.planned.target.endpoint,
                    running.planned.target.model,
                    round(move.after * 1000, 3),
                )
                await running.start(refused=self._refused(move), reconnect=move.reconnect, now=self._wiring.clock.now())
                while (delivered := await running.more()) is not None:
                    for event in delivered:
                        yield event
                yield AttemptEnded(await self._end_attempt(running))
                if running.failure is None:
                    yield Finished(await self._finished(Outcome.COMPLETED, None))
                    return
                state, move = self._next(state, running)
            yield Finished(await self._finished(move.outcome, move.failure))
        except LedgerError:
            self._is_recorded = True  # it refuses: there is nothing more to be stored
            raise
        except Exception as error:  # a defect of ours: recorded as one, and never swallowed
            self._broken_off = Outcome.FAILED, Failure(Cause.INTERNAL, f"internal error: {type(error).__name__}")
            raise

    # -- attempts ------------------------------------------------------------------------------------

    def _course(self) -> Course:
        upstream = self._route.upstream
        return Course(
            targets=len(self._plan.eligible),
            attempts=upstream.attempts,
            fallback_kinds=upstream.fallback_kinds,
            backoff_first=upstream.backoff_first,
            backoff_max=upstream.backoff_max,
            total=upstream.timeouts.total,
        )

    async def _begin(self, move: Send) -> RunningAttempt:
        """Wait as long as the move says, store that the attempt begins, and set it up."""
        await anyio.sleep(move.after)
        planned = self._plan.eligible[move.target]
        number = len(self._attempts) + 1
        started_at = self._wiring.clock.now()
        await self._store(
            [Entry(EntryKind.ATTEMPT, self.id, started_at, self._start_body(number, planned, started_at))]
        )
        timeouts = self._route.upstream.timeouts
        clocks = Clocks(
            connect=timeouts.connect,
            first_content=timeouts.first_content,
            idle=timeouts.idle,
            byte_idle=self._route.upstream.byte_idle,
            total_at=self._began + timeouts.total,
        )
        name = planned.target.endpoint
        exchange = Exchange(
            self._wiring.resolved.endpoints[name],
            self._call(planned),
            self._wiring.transport,
            self._wiring.logins[name],
            clocks,
            self._route.name,
        )
        self._running = RunningAttempt(
            number, planned, self._route, exchange, started_at=started_at, is_free=self._wiring.transport.is_free
        )
        return self._running

    def _call(self, planned: PlannedTarget) -> ModelCall:
        request, target = self._request, planned.target
        return ModelCall(
            model=target.sent_as,
            messages=request.conversation,
            parameters=planned.parameters,
            tools=request.tools,
            tool_choice=request.tool_choice,
            response_format=request.response_format,
            context_window=target.context_window,
            stream=self._streamed or target.traits.always_streams,
        )

    async def _end_attempt(self, running: RunningAttempt) -> Attempt:
        await running.aclose()
        self._running = None
        self._login_used = running.exchange.login_used
        return self._keep(running)

    def _keep(self, running: RunningAttempt) -> Attempt:
        """Take what an ended attempt leaves: its record, and what it delivered."""
        ended = running.ended()
        self._attempts.append(ended)
        if running.has_delivered:
            self._texts = running.text
            self._tool_pieces = running.tool_pieces
            if running.first_content_ms is not None:
                before = (running.began - self._began) * 1000
                self._first_content_ms = round(before + running.first_content_ms, 3)
        self._finish_reason = running.finish_reason
        return ended

    def _next(self, state: State, running: RunningAttempt) -> tuple[State, Send | Finish]:
        assert running.failure is not None
        happened = Step(
            failure=running.failure,
            verdict=classify(running.failure),
            delivered=running.has_delivered,
            elapsed=anyio.current_time() - self._began,
            dice=self._wiring.random.random(),
        )
        return step(state, happened)

    # -- the end -------------------------------------------------------------------------------------

    async def _finished(self, outcome: Outcome, failure: Failure | None, store_within: float = STORE_WITHIN) -> Result:
        """Store the record, tell the webhooks it lists, and make the result."""
        record, messages = self._record(outcome, failure)
        self._is_recorded = True
        with anyio.move_on_after(store_within, shield=True) as scope:
            await self._store([Entry(EntryKind.RECORD, self.id, record.ended_at, record.as_json())])
            self._wiring.deliverer.send(record, messages)
        if scope.cancelled_caught:
            self._unstored(LedgerError(f"nothing was stored within {store_within:g} s"))
        return Result(
            request_id=self.id,
            outcome=outcome,
            text="".join(self._texts),
            tool_calls=_assembled(self._tool_pieces),
            usage=record.usage,
            cost=record.cost,
            error=record.error,
            advice=advice(failure, classify(failure)) if failure is not None else None,
            record=record,
        )

    def _record(self, outcome: Outcome, failure: Failure | None) -> tuple[Record, Sequence[Message]]:
        wiring, plan = self._wiring, self._plan
        events = list(events_of(outcome, plan, self._attempts))
        hooks = wiring.table.hooks_for(plan.attributes)
        ended_at = wiring.clock.now()
        messages = messages_for(hooks, events, lambda: new_id("msg", ended_at, wiring.random.getrandbits))
        record = Record(
            request_id=self.id,
            started_at=self._started_at,
            ended_at=ended_at,
            outcome=outcome,
            plan=plan,
            attempts=tuple(self._attempts),
            measured=self._measured(),
            first_content_ms=self._first_content_ms,
            usage=self._attempts[-1].usage if self._attempts else None,
            cost=total_cost(self._attempts),
            error=self._error(failure),
            finish_reason=self._finish_reason,
            git_revision=wiring.git_revision,
            simulated=wiring.is_simulated,
            webhooks=tuple((message.id, message.webhook, message.event) for message in messages),
            text=self._captured(),
        )
        return record, messages

    async def _store(self, entries: list[Entry]) -> None:
        try:
            await self._wiring.ledger.append(entries)
        except LedgerError as error:
            self._unstored(error)

    def _unstored(self, error: LedgerError) -> None:
        if self._wiring.table.policy.ledger.on_failure == "refuse":
            raise error
        log.error("request %s goes on without a record: %s", self.id, error)

    # -- what is stored ------------------------------------------------------------------------------

    @property
    def _route(self) -> Route:
        assert self._plan.route is not None
        return self._plan.route

    def _refused(self, move: Send) -> Mapping[str, str] | None:
        return self._login_used if move.refresh else None

    def _start_body(self, number: int, planned: PlannedTarget, started_at: float) -> dict[str, object]:
        return {
            "request_id": self.id,
            "number": number,
            "route": self._route.name,
            "endpoint": planned.target.endpoint,
            "model": planned.target.model,
            "started_at": started_at,
            "policy": self._plan.policy,
            "attributes": attributes_as_json(self._plan.attributes),
            "simulated": self._wiring.is_simulated,
            "before": self._attempts[-1].as_json() if self._attempts else None,
        }

    def _measured(self) -> Measured:
        prompt = "\n".join(message.text for message in self._request.conversation)
        answer = "".join(self._texts)
        key = self._wiring.resolved.hash_key
        return Measured(
            len(prompt.encode()),
            len(answer.encode()),
            keyed_hash(key, prompt),
            keyed_hash(key, answer) if answer else None,
        )

    def _captured(self) -> dict[str, str] | None:
        if self._wiring.table.policy.ledger.capture != "full":
            return None
        prompt = "\n".join(message.text for message in self._request.conversation)
        return {"prompt": prompt, "completion": "".join(self._texts)}

    def _error(self, failure: Failure | None) -> str | None:
        if failure is None:
            return self._plan.stop.message if self._plan.stop is not None else None
        if not self._attempts:
            return failure.message
        where = self._attempts[-1].endpoint
        many = f"{len(self._attempts)} attempts failed, the last at " if len(self._attempts) > 1 else ""
        return f"{many}{where}: {failure.message}"


def _assembled(pieces: list[ToolPiece]) -> tuple[ToolCall, ...]:
    """Whole tool calls from their pieces; arguments stand as the provider sent them."""
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
