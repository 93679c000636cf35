"""The attempt machine: after each failed exchange, what happens next.

Decides the order of exchanges of one request. The machine is a table: each action that a failure asks
for has a list of moves, and the first whose condition holds is made. It has no clock and no dice;
both come in with the step.

Rules it keeps: a first visit to a target is always free; at most one exchange more than there are
targets, beside one token refresh and one reconnect; nothing is sent again once content was delivered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from route_run.flow.failure import Action, Cause, Failure, Kind, Verdict
from route_run.flow.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Course:
    """What a plan allows: eligible targets, exchanges per target, kinds that fall back; times in seconds."""

    targets: int
    attempts: int
    fallback_kinds: frozenset[str]
    backoff_first: float
    backoff_max: float
    total: float


@dataclass(frozen=True, slots=True)
class State:
    """Where a request stands; ``target`` is an index into the eligible targets."""

    course: Course
    target: int = 0
    tries: int = 1
    spare: int = 1
    refreshed: bool = False
    reconnected: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Make an exchange with a target after a wait in seconds; with a fresh token or connection if asked."""

    target: int
    after: float = 0.0
    refresh: bool = False
    reconnect: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """End the request with this outcome; the failure is the one that decided it."""

    outcome: Outcome
    failure: Failure


Move = Send | Finish


@dataclass(frozen=True, slots=True)
class Step:
    """One failed exchange: what it was and means, whether content was delivered before, and when.

    ``elapsed`` is the time since the request began in seconds, ``dice`` a number in [0, 1).
    """

    failure: Failure
    verdict: Verdict
    delivered: bool
    elapsed: float
    dice: float


class _Choice(Enum):
    REFRESH = "refresh"
    RECONNECT = "reconnect"
    AGAIN = "again"
    NEXT = "next"
    WAIT = "wait"


CHOICES: Mapping[Action, tuple[_Choice, ...]] = {
    Action.REFRESH: (_Choice.REFRESH, _Choice.NEXT),
    Action.RECONNECT: (_Choice.RECONNECT, _Choice.NEXT),
    Action.SAME: (_Choice.AGAIN, _Choice.NEXT),
    Action.NEXT: (_Choice.NEXT, _Choice.WAIT),
    Action.FAIL: (_Choice.NEXT,),
}
"""What each action tries, in order; when nothing holds the request ends."""

_NEVER_FALL_BACK = frozenset({Kind.BAD_REQUEST, Kind.CANCELLED, Kind.INTERNAL})


def start(course: Course) -> tuple[State, Send]:
    """The first exchange of a request; the course has at least one target."""
    return State(course), Send(0)


def step(state: State, happened: Step) -> tuple[State, Move]:
    """The state after a failed exchange, and what to do."""
    if not happened.delivered and happened.elapsed < state.course.total:
        for choice in CHOICES[happened.verdict.action]:
            made = _MOVES[choice](state, happened)
            if made is not None:
                return made
    return state, Finish(_outcome(happened), happened.failure)


def _refresh(state: State, happened: Step) -> tuple[State, Send] | None:
    if state.refreshed:
        return None
    return replace(state, refreshed=True), Send(state.target, refresh=True)


def _reconnect(state: State, happened: Step) -> tuple[State, Send] | None:
    if state.reconnected:
        return None
    return replace(state, reconnected=True), Send(state.target, reconnect=True)


def _again(state: State, happened: Step) -> tuple[State, Send] | None:
    if state.tries >= state.course.attempts or not state.spare:
        return None
    asked = happened.failure.retry_after
    wait = _backoff(state, happened.dice) if asked is None else asked
    if happened.elapsed + wait >= state.course.total:
        return None
    # RFC 9110, section 15.5.20: a misdirected request is asked for again on another connection
    move = Send(state.target, after=wait, reconnect=happened.failure.status == 421)
    return replace(state, tries=state.tries + 1, spare=state.spare - 1), move


def _next(state: State, happened: Step) -> tuple[State, Send] | None:
    kind = happened.verdict.kind
    falls_back = kind.value in state.course.fallback_kinds and kind not in _NEVER_FALL_BACK
    is_over = happened.failure.cause is Cause.TOTAL_TIMEOUT
    if not falls_back or is_over or state.target + 1 >= state.course.targets:
        return None
    return replace(state, target=state.target + 1, tries=1), Send(state.target + 1)


def _wait(state: State, happened: Step) -> tuple[State, Send] | None:
    """Wait out a rate limit where there is nowhere else to go and the deadline leaves room."""
    asked = happened.failure.retry_after
    if happened.verdict.kind is not Kind.RATE_LIMITED or not state.spare or asked is None:
        return None
    jittered = asked * (1 + happened.dice / 10)
    if happened.elapsed + jittered >= state.course.total:
        return None
    return replace(state, tries=state.tries + 1, spare=state.spare - 1), Send(state.target, after=jittered)


_MOVES: Mapping[_Choice, Callable[[State, Step], tuple[State, Send] | None]] = {
    _Choice.REFRESH: _refresh,
    _Choice.RECONNECT: _reconnect,
    _Choice.AGAIN: _again,
    _Choice.NEXT: _next,
    _Choice.WAIT: _wait,
}


def _backoff(state: State, dice: float) -> float:
    """Full jitter: anything up to first·2^k, at most max."""
    longest: float = state.course.backoff_first * 2.0 ** (state.tries - 1)
    return dice * min(state.course.backoff_max, longest)


def _outcome(happened: Step) -> Outcome:
    if happened.verdict.kind is Kind.INVALID_OUTPUT:
        return Outcome.OUTPUT_INVALID
    return Outcome.INTERRUPTED if happened.delivered else Outcome.FAILED
