"""One request from plan to record: drives the attempt machine over exchanges.

Decides nothing itself: the plan says what may be asked, the machine what comes next, the attempt what
reaches the caller. This is the only place where they meet clocks, ledger and webhooks.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import NamedTuple

import anyio
from anyio.abc import TaskGroup

from route_run.errors import LedgerError
from route_run.flow.advice import advice
from route_run.flow.classify import classify
from route_run.flow.decide import decide
from route_run.flow.event import AttemptEnded, AttemptStarted, Event, Finished, Planned, Restarted, Result
from route_run.flow.failure import Cause, Failure
from route_run.flow.limits import need_of
from route_run.flow.machine import Finish, Send, State, Step, hedged, held_back, raced, start, step
from route_run.flow.outcome import Outcome
from route_run.flow.plan import PlannedTarget
from route_run.flow.record import Attempt, NotAsked, Record, total_cost
from route_run.flow.repair import Conversation, more_tokens
from route_run.flow.request import PromptRequest
from route_run.ledger import Entry, EntryKind
from route_run.runtime.account import captured, error_of, measured, start_body
from route_run.runtime.answer import Answer
from route_run.runtime.asking import call_of, clocks_of, course_of
from route_run.runtime.attempt import Delivered, RunningAttempt
from route_run.runtime.exchange import Exchange
from route_run.runtime.hooks import Message, events_of, messages_for
from route_run.runtime.permit import Permit, Visit
from route_run.runtime.race import Race, Runner
from route_run.runtime.standing import Ask, HeldBack
from route_run.runtime.wiring import Wiring, new_id
from route_run.table import Route

log = logging.getLogger("route_run")

STORE_WITHIN = 30.0
"""Seconds that storing a record may take: it cannot be cancelled, and a ledger that takes longer is broken."""
GIVE_UP_WITHIN = 5.0
"""The same once the caller has given up, and for closing what is open then."""


class _Hedge(NamedTuple):
    """An attempt that joined a race, and where the request stands with it."""

    race: Race
    attempt: RunningAttempt
    move: Send
    state: State


class RunningRequest:
    """One request under way: ``events`` gives everything a caller sees. Close it in any case.

    Exactly one record is stored, wherever the caller gives up. One that ``hedges`` needs ``tasks``, which end
    before it is closed.
    """

    def __init__(self, wiring: Wiring, request: PromptRequest, *, streamed: bool) -> None:
        self.tasks: TaskGroup | None = None
        self._wiring = wiring
        self._request = request
        self._streamed = streamed
        self._started_at = wiring.clock.now()
        self._began = anyio.current_time()
        self.id = new_id("req", self._started_at, wiring.random.getrandbits)
        world = wiring.standing.world(self._started_at)
        self._plan = decide(wiring.table, request, world, wiring.random.getrandbits(63))
        self._attempts: list[Attempt] = []
        self._not_asked: list[NotAsked] = []
        self._answer = Answer(self._began)
        self._login_used: Mapping[str, str] = {}
        self._number = 0
        self._running: dict[RunningAttempt, Permit] = {}
        self._permit: Permit | None = None
        self._seat = wiring.standing.seat(self._plan.limits)
        self._is_revisit = False
        self._kept_back = ""  # why it did not go on after the last attempt, where the attempt does not say so
        self._repair: Conversation = ()
        self._finish_reason: str | None = None
        self._events = self._run()
        self._is_recorded = False
        # how the request ends when it does not come to an end of its own
        self._broken_off = (Outcome.CANCELLED, Failure(Cause.CANCELLED, "the caller gave up"))

    @property
    def hedges(self) -> bool:
        """Whether two attempts of it may run at once."""
        return self._plan.stop is None and self._route.upstream.hedge_after is not None

    @property
    def events(self) -> AsyncGenerator[Event, None]:
        """Plan, attempts, text, and one Finished at the very end; raises LedgerError if the ledger refuses."""
        return self._events

    async def aclose(self) -> None:
        """Close what is open; what has no record yet is recorded as broken off."""
        try:
            await self._events.aclose()
            outcome, failure = self._broken_off
            for running in tuple(self._running):
                running.break_off(failure)
                with anyio.move_on_after(GIVE_UP_WITHIN, shield=True):
                    await running.aclose()
                self._keep(running)
            if not self._is_recorded:
                await self._finished(outcome, failure, GIVE_UP_WITHIN)
        except LedgerError as error:
            log.error("request %s: %s", self.id, error)
        finally:
            for permit in (self._permit, *self._running.values()):
                if permit is not None:
                    permit.end(None)
            self._seat.end()

    async def _run(self) -> AsyncGenerator[Event, None]:
        try:
            yield Planned(self.id, self._plan)
            if self._plan.stop is not None:
                yield Finished(await self._finished(self._plan.stop.outcome, None))
                return
            state: State
            move: Send | Finish
            state, move = start(course_of(self._plan, self._route, self._request))
            while isinstance(move, Send):
                await anyio.sleep(move.after)
                held = await self._enter(move)
                if held is not None:
                    state, move = self._held_back(state, move, held)
                    continue
                running = await self._begin(move)
                yield _started(running, move)
                hedge = await self._sent(running, move, state)
                if hedge is not None:
                    yield _started(hedge.attempt, hedge.move)
                    state, running, lost = await self._decided(hedge, state)
                    yield AttemptEnded(lost)
                while (delivered := await running.more()) is not None:
                    for event in self._given(running, delivered):
                        yield event
                yield AttemptEnded(await self._end_attempt(running))
                if running.failure is None:
                    yield Finished(await self._finished(Outcome.COMPLETED, None))
                    return
                state, move = self._next(state, running)
            if move.is_out_of_budget:
                self._kept_back = "the endpoint's retry budget is used up"
            yield Finished(await self._finished(move.outcome, move.failure))
        except LedgerError:
            self._is_recorded = True  # it refuses: there is nothing more to be stored
            raise
        except Exception as error:  # a defect of ours: recorded as one, and never swallowed
            self._broken_off = Outcome.FAILED, Failure(Cause.INTERNAL, f"internal error: {type(error).__name__}")
            raise

    # -- attempts ------------------------------------------------------------------------------------

    async def _enter(self, move: Send) -> HeldBack | None:
        """Take the permit for an attempt; what comes back says why there is none."""
        planned = self._plan.eligible[move.target]
        visit = Visit.REFRESHED if move.refresh else Visit.RECONNECTED if move.reconnect else Visit.FIRST
        visit = Visit.EXTRA if self._is_revisit else visit
        deadline = self._began + self._route.upstream.timeouts.total
        more = more_tokens(self._request, self._repair) if move.repair else 0
        entered = await self._wiring.standing.enter(self._ask(planned, visit, more), deadline)
        if isinstance(entered, HeldBack):
            return entered
        self._permit = entered
        return None

    def _ask(self, planned: PlannedTarget, visit: Visit, more: int = 0) -> Ask:
        need = need_of(planned.target, planned.parameters, self._plan.attributes.prompt_tokens + more)
        return Ask(planned, visit, self._seat, need, self._route.upstream.timeouts.total)

    def _held_back(self, state: State, move: Send, held: HeldBack) -> tuple[State, Send | Finish]:
        self._is_revisit = False
        target = self._plan.eligible[move.target].target
        why = Failure(Cause.HELD_BACK, f"{target} cannot be asked now: {held.words}")
        last = self._attempts[-1].failure if self._attempts else None
        self._kept_back = why.message
        self._not_asked.append(NotAsked(target, held.words, len(self._attempts)))
        return held_back(state, why, last, self._elapsed(), is_final=held.is_final)

    async def _begin(self, move: Send) -> RunningAttempt:
        """Store that the attempt begins, and set it up."""
        planned = self._plan.eligible[move.target]
        self._number = number = self._number + 1
        self._kept_back = ""
        started_at = self._wiring.clock.now()
        before = self._attempts[-1] if self._attempts else None
        body = start_body(self.id, self._plan, number, planned, started_at, before)
        body |= {"repair": move.repair, "simulated": self._wiring.is_simulated}
        await self._store([Entry(EntryKind.ATTEMPT, self.id, started_at, body)])
        messages = self._repair if move.repair else self._request.conversation
        name = planned.target.endpoint
        exchange = Exchange(
            self._wiring.resolved.endpoints[name],
            call_of(self._request, planned, messages, streamed=self._streamed),
            self._wiring.transport,
            self._wiring.logins[name],
            clocks_of(self._route.upstream, self._began),
            self._route.name,
        )
        running = RunningAttempt(
            number,
            planned,
            self._route,
            exchange,
            started_at=started_at,
            is_free=self._wiring.transport.is_free,
            is_repair=move.repair,
        )
        assert self._permit is not None
        self._running[running], self._permit = self._permit, None
        return running

    async def _start(self, running: RunningAttempt, move: Send) -> None:
        now = self._wiring.clock.now()
        await running.start(refused=self._refused(move), reconnect=move.reconnect, now=now)

    # -- two attempts at once ------------------------------------------------------------------------

    async def _sent(self, running: RunningAttempt, move: Send, state: State) -> _Hedge | None:
        """Send an attempt; what comes back is the one at the next target, where its content is long in coming."""
        if self.tasks is None:
            await self._start(running, move)
            return None
        race = Race(self.tasks, self._runner(running, move))
        is_over = await race.is_over(within=self._route.upstream.hedge_after or 0.0)
        hedge = None if is_over else await self._joined(race, state)
        if hedge is None:
            await race.is_over()
        return hedge

    async def _joined(self, race: Race, state: State) -> _Hedge | None:
        """Let an attempt at the next target join, if that can be asked now."""
        found = hedged(state, self._elapsed())
        planned = self._plan.eligible[found[1].target] if found is not None else None
        if found is None or planned is None or planned.early:
            return None
        self._permit = self._wiring.standing.enter_now(self._ask(planned, Visit.EXTRA))
        if self._permit is None:
            return None
        after, move = found
        attempt = await self._begin(move)
        race.join(self._runner(attempt, move))
        return _Hedge(race, attempt, move, after)

    async def _decided(self, hedge: _Hedge, before: State) -> tuple[State, RunningAttempt, Attempt]:
        """Where the request stands, the attempt that goes on, and the end of the other."""
        winner, loser = await hedge.race.decided()
        has_answered = winner.has_answered and winner.attempt is not hedge.attempt
        lost = await self._end_attempt(loser.attempt)
        return raced(before, hedge.state, lost.failure, has_answered=has_answered), winner.attempt, lost

    def _runner(self, running: RunningAttempt, move: Send) -> Runner:
        permit = self._running[running]
        return Runner(running, lambda: self._start(running, move), lambda: permit.end(running.ended()))

    def _given(self, running: RunningAttempt, delivered: Sequence[Delivered]) -> list[Event]:
        """What the caller is told of an attempt, after word that what it was given before is void."""
        if delivered:
            self._running[running].answers()
        restarted = [Restarted(running.number)] if self._answer.starts_over(running) else []
        return [*restarted, *delivered]

    async def _end_attempt(self, running: RunningAttempt) -> Attempt:
        await running.aclose()
        self._login_used = running.exchange.login_used
        return self._keep(running)

    def _keep(self, running: RunningAttempt) -> Attempt:
        """Take what an ended attempt leaves: its record, and what it delivered."""
        ended = running.ended()
        self._attempts.append(ended)
        if (permit := self._running.pop(running, None)) is not None:
            permit.end(ended)
        self._answer.keep(running)
        self._finish_reason = running.finish_reason
        return ended

    def _next(self, state: State, running: RunningAttempt) -> tuple[State, Send | Finish]:
        assert running.failure is not None
        repair = running.repair(self._request) if self._route.repairs else None
        self._repair = repair or self._repair  # asked again with another token it is still the same repair
        happened = Step(
            failure=running.failure,
            verdict=classify(running.failure),
            delivered=running.has_delivered,
            elapsed=self._elapsed(),
            dice=self._wiring.random.random(),
            may_revisit=self._wiring.standing.may_revisit(running.planned.target.endpoint),
            can_repair=repair is not None,
        )
        made = step(state, happened)
        self._is_revisit = made[0].tries > state.tries
        return made

    def _elapsed(self) -> float:
        return anyio.current_time() - self._began

    # -- the end -------------------------------------------------------------------------------------

    async def _finished(self, outcome: Outcome, failure: Failure | None, store_within: float = STORE_WITHIN) -> Result:
        """Store the record, tell the webhooks it lists, and make the result."""
        self._seat.end()
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
            text=self._answer.text,
            tool_calls=self._answer.tool_calls,
            usage=record.usage,
            cost=record.cost,
            error=record.error,
            advice=advice(failure, classify(failure)) if failure is not None else None,
            record=record,
        )

    def _record(self, outcome: Outcome, failure: Failure | None) -> tuple[Record, Sequence[Message]]:
        wiring, plan, answer = self._wiring, self._plan, self._answer
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
            held_back=tuple(self._not_asked),
            measured=measured(self._request, answer.text, wiring.resolved.hash_key),
            first_content_ms=answer.first_content_ms,
            restarts=answer.restarts,
            usage=self._attempts[-1].usage if self._attempts else None,
            cost=total_cost(self._attempts),
            error=error_of(plan, self._attempts, failure, self._kept_back),
            finish_reason=self._finish_reason,
            git_revision=wiring.git_revision,
            simulated=wiring.is_simulated,
            webhooks=tuple((message.id, message.webhook, message.event) for message in messages),
            text=captured(self._request, answer.text, wiring.table.policy.ledger.capture),
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

    @property
    def _route(self) -> Route:
        assert self._plan.route is not None
        return self._plan.route

    def _refused(self, move: Send) -> Mapping[str, str] | None:
        return self._login_used if move.refresh else None


def _started(running: RunningAttempt, move: Send) -> AttemptStarted:
    target = running.planned.target
    return AttemptStarted(running.number, target.endpoint, target.model, round(move.after * 1000, 3), move.repair)
