"""How the targets of one engine stand: what attempts have taught, kept between requests.

Decides nothing: breakers, cooldowns and budgets are pure and live in `flow`; here is what changes, and
the clock. An attempt needs a permit, and every permit is given back on every path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import NamedTuple

import anyio

from route_run.flow.balance import aged, averaged
from route_run.flow.breaker import CLOSED, WARM, Phase, Result, cooled, entered, reported, result_of, warmed
from route_run.flow.budget import Budget, drawn, visited
from route_run.flow.failure import Action, Billed, Health, Kind
from route_run.flow.limits import NOTHING, Lack, Need, lacks
from route_run.flow.plan import PlannedTarget
from route_run.flow.record import MOST_TOKENS, Attempt
from route_run.flow.snapshot import UNKNOWN, Snapshot, TargetState
from route_run.flow.window import EMPTY
from route_run.policy import Policy
from route_run.policy.model import Endpoint
from route_run.runtime.clock import Clock
from route_run.runtime.counters import Counters, Reservation, Turn
from route_run.runtime.permit import Permit, Seat, Visit
from route_run.table import Exceeded, Limit, Target, Upstream

_SHORTEST_WAIT = 0.001


class _EndpointStanding:
    """What is known of one endpoint."""

    __slots__ = ("budget", "cooldown", "rules")

    def __init__(self, rules: Endpoint) -> None:
        self.rules = rules
        self.cooldown = WARM
        self.budget = EMPTY


class _TargetStanding:
    """What is known of one endpoint and model."""

    __slots__ = ("breaker", "endpoint", "first_content", "live", "measured_at")

    def __init__(self, endpoint: _EndpointStanding) -> None:
        self.endpoint = endpoint
        self.breaker = CLOSED
        self.live = 0
        self.first_content = 0.0
        self.measured_at = 0.0


class HeldBack(NamedTuple):
    """Why an attempt cannot begin now; ``is_final`` when no other target is to be asked either."""

    words: str
    is_final: bool = False


class _Full(NamedTuple):
    """There is no room now, and the limit says to wait for it."""

    limit: Limit
    lack: Lack


class Ask(NamedTuple):
    """What an attempt wants: its target, what it is to it, its request's seat, the most that it can take.

    ``lease`` is how long a probe may take, in seconds.
    """

    planned: PlannedTarget
    visit: Visit
    seat: Seat
    need: Need
    lease: float


class Standing:
    """Makes snapshots for decisions, lets attempts in, and takes back what they were like.

    ``dice`` gives numbers in [0, 1), ``clock`` the time of day, by which calendar periods go.
    """

    def __init__(self, policy: Policy, dice: Callable[[], float], clock: Clock, counters: Counters) -> None:
        self._dice = dice
        self._clock = clock
        self.counters = counters
        self._endpoints = {name: _EndpointStanding(endpoint) for name, endpoint in policy.endpoints.items()}
        self._targets: dict[tuple[str, str], _TargetStanding] = {}

    def __repr__(self) -> str:
        now = anyio.current_time()
        held = [f"{e}/{m}" for (e, m), t in self._targets.items() if t.breaker.phase(now) is not Phase.CLOSED]
        return f"<Standing live={self.live} held={held}>"

    @property
    def live(self) -> int:
        """Attempts that hold a permit."""
        return sum(target.live for target in self._targets.values())

    def world(self, at: float) -> _World:
        """Where a decision at this time of day looks."""
        return _World(self, at)

    def may_revisit(self, endpoint: str) -> bool:
        """Whether the endpoint's retry budget has something left."""
        standing = self._endpoints[endpoint]
        return drawn(standing.budget, standing.rules.retry_budget, anyio.current_time()) is not None

    def seat(self, limits: Sequence[Limit]) -> Seat:
        """A seat for a request under these limits of its bounds; the first attempt takes it."""
        return Seat(self.counters, limits)

    async def enter(self, ask: Ask, deadline: float) -> Permit | HeldBack:
        """A permit for one attempt, or why there is none; waits for room where a limit says so.

        Whoever came first is first; ``deadline`` is a moment of the loop's clock.
        """
        began = anyio.current_time()
        turn: Turn | None = None
        try:
            while True:
                answer = self._entered(ask, turn)
                if not isinstance(answer, _Full):
                    return answer
                limit, lack = answer
                until = min(deadline, began + limit.wait_at_most)
                now = anyio.current_time()
                if now >= until or now + (lack.wait or 0.0) > until:
                    return HeldBack(lack.words, is_final=limit in ask.seat.limits)
                if turn is None or turn.key != self.counters.key_of(limit):
                    turn = self.counters.queue(limit, turn)
                    if turn is None:
                        return HeldBack(f"{lack.words}; too many wait for it already")
                await self._wait(turn, lack.wait, until)
        finally:
            if turn is not None:
                self.counters.step_out(turn)

    def enter_now(self, ask: Ask) -> Permit | None:
        """A permit for one attempt if it can be had without waiting."""
        answer = self._entered(ask, None)
        return answer if isinstance(answer, Permit) else None

    async def _wait(self, turn: Turn, wait: float | None, until: float) -> None:
        """Until it is worth looking again: for the first in the queue when there is room, for others their turn."""
        if wait is not None and self.counters.is_next(turn):
            until = min(until, anyio.current_time() + max(wait, _SHORTEST_WAIT))
        with anyio.move_on_at(until):
            await turn.event.wait()
        turn.event = anyio.Event()

    def _entered(self, ask: Ask, turn: Turn | None) -> Permit | HeldBack | _Full:
        now, at = anyio.current_time(), self._clock.now()
        planned, visit = ask.planned, ask.visit
        target = self._of(planned.target)
        endpoint = target.endpoint
        rules = endpoint.rules.retry_budget
        cools = endpoint.cooldown.until > now
        if cools and (endpoint.cooldown.asked or not planned.early):
            return HeldBack(f"the endpoint is cooling after {endpoint.cooldown.because}")
        let_in = entered(target.breaker, now, ask.lease, early=planned.early)
        if let_in is None:
            return HeldBack("its breaker is open")
        budget: Budget | None = endpoint.budget
        if visit is Visit.FIRST:
            budget = visited(endpoint.budget, rules, now)
        elif visit is Visit.EXTRA:
            budget = drawn(endpoint.budget, rules, now)
        if budget is None:
            return HeldBack("its retry budget is used up")
        full = self._full(ask, turn, now, at)
        if full is not None:
            return full
        endpoint.budget = budget
        target.breaker, leave = let_in
        target.live += 1
        reserved = self._reserve(ask, now, at)
        return Permit(self._left, self._proved, planned.target, leave, visit, ask.seat, reserved)

    def _full(self, ask: Ask, turn: Turn | None, now: float, at: float) -> HeldBack | _Full | None:
        """The first limit that has no room; a request that has its seat is not asked for another."""
        waits: _Full | None = None
        for limit in (*(() if ask.seat.is_taken else ask.seat.limits), *ask.planned.target.limits):
            lack = lacks(limit, self.counters.used(limit, now, at), ask.need, at)
            if lack is None and limit.exceeded is Exceeded.WAIT and self.counters.must_queue(limit, turn):
                lack = Lack(f"{limit.owner} has others waiting", None)
            if lack is None:
                continue
            if limit.exceeded is not Exceeded.WAIT:
                return HeldBack(lack.words, is_final=limit.exceeded is Exceeded.REJECT)
            waits = waits or _Full(limit, lack)
        return waits

    def _reserve(self, ask: Ask, now: float, at: float) -> tuple[Reservation, ...]:
        seat = ask.seat
        of_bounds = tuple(
            self.counters.take(limit, ask.need, now, at, counts=not seat.is_taken) for limit in seat.limits
        )
        if not seat.is_taken:
            seat.take(of_bounds)
        own = (self.counters.take(limit, ask.need, now, at, counts=True) for limit in ask.planned.target.limits)
        return (*of_bounds, *own)

    def _settle(self, permit: Permit, attempt: Attempt | None, now: float) -> None:
        at = self._clock.now()
        for reservation in permit.reserved:
            self.counters.settle(reservation, _used(reservation.need, attempt), now, at)
        for reservation in permit.reserved[len(permit.seat.limits) :]:
            self.counters.leave(reservation, was_sent=attempt is not None)
        permit.seat.was_sent = permit.seat.was_sent or attempt is not None

    def seen(self, upstream: Upstream, limits: Sequence[Limit], at: float) -> Snapshot:
        """What is known of these targets and used of these limits; what is not in it is as good as new."""
        targets, is_measured = upstream.targets, upstream.is_measured
        now = anyio.current_time()
        used = {limit.key: found for limit in limits if (found := self.counters.used(limit, now, at)) != NOTHING}
        states: dict[str, TargetState] = {}
        for target in targets:
            standing = self._targets.get((target.endpoint, target.model))
            endpoint = self._endpoints[target.endpoint]
            if standing is None and endpoint.cooldown.until <= now:
                continue
            state = _state(standing or _TargetStanding(endpoint), now, is_measured=is_measured)
            if state is not None and state != UNKNOWN:
                states[str(target)] = state
        return Snapshot(at, states, used)

    def _of(self, target: Target) -> _TargetStanding:
        key = (target.endpoint, target.model)
        standing = self._targets.get(key)
        if standing is None:
            standing = self._targets[key] = _TargetStanding(self._endpoints[target.endpoint])
        return standing

    def _left(self, permit: Permit, attempt: Attempt | None) -> None:
        """Take a permit back; ``attempt`` None means that nothing was sent."""
        now = anyio.current_time()
        target = self._of(permit.target)
        target.live -= 1
        if permit.reserved:
            self._settle(permit, attempt, now)
        result = _result(permit, attempt)
        self._report(target, permit, result, now)
        if attempt is None:
            return
        endpoint = target.endpoint
        if (took := _first_content(attempt)) is not None:
            target.first_content = averaged(target.first_content, took)
            target.measured_at = now
        if attempt.verdict is not None and attempt.verdict.health in (Health.COOL, Health.QUOTA):
            asked = attempt.failure.retry_after if attempt.failure is not None else None
            because = f"a {attempt.failure.status}" if attempt.failure and attempt.failure.status else "a failure"
            endpoint.cooldown = cooled(endpoint.cooldown, attempt.verdict.health, asked, because, now, self._dice())
        elif result is Result.GOOD:
            endpoint.cooldown = warmed(endpoint.cooldown)

    def _proved(self, permit: Permit) -> None:
        self._report(self._of(permit.target), permit, Result.GOOD, anyio.current_time())

    def _report(self, target: _TargetStanding, permit: Permit, result: Result, now: float) -> None:
        rules = target.endpoint.rules.breaker
        target.breaker = reported(target.breaker, rules, permit.leave, result, now, self._dice())


