"""What an operator can do about a failure: one sentence that names the right field, or none."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.advice import advice
from route_run.flow.classify import classify
from route_run.flow.failure import Cause, Failure


def advised(cause: Cause, number: int = 0, message: str = "", **fields: object) -> str | None:
    failure = Failure(cause, message, number, **fields)
    return advice(failure, classify(failure))


ADVICE = {
    "egress": (Cause.EGRESS_DENIED, 0, {}, "allow_networks"),
    "tls": (Cause.TLS, 0, {}, "ca_file"),
    "dns": (Cause.DNS, 0, {}, "base_url"),
    "refused": (Cause.REFUSED, 0, {}, "base_url"),
    "unsendable": (Cause.UNSENDABLE, 0, {}, "headers"),
    "no-answer": (Cause.NO_ANSWER, 200, {}, "dialect"),
    "first-content": (Cause.FIRST_CONTENT_TIMEOUT, 0, {}, "timeouts.first_content"),
    "total": (Cause.TOTAL_TIMEOUT, 0, {}, "timeouts.total"),
    "redirect": (Cause.STATUS, 307, {}, "redirects are not followed"),
    "unknown-path-or-model": (Cause.STATUS, 404, {}, "serves"),
    "gone": (Cause.STATUS, 410, {}, "serves"),
    "rate-limited": (Cause.STATUS, 429, {}, "rate limit"),
    "overloaded": (Cause.STATUS, 503, {}, "overloaded"),
    "everyones-overload": (Cause.STATUS, 529, {}, "overloaded"),
    "out-of-credit": (Cause.STATUS, 402, {}, "credit"),
    "quota": (Cause.STATUS, 429, {"code": "insufficient_quota"}, "credit"),
    "too-long": (Cause.STATUS, 413, {}, "too_long"),
    "content-refused": (Cause.CONTENT_REFUSED, 200, {}, "content_refused"),
    "content-refused-by-status": (Cause.STATUS, 451, {}, "content_refused"),
    "invalid-output": (Cause.INVALID_OUTPUT, 200, {}, "verify"),
    "bad-request": (Cause.STATUS, 400, {}, "refuses the request"),
    "wrong-key": (Cause.STATUS, 401, {}, "auth.api_key"),
    "fresh-token-refused": (Cause.STATUS, 401, {"oauth2": True}, "token endpoint belongs to this gateway"),
    "forbidden": (Cause.STATUS, 403, {}, "permissions"),
    "missing-scope": (Cause.STATUS, 403, {"message": "insufficient scope", "oauth2": True}, "auth.oauth2.scope"),
    "scope-not-granted": (Cause.STATUS, 400, {"code": "invalid_scope", "at_token": True}, "auth.oauth2.scope"),
    "wrong-secret": (Cause.STATUS, 401, {"code": "invalid_client", "at_token": True}, "client id or secret"),
    "token-endpoint-unreachable": (Cause.REFUSED, 0, {"at_token": True}, "token_url"),
    "token-endpoint-slow": (Cause.FIRST_CONTENT_TIMEOUT, 0, {"at_token": True}, "token_path"),
    "token-endpoint-faulty": (Cause.STATUS, 502, {"at_token": True}, "fault of its own"),
}


@pytest.mark.parametrize(("cause", "number", "fields", "words"), ADVICE.values(), ids=ADVICE)
def test_advice_names_what_to_change(cause, number, fields, words):
    given_ = advised(cause, number, **fields)
    assert given_ is not None
    assert words in given_


PATIENCE = {
    "server-error": (Cause.STATUS, 500),
    "bad-gateway": (Cause.STATUS, 502),
    "lock": (Cause.STATUS, 409),
    "reset": (Cause.RESET, 0),
    "truncated": (Cause.TRUNCATED, 200),
    "idle": (Cause.IDLE_TIMEOUT, 200),
    "cancelled": (Cause.CANCELLED, 0),
    "internal": (Cause.INTERNAL, 0),
}


@pytest.mark.parametrize(("cause", "number"), PATIENCE.values(), ids=PATIENCE)
def test_where_only_waiting_helps_there_is_no_advice(cause, number):
    assert advised(cause, number) is None


@pytest.mark.parametrize("number", [408, 429])
def test_a_busy_token_endpoint_is_not_blamed_on_the_credentials(number):
    """They may be right: such an answer says nothing about them."""
    assert "client id or secret" not in (advised(Cause.STATUS, number, at_token=True) or "")


def test_our_own_full_pool_is_not_blamed_on_the_provider():
    """A pool timeout is our saturation, not theirs."""
    assert "the provider is overloaded" not in (advised(Cause.POOL_TIMEOUT) or "")


@given(st.sampled_from(Cause), st.integers(0, 999), st.text(max_size=20), st.booleans(), st.booleans())
def test_advice_is_one_line_or_none_for_every_failure(cause, number, message, at_token, oauth2):
    given_ = advised(cause, number, message, at_token=at_token, oauth2=oauth2)
    assert given_ is None or (given_ and "\n" not in given_ and not given_.endswith("."))


@given(st.sampled_from(Cause), st.integers(0, 999), st.booleans())
def test_advice_never_repeats_the_words_of_the_other_side(cause, number, at_token):
    assert "canary" not in (advised(cause, number, "canary", code="canary", at_token=at_token) or "")
