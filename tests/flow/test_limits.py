"""Limits: what there is room for, how long until there is, and counters against a reference that keeps everything."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from route_run.flow.decide import decide
from route_run.flow.limits import (
    FRESH,
    NOTHING,
    Counter,
    Need,
    Used,
    every_lack,
    is_fresh,
    is_too_long,
    lacks,
    left,
    now_used,
    settled,
    taken,
)
from route_run.flow.request import PromptRequest
from route_run.flow.snapshot import Snapshot
from route_run.policy.units import rate, spend
from route_run.table import Exceeded, Limit
from support.properties import examples
from support.tables import table_of


def moment(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


NOON = moment("2026-12-31T12:00:00")
NEED = Need(1000, Decimal("0.002"))


def limit(exceeded=Exceeded.NEXT, **what):
    return Limit("endpoints.a", "the endpoint `a`", exceeded, **what)


LACKS = {
    "requests-left": (dict(requests=rate("60/min")), Used(requests=59), None),
    "requests-used-up": (dict(requests=rate("60/min")), Used(requests=60), ("60/min requests; room in 1 s", 1.0)),
    "a-rate-below-one-lets-one-through": (dict(requests=rate("0.5/min")), NOTHING, None),
    "then-none-until-it-has-run-out": (dict(requests=rate("0.5/min")), Used(requests=1), ("room in 120 s", 120.0)),
    "a-rate-of-nothing": (dict(requests=rate("0/min")), NOTHING, ("this request may take 1", float("inf"))),
    "tokens-left": (dict(tokens=rate("200k/min")), Used(tokens=199_000), None),
    "tokens-used-up": (dict(tokens=rate("200k/min")), Used(tokens=200_000), ("200k/min tokens; room in 0.3 s", 0.3)),
    "tokens-reserved": (dict(tokens=rate("2k/s")), Used(reserved=2000), ("2k/s tokens", None)),
    "tokens-of-both": (dict(tokens=rate("2k/s")), Used(tokens=500, reserved=1000), ("room in 0.25 s", 0.25)),
    "more-tokens-than-there-ever-are": (dict(tokens=rate("999/h")), NOTHING, ("may take 1,000", float("inf"))),
    "concurrent-left": (dict(concurrent=2), Used(live=1), None),
    "concurrent-used-up": (dict(concurrent=2), Used(live=2), ("allows 2 at once", None)),
    "spend-left": (dict(spend=spend("5 USD/day")), Used(spent=Decimal("4.998")), None),
    "spend-of-the-day": (
        dict(spend=spend("5 USD/day")),
        Used(spent=Decimal("4.9981")),
        ("5 USD/day, 4.9981 USD are spent or reserved", 43200.0),
    ),
    "spend-of-the-hour": (dict(spend=spend("5 USD/h")), Used(spent=Decimal(5)), ("room in 3.6e+03 s", 3600.0)),
    "spend-of-the-month": (dict(spend=spend("5 USD/month")), Used(spent=Decimal(5)), ("5 USD/month", 43200.0)),
    "spend-that-one-request-exceeds": (dict(spend=spend("0.001 USD/day")), NOTHING, ("may cost 0.002", float("inf"))),
    "the-longest-wait-counts": (
        dict(requests=rate("60/min"), tokens=rate("1k/h"), concurrent=1),
        Used(requests=60, tokens=1000, live=1),
        ("1k/h tokens", 3600.0),
    ),
}


@pytest.mark.parametrize(("what", "used", "expected"), LACKS.values(), ids=LACKS.keys())
def test_what_there_is_no_room_for_and_for_how_long(what, used, expected):
    lack = lacks(limit(**what), used, NEED, NOON)
    if expected is None:
        assert lack is None
    else:
        words, wait = expected
        assert words in lack.words
        assert lack.words.startswith("the endpoint `a` allows ")
        assert lack.wait == (None if wait is None else pytest.approx(wait))


def test_every_part_without_room_is_named():
    full = limit(requests=rate("60/min"), tokens=rate("1k/h"), concurrent=1, spend=spend("5 USD/day"))
    used = Used(requests=60, tokens=1000, spent=Decimal(5), live=1)
    assert [lack.part for lack in every_lack(full, used, NEED, NOON)] == ["concurrent", "requests", "tokens", "spend"]
    assert [lack.part for lack in every_lack(full, Used(reserved=1), NEED, NOON)] == ["tokens"]
    assert list(every_lack(full, NOTHING, NEED, NOON)) == []


def test_without_a_price_nothing_can_be_held_to_a_limit_of_spend():
    lack = lacks(limit(spend=spend("5 USD/day")), NOTHING, Need(1000, None), NOON)
    assert "the model has no price" in lack.words
    assert lack.wait == float("inf")


@pytest.mark.parametrize(
    ("unit", "at", "ends"),
    [
        ("h", "2026-12-31T23:59:59", "2027-01-01T00:00:00"),
        ("day", "2026-02-28T00:00:00", "2026-03-01T00:00:00"),
        ("day", "2028-02-28T23:00:00", "2028-02-29T00:00:00"),
        ("month", "2026-12-01T00:00:00", "2027-01-01T00:00:00"),
        ("month", "2026-01-31T23:59:59", "2026-02-01T00:00:00"),
    ],
)
def test_a_period_ends_with_the_calendar_in_utc(unit, at, ends):
    held = limit(spend=spend(f"1 USD/{unit}"))
    counter = taken(now_used(FRESH, held, 0.0, moment(at)), held, Need(0, Decimal(1)), counts=True)
    assert lacks(held, counter.used, NEED, moment(at)).wait == moment(ends) - moment(at)
    assert now_used(counter, held, 1.0, moment(ends) - 0.001).used.spent == 1
    assert now_used(counter, held, 1.0, moment(ends)).used.spent == 0


def test_what_was_reserved_yesterday_is_not_given_back_today():
    held = limit(spend=spend("1 USD/day"))
    before, after = moment("2026-12-31T23:59:00"), moment("2027-01-01T00:01:00")
    yesterday = now_used(FRESH, held, 0.0, before)
    today = now_used(taken(yesterday, held, NEED, counts=True), held, 120.0, after)
    today = taken(today, held, NEED, counts=True)
    assert settled(today, held, NEED, Need(10, Decimal(0)), yesterday.period).used.spent == NEED.cost


def test_only_who_is_told_to_wait_waits_and_not_longer_than_it_may():
    lack = lacks(limit(requests=rate("60/min")), Used(requests=64), NEED, NOON)
    assert lack.wait == 5.0
    assert is_too_long(limit(Exceeded.NEXT), lack, 60.0)
    assert not is_too_long(limit(Exceeded.WAIT), lack, 60.0)
    assert is_too_long(limit(Exceeded.WAIT, wait_at_most=4.0), lack, 60.0)
    assert is_too_long(limit(Exceeded.WAIT), lack, 4.0)


# -- against a reference -------------------------------------------------------------------------------


class CounterMachine(RuleBasedStateMachine):
    """Attempts that overlap, against lists of everything that was ever taken."""

    held = limit(requests=rate("6/min"), tokens=rate("3k/min"), spend=spend("1 USD/h"), concurrent=3)

    def __init__(self):
        super().__init__()
        self.now = 0.0
        self.counter = FRESH
        self.under_way = []  # (need, period)
        self.requests, self.tokens, self.spent = [], [], {}

    @property
    def at(self):
        return NOON + self.now

    @property
    def period(self):
        return int(self.at // 3600)

    @rule(seconds=st.one_of(st.floats(0, 90), st.just(3600.0)))
    def pass_time(self, seconds):
        self.now += seconds

    @rule(tokens=st.integers(1, 1500))
    def enter(self, tokens):
        need = Need(tokens, Decimal(tokens) / 4000)
        self.counter = now_used(self.counter, self.held, self.now, self.at)
        reserved = sum(entry[0].tokens for entry in self.under_way)
        may = (
            len(self.under_way) < 3
            and self.level(self.requests, 0.1) + 1 <= 6 + 1e-6
            and self.level(self.tokens, 50.0) + reserved + tokens <= 3000 + 1e-6
            and self.spent.get(self.period, Decimal(0)) + need.cost <= 1
        )
        assert (lacks(self.held, self.counter.used, need, self.at) is None) == may
        if may:
            period = self.counter.period
            self.counter = taken(self.counter, self.held, need, counts=True)
            self.under_way.append((need, period, self.period))
            self.requests.append((self.now, 1))
            self.spent[self.period] = self.spent.get(self.period, Decimal(0)) + need.cost

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 9), share=st.sampled_from([0.0, 0.25, 1.0, 2.0]))
    def end(self, which, share):
        need, period, hour = self.under_way.pop(which % len(self.under_way))
        used = Need(int(need.tokens * share), need.cost * Decimal(share))
        self.counter = now_used(self.counter, self.held, self.now, self.at)
        self.counter = left(settled(self.counter, self.held, need, used, period), was_sent=True)
        self.tokens.append((self.now, used.tokens))
        if hour == self.period:
            self.spent[hour] += used.cost - need.cost

    def level(self, events, per_second):
        """A bucket that runs out evenly, played through from the beginning."""
        level, last = 0.0, 0.0
        for moment_, amount in events:
            level, last = max(0.0, level - (moment_ - last) * per_second) + amount, moment_
        return max(0.0, level - (self.now - last) * per_second)

    @invariant()
    def agrees(self):
        counter = now_used(self.counter, self.held, self.now, self.at)
        used = counter.used
        assert used.requests == pytest.approx(self.level(self.requests, 0.1), abs=1e-6)
        assert used.tokens == pytest.approx(self.level(self.tokens, 50.0), abs=1e-6)
        assert used.reserved == sum(entry[0].tokens for entry in self.under_way)
        assert used.live == len(self.under_way)
        assert used.spent == self.spent.get(self.period, Decimal(0))
        assert is_fresh(counter) == (used == NOTHING)


TestCounterMachine = CounterMachine.TestCase
TestCounterMachine.settings = examples(60)


# -- plans ---------------------------------------------------------------------------------------------

POLICY = """\
version: 1
tags: {tenant: {}}
endpoints:
  a: {dialect: openai, base_url: "https://a.test", serves: {m: {}}, limits: {requests: 10/min}}
  b: {dialect: openai, base_url: "https://b.test", serves: {m: {}}, limits: {concurrent: 2, when_exceeded: wait}}
  c: {dialect: openai, base_url: "https://c.test", serves: {m: {}}, limits: {concurrent: 2, when_exceeded: reject}}