class _World:
    """The live state, as a decision sees it."""

    __slots__ = ("_standing", "at", "down")

    def __init__(self, standing: Standing, at: float) -> None:
        self._standing = standing
        self.at = at
        self.down: frozenset[str] = frozenset()

    def seen(self, upstream: Upstream, limits: Sequence[Limit]) -> Snapshot:
        return self._standing.seen(upstream, limits, self.at)


def _state(standing: _TargetStanding, now: float, *, is_measured: bool) -> TargetState | None:
    breaker, cooldown = standing.breaker, standing.endpoint.cooldown
    phase, cools = breaker.phase(now), cooldown.until > now
    if phase is Phase.CLOSED and not cools and not is_measured:
        return None
    return TargetState(
        breaker=phase,
        probe_in=round(breaker.until - now, 3) if phase is Phase.OPEN else 0.0,
        cools_for=max(0.001, round(cooldown.until - now, 3)) if cools else 0.0,
        asked=cools and cooldown.asked,
        because=cooldown.because if cools else "",
        live=standing.live if is_measured else 0,
        first_content=round(aged(standing.first_content, now - standing.measured_at), 4) if is_measured else 0.0,
    )


def _used(need: Need, attempt: Attempt | None) -> Need:
    """What an attempt took of what it had reserved; what nobody reports was taken."""
    if attempt is None:
        return Need(0, Decimal(0))
    reported = attempt.usage.prompt + attempt.usage.completion if attempt.usage is not None else 0
    # usage of an answer that was cut off may be a part of it
    tokens = reported if attempt.billed is not Billed.UNKNOWN else max(need.tokens, reported)
    return Need(min(tokens, MOST_TOKENS), need.cost if attempt.cost is None else attempt.cost)


def _first_content(attempt: Attempt) -> float | None:
    """Seconds until the first content; one that ran out of time took at least as long as it was given."""
    if attempt.first_content_ms is not None:
        return attempt.first_content_ms / 1000
    ran_out = attempt.verdict is not None and attempt.verdict.kind is Kind.TIMEOUT
    return attempt.latency_ms / 1000 if ran_out else None


def _result(permit: Permit, attempt: Attempt | None) -> Result:
    if attempt is None:
        return Result.NOTHING
    verdict = attempt.verdict
    # a token that has run out is no fault of the endpoint, one that was refused when fresh is
    is_first_refusal = verdict is not None and verdict.action is Action.REFRESH and permit.visit is not Visit.REFRESHED
    return Result.NOTHING if is_first_refusal else result_of(verdict)
