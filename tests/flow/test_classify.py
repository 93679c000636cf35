"""What a failure means: the golden table of `classify.csv`, row by row, and laws over all failures there can be.

The table holds every row of `research/reliability.md` section 1.1 in the shapes that providers give it; code
and message stand as the reader of an error's body finds them. It is read here and never written.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.classify import classify, is_known_code
from route_run.flow.failure import Action, Billed, Cause, Failure, Health, Kind, Verdict

with (Path(__file__).parent / "classify.csv").open(newline="", encoding="utf-8") as table:
    ROWS = {row["name"]: row for row in csv.DictReader(table)}


def failure_of(row: dict[str, str]) -> Failure:
    return Failure(
        cause=Cause(row["cause"]),
        message=row["message"],
        status=int(row["status"]),
        code=row["code"],
        retry_after=float(row["retry_after"]) if row["retry_after"] else None,
        at_token=row["at_token"] == "1",
        oauth2=row["oauth2"] == "1",
        may_retry=row["may_retry"] == "1",
    )


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_a_failure_means_what_the_table_says(row):
    verdict = classify(failure_of(row))
    found = [verdict.kind.value, verdict.action.value, verdict.health.value, verdict.billed.value]
    assert found == [row["kind"], row["action"], row["health"], row["billed"]]


def test_the_table_is_large_and_asks_for_every_cause_kind_action_and_health():
    assert len(ROWS) >= 300
    assert {row["cause"] for row in ROWS.values()} == {cause.value for cause in Cause}
    assert {row["kind"] for row in ROWS.values()} == {kind.value for kind in Kind}
    assert {row["action"] for row in ROWS.values()} == {action.value for action in Action}
    assert {row["health"] for row in ROWS.values()} == {health.value for health in Health}
    assert {row["billed"] for row in ROWS.values()} == {billed.value for billed in Billed}


FAILURES = st.builds(
    Failure,
    cause=st.sampled_from(Cause),
    message=st.text(max_size=30) | st.sampled_from([row["message"] for row in ROWS.values()]),
    status=st.integers(100, 999) | st.just(0),
    code=st.text(max_size=12) | st.sampled_from(sorted({row["code"] for row in ROWS.values()})),
    retry_after=st.none() | st.floats(0, 900),
    at_token=st.booleans(),
    oauth2=st.booleans(),
    may_retry=st.booleans(),
)


@given(FAILURES)
def test_every_failure_there_can_be_has_a_meaning(failure):
    assert isinstance(classify(failure), Verdict)


@given(st.integers(100, 999), st.sampled_from([Cause.STATUS, Cause.ERROR_EVENT]), st.booleans())
def test_every_status_has_a_meaning(status, cause, at_token):
    assert isinstance(classify(Failure(cause, status=status, at_token=at_token)), Verdict)


@given(FAILURES)
def test_a_request_that_is_at_fault_itself_fails_and_blames_no_endpoint(failure):
    verdict = classify(failure)
    if verdict.kind in (Kind.BAD_REQUEST, Kind.TOO_LONG, Kind.CONTENT_REFUSED, Kind.INTERNAL, Kind.CANCELLED):
        assert verdict.action is Action.FAIL
        assert verdict.health is Health.NONE


@given(FAILURES)
def test_a_server_that_says_do_not_retry_is_not_asked_again(failure):
    if not failure.may_retry:
        assert classify(failure).action is not Action.SAME


@given(FAILURES)
def test_only_a_refused_token_asks_for_another(failure):
    if classify(failure).action is Action.REFRESH:
        assert failure.oauth2
        assert not failure.at_token


@given(FAILURES)
def test_money_is_never_waited_out_at_the_same_target(failure):
    verdict = classify(failure)
    if verdict.kind is Kind.OUT_OF_CREDIT:
        assert verdict.action is Action.NEXT
        assert verdict.health in (Health.QUOTA, Health.COOL)


@given(FAILURES)
def test_letters_of_codes_and_words_may_be_small_or_capital(failure):
    shouted = Failure(
        failure.cause,
        failure.message.encode("ascii", "ignore").decode().upper(),
        failure.status,
        failure.code.encode("ascii", "ignore").decode().upper(),
        failure.retry_after,
        failure.at_token,
        failure.oauth2,
        failure.may_retry,
    )
    whispered = Failure(
        shouted.cause,
        shouted.message.lower(),
        shouted.status,
        shouted.code.lower(),
        shouted.retry_after,
        shouted.at_token,
        shouted.oauth2,
        shouted.may_retry,
    )
    assert classify(shouted) == classify(whispered)


@pytest.mark.parametrize(
    "code",
    [
        "overloaded_error",
        "SLOW_DOWN",
        "billing_hard_limit_reached",
        "context_length_exceeded",
        "refusal",
        "invalid_model",
    ],
)
def test_a_code_that_means_something_is_known_in_any_letters(code):
    assert is_known_code(code)


@pytest.mark.parametrize("code", ["", "flux_capacitor", "overloaded_error ", "500"])
def test_any_other_code_is_not(code):
    assert not is_known_code(code)
