"""How the targets of one engine stand: what attempts have taught, kept between requests.

Decides nothing: breakers, cooldowns and budgets are pure and live in `flow`; here is what changes, and
the clock. An attempt needs a permit, and every permit is given back on every path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import anyio

from route_run.flow.breaker import CLOSED, WARM, Phase, Result, cooled, entered, reported, result_of, warmed
from route_run.flow.budget import drawn, visited
from route_run.flow.failure import Action, Health
from route_run.flow.plan import PlannedTarget
from route_run.flow.record import Attempt
from route_run.flow.snapshot import Snapshot, TargetState
from route_run.flow.window import EMPTY
from route_run.policy import Policy
from route_run.policy.model import Endpoint
from route_run.runtime.permit import Permit, Visit
from route_run.table import Target


class _EndpointStanding:
    """What is known of one endpoint."""

    __slots__ = ("budget", "cooldown", "rules")

    def __init__(self, rules: Endpoint) -> None:
        self.rules = rules
        self.cooldown = WARM
        self.budget = EMPTY


class _TargetStanding:
    """What is known of one endpoint and model."""

    __slots__ = ("breaker", "endpoint", "live")

    def __init__(self, endpoint: _EndpointStanding) -> None:
        self.endpoint = endpoint
        self.breaker = CLOSED
        self.live = 0


class HeldBack(NamedTuple):
    """Why an attempt cannot begin now."""

    words: str


class Standing:
    """Makes snapshots for decisions, lets attempts in, and takes back what they were like.

    ``dice`` gives numbers in [0, 1).
    """

    def __init__(self, policy: Policy, dice: Callable[[], float]) -> None:
        self._dice = dice
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

    def enter(self, planned: PlannedTarget, visit: Visit, lease: float) -> Permit | HeldBack:
        """A permit for one attempt, or why there is none; a probe's lease ends after ``lease`` seconds."""
        now = anyio.current_time()
        target = self._of(planned.target)
        endpoint = target.endpoint
        rules = endpoint.rules.retry_budget
        cools = endpoint.cooldown.until > now
        if cools and (endpoint.cooldown.asked or not planned.early):
            return HeldBack(f"the endpoint is cooling after {endpoint.cooldown.because}")
        let_in = entered(target.breaker, now, lease, early=planned.early)
        if let_in is None:
            return HeldBack("its breaker is open")
        if visit is Visit.FIRST:
            endpoint.budget = visited(endpoint.budget, rules, now)
        elif visit is Visit.EXTRA:
            budget = drawn(endpoint.budget, rules, now)
            if budget is None:
                return HeldBack("its retry budget is used up")
            endpoint.budget = budget
        target.breaker, leave = let_in
        target.live += 1
        return Permit(self._left, self._proved, planned.target, leave, visit)

    def seen(self, targets: Sequence[Target], at: float) -> Snapshot:
        """What is known of these targets; what is not in it is as good as new."""
        now = anyio.current_time()
        states: dict[str, TargetState] = {}
        for target in targets:
            standing = self._targets.get((target.endpoint, target.model))
            endpoint = self._endpoints[target.endpoint]
            if standing is None and endpoint.cooldown.until <= now:
                continue
            state = _state(standing or _TargetStanding(endpoint), now)
            if state is not None:
                states[str(target)] = state
        return Snapshot(at, states)

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
        result = _result(permit, attempt)
        self._report(target, permit, result, now)
        if attempt is None:
            return
        endpoint = target.endpoint
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

    __slots__ = ("_standing", "at")

    def __init__(self, standing: Standing, at: float) -> None:
        self._standing = standing
        self.at = at

    def seen(self, targets: Sequence[Target]) -> Snapshot:
        return self._standing.seen(targets, self.at)


def _state(standing: _TargetStanding, now: float) -> TargetState | None:
    breaker, cooldown = standing.breaker, standing.endpoint.cooldown
    phase, cools = breaker.phase(now), cooldown.until > now
    if phase is Phase.CLOSED and not cools:
        return None
    return TargetState(
        breaker=phase,
        probe_in=round(breaker.until - now, 3) if phase is Phase.OPEN else 0.0,
        cools_for=max(0.001, round(cooldown.until - now, 3)) if cools else 0.0,
        asked=cools and cooldown.asked,
        because=cooldown.because if cools else "",
    )


def _result(permit: Permit, attempt: Attempt | None) -> Result:
    if attempt is None:
        return Result.NOTHING
    verdict = attempt.verdict
    # a token that has run out is no fault of the endpoint, one that was refused when fresh is
    is_first_refusal = verdict is not None and verdict.action is Action.REFRESH and permit.visit is not Visit.REFRESHED
    return Result.NOTHING if is_first_refusal else result_of(verdict)
