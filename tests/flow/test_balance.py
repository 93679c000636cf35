"""Balance groups: shares, hashes that keep sessions where they are, and orders that ask how targets are doing."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.balance import HALF_LIFE, aged, averaged
from route_run.flow.decide import decide
from route_run.flow.request import PromptRequest
from route_run.flow.snapshot import Snapshot, TargetState
from support.tables import table_of

NAMES = "abcd"


def policy(balance, weights=(1, 1, 1, 1), hash_on="", prices=(1, 1, 1, 1)):
    endpoints = "".join(
        f"  {n}: {{dialect: openai, base_url: 'https://{n}.test', serves: {{m: {{{p}}}}}}}\n"
        for n, p in zip("za" + "bcd", ["", *(f"price: {{input: {p}, output: {p}}}" if p else "" for p in prices)],
                        strict=True)
    )  # fmt: skip
    group = ", ".join(f"{{endpoint: {n}, model: m, weight: {w}}}" for n, w in zip(NAMES, weights, strict=True))
    hashed = f"hash_on: {hash_on}, " if hash_on else ""
    return f"""\
version: 1
tags: {{session: {{}}}}
endpoints:
{endpoints}
models: {{m: {{context_window: 1000, max_output_tokens: 10}}}}
upstreams:
  main:
    targets:
      - {{endpoint: z, model: m}}
      - {{balance: {balance}, {hashed}targets: [{group}]}}
routes: {{all: {{match: {{}}, upstream: main}}}}
"""


def order(text, seed=0, session=None, **states):
    snapshot = Snapshot(1.5, {f"{name}/m": state for name, state in states.items()})
    tags = {} if session is None else {"session": session}
    made = decide(table_of(text), PromptRequest.of(prompt="Hello", tags=tags), snapshot, seed * 0x5DEECE66D)
    names = [planned.target.endpoint for planned in made.targets]
    assert names[0] == "z"  # what stands before a group stays there
    return "".join(names[1:])


WEIGHTED = policy("weighted", (1, 2, 3, 4))


def test_a_weighted_group_starts_at_each_target_with_its_share():
    starts = Counter(order(WEIGHTED, seed)[0] for seed in range(4000))
    for name, share in zip(NAMES, (0.1, 0.2, 0.3, 0.4), strict=True):
        assert starts[name] / 4000 == pytest.approx(share, abs=0.025)


def test_what_comes_after_the_start_is_weighted_too():
    second = Counter(order(WEIGHTED, seed)[1] for seed in range(4000) if order(WEIGHTED, seed)[0] == "d")
    total = second.total()
    for name, share in zip("abc", (1 / 6, 2 / 6, 3 / 6), strict=True):
        assert second[name] / total == pytest.approx(share, abs=0.04)


@given(st.integers(0, (1 << 63) - 1), st.sampled_from(["weighted", "fastest", "least_busy", "cheapest"]))
def test_an_order_has_every_target_once_and_is_the_same_for_the_same_seed(seed, balance):
    text = policy(balance)
    assert sorted(order(text, seed)) == list(NAMES)
    assert order(text, seed) == order(text, seed)


# -- hashes --------------------------------------------------------------------------------------------

SESSIONS = [f"session-{number}" for number in range(2000)]


def starts(weights, balance="weighted"):
    text = policy(balance, weights, "tags.session")
    return {session: order(text, 0, session)[0] for session in SESSIONS}


def test_a_value_starts_at_the_same_target_whatever_the_seed():
    text = policy("weighted", hash_on="tags.session")
    assert len({order(text, seed, "one") for seed in range(50)}) == 1


def test_values_are_shared_by_weight():
    found = Counter(starts((5, 15, 30, 50)).values())
    for name, share in zip(NAMES, (0.05, 0.15, 0.3, 0.5), strict=True):
        assert found[name] / len(SESSIONS) == pytest.approx(share, abs=0.03)


def test_raising_one_weight_from_5_to_10_moves_no_session_but_to_that_target():
    before, after = starts((5, 95, 95, 95)), starts((10, 95, 95, 95))
    moved = {session: after[session] for session in SESSIONS if before[session] != after[session]}
    assert set(moved.values()) == {"a"}
    assert 0.005 < len(moved) / len(SESSIONS) < 0.035


def test_lowering_one_weight_moves_only_sessions_that_were_there():
    before, after = starts((10, 95, 95, 95)), starts((5, 95, 95, 95))
    assert {before[session] for session in SESSIONS if before[session] != after[session]} == {"a"}


@pytest.mark.parametrize("balance", ["fastest", "least_busy", "cheapest"])
def test_a_hash_decides_where_other_groups_start(balance):
    text = policy(balance, hash_on="tags.session")
    busy = {name: TargetState(live=place, first_content=place + 1.0) for place, name in enumerate(NAMES)}
    orders = {order(text, seed, "one", **busy)[0] for seed in range(20)}
    assert len(orders) == 1
    assert {order(text, 1, session, **busy)[0] for session in SESSIONS[:100]} == set(NAMES)


def test_a_request_without_the_tag_is_not_hashed():
    text = policy("weighted", hash_on="tags.session")
    assert len({order(text, seed) for seed in range(50)}) > 5


# -- how targets are doing -----------------------------------------------------------------------------


def test_the_fastest_of_two_random_ones_is_asked_first():
    text = policy("fastest")
    states = {name: TargetState(first_content=time) for name, time in zip(NAMES, (0.2, 0.4, 0.8, 1.6), strict=True)}
    found = Counter(order(text, seed, **states)[0] for seed in range(2000))
    for name, share in zip(NAMES, (3 / 6, 2 / 6, 1 / 6, 0), strict=True):
        assert found[name] / 2000 == pytest.approx(share, abs=0.04)


def test_a_target_that_was_never_measured_is_tried():
    states = {name: TargetState(first_content=0.2) for name in "abc"}
    assert Counter(order(policy("fastest"), seed, **states)[0] for seed in range(500))["d"] > 200


def test_the_least_busy_is_asked_first_and_ties_are_shared():
    states = {"a": TargetState(live=2), "b": TargetState(live=1), "c": TargetState(live=1), "d": TargetState(live=5)}
    orders = Counter(order(policy("least_busy"), seed, **states) for seed in range(200))
    assert set(orders) == {"bcad", "cbad"}
    assert min(orders.values()) > 60


def test_the_cheapest_is_asked_first_and_who_has_no_price_last():
    assert order(policy("cheapest", prices=(3, None, 1, 2))) == "cdab"


def test_a_target_that_is_held_back_keeps_its_place_and_is_skipped():
    text = policy("cheapest", prices=(1, 2, 3, 4))
    snapshot = Snapshot(1.5, {"a/m": TargetState(cools_for=3.0)})
    made = decide(table_of(text), PromptRequest.of(prompt="Hello"), snapshot)
    assert [planned.target.endpoint for planned in made.eligible] == ["z", "b", "c", "d"]


def test_the_plan_says_how_it_was_balanced():
    made = decide(table_of(policy("cheapest", prices=(3, 4, 1, 2))), PromptRequest.of(prompt="Hello"))
    assert ("main", "balanced (cheapest): c/m, d/m, a/m, b/m") in [(r.subject, r.text) for r in made.why]


def test_an_average_follows_what_is_measured_and_fades():
    average = 0.0
    for _ in range(30):
        average = averaged(average, 2.0)
    assert average == 2.0
    assert 2.0 < averaged(average, 4.0) < 3.0
    assert aged(2.0, 0.0) == 2.0
    assert aged(2.0, HALF_LIFE) == 1.0
