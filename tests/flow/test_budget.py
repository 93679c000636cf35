"""The retry budget: against a reference that keeps every visit, and the promise that matters in an outage."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from route_run.flow.budget import drawn, visited
from route_run.flow.window import EMPTY, SLOTS, counted, sums
from route_run.policy.model import RetryBudget
from support.properties import examples

RULES = RetryBudget()


@pytest.mark.parametrize(("visits", "extra"), [(0, 3), (9, 3), (10, 4), (100, 13), (1000, 103)])
def test_there_is_a_floor_and_a_share_on_top(visits, extra):
    budget = EMPTY
    for _ in range(visits):
        budget = visited(budget, RULES, 50.0)
    had = 0
    while (more := drawn(budget, RULES, 50.0)) is not None:
        budget, had = more, had + 1
    assert had == extra


def test_a_budget_without_floor_and_share_lets_nothing_through():
    rules = RetryBudget(share=0.0, floor=0)
    assert drawn(visited(EMPTY, rules, 0.0), rules, 0.0) is None


def test_what_was_drawn_comes_back_when_its_time_is_over():
    budget = EMPTY
    for _ in range(3):
        budget = drawn(budget, RULES, 50.0)
    assert drawn(budget, RULES, 58.9) is None
    assert drawn(budget, RULES, 60.0) is not None


@given(st.lists(st.tuples(st.floats(0, 5), st.booleans()), max_size=80))
def test_a_window_counts_what_a_list_of_everything_counts_in_constant_space(steps):
    window, now, everything = EMPTY, 0.0, []
    for seconds, is_first in steps:
        now += seconds
        window = counted(window, now, 10.0, int(is_first), int(not is_first))
        everything.append((int(now / 10.0 * SLOTS), is_first))
        recent = [first for slot, first in everything if slot > int(now / 10.0 * SLOTS) - SLOTS]
        assert sums(window, now, 10.0) == (sum(recent), len(recent) - sum(recent))
        assert len(window) <= SLOTS


class BudgetMachine(RuleBasedStateMachine):
    """Visits and draws as they come; no stretch of time ever receives more than its share and the floor."""

    def __init__(self):
        super().__init__()
        self.written = RetryBudget(share=0.2, floor=2, within=10.0)
        self.budget, self.now = EMPTY, 0.0
        self.visits, self.draws = [], []

    @rule(seconds=st.floats(0, 4))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(count=st.integers(1, 8))
    def visit(self, count):
        for _ in range(count):
            self.budget = visited(self.budget, self.written, self.now)
            self.visits.append(int(self.now))

    @rule()
    def draw(self):
        oldest = int(self.now) - SLOTS
        visits = sum(slot > oldest for slot in self.visits)
        draws = sum(slot > oldest for slot in self.draws)
        more = drawn(self.budget, self.written, self.now)
        assert (more is not None) == (draws + 1 <= 2 + 0.2 * visits)
        if more is not None:
            self.budget = more
            self.draws.append(int(self.now))


TestBudgetMachine = BudgetMachine.TestCase
TestBudgetMachine.settings = examples(60)
