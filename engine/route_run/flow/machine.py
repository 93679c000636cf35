"""The attempt machine: after each failed exchange, what happens next.

Decides the order of exchanges of one request. The machine is a table: each action that a failure asks
for has a list of moves, and the first whose condition holds is made. It has no clock and no dice;
both come in with the step.

Rules it keeps: a first visit to a target is always free, a revisit needs the endpoint's retry budget; at
most one exchange more than there are targets, beside one token refresh and one reconnect, and asking for a
repair is such a one; once content was delivered nothing is sent again, but where upstream and caller both
allow a restart.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import Enum

from route_run.flow.classify import classify
from route_run.flow.failure import Action, Cause, Failure, Kind, Verdict
from route_run.flow.outcome import Outcome


@dataclass(frozen=True, slots=True)
class Course:
    """What a plan allows: eligible targets, exchanges per target, kinds that fall back; times in seconds.

    ``due`` says per target when it can be asked at the earliest, counted from the start of the request;
    ``repairs`` is how often a target is asked to correct its answer, ``may_restart`` whether an answer
    that breaks off after content may start over.
    """

    targets: int
    attempts: int
    fallback_kinds: frozenset[str]
    backoff_first: float
    backoff_max: float
    total: float
    due: tuple[float, ...] = ()
    repairs: int = 0
    may_restart: bool = False


@dataclass(frozen=True, slots=True)
class State:
    """Where a request stands; ``target`` is an index into the eligible targets.

    ``repairs`` counts those asked of this target, ``delivered`` says that the caller was given content.
    """

    course: Course
    target: int = 0
    tries: int = 1
    spare: int = 1
    refreshed: bool = False
    reconnected: bool = False
    repairs: int = 0
    delivered: bool = False


@dataclass(frozen=True, slots=True)
class Send:
    """Make an exchange with a target after a wait in seconds; with a fresh token or connection if asked.

    ``repair`` asks the target to correct the answer it gave.
    """

    target: int
    after: float = 0.0
    refresh: bool = False
    reconnect: bool = False
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Finish:
    """End the request with this outcome; the failure is the one that decided it.

    ``is_out_of_budget`` says that it would have gone on if its endpoint could take revisits.
    """

    outcome: Outcome
    failure: Failure
    is_out_of_budget: bool = False


Move = Send | Finish


@dataclass(frozen=True, slots=True)
class Step:
    """One failed exchange: what it was and means, whether content was delivered before, and when.

    ``elapsed`` is the time since the request began in seconds, ``dice`` a number in [0, 1);
    ``may_revisit`` says that the retry budget of the endpoint has something left, ``can_repair`` that
    the answer and what is wrong with it fit into another question.
    """

    failure: Failure
    verdict: Verdict
    delivered: bool
    elapsed: float
    dice: float
    may_revisit: bool = True
    can_repair: bool = False


class _Choice(Enum):
    REPAIR = "repair"
    REFRESH = "refresh"
    RECONNECT = "reconnect"
    AGAIN = "again"
    NEXT = "next"
    WAIT = "wait"


CHOICES: Mapping[Action, tuple[_Choice, ...]] = {
    Action.REFRESH: (_Choice.REFRESH, _Choice.NEXT),
    Action.RECONNECT: (_Choice.RECONNECT, _Choice.NEXT),
    Action.REPAIR: (_Choice.REPAIR, _Choice.NEXT),
    Action.SAME: (_Choice.AGAIN, _Choice.NEXT),
    Action.NEXT: (_Choice.NEXT, _Choice.WAIT),
    Action.FAIL: (_Choice.NEXT,),
}
"""What each action tries, in order; when nothing holds the request ends."""

_NEVER_FALL_BACK = frozenset({Kind.BAD_REQUEST, Kind.CANCELLED, Kind.INTERNAL})


def start(course: Course) -> tuple[State, Send]:
    """The first exchange of a request; the course has at least one target."""
    return State(course), Send(0, after=_until_due(course, 0, 0.0))


def held_back(
    state: State, why: Failure, last: Failure | None, elapsed: float, *, is_final: bool = False
) -> tuple[State, Move]:
    """What to do when an exchange could not begin: the next target, else the end with the last failure there was.

    After a failure of a kind that does not fall back only its target was to be asked again, so there is no next;
    ``is_final`` says the same of the limit that has no room.
    """
    stays = is_final or (last is not None and not _falls_back(state.course, classify(last).kind))
    moved = None if stays else _moved_on(state, elapsed)
    if moved is not None:
        return moved
    return state, Finish(Outcome.REFUSED, why) if last is None else Finish(_outcome(state, classify(last).kind), last)


def hedged(state: State, elapsed: float) -> tuple[State, Send] | None:
    """The next target asked as well, while the present one is still at it; None when there is none that can be now."""
    moved = _moved_on(state, elapsed)
    return moved if moved is not None and not moved[1].after else None


def raced(before: State, after: State, lost: Failure | None, *, has_answered: bool) -> State:
    """The state once one of two goes on; ``before`` is that of the first alone, ``after`` that of the hedge.

    ``lost`` is how the other ended, ``has_answered`` whether it is the first that goes on, with an answer: a hedge
    that was cancelled for it may be asked again, as the spare exchange. After a refusal as of every target nothing
    more is to be asked.
    """
    if lost is None or lost.cause is Cause.CANCELLED:
        return replace(before, spare=before.spare - 1) if has_answered and before.spare else after
    if classify(lost).action is Action.FAIL:
        return replace(after, target=after.course.targets - 1, spare=0, refreshed=True, reconnected=True)
    return after


def step(state: State, happened: Step) -> tuple[State, Move]:
    """The state after a failed exchange, and what to do."""
    if happened.delivered:
        state = replace(state, delivered=True)
    if _may_go_on(state, happened) and happened.elapsed < state.course.total:
        for choice in CHOICES[happened.verdict.action]:
            made = _MOVES[choice](state, happened)
            if made is not None:
                return made
    return state, Finish(_outcome(state, happened.verdict.kind), happened.failure, _lacks_budget(state, happened))


def _may_go_on(state: State, happened: Step) -> bool:
    """After content only a restart goes on, and only where the answer broke off: an invalid one is whole."""
    if not happened.delivered:
        return True
    return state.course.may_restart and happened.verdict.kind is not Kind.INVALID_OUTPUT


def _repair(state: State, happened: Step) -> tuple[State, Send] | None:
    if state.repairs >= state.course.repairs or not state.spare or not happened.can_repair:
        return None
    if not happened.may_revisit or happened.delivered:
        return None
    spent = replace(state, repairs=state.repairs + 1, tries=state.tries + 1, spare=state.spare - 1)
    return spent, Send(state.target, repair=True)


def _refresh(state: State, happened: Step) -> tuple[State, Send] | None:
    if state.refreshed:
        return None
    return replace(state, refreshed=True), Send(state.target, refresh=True, repair=state.repairs > 0)


def _reconnect(state: State, happened: Step) -> tuple[State, Send] | None:
    if state.reconnected:
        return None
    return replace(state, reconnected=True), Send(state.target, reconnect=True, repair=state.repairs > 0)


def _again(state: State, happened: Step) -> tuple[State, Send] | None:
    if state.tries >= state.course.attempts or not state.spare or not happened.may_revisit:
        return None
    asked = happened.failure.retry_after
    wait = _backoff(state, happened.dice) if asked is None else asked
    if happened.elapsed + wait >= state.course.total:
        return None
    # RFC 9110, section 15.5.20: a misdirected request is asked for again on another connection
    move = Send(state.target, after=wait, reconnect=happened.failure.status == 421)
    return replace(state, tries=state.tries + 1, spare=state.spare - 1), move


def _next(state: State, happened: Step) -> tuple[State, Send] | None:
    if not _falls_back(state.course, happened.verdict.kind) or happened.failure.cause is Cause.TOTAL_TIMEOUT:
        return None
    return _moved_on(state, happened.elapsed)


def _falls_back(course: Course, kind: Kind) -> bool:
    return kind.value in course.fallback_kinds and kind not in _NEVER_FALL_BACK


def _moved_on(state: State, elapsed: float) -> tuple[State, Send] | None:
    target = state.target + 1
    wait = _until_due(state.course, target, elapsed)
    if target >= state.course.targets or elapsed + wait >= state.course.total:
        return None
    return replace(state, target=target, tries=1, repairs=0), Send(target, after=wait)


def _until_due(course: Course, target: int, elapsed: float) -> float:
    return max(0.0, course.due[target] - elapsed) if target < len(course.due) else 0.0


def _wait(state: State, happened: Step) -> tuple[State, Send] | None:
    """Wait out a rate limit where there is nowhere else to go and the deadline leaves room."""
    asked = happened.failure.retry_after
    if happened.verdict.kind is not Kind.RATE_LIMITED or not state.spare or asked is None:
        return None
    if not happened.may_revisit:
        return None
    jittered = asked * (1 + happened.dice / 10)
    if happened.elapsed + jittered >= state.course.total:
        return None
    return replace(state, tries=state.tries + 1, spare=state.spare - 1), Send(state.target, after=jittered)


_MOVES: Mapping[_Choice, Callable[[State, Step], tuple[State, Send] | None]] = {
    _Choice.REPAIR: _repair,
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


def _lacks_budget(state: State, happened: Step) -> bool:
    return not happened.may_revisit and isinstance(step(state, replace(happened, may_revisit=True))[1], Send)


def _outcome(state: State, kind: Kind) -> Outcome:
    if kind is Kind.INVALID_OUTPUT:
        return Outcome.OUTPUT_INVALID
    return Outcome.INTERRUPTED if state.delivered else Outcome.FAILED
