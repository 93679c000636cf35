"""Who is asked when breakers are open and endpoints cool; and that a plan can be made again from its record."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.breaker import Phase
from route_run.flow.decide import decide
from route_run.flow.outcome import Outcome
from route_run.flow.plan import Stage
from route_run.flow.request import PromptRequest
from route_run.flow.snapshot import Snapshot, TargetState
from support.tables import table_of

POLICY = """\
version: 1
endpoints:
  a: {dialect: openai, base_url: "https://a.test", serves: {m: {}}}
  b: {dialect: openai, base_url: "https://b.test", serves: {m: {}}}
  c: {dialect: openai, base_url: "https://c.test", serves: {m: {}}, drain: true}
models: {m: {context_window: 1000, max_output_tokens: 10}}
upstreams:
  main:
    targets: [{endpoint: a, model: m}, {endpoint: b, model: m}, {endpoint: c, model: m}]
    timeouts: {total: 20s}
routes: {all: {match: {}, upstream: main}}
"""
OPEN = TargetState(Phase.OPEN, probe_in=8.0)
READY = TargetState(Phase.READY)
PROBING = TargetState(Phase.PROBING)
COOL = TargetState(cools_for=4.0, because="a 503")
ASKED = TargetState(cools_for=5.0, asked=True, because="a 429")
LONG = TargetState(cools_for=600.0, asked=True, because="a 429")


def plan(seed=0, **states):
    snapshot = Snapshot(1.5, {f"{name}/m": state for name, state in states.items()})
    return decide(table_of(POLICY), PromptRequest.of(prompt="Hello"), snapshot, seed)


def asked(made):
    return [(planned.target.endpoint, planned.after, planned.early) for planned in made.eligible]


CASES = {
    "nothing-known": ({}, [("a", 0.0, False), ("b", 0.0, False)]),
    "first-open": ({"a": OPEN}, [("b", 0.0, False)]),
    "first-cooling": ({"a": COOL}, [("b", 0.0, False)]),
    "first-asked-for-a-rest": ({"a": ASKED}, [("b", 0.0, False)]),
    "first-ready-for-a-probe": ({"a": READY}, [("a", 0.0, False), ("b", 0.0, False)]),
    "first-being-probed": ({"a": PROBING}, [("b", 0.0, False)]),
    "all-open-probes-in-order": ({"a": OPEN, "b": OPEN}, [("a", 0.0, True), ("b", 0.0, True)]),
    "all-open-one-being-probed": ({"a": PROBING, "b": OPEN}, [("b", 0.0, True)]),
    "all-cooling-unasked-are-asked-all-the-same": ({"a": COOL, "b": COOL}, [("a", 0.0, True), ("b", 0.0, True)]),
    "who-asked-for-a-rest-is-waited-for-last": ({"a": ASKED, "b": OPEN}, [("b", 0.0, True), ("a", 5.0, True)]),
    "both-asked-the-shorter-first": (
        {"a": TargetState(cools_for=7.0, asked=True), "b": ASKED},
        [("b", 5.0, True), ("a", 7.0, True)],
    ),
    "too-long-a-rest": ({"a": LONG, "b": ASKED}, [("b", 5.0, True)]),
}


@pytest.mark.parametrize(("states", "order"), CASES.values(), ids=CASES.keys())
def test_who_is_asked_and_when(states, order):
    assert asked(plan(**states)) == order


@pytest.mark.parametrize("states", [{"a": PROBING, "b": PROBING}, {"a": LONG, "b": LONG}], ids=["probed", "resting"])
def test_a_request_that_nobody_can_take_now_is_refused_with_the_reasons(states):
    made = plan(**states)
    assert made.stop is not None
    assert (made.stop.outcome, made.stop.stage) == (Outcome.REFUSED, Stage.ELIGIBILITY)
    assert "a/m: its" in made.stop.message
    assert "b/m: its" in made.stop.message


def test_an_ineligible_target_is_never_asked_whatever_the_others_are_like():
    made = plan(a=OPEN, b=OPEN, c=TargetState())
    assert [planned.target.endpoint for planned in made.eligible] == ["a", "b"]


REASONS = {
    "open": ({"a": OPEN}, "skipped: its breaker is open for another 8 s"),
    "cooling": ({"a": ASKED}, "skipped: its endpoint is cooling for another 5 s after a 429"),
    "probing": ({"a": PROBING}, "skipped: its breaker is open and a probe is under way"),
    "probe": ({"a": READY}, "probes whether its breaker can close"),
    "all": ({"a": OPEN, "b": OPEN}, "asked although its breaker is open for another 8 s: no other target is left"),
    "waits": ({"a": ASKED, "b": LONG}, "asked after 5 s: its endpoint is cooling for another 5 s after a 429"),
}


@pytest.mark.parametrize(("states", "text"), REASONS.values(), ids=REASONS.keys())
def test_every_step_leaves_its_reason(states, text):
    assert text in [reason.text for reason in plan(**states).why if reason.subject == "a/m"]


def test_waits_are_spread_by_the_seed():
    waits = {asked(plan(seed=seed, a=ASKED, b=LONG))[0][1] for seed in range(0, 1 << 20, 1 << 14)}
    assert len(waits) > 32
    assert min(waits) >= 5.0
    assert max(waits) <= 5.5


STATES = st.builds(
    TargetState,
    breaker=st.sampled_from(Phase),
    probe_in=st.sampled_from([0.0, 0.25, 8.0]),
    cools_for=st.sampled_from([0.0, 0.001, 4.0, 700.0]),
    asked=st.booleans(),
    because=st.sampled_from(["", "a 429"]),
)


@given(st.dictionaries(st.sampled_from("abc"), STATES), st.integers(0, (1 << 63) - 1))
def test_the_snapshot_of_a_record_makes_the_same_plan_again(states, seed):
    made = plan(seed, **states)
    written = json.loads(json.dumps(made.snapshot.as_json()))
    again = decide(table_of(POLICY), PromptRequest.of(prompt="Hello"), Snapshot.of_json(written), made.seed)
    assert again.as_json() == made.as_json()


@given(st.dictionaries(st.sampled_from("abc"), STATES))
def test_a_plan_is_a_stop_or_has_someone_to_ask_and_each_target_once(states):
    made = plan(**states)
    assert (made.stop is None) == bool(made.eligible)
    assert sorted(planned.target.endpoint for planned in made.targets) == ["a", "b", "c"]
    assert "c" not in [planned.target.endpoint for planned in made.eligible]
