"""The breaker: its moves one by one, its promises against a small reference, and the cooldown of an endpoint."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from route_run.flow.breaker import (
    CLOSED,
    LONGEST_COOLDOWN,
    LONGEST_OPEN,
    OUT_OF_CREDIT_FOR,
    WARM,
    Phase,
    Result,
    cooled,
    entered,
    reported,
    result_of,
    warmed,
)
from route_run.flow.classify import classify
from route_run.flow.failure import Cause, Failure, Health
from route_run.policy.model import Breaker as Rules
from support.properties import examples

RULES = Rules()
LEASE = 60.0


def after(results, rules=RULES, breaker=CLOSED, every=0.1, dice=0.0):
    """The breaker and the time after attempts one after another."""
    now = 100.0
    for result in results:
        breaker, leave = entered(breaker, now, LEASE)
        breaker = reported(breaker, rules, leave, result, now, dice)
        now += every
    return breaker, now


G, B, N, O = Result.GOOD, Result.BAD, Result.NOTHING, Result.OUT  # noqa: E741  # a row of results reads like a pattern


@pytest.mark.parametrize(
    ("results", "phase"),
    [
        ([B] * 4, Phase.CLOSED),
        ([B] * 5, Phase.OPEN),
        ([B, B, B, B, G, B, B, B, B], Phase.CLOSED),
        ([B, B, N, B, B, N, B], Phase.OPEN),
        ([G, B] * 9 + [G], Phase.CLOSED),
        ([G, B] * 10, Phase.OPEN),
        ([G, G, B] * 20, Phase.CLOSED),
        ([O], Phase.OPEN),
        ([N] * 50, Phase.CLOSED),
    ],
    ids=["4-in-a-row", "5-in-a-row", "a-good-one-between", "nothing-between", "19-of-half", "20-of-half", "a-third",
         "no-use-at-all", "says-nothing"],
)  # fmt: skip
def test_failures_in_a_row_or_a_large_share_of_them_open_the_breaker(results, phase):
    breaker, now = after(results)
    assert breaker.phase(now) is phase


def test_old_results_do_not_count_for_the_share():
    breaker, now = after([G, B] * 9, every=0.1)
    late = now + RULES.within
    for result in (G, B):
        breaker = reported(breaker, RULES, entered(breaker, late, LEASE)[1], result, late, 0.0)
    assert breaker.phase(late) is Phase.CLOSED


def test_each_opening_lasts_twice_as_long_as_the_one_before_up_to_the_cap():
    breaker, now = after([B] * 5)
    lengths = []
    for _ in range(8):
        lengths.append(round(breaker.until - now + 0.1, 6))
        now = breaker.until
        breaker, leave = entered(breaker, now, LEASE)
        assert leave.is_probe
        breaker = reported(breaker, RULES, leave, B, now, 0.0)
        now += 0.1
    assert lengths == [10.0, 20.0, 40.0, 80.0, 160.0, 300.0, 300.0, 300.0]


def test_jitter_lengthens_by_a_tenth_at_most_and_never_past_the_cap():
    breaker, now = after([B] * 5, dice=0.999)
    assert 10.9 < breaker.until - now + 0.1 < 11.0
    out, now = after([O], dice=0.999)
    assert out.until - now <= LONGEST_OPEN


def test_one_probe_is_let_through_and_holds_a_lease():
    breaker, _ = after([B] * 5)
    ready = breaker.until
    assert entered(breaker, ready - 0.001, LEASE) is None
    probing, leave = entered(breaker, ready, LEASE)
    assert leave.is_probe
    assert probing.phase(ready) is Phase.PROBING
    assert entered(probing, ready + LEASE - 0.001, LEASE) is None
    assert entered(probing, ready + LEASE, LEASE) is not None


def test_a_probe_that_came_too_late_says_nothing_any_more():
    breaker, _ = after([B] * 5)
    first, lost = entered(breaker, breaker.until, LEASE)
    second, leave = entered(first, breaker.until + LEASE, LEASE)
    assert reported(second, RULES, lost, G, breaker.until + LEASE + 1, 0.0) is second
    closed = reported(second, RULES, leave, G, breaker.until + LEASE + 2, 0.0)
    assert closed.phase(breaker.until + LEASE + 2) is Phase.CLOSED


@pytest.mark.parametrize(
    ("result", "phase"), [(G, Phase.CLOSED), (B, Phase.OPEN), (O, Phase.OPEN), (N, Phase.READY)], ids=lambda v: v.value
)
def test_what_a_probe_finds_decides(result, phase):
    breaker, _ = after([B] * 5)
    now = breaker.until
    probing, leave = entered(breaker, now, LEASE)
    assert reported(probing, RULES, leave, result, now + 1, 0.0).phase(now + 1) is phase


def test_results_from_before_the_opening_change_nothing():
    _, old = entered(CLOSED, 0.0, LEASE)
    opened, now = after([B] * 5)
    assert reported(opened, RULES, old, G, now, 0.0) is opened


def test_an_early_probe_is_one_at_a_time_too():
    breaker, now = after([B] * 5)
    probing, leave = entered(breaker, now, LEASE, early=True)
    assert leave.is_probe
    assert entered(probing, now, LEASE, early=True) is None


VERDICTS = {
    "answered": (None, Result.GOOD),
    "500": (Failure(Cause.STATUS, status=500), Result.BAD),
    "timeout": (Failure(Cause.FIRST_CONTENT_TIMEOUT), Result.BAD),
    "refused-connection": (Failure(Cause.REFUSED), Result.BAD),
    "404": (Failure(Cause.STATUS, status=404), Result.OUT),
    "403": (Failure(Cause.STATUS, status=403), Result.OUT),
    "429": (Failure(Cause.STATUS, status=429), Result.NOTHING),
    "402": (Failure(Cause.STATUS, status=402), Result.NOTHING),
    "400-is-an-answer": (Failure(Cause.STATUS, status=400), Result.GOOD),
    "invalid-output-is-an-answer": (Failure(Cause.INVALID_OUTPUT), Result.GOOD),
    "cancelled": (Failure(Cause.CANCELLED), Result.NOTHING),
    "ours": (Failure(Cause.INTERNAL), Result.NOTHING),
    "held-back": (Failure(Cause.HELD_BACK), Result.NOTHING),
}


@pytest.mark.parametrize(("failure", "result"), VERDICTS.values(), ids=VERDICTS.keys())
def test_what_a_failure_says_of_its_target(failure, result):
    assert result_of(None if failure is None else classify(failure)) is result


# -- against a reference -------------------------------------------------------------------------------


class BreakerMachine(RuleBasedStateMachine):
    """Attempts that overlap as they like, against a breaker that keeps every result it has seen."""

    written = Rules(consecutive=3, ratio=0.5, of=6, within=10.0, open=4.0)

    def __init__(self):
        super().__init__()
        self.breaker, self.now = CLOSED, 50.0
        self.under_way = []  # (leave, epoch, is_probe)
        self.seen, self.row = [], 0
        self.epoch, self.times_open, self.until, self.probe = 0, 0, 0.0, None  # probe: (epoch, end of its lease)

    @rule(seconds=st.floats(0, 7))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(early=st.booleans())
    def enter(self, early):
        let_in = entered(self.breaker, self.now, 5.0, early=early)
        is_probed = self.probe is not None and self.now < self.probe[1]
        may = not self.times_open or (not is_probed and (early or self.now >= self.until))
        assert (let_in is not None) == may
        if let_in is None:
            return
        self.breaker, leave = let_in
        assert leave.is_probe == bool(self.times_open)
        if self.times_open:
            self.epoch += 1
            self.probe = (self.epoch, self.now + 5.0)
        self.under_way.append((leave, self.epoch, leave.is_probe))

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 99), result=st.sampled_from(Result))
    def end(self, which, result):
        leave, epoch, is_probe = self.under_way.pop(which % len(self.under_way))
        self.breaker = reported(self.breaker, self.written, leave, result, self.now, 0.0)
        if epoch != self.epoch:
            return
        if is_probe:
            self._probed(result)
        elif result is Result.OUT:
            self._open(LONGEST_OPEN)
        elif result is not Result.NOTHING:
            self.seen.append((int(self.now / 10.0 * 10), result is Result.BAD))
            self.row = self.row + 1 if result is Result.BAD else 0
            recent = [bad for slot, bad in self.seen if slot > int(self.now / 10.0 * 10) - 10]
            much = result is Result.BAD and len(recent) >= 6 and sum(recent) >= len(recent) / 2
            if self.row >= 3 or much:
                self._open(4.0)

    def _probed(self, result):
        self.epoch += 1
        self.probe = None
        if result is Result.GOOD:
            self.times_open, self.seen, self.row = 0, [], 0
        elif result is not Result.NOTHING:
            self.epoch -= 1
            self._open(LONGEST_OPEN if result is Result.OUT else 4.0)

    def _open(self, first):
        self.until = self.now + min(LONGEST_OPEN, first * 2**self.times_open)
        self.times_open += 1
        self.epoch += 1
        self.seen, self.row, self.probe = [], 0, None

    @invariant()
    def agrees(self):
        phase = self.breaker.phase(self.now)
        assert (phase is Phase.CLOSED) == (not self.times_open)
        assert len(self.breaker.counts) <= 10
        if phase is Phase.PROBING:
            assert self.probe is not None


TestBreakerMachine = BreakerMachine.TestCase
TestBreakerMachine.settings = examples(60)


# -- the cooldown of an endpoint -----------------------------------------------------------------------


def test_what_the_server_asks_for_is_kept_up_to_the_cap():
    assert cooled(WARM, Health.COOL, 12.0, "a 429", 100.0, 0.5).until == 112.0
    assert cooled(WARM, Health.COOL, 1e9, "a 429", 100.0, 0.5).until == 100.0 + LONGEST_COOLDOWN


def test_a_shorter_cooldown_never_ends_a_longer_one_that_was_asked_for():
    long = cooled(WARM, Health.COOL, 60.0, "a 429", 100.0, 0.5)
    assert cooled(long, Health.COOL, 5.0, "a 503", 101.0, 0.5).until == 160.0
    assert cooled(long, Health.COOL, None, "a 503", 101.0, 0.5) is long
    assert warmed(long).until == 160.0


def test_what_nobody_asked_for_doubles_with_each_and_ends_with_an_answer():
    cooldown, now, lengths = WARM, 100.0, []
    for _ in range(9):
        cooldown = cooled(cooldown, Health.COOL, None, "a 503", now, 0.999999)
        lengths.append(round(cooldown.until - now))
        now = cooldown.until
    assert lengths == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert warmed(cooldown) == WARM


@pytest.mark.parametrize("dice", [0.0, 0.5, 0.999])
def test_what_nobody_asked_for_is_spread_over_its_second_half(dice):
    seconds = cooled(WARM, Health.COOL, None, "a 503", 0.0, dice).until
    assert 0.5 <= seconds <= 1.0


def test_an_account_without_credit_is_left_alone_for_long():
    assert cooled(WARM, Health.QUOTA, None, "a 402", 0.0, 0.0).until == OUT_OF_CREDIT_FOR
