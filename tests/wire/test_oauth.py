"""Client credentials on the wire: the form that asks, every answer there can be, and the way back."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.classify import classify
from route_run.flow.failure import Cause, Failure, Health, Kind
from route_run.wire.oauth import (
    DEFAULT_LIFE,
    LONGEST_LIFE,
    Grant,
    decode_token_request,
    encode_token,
    encode_token_error,
    encode_token_request,
    read_token_answer,
)

JSON = "application/json; charset=utf-8"
SCOPE = "llm.gateway.inference"


def answered(value: object, status: int = 200, content_type: str = JSON, scope: str | None = None):
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_token_answer(status, content_type, body, scope)


def granted(**fields: object) -> dict[str, object]:
    return {"access_token": "mOPTVdWteomEHh12kPug8", "token_type": "Bearer", "expires_in": 3600} | fields


# -- asking ------------------------------------------------------------------------------------------


def test_the_form_of_a_token_request_has_the_secret_in_its_body():
    assert encode_token_request("route-run", "s3cret", SCOPE) == (
        b"grant_type=client_credentials&client_id=route-run&client_secret=s3cret&scope=llm.gateway.inference"
    )


@pytest.mark.parametrize("scope", [None, ""])
def test_no_scope_is_asked_for_where_the_policy_names_none(scope):
    assert b"scope" not in encode_token_request("a", "b", scope)


def test_what_would_end_a_field_of_the_form_is_escaped():
    form = encode_token_request("a&grant_type=password", "p=q r+s%t", "x y")
    assert form == (
        b"grant_type=client_credentials&client_id=a%26grant_type%3Dpassword&client_secret=p%3Dq+r%2Bs%25t&scope=x+y"
    )


TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)


@given(TEXTS, TEXTS, TEXTS)
def test_a_token_request_read_back_is_what_was_asked(client_id, secret, scope):
    assert decode_token_request(encode_token_request(client_id, secret, scope)) == {
        "grant_type": "client_credentials",
        "client_id": client_id,
        "client_secret": secret,
        "scope": scope,
    }


@given(st.binary(max_size=40))
def test_no_bytes_make_reading_a_token_request_raise(body):
    decode_token_request(body)


# -- how long a token lives --------------------------------------------------------------------------

LIVES = {
    "seconds": (3600, 3600.0),
    "a-few-seconds": (5, 5.0),
    "fractions": (0.5, 0.5),
    "digits-in-text": ("3600", 3600.0),
    "a-day-at-most": (86_401, LONGEST_LIFE),
    "very-long": (10**15, LONGEST_LIFE),
    "longer-than-any-number": (10**400, LONGEST_LIFE),
    "many-digits-in-text": ("9" * 5000, LONGEST_LIFE),
    # what is no number of seconds is good for one use
    "zero": (0, 0.0),
    "negative": (-5, 0.0),
    "true": (True, 0.0),
    "false": (False, 0.0),
    "words": ("soon", 0.0),
    "empty-text": ("", 0.0),
    "negative-in-text": ("-5", 0.0),
    "other-digits": ("٣", 0.0),
    "a-list": ([3600], 0.0),
    "an-object": ({"seconds": 3600}, 0.0),
    # where nothing is said five minutes are assumed
    "null": (None, DEFAULT_LIFE),
}


@pytest.mark.parametrize(("written", "life"), LIVES.values(), ids=LIVES)
def test_how_long_a_token_lives(written, life):
    assert answered(granted(expires_in=written)) == Grant("mOPTVdWteomEHh12kPug8", life)


def test_a_token_without_a_life_lives_five_minutes():
    value = granted()
    del value["expires_in"]
    assert answered(value).life == DEFAULT_LIFE == 300.0


@pytest.mark.parametrize("written", [b"NaN", b"Infinity", b"1e999", b"9" * 5000], ids=["nan", "inf", "1e999", "digits"])
def test_a_life_that_is_no_json_is_no_answer(written):
    body = b'{"access_token":"abc","expires_in":' + written + b"}"
    assert answered(body).cause is Cause.NO_ANSWER


@given(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text())
def test_a_life_is_never_negative_or_longer_than_a_day(written):
    assert 0 <= answered(granted(expires_in=written)).life <= LONGEST_LIFE


# -- which tokens are taken --------------------------------------------------------------------------

TOKENS = ["abc", "a-b_c.d~e/f+g", "eyJhbGciOiJub25lIn0.e30.", "YWJj==", "0"]


@pytest.mark.parametrize("token", TOKENS)
def test_a_token_of_rfc_6750_is_taken(token):
    assert answered(granted(access_token=token)).token == token


NO_TOKENS = {
    "empty": "",
    "blank": " ",
    "space-inside": "a b",
    "header-injection": "abc\r\nX-Evil: 1",
    "line-feed-at-the-end": "abc\n",
    "null-byte": "a\x00b",
    "other-letters": "tökên",
    "quotes": '"abc"',
    "padding-inside": "a=b",
    "only-padding": "==",
    "number": 5,
    "null": None,
    "list": ["abc"],
}


@pytest.mark.parametrize("token", NO_TOKENS.values(), ids=NO_TOKENS)
def test_any_other_token_is_refused(token):
    found = answered(granted(access_token=token))
    assert (found.cause, found.at_token) == (Cause.NO_ANSWER, True)
    assert "access_token" in found.message


@pytest.mark.parametrize("kind", ["Bearer", "bearer", "BEARER"])
def test_the_type_of_a_token_is_bearer_in_any_letters(kind):
    assert isinstance(answered(granted(token_type=kind)), Grant)


def test_a_token_without_a_type_is_taken_for_bearer():
    value = granted()
    del value["token_type"]
    assert isinstance(answered(value), Grant)


@pytest.mark.parametrize("kind", ["mac", "DPoP", "", None, 5, ["Bearer"]], ids=repr)
def test_any_other_type_is_refused(kind):
    found = answered(granted(token_type=kind))
    assert found.cause is Cause.NO_ANSWER
    assert "not Bearer" in found.message


# -- scopes ------------------------------------------------------------------------------------------

SCOPES = {
    # asked, granted -> what is missing
    "the-same": ("a", "a", None),
    "more": ("a", "b a c", None),
    "several-in-another-order": ("a b", "b a", None),
    "not-said": ("a", ..., None),
    "null": ("a", None, None),
    "nothing-asked": (None, "x", None),
    "narrowed": ("a b", "a", "b"),
    "another": ("a", "b", "a"),
    "none-of-several": ("a b c", "", "a b c"),
    "only-a-prefix": ("llm.gateway", "llm.gateway.inference", "llm.gateway"),
    "other-letters": ("a", "A", "a"),
}


@pytest.mark.parametrize(("asked", "given_", "missing"), SCOPES.values(), ids=SCOPES)
def test_a_token_has_the_scopes_that_were_asked_for(asked, given_, missing):
    value = granted() if given_ is ... else granted(scope=given_)
    found = answered(value, scope=asked)
    if missing is None:
        assert isinstance(found, Grant)
    else:
        assert found == Failure(
            Cause.STATUS, f"the token lacks the scope {missing}", 403, "insufficient_scope", at_token=True
        )


def test_a_narrowed_scope_stands_until_somebody_acts():
    verdict = classify(answered(granted(scope="other"), scope=SCOPE))
    assert (verdict.kind, verdict.health) == (Kind.UNAUTHORIZED, Health.OPEN)


# -- refusals ----------------------------------------------------------------------------------------

REFUSALS = {
    "rfc-6749": (
        401,
        {"error": "invalid_client", "error_description": "client authentication failed"},
        "invalid_client",
        "client authentication failed",
    ),
    "scope": (400, {"error": "invalid_scope", "error_description": "not allowed"}, "invalid_scope", "not allowed"),
    "code-alone": (400, {"error": "invalid_grant"}, "invalid_grant", "invalid_grant"),
    "as-models-do": (401, {"error": {"message": "bad key", "type": "auth", "code": "bad"}}, "bad", "bad key"),
    "message": (403, {"message": "Forbidden"}, "", "Forbidden"),
    "detail": (401, {"detail": "No such client"}, "", "No such client"),
    "error-in-a-200": (200, {"error": "invalid_client", "error_description": "no"}, "invalid_client", "no"),
    "html": (502, b"<html><head><title>502 Bad Gateway</title></head></html>", "", "an HTML page: 502 Bad Gateway"),
}


@pytest.mark.parametrize(("status", "value", "code", "words"), REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_tells_its_code_and_its_words(status, value, code, words):
    found = answered(value, status, "text/html" if isinstance(value, bytes) else JSON)
    expected = 400 if status == 200 else status
    message = f"the token endpoint refused: {words}"
    assert found == Failure(Cause.STATUS, message, expected, code, at_token=True)


def test_a_refusal_without_a_body():
    assert answered(b"", 503).message == "the token endpoint refused"


NO_ANSWERS = {
    "html": (b"<html><title>Log in</title></html>", "text/html"),
    "html-said-to-be-json": (b"<html></html>", JSON),
    "empty": (b"", JSON),
    "a-list": (b"[]", JSON),
    "text": (b'"abc"', JSON),
    "null": (b"null", JSON),
    "half": (b'{"access_token":"ab', JSON),
    "form": (b"access_token=abc&token_type=bearer", "application/x-www-form-urlencoded"),
    "too-deep": (b'{"access_token":' + b"[" * 10**5, JSON),
}


@pytest.mark.parametrize(("body", "content_type"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_a_200_that_is_no_token_answer_is_no_answer(body, content_type):
    found = answered(body, 200, content_type)
    assert (found.cause, found.status, found.at_token) == (Cause.NO_ANSWER, 200, True)


ECHOES = {
    "json": (200, b'{"client_secret": "canary"}'),
    "form": (200, b"client_secret=canary"),
    "token-of-other-letters": (200, b'{"access_token": "can ary canary"}'),
    "json-that-is-no-error": (400, b'{"client_id": "a", "client_secret": "canary"}'),
    "text": (400, b"unexpected form: client_secret=canary"),
}


@pytest.mark.parametrize(("status", "body"), ECHOES.values(), ids=ECHOES)
def test_a_body_is_never_quoted_whole(status, body):
    """Token endpoints that cannot make sense of a form like to repeat it, secret and all."""
    assert "canary" not in answered(body, status, "text/plain").message


def test_a_grant_does_not_show_its_token():
    assert "mOPTV" not in repr(answered(granted()))


@given(st.integers(100, 599), st.sampled_from(["", JSON, "text/html"]), st.binary(max_size=60), st.none() | st.text())
def test_no_bytes_make_reading_a_token_answer_raise(status, content_type, body, scope):
    assert isinstance(read_token_answer(status, content_type, body, scope), Grant | Failure)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)


@given(
    st.dictionaries(st.sampled_from(["access_token", "token_type", "expires_in", "scope", "error", "message"]), VALUES),
    st.sampled_from([200, 400, 500]),
)
def test_no_json_makes_reading_a_token_answer_raise(value, status):
    assert isinstance(answered(value, status, scope="a b"), Grant | Failure)


# -- granting ----------------------------------------------------------------------------------------


@given(st.from_regex(r"[A-Za-z0-9._~+/-]{1,20}=?", fullmatch=True), st.integers(1, 86_400), st.none() | st.just("a b"))
def test_a_token_that_was_encoded_is_granted(token, life, scope):
    assert read_token_answer(200, JSON, encode_token(token, life, scope), scope) == Grant(token, float(life))


def test_the_answer_that_grants_a_token():
    assert json.loads(encode_token("abc", 3600.9, SCOPE)) == {
        "access_token": "abc",
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": SCOPE,
    }
    assert "scope" not in json.loads(encode_token("abc", 5, None))


def test_an_error_that_was_encoded_is_a_refusal():
    found = answered(encode_token_error("invalid_client", "unknown client"), 401)
    assert (found.code, found.message) == ("invalid_client", "the token endpoint refused: unknown client")
