"""Past requests asked again: where they would go, what they would cost, and what cannot be told."""

from __future__ import annotations

from decimal import Decimal

import pytest

from route_run.errors import LedgerError
from route_run.review.diff.replay import replay
from support.ledgers import ANSWERED, ATTRIBUTES, tagged
from support.policies import BASE
from support.tables import table_of

POLICY = f"""{BASE}  spare: {{targets: [{{endpoint: second, model: m}}]}}
tags:
  desk: {{values: [support, sales]}}
guards:
  words: {{patterns: [{{id: zephyr, regex: zephyr, score: 0.6}}], threshold: 0.8}}
bounds:
  all: {{match: {{}}, guards: [words]}}
routes:
  rest: {{match: {{}}, upstream: main}}
  sales: {{match: {{tags: {{desk: sales}}}}, upstream: main}}
  named: {{callable: true, upstream: main}}
"""
BEFORE = table_of(POLICY)
SCORED = {"guard": "words", "score": 0.6, "threshold": 0.8, "hits": ["zephyr"], "fired": False, "then": "reject"}


def record(**changed):
    body = {
        "attributes": ATTRIBUTES,
        "policy": BEFORE.digest,
        "route": "rest",
        "guards": [{**SCORED, "score": 0.0, "hits": []}],
        "attempts": [ANSWERED],
        "usage": {"prompt_tokens": 1000, "completion_tokens": 500, "cached_tokens": 0},
    }
    return {**body, **changed}


def replayed(old, new, *records):
    assert old in POLICY
    return replay(BEFORE, table_of(POLICY.replace(old, new)), records)


SALES = (
    "  sales: {match: {tags: {desk: sales}}, upstream: main}",
    "  sales: {match: {tags: {desk: sales}}, upstream: spare}",
)


def test_the_share_that_goes_elsewhere_is_of_all_requests():
    records = [record(), record(), record(attributes=tagged(desk="sales"), route="sales")]
    found = replayed(*SALES, *records)
    assert (found.requests, found.elsewhere, round(found.share, 3)) == (3, 1, 0.333)
    assert dict(found.moves) == {("first/m", "second/m"): 1}


def test_cost_is_of_the_usage_then_at_the_price_of_each_side():
    found = replayed("price: {input: 1, output: 2}", "price: {input: 2, output: 2}", record())
    assert (found.cost_before, found.cost_after) == (Decimal("0.002"), Decimal("0.003"))
    assert "cost 0.002 → 0.003 USD (+50.0%)" in "\n".join(found.lines())


def test_a_cost_that_is_not_known_is_counted_and_not_taken_for_nothing():
    found = replayed("price: {input: 1, output: 2}, ", "", record())
    assert (found.cost_unknown, found.cost_before) == (1, Decimal(0))


def test_a_target_that_failed_then_is_taken_to_fail_again():
    failed = {**ANSWERED, "failure": "timeout"}
    second = {**ANSWERED, "endpoint": "second"}
    order = "main: {targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]}"
    turned = "main: {targets: [{endpoint: second, model: m}, {endpoint: first, model: m}]}"
    assert replayed(order, turned, record(attempts=[failed, second])).elsewhere == 0
    assert replayed(order, turned, record()).elsewhere == 1


def test_a_guard_with_the_same_patterns_is_judged_by_the_score_of_the_record():
    found = replayed("threshold: 0.8", "threshold: 0.5", record(guards=[SCORED]), record())
    assert (found.elsewhere, found.newly_refused, found.unjudged) == (1, 1, 0)


def test_a_guard_with_other_patterns_is_not_guessed():
    found = replayed("regex: zephyr", "regex: mistral", record(guards=[SCORED]))
    assert (found.unjudged, found.elsewhere) == (1, 0)
    assert "could not be judged" in "\n".join(found.lines())


def test_a_request_that_called_its_route_by_name_calls_it_again():
    found = replayed("named: {callable: true, upstream: main}", "named: {callable: true, upstream: spare}",
                     record(route="named"), record())  # fmt: skip
    assert dict(found.moves) == {("first/m", "second/m"): 1}


def test_requests_that_are_refused_now_are_counted():
    found = replayed("desk: {values: [support, sales]}", "desk: {values: [support, sales], required: true}", record())
    assert (found.newly_refused, found.newly_answered) == (1, 0)


def test_records_of_another_policy_are_counted():
    assert replayed("score: 0.6", "score: 0.6", record(policy="ab" * 32), record()).by_other_policy == 1


@pytest.mark.parametrize("broken", [{"attributes": None}, {"usage": {}}, {"guards": [{}]}, {"attempts": [1]}])
def test_a_record_that_is_none_is_named_as_the_ledgers_fault(broken):
    with pytest.raises(LedgerError, match="audit verify"):
        replayed("score: 0.6", "score: 0.6", record(**broken))