models: {m: {context_window: 1000, max_output_tokens: 10, limits: {tokens: 500/s}}}
bounds:
  share: {match: {}, per: tags.tenant, limits: {requests: 5/min}, except: {acme: {requests: 50/min}}}
upstreams:
  main: {targets: [{endpoint: a, model: m, limits: {concurrent: 1}}, {endpoint: b, model: m}, {endpoint: c, model: m}]}
  strict: {targets: [{endpoint: c, model: m}]}
routes:
  all: {match: {}, upstream: main}
  strict: {callable: true, upstream: strict}
"""


def plan(used, **fields):
    snapshot = Snapshot(NOON, limits=used)
    return decide(table_of(POLICY), PromptRequest.of(prompt="Hello", **fields), snapshot)


PLANS = {
    "nothing-used": ({}, {}, ["a", "b", "c"]),
    "the-endpoint": ({"endpoints.a": Used(requests=10)}, {}, ["b", "c"]),
    "the-target": ({"upstreams.main.targets[0]": Used(live=1)}, {}, ["b", "c"]),
    "who-waits-is-still-asked": ({"endpoints.b": Used(live=2)}, {}, ["a", "b", "c"]),
    "who-rejects-is-not-asked-yet": ({"endpoints.c": Used(live=2)}, {}, ["a", "b", "c"]),
    "other-values": ({"bounds.share=x": Used(requests=5)}, {"tags": {"tenant": "y"}}, ["a", "b", "c"]),
    "an-exception": ({"bounds.share=acme": Used(requests=5)}, {"tags": {"tenant": "acme"}}, ["a", "b", "c"]),
}


@pytest.mark.parametrize(("used", "fields", "asked"), PLANS.values(), ids=PLANS.keys())
def test_a_target_without_room_is_skipped(used, fields, asked):
    assert [planned.target.endpoint for planned in plan(used, **fields).eligible] == asked


STOPS = {
    "a-bound": ({"bounds.share=x": Used(requests=5)}, {"tags": {"tenant": "x"}}, "`share` for tenant=x allows 5/min"),
    "a-bound-of-those-without": ({"bounds.share": Used(requests=5)}, {}, "the bound `share` for no tenant allows"),
    "an-exception": ({"bounds.share=acme": Used(requests=50)}, {"tags": {"tenant": "acme"}}, "allows 50/min"),
    "the-model-everywhere": ({"models.m": Used(reserved=500)}, {}, "a/m: the model `m` allows 500/s tokens"),
    "an-endpoint-that-rejects": ({"endpoints.c": Used(live=2)}, {"route": "strict"}, "over a limit: the endpoint `c`"),
}


@pytest.mark.parametrize(("used", "fields", "words"), STOPS.values(), ids=STOPS.keys())
def test_a_request_over_a_limit_is_refused_with_its_name(used, fields, words):
    stop = plan(used, **fields).stop
    assert stop.outcome.value == "refused"
    assert words in stop.message


def test_a_plan_says_what_will_be_waited_for():
    made = plan({"endpoints.a": Used(requests=10), "endpoints.b": Used(live=2)})
    assert made.stop is None
    assert ("endpoints.b", "waits for room: the endpoint `b` allows 2 at once") in [
        (reason.subject, reason.text) for reason in made.why
    ]


@pytest.mark.parametrize("used", [NOTHING, Used(1.5, 2.25, 3, Decimal("0.10"), 4)], ids=["nothing", "everything"])
def test_what_is_used_comes_back_from_a_record(used):
    assert Used.of_json(used.as_json()) == used
    written = Snapshot(1.0, limits={"endpoints.a": used}).as_json()
    assert Snapshot.of_json(written).limits == {"endpoints.a": used}


def test_a_counter_without_use_can_be_forgotten():
    held = limit(requests=rate("60/min"))
    counter = left(taken(now_used(FRESH, held, 0.0, NOON), held, NEED, counts=True), was_sent=True)
    assert not is_fresh(now_used(counter, held, 0.5, NOON))
    assert is_fresh(now_used(counter, held, 1.0, NOON))
    assert is_fresh(Counter())
