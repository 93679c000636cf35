"""The attempt machine: its moves one by one, and its promises under any sequence of failures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.classify import classify
from route_run.flow.failure import Action, Billed, Cause, Failure, Health, Kind, Verdict
from route_run.flow.machine import (
    Course,
    Finish,
    Send,
    State,
    Step,
    hedged,
    held_back,
    raced,
    start,
    step,
)
from route_run.flow.outcome import Outcome
from route_run.policy.model import DEFAULT_FALLBACK

DEFAULT_KINDS = frozenset(DEFAULT_FALLBACK)
COURSE = Course(targets=3, attempts=2, fallback_kinds=DEFAULT_KINDS, backoff_first=0.2, backoff_max=5.0, total=60.0)


def status(number: int, **fields: object) -> Failure:
    return Failure(Cause.STATUS, status=number, **fields)


def happened(
    failure: Failure, *, delivered: bool = False, elapsed: float = 1.0, dice: float = 0.5, can_repair: bool = True
) -> Step:
    return Step(failure, classify(failure), delivered, elapsed, dice, can_repair=can_repair)


# -- the first exchange ------------------------------------------------------------------------------


def test_a_request_begins_at_once_with_the_first_target():
    assert start(COURSE) == (State(COURSE), Send(0))


def test_a_repair_needs_the_retry_budget():
    state = State(replace(COURSE, repairs=1))
    invalid = happened(Failure(Cause.INVALID_OUTPUT))
    assert step(state, invalid)[1] == Send(0, repair=True)
    assert step(state, replace(invalid, may_revisit=False))[1] == Send(1)


def test_what_was_delivered_stays_when_the_next_target_is_held_back():
    spoken = State(replace(COURSE, targets=2), target=1, delivered=True)
    reset = Failure(Cause.RESET)
    assert held_back(spoken, HELD, reset, 1.0)[1] == Finish(Outcome.INTERRUPTED, reset)
    invalid = Failure(Cause.INVALID_OUTPUT)
    assert held_back(replace(spoken, delivered=False), HELD, invalid, 1.0)[1] == Finish(Outcome.OUTPUT_INVALID, invalid)


def test_a_request_waits_for_a_first_target_that_asked_for_a_rest():
    assert start(replace(COURSE, due=(5.0, 7.0, 9.0)))[1] == Send(0, after=5.0)


def test_what_has_passed_already_is_not_waited_for_again():
    state = State(replace(COURSE, due=(5.0, 7.0, 9.0)))
    assert step(state, happened(status(503), elapsed=6.0))[1] == Send(1, after=1.0)
    assert step(state, happened(status(503), elapsed=8.0))[1] == Send(1)


def test_a_target_that_is_due_after_the_deadline_is_not_waited_for():
    state = State(replace(COURSE, due=(0.0, 70.0, 80.0)))
    assert step(state, happened(status(503)))[1] == Finish(Outcome.FAILED, status(503))


# -- an exchange that could not begin ------------------------------------------------------------------

HELD = Failure(Cause.HELD_BACK, "its breaker is open")


def test_what_is_held_back_goes_to_the_next_target_whatever_falls_back():
    state = State(replace(COURSE, fallback_kinds=frozenset()), tries=2)
    assert held_back(state, HELD, None, 1.0) == (replace(state, target=1, tries=1), Send(1))


def test_a_revisit_that_is_held_back_does_not_fall_back_where_its_failure_would_not():
    """It was to wait out a rate limit at this target, and the rest it asked for has grown meanwhile."""
    course = replace(COURSE, fallback_kinds=DEFAULT_KINDS - {"rate_limited"})
    asked = status(429, retry_after=1.0)
    assert held_back(State(course, tries=2, spare=0), HELD, asked, 1.0)[1] == Finish(Outcome.FAILED, asked)
    assert held_back(State(COURSE, tries=2, spare=0), HELD, asked, 1.0)[1] == Send(1)


def test_at_the_last_target_it_is_a_refusal_when_nothing_was_sent():
    assert held_back(LAST, HELD, None, 1.0)[1] == Finish(Outcome.REFUSED, HELD)


def test_at_the_last_target_the_last_real_failure_stands():
    assert held_back(LAST, HELD, status(500), 1.0)[1] == Finish(Outcome.FAILED, status(500))


# -- two at once ---------------------------------------------------------------------------------------


def test_a_hedge_asks_the_next_target_as_well():
    assert hedged(FRESH, 2.0) == (replace(FRESH, target=1), Send(1))


@pytest.mark.parametrize(
    "state",
    [State(COURSE, target=2), State(replace(COURSE, due=(0.0, 9.0, 9.0))), State(replace(COURSE, total=2.0))],
    ids=["no-next", "next-is-resting", "no-time"],
)
def test_there_is_no_hedge_where_no_other_can_be_asked_now(state):
    assert hedged(state, 2.0) is None


LOST = Failure(Cause.CANCELLED)


def test_when_the_first_of_two_answers_the_other_can_be_asked_again_with_the_spare():
    after, _ = hedged(FRESH, 2.0)
    assert raced(FRESH, after, LOST, has_answered=True) == replace(FRESH, spare=0)
    assert step(raced(FRESH, after, LOST, has_answered=True), happened(status(503)))[1] == Send(1)


def test_without_the_spare_the_other_counts_as_visited():
    spent = replace(FRESH, spare=0)
    after, _ = hedged(spent, 2.0)
    assert step(raced(spent, after, LOST, has_answered=True), happened(status(503)))[1] == Send(2)


@pytest.mark.parametrize(
    ("lost", "has_answered"),
    [(LOST, False), (status(503), True), (status(503), False), (Failure(Cause.RESET), True)],
    ids=["the hedge answered", "the hedge failed", "both failed", "the hedge broke"],
)
def test_in_any_other_case_the_hedge_counts_as_visited(lost, has_answered):
    after, _ = hedged(FRESH, 2.0)
    assert raced(FRESH, after, lost, has_answered=has_answered) == after


@pytest.mark.parametrize("failure", [status(503), status(401, oauth2=True), Failure(Cause.STALE), status(500)])
def test_after_a_hedge_that_everybody_would_refuse_nothing_more_is_asked(failure):
    state = raced(FRESH, replace(FRESH, target=1), status(400), has_answered=True)
    assert isinstance(step(state, happened(failure))[1], Finish)


# -- the retry budget ----------------------------------------------------------------------------------


def test_without_budget_nothing_is_asked_again_but_the_next_is_still_free():
    assert step(FRESH, replace(happened(status(500)), may_revisit=False))[1] == Send(1)


def test_an_end_for_want_of_budget_says_so():
    made = step(LAST, replace(happened(status(500)), may_revisit=False))[1]
    assert made == Finish(Outcome.FAILED, status(500), is_out_of_budget=True)


def test_waiting_out_a_rate_limit_needs_budget_too():
    made = step(LAST, replace(happened(status(429, retry_after=2.0)), may_revisit=False))[1]
    assert made == Finish(Outcome.FAILED, status(429, retry_after=2.0), is_out_of_budget=True)


def test_an_end_that_had_to_come_does_not_blame_the_budget():
    made = step(replace(LAST, spare=0), replace(happened(status(500)), may_revisit=False))[1]
    assert made == Finish(Outcome.FAILED, status(500))


@pytest.mark.parametrize("failure", [status(401, oauth2=True), Failure(Cause.STALE)], ids=["refresh", "reconnect"])
def test_a_new_token_and_a_new_connection_stand_outside_of_the_budget(failure):
    move = step(LAST, replace(happened(failure), may_revisit=False))[1]
    assert isinstance(move, Send)


# -- every move --------------------------------------------------------------------------------------

FRESH = State(COURSE)
LAST = replace(FRESH, target=2)
ALONE = State(replace(COURSE, targets=1))
EXPIRED = status(401, oauth2=True)
STALE = Failure(Cause.STALE)
CLOSED = frozenset({"timeout"})  # only timeouts fall back
INVALID = Failure(Cause.INVALID_OUTPUT)
REPAIRING = State(replace(COURSE, repairs=1))
REPAIRED = replace(REPAIRING, repairs=1, tries=2, spare=0)
RESTARTING = State(replace(COURSE, may_restart=True))
RESTARTED = replace(RESTARTING, target=1, delivered=True)
BROKEN = Failure(Cause.RESET)

MOVES = {
    # state, what happened -> the move
    "next": (FRESH, happened(status(503)), Send(1)),
    "next-of-the-second": (replace(FRESH, target=1), happened(status(503)), Send(2)),
    "no-next": (LAST, happened(status(503)), Outcome.FAILED),
    "refresh": (FRESH, happened(EXPIRED), Send(0, refresh=True)),
    "refresh-at-the-last": (LAST, happened(EXPIRED), Send(2, refresh=True)),
    "second-refresh-is-next": (replace(FRESH, refreshed=True), happened(EXPIRED), Send(1)),
    "second-refresh-at-the-last": (replace(LAST, refreshed=True), happened(EXPIRED), Outcome.FAILED),
    "refresh-though-unauthorized-does-not-fall-back": (
        State(replace(COURSE, fallback_kinds=CLOSED)),
        happened(EXPIRED),
        Send(0, refresh=True),
    ),
    "reconnect": (FRESH, happened(STALE), Send(0, reconnect=True)),
    "second-reconnect-is-next": (replace(FRESH, reconnected=True), happened(STALE), Send(1)),
    "reconnect-without-spare": (replace(FRESH, spare=0), happened(STALE), Send(0, reconnect=True)),
    "refresh-without-spare": (replace(FRESH, spare=0), happened(EXPIRED), Send(0, refresh=True)),
    "same-again-after-a-backoff": (FRESH, happened(status(500)), Send(0, after=0.1)),
    "misdirected-is-asked-again-on-another-connection": (
        FRESH,
        happened(status(421)),
        Send(0, after=0.1, reconnect=True),
    ),
    "same-again-without-dice": (FRESH, happened(status(500), dice=0.0), Send(0, after=0.0)),
    "same-again-when-the-server-says": (FRESH, happened(status(500, retry_after=7.0)), Send(0, after=7.0)),
    "same-again-at-the-last": (LAST, happened(status(500)), Send(2, after=0.1)),
    "same-again-only-while-attempts-are-left": (replace(FRESH, tries=2), happened(status(500)), Send(1)),
    "same-again-only-while-the-spare-is-left": (replace(FRESH, spare=0), happened(status(500)), Send(1)),
    "one-attempt-means-next": (State(replace(COURSE, attempts=1)), happened(status(500)), Send(1)),
    "one-attempt-alone": (State(replace(COURSE, attempts=1, targets=1)), happened(status(500)), Outcome.FAILED),
    "same-again-though-it-does-not-fall-back": (
        State(replace(COURSE, fallback_kinds=CLOSED)),
        happened(status(500)),
        Send(0, after=0.1),
    ),
    "then-a-kind-that-is-not-listed-fails": (
        State(replace(COURSE, fallback_kinds=CLOSED), tries=2),
        happened(status(500)),
        Outcome.FAILED,
    ),
    "too-long-a-wait-is-next": (FRESH, happened(status(500, retry_after=59.0)), Send(1)),
    "the-wait-must-end-before-the-total-time": (FRESH, happened(status(500, retry_after=60.0)), Send(1)),
    "told-not-to-retry-is-next": (FRESH, happened(status(500, may_retry=False)), Send(1)),
    "rate-limited-is-next": (FRESH, happened(status(429, retry_after=2.0)), Send(1)),
    "rate-limited-at-the-last-waits": (LAST, happened(status(429, retry_after=2.0), dice=0.0), Send(2, after=2.0)),
    "the-wait-is-never-shorter-than-asked": (LAST, happened(status(429, retry_after=2.0)), Send(2, after=2.1)),
    "rate-limited-alone-waits": (ALONE, happened(status(429, retry_after=2.0), dice=0.0), Send(0, after=2.0)),
    "rate-limited-with-one-attempt-waits": (
        State(replace(COURSE, targets=1, attempts=1)),
        happened(status(429, retry_after=2.0), dice=0.0),
        Send(0, after=2.0),
    ),
    "rate-limited-not-listed-waits": (
        State(replace(COURSE, fallback_kinds=CLOSED)),
        happened(status(429, retry_after=2.0), dice=0.0),
        Send(0, after=2.0),
    ),
    "rate-limited-without-a-time-fails": (LAST, happened(status(429)), Outcome.FAILED),
    "rate-limited-without-spare-fails": (
        replace(LAST, spare=0),
        happened(status(429, retry_after=2.0)),
        Outcome.FAILED,
    ),
    "rate-limited-for-too-long-fails": (LAST, happened(status(429, retry_after=59.5)), Outcome.FAILED),
    "rate-limited-until-the-very-end-fails": (
        LAST,
        happened(status(429, retry_after=59.0), dice=0.0),
        Outcome.FAILED,
    ),
    "overloaded-is-not-waited-out": (LAST, happened(status(503, retry_after=2.0)), Outcome.FAILED),
    "out-of-credit-is-not-waited-out": (LAST, happened(status(402, retry_after=2.0)), Outcome.FAILED),
    "bad-request-fails": (FRESH, happened(status(400)), Outcome.FAILED),
    "bad-request-fails-even-if-listed": (
        State(replace(COURSE, fallback_kinds=DEFAULT_KINDS | {"bad_request"})),
        happened(status(400)),
        Outcome.FAILED,
    ),
    "internal-fails-even-if-listed": (
        State(replace(COURSE, fallback_kinds=DEFAULT_KINDS | {"internal"})),
        happened(Failure(Cause.INTERNAL)),
        Outcome.FAILED,
    ),
    "too-long-fails": (FRESH, happened(status(413)), Outcome.FAILED),
    "too-long-is-next-if-listed": (
        State(replace(COURSE, fallback_kinds=DEFAULT_KINDS | {"too_long"})),
        happened(status(413)),
        Send(1),
    ),
    "content-refused-fails": (FRESH, happened(status(451)), Outcome.FAILED),
    "content-refused-is-next-if-listed": (
        State(replace(COURSE, fallback_kinds=DEFAULT_KINDS | {"content_refused"})),
        happened(Failure(Cause.CONTENT_REFUSED, status=200)),
        Send(1),
    ),
    "invalid-output-is-next": (FRESH, happened(Failure(Cause.INVALID_OUTPUT)), Send(1)),
    "invalid-output-at-the-last": (LAST, happened(Failure(Cause.INVALID_OUTPUT)), Outcome.OUTPUT_INVALID),
    "invalid-output-after-it-was-delivered": (
        FRESH,
        happened(Failure(Cause.INVALID_OUTPUT), delivered=True),
        Outcome.OUTPUT_INVALID,
    ),
    "repair": (REPAIRING, happened(INVALID), Send(0, repair=True)),
    "repair-at-the-last": (replace(REPAIRING, target=2), happened(INVALID), Send(2, repair=True)),
    "repair-needs-no-second-attempt": (
        State(replace(COURSE, repairs=1, attempts=1)),
        happened(INVALID),
        Send(0, repair=True),
    ),
    "repair-though-invalid-output-does-not-fall-back": (
        State(replace(COURSE, repairs=1, fallback_kinds=CLOSED)),
        happened(INVALID),
        Send(0, repair=True),
    ),
    "repair-that-does-not-fit-is-next": (REPAIRING, happened(INVALID, can_repair=False), Send(1)),
    "repair-only-while-the-spare-is-left": (replace(REPAIRING, spare=0), happened(INVALID), Send(1)),
    "second-repair-is-next": (replace(REPAIRED, spare=1), happened(INVALID), Send(1)),
    "second-repair-at-the-last": (replace(REPAIRED, target=2), happened(INVALID), Outcome.OUTPUT_INVALID),
    "repair-then-a-kind-that-is-not-listed-fails": (
        replace(REPAIRED, course=replace(COURSE, repairs=1, fallback_kinds=CLOSED)),
        happened(INVALID),
        Outcome.OUTPUT_INVALID,
    ),
    "no-repair-of-what-was-delivered": (REPAIRING, happened(INVALID, delivered=True), Outcome.OUTPUT_INVALID),
    "no-repair-after-the-total-time": (REPAIRING, happened(INVALID, elapsed=60.0), Outcome.OUTPUT_INVALID),
    "repair-is-for-invalid-output-only": (REPAIRING, happened(BROKEN), Send(1)),
    "token-refreshed-during-a-repair": (REPAIRED, happened(EXPIRED), Send(0, refresh=True, repair=True)),
    "reconnected-during-a-repair": (REPAIRED, happened(STALE), Send(0, reconnect=True, repair=True)),
    "failed-repair-is-next": (REPAIRED, happened(status(500)), Send(1)),
    "restart": (RESTARTING, happened(BROKEN, delivered=True), Send(1)),
    "restart-again": (RESTARTED, happened(BROKEN, delivered=True), Send(2)),
    "restart-at-the-same-where-retry-allows": (
        RESTARTING,
        happened(Failure(Cause.ERROR_EVENT, code="server_error"), delivered=True),
        Send(0, after=0.1),
    ),
    "restart-with-a-fresh-token": (RESTARTING, happened(EXPIRED, delivered=True), Send(0, refresh=True)),
    "restart-that-fails-before-content-goes-on": (RESTARTED, happened(status(503)), Send(2)),
    "no-restart-behind-the-last": (
        replace(RESTARTING, target=2),
        happened(BROKEN, delivered=True),
        Outcome.INTERRUPTED,
    ),
    "after-a-restart-that-failed-content-still-stands": (
        replace(RESTARTED, target=2),
        happened(status(503)),
        Outcome.INTERRUPTED,
    ),
    "no-restart-of-a-kind-that-does-not-fall-back": (
        State(replace(COURSE, may_restart=True, fallback_kinds=CLOSED)),
        happened(BROKEN, delivered=True),
        Outcome.INTERRUPTED,
    ),
    "no-restart-of-an-answer-that-is-whole-but-invalid": (
        State(replace(COURSE, may_restart=True, repairs=1)),
        happened(INVALID, delivered=True),
        Outcome.OUTPUT_INVALID,
    ),
    "no-restart-after-the-total-time": (
        RESTARTING,
        happened(BROKEN, delivered=True, elapsed=60.0),
        Outcome.INTERRUPTED,
    ),
    "no-restart-for-a-caller-who-left": (
        RESTARTING,
        happened(Failure(Cause.CANCELLED), delivered=True),
        Outcome.INTERRUPTED,
    ),
    "total-time-over": (FRESH, happened(Failure(Cause.TOTAL_TIMEOUT), elapsed=60.0), Outcome.FAILED),
    "total-time-over-after-content": (
        FRESH,
        happened(Failure(Cause.TOTAL_TIMEOUT), delivered=True, elapsed=60.0),
        Outcome.INTERRUPTED,
    ),
    "broken-after-content": (FRESH, happened(Failure(Cause.RESET), delivered=True), Outcome.INTERRUPTED),
    "truncated-after-content": (FRESH, happened(Failure(Cause.TRUNCATED), delivered=True), Outcome.INTERRUPTED),
    "expired-token-after-content": (FRESH, happened(EXPIRED, delivered=True), Outcome.INTERRUPTED),
    "rate-limit-after-content": (
        FRESH,
        happened(status(429, retry_after=1.0), delivered=True),
        Outcome.INTERRUPTED,
    ),
}


@pytest.mark.parametrize(("state", "what", "expected"), MOVES.values(), ids=MOVES)
def test_the_move_after_a_failure(state, what, expected):
    _, move = step(state, what)
    if isinstance(expected, Send):
        assert isinstance(move, Send)
        assert replace(move, after=0.0) == replace(expected, after=0.0)
        assert move.after == pytest.approx(expected.after)
    else:
        assert move == Finish(expected, what.failure)


STATES = {
    "next-starts-counting-anew": (replace(FRESH, tries=2), happened(status(503)), replace(FRESH, target=1, tries=1)),
    "next-keeps-the-spare": (replace(FRESH, spare=0), happened(status(503)), replace(FRESH, target=1, spare=0)),
    "same-again-takes-the-spare": (FRESH, happened(status(500)), replace(FRESH, tries=2, spare=0)),
    "waiting-takes-the-spare": (LAST, happened(status(429, retry_after=1.0)), replace(LAST, tries=2, spare=0)),
    "refresh-takes-nothing": (FRESH, happened(EXPIRED), replace(FRESH, refreshed=True)),
    "reconnect-takes-nothing": (FRESH, happened(STALE), replace(FRESH, reconnected=True)),
    "the-end-changes-nothing": (LAST, happened(status(503)), LAST),
    "repair-takes-the-spare": (REPAIRING, happened(INVALID), REPAIRED),
    "next-may-repair-anew": (
        replace(REPAIRED, spare=1),
        happened(INVALID),
        replace(REPAIRING, target=1),
    ),
    "content-is-not-forgotten": (RESTARTING, happened(BROKEN, delivered=True), RESTARTED),
    "content-is-not-forgotten-later": (RESTARTED, happened(status(503)), replace(RESTARTED, target=2)),
}


@pytest.mark.parametrize(("state", "what", "expected"), STATES.values(), ids=STATES)
def test_what_a_move_leaves(state, what, expected):
    assert step(state, what)[0] == expected


@pytest.mark.parametrize("action", [Action.NEXT, Action.REFRESH])
def test_nothing_is_sent_once_the_total_time_is_over(action):
    """The deadline is of the request: a new attempt would only be started, stored and cut off."""
    verdict = Verdict(Kind.TIMEOUT, action, Health.COUNT, Billed.UNKNOWN)
    late = Step(Failure(Cause.IDLE_TIMEOUT), verdict, delivered=False, elapsed=60.0, dice=0.5)
    assert step(FRESH, late)[1] == Finish(Outcome.FAILED, late.failure)


BACKOFFS = {
    # tries so far, dice -> seconds: up to 0.2 * 2^k, at most 5
    "first": (1, 0.999, 0.2),
    "second": (2, 0.999, 0.4),
    "third": (3, 0.999, 0.8),
    "fifth": (5, 0.999, 3.2),
    "capped": (6, 0.999, 5.0),
    "far-capped": (60, 0.999, 5.0),
    "half": (3, 0.5, 0.4),
    "none": (3, 0.0, 0.0),
}


@pytest.mark.parametrize(("tries", "dice", "seconds"), BACKOFFS.values(), ids=BACKOFFS)
def test_backoff_is_full_jitter_under_a_doubling_cap(tries, dice, seconds):
    state = State(replace(COURSE, attempts=99), tries=tries)
    _, move = step(state, happened(status(500), dice=dice))
    assert move.after == pytest.approx(seconds, rel=2e-3)


# -- whole requests ----------------------------------------------------------------------------------

KINDS = [kind.value for kind in Kind]
COURSES = st.builds(
    Course,
    targets=st.integers(1, 5),
    attempts=st.integers(1, 4),
    fallback_kinds=st.just(DEFAULT_KINDS) | st.sets(st.sampled_from(KINDS)).map(frozenset),
    backoff_first=st.floats(0, 2),
    backoff_max=st.floats(0, 10),
    total=st.floats(1, 120),
    repairs=st.integers(0, 3),
    may_restart=st.booleans(),
)
DELAYS = st.none() | st.floats(0, 900)
REAL_FAILURES = st.builds(
    Failure,
    cause=st.sampled_from(Cause),
    status=st.sampled_from([0, 200, 400, 401, 402, 403, 408, 413, 429, 451, 500, 502, 503, 529]),
    retry_after=DELAYS,
    at_token=st.booleans(),
    oauth2=st.booleans(),
    may_retry=st.booleans(),
)
ANY_VERDICTS = st.builds(
    Verdict,
    kind=st.sampled_from(Kind),
    action=st.sampled_from(Action),
    health=st.just(Health.NONE),
    billed=st.just(Billed.UNKNOWN),
)
JUDGED = REAL_FAILURES.map(lambda failure: (failure, classify(failure))) | st.tuples(REAL_FAILURES, ANY_VERDICTS)


@dataclass(frozen=True, slots=True)
class Played:
    """One request: its moves, with what led to each (None for the first), and when each send began."""

    course: Course
    moves: tuple[Send | Finish, ...]
    causes: tuple[Step | None, ...]
    began: tuple[float, ...]

    @property
    def sends(self) -> list[Send]:
        return [move for move in self.moves if isinstance(move, Send)]


@st.composite
def requests(draw: st.DrawFn) -> Played:
    """A request whose every exchange fails in any way at all, until the machine ends it."""
    course = draw(COURSES)
    state, move = start(course)
    moves: list[Send | Finish] = [move]
    causes: list[Step | None] = [None]
    began: list[float] = []
    now = 0.0
    while isinstance(move, Send):
        assert len(moves) < 20, "the machine does not come to an end"
        now += move.after
        began.append(now)
        now += draw(st.floats(0, 20))
        failure, verdict = draw(JUDGED)
        if now >= course.total:  # what the runtime's clock makes of it
            now = course.total
            failure = Failure(Cause.TOTAL_TIMEOUT)
            verdict = classify(failure)
        delivered = draw(st.integers(0, 6)) == 6
        dice = draw(st.floats(0, 1, exclude_max=True))
        what = Step(failure, verdict, delivered, now, dice, draw(st.booleans()), draw(st.booleans()))
        state, move = step(state, what)
        moves.append(move)
        causes.append(what)
    return Played(course, tuple(moves), tuple(causes), tuple(began))


@given(requests())
def test_there_is_at_most_one_send_more_than_targets_beside_one_refresh_and_one_reconnect(played):
    refreshes = sum(send.refresh for send in played.sends)
    reconnects = sum(send.reconnect for send in played.sends)
    assert refreshes <= 1
    assert reconnects <= 1
    assert len(played.sends) - refreshes - reconnects <= played.course.targets + 1


@given(requests())
def test_targets_are_visited_in_order_and_each_first_visit_is_free(played):
    sends = played.sends
    for before, after in pairwise(sends):
        assert after.target in (before.target, before.target + 1)
        assert after.target < played.course.targets
        if after.target != before.target:
            assert after == Send(after.target)  # and nothing of an answer to another target


@given(requests())
def test_a_request_that_may_fall_back_ends_only_at_its_last_target(played):
    """However much was spent on earlier targets, a first visit is never refused."""
    last = played.causes[-1]
    kind = last.verdict.kind
    falls_back = kind.value in played.course.fallback_kinds and kind not in (
        Kind.BAD_REQUEST,
        Kind.CANCELLED,
        Kind.INTERNAL,
    )
    goes_on = not last.delivered or (played.course.may_restart and kind is not Kind.INVALID_OUTPUT)
    if falls_back and goes_on and last.failure.cause is not Cause.TOTAL_TIMEOUT:
        assert played.sends[-1].target == played.course.targets - 1


@given(requests())
def test_nothing_is_sent_after_content_was_delivered_unless_it_may_be_discarded(played):
    for what, move in zip(played.causes, played.moves, strict=True):
        if what is not None and what.delivered and isinstance(move, Send):
            assert played.course.may_restart
            assert what.verdict.kind is not Kind.INVALID_OUTPUT


@given(requests())
def test_a_repair_is_asked_once_of_a_target_whose_answer_was_invalid(played):
    asked = 0
    for what, move in zip(played.causes[1:], played.moves[1:], strict=True):
        if isinstance(move, Send) and move.repair and not move.refresh and not move.reconnect:
            asked += 1
            assert what.verdict.action is Action.REPAIR
            assert what.can_repair
            assert not what.delivered
    assert asked <= min(played.course.repairs, 1)


@given(requests())
def test_a_repair_that_is_sent_again_is_still_a_repair(played):
    for before, after in pairwise(played.sends):
        if before.repair and after.target == before.target:
            assert after.repair


@given(requests())
def test_no_send_begins_after_the_total_time(played):
    assert all(moment < played.course.total for moment in played.began)


@given(requests())
def test_only_kinds_that_fall_back_move_to_the_next_target(played):
    sends = played.sends
    for what, before, after in zip(played.causes[1:], sends, sends[1:], strict=False):
        if after.target != before.target:
            assert what.verdict.kind.value in played.course.fallback_kinds
            assert what.verdict.kind not in (Kind.BAD_REQUEST, Kind.CANCELLED, Kind.INTERNAL)


@given(requests())
def test_a_target_is_asked_as_often_as_attempts_allow_or_once_more_to_wait_out_a_rate_limit(played):
    waits = {
        send.target
        for what, send in zip(played.causes, played.moves, strict=True)
        if isinstance(send, Send) and what is not None and what.verdict.kind is Kind.RATE_LIMITED
    }
    for target in range(played.course.targets):
        own = [s for s in played.sends if s.target == target and not s.refresh and not s.reconnect and not s.repair]
        assert len(own) <= played.course.attempts + (target in waits)


@given(requests())
def test_a_wait_is_never_shorter_than_the_server_asks(played):
    for what, move in zip(played.causes, played.moves, strict=True):
        if isinstance(move, Send) and move.after > 0 and what.failure.retry_after is not None:
            assert move.after >= what.failure.retry_after


@given(requests())
def test_a_request_ends_with_the_failure_that_decided_it(played):
    end, last = played.moves[-1], played.causes[-1]
    assert isinstance(end, Finish)
    assert end.failure is last.failure
    if last.verdict.kind is Kind.INVALID_OUTPUT:
        assert end.outcome is Outcome.OUTPUT_INVALID
    else:
        has_spoken = any(what is not None and what.delivered for what in played.causes)
        assert end.outcome is (Outcome.INTERRUPTED if has_spoken else Outcome.FAILED)
