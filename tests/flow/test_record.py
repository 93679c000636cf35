"""What the ledger keeps: records held to their schema, costs that are known or not, keyed hashes."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from route_run.flow.outcome import Outcome, Usage
from route_run.flow.record import Measured, cost_of, keyed_hash, total_cost
from route_run.policy.model import Price
from route_run.schema import schema_text
from support.examples import BEGAN, OVERLOADED, attempt, planned, record, records

SCHEMA = Draft202012Validator(json.loads(schema_text("record")))
EXAMPLES = records()


@pytest.mark.parametrize("kept", EXAMPLES.values(), ids=EXAMPLES)
def test_a_record_is_what_its_schema_describes(kept):
    SCHEMA.validate(json.loads(json.dumps(kept.as_json(), allow_nan=False)))


def test_there_is_an_example_of_every_outcome():
    assert {kept.outcome for kept in EXAMPLES.values()} == set(Outcome)


def test_the_schema_refuses_what_no_record_holds():
    written = record().as_json()
    assert not SCHEMA.is_valid(written | {"prompt": "Hello"})
    assert not SCHEMA.is_valid(written | {"cost_usd": 0})
    assert not SCHEMA.is_valid({key: value for key, value in written.items() if key != "policy"})


# -- what is in it -----------------------------------------------------------------------------------


def test_a_record_names_the_endpoint_that_answered():
    written = EXAMPLES["completed-after-a-fallback"].as_json()
    assert (written["endpoint"], written["model"]) == ("second", "m")
    assert [kept["failure"] for kept in written["attempts"]] == ["overloaded", None]


@pytest.mark.parametrize("name", ["failed", "interrupted", "rejected", "refused-without-a-route", "cancelled"])
def test_without_an_answer_no_endpoint_is_named(name):
    assert EXAMPLES[name].as_json()["endpoint"] is None


def test_latency_is_from_start_to_end_in_milliseconds():
    assert record(started_at=BEGAN, ended_at=BEGAN + 0.1234567).as_json()["latency_ms"] == 123.457


def test_a_failed_attempt_tells_kind_cause_and_words():
    written = attempt(failure=OVERLOADED).as_json()
    assert (written["failure"], written["cause"], written["message"], written["status"]) == (
        "overloaded",
        "status",
        "the engine is overloaded",
        503,
    )


def test_an_attempt_without_a_status_has_none():
    assert attempt(status=0).as_json()["status"] is None


def test_a_record_keeps_all_that_a_decision_was_made_from():
    written = record(plan=planned(requested_model="x")).as_json()
    assert written["seed"] == 7
    assert written["snapshot"] == {"at": BEGAN}
    assert written["attributes"] == {
        "tags": {"desk": "support"},
        "requested_model": "x",
        "prompt_tokens": 6,
        "estimate": "estimate@1",
        "needs": [],
        "undeclared_tags": [],
    }


def test_text_is_only_there_when_it_was_captured():
    assert record().as_json()["text"] is None
    assert record(text={"prompt": "Hello"}).as_json()["text"] == {"prompt": "Hello"}


def test_no_prompt_is_in_a_record_that_captures_nothing():
    kept = record(Outcome.REJECTED, plan=planned("the canary of Zephyr"), attempts=())
    assert "canary" not in json.dumps(kept.as_json())


# -- costs -------------------------------------------------------------------------------------------

PRICE = Price(input=0.5, output=1.5)

COSTS = {
    # dollars per million tokens: prompt * input + completion * output
    "both": (Usage(1_000_000, 1_000_000), PRICE, "2"),
    "prompt": (Usage(1000, 0), PRICE, "0.0005"),
    "completion": (Usage(0, 1000), PRICE, "0.0015"),
    "a-few-tokens": (Usage(12, 20), PRICE, "0.000036"),
    "one-token": (Usage(1, 0), Price(input=0.1, output=0.3), "0.0000001"),
    "no-float-noise": (Usage(3, 0), Price(input=0.1, output=0), "0.0000003"),
    "cached-tokens-are-part-of-the-prompt": (Usage(1000, 0, cached=900), PRICE, "0.0005"),
    "nothing-used": (Usage(0, 0), PRICE, "0"),
    "a-free-model": (Usage(1000, 1000), Price(input=0, output=0), "0"),
    "usage-not-known": (None, PRICE, None),
    "price-not-known": (Usage(1000, 1000), None, None),
    "nothing-known": (None, None, None),
}


@pytest.mark.parametrize(("usage", "price", "text"), COSTS.values(), ids=COSTS)
def test_the_cost_of_a_usage(usage, price, text):
    cost = cost_of(usage, price)
    assert record(cost=cost).as_json()["cost_usd"] == text


@given(st.builds(Usage, st.integers(0, 10**40), st.integers(0, 10**40)), st.floats(0, 1000), st.floats(0, 1000))
def test_no_usage_that_a_provider_reports_breaks_the_account(usage, price_in, price_out):
    cost = cost_of(usage, Price(input=price_in, output=price_out))
    assert cost is None or cost >= 0


def test_a_huge_cost_is_written_without_an_exponent():
    assert record(cost=Decimal("1E+3")).as_json()["cost_usd"] == "1000"


TOTALS = {
    "none": ((), "0"),
    "sum": (("0.1", "0.2"), "0.3"),
    "one-unknown": (("0.1", None), None),
    "unpaid-failures": (("0", "0.2"), "0.2"),
}


@pytest.mark.parametrize(("costs", "expected"), TOTALS.values(), ids=TOTALS)
def test_the_cost_of_all_attempts(costs, expected):
    attempts = [attempt(cost=None if cost is None else Decimal(cost)) for cost in costs]
    assert total_cost(attempts) == (None if expected is None else Decimal(expected))


# -- hashes ------------------------------------------------------------------------------------------


def test_a_keyed_hash_is_hmac_sha_256_of_the_text():
    expected = hmac.new(b"key", "grüße".encode(), hashlib.sha256).hexdigest()
    assert keyed_hash(b"key", "grüße") == expected


def test_without_a_key_there_is_no_hash():
    assert keyed_hash(None, "Hello") is None


def test_another_key_gives_another_hash():
    assert keyed_hash(b"one", "Hello") != keyed_hash(b"two", "Hello")


def test_hashes_are_kept_where_the_policy_has_a_key():
    written = record(measured=Measured(5, 2, "a" * 64, "b" * 64)).as_json()
    assert (written["prompt_hash"], written["completion_hash"]) == ("a" * 64, "b" * 64)
