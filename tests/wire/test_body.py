"""Bodies from outside: the error in whatever shape it comes, in words fit to be kept and shown."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.wire.answer import Problem
from route_run.wire.body import MAX_ERROR_TEXT, clean, decode, problem_in

PROBLEMS = {
    # JSON in the shapes of providers -> words, code, status
    "openai": (
        {"error": {"message": "Rate limit reached", "type": "requests", "param": None, "code": "rate_limit_exceeded"}},
        Problem("Rate limit reached", "rate_limit_exceeded"),
    ),
    "openai-null-code": (
        {"error": {"message": "Overloaded", "type": "server_error", "param": None, "code": None}},
        Problem("Overloaded", "server_error"),
    ),
    "openai-empty-code": ({"error": {"message": "no", "type": "t", "code": ""}}, Problem("no", "t")),
    "azure": (
        {"error": {"code": "content_filter", "message": "filtered", "innererror": {"code": "x"}, "status": 400}},
        Problem("filtered", "content_filter"),
    ),
    "azure-404": ({"error": {"code": "404", "message": "Resource not found"}}, Problem("Resource not found", "404")),
    "anthropic": (
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}, "request_id": "req_1"},
        Problem("Overloaded", "overloaded_error"),
    ),
    "anthropic-flat": ({"type": "error", "message": "no"}, Problem("no", "error")),
    "cognigy": ({"error": {"message": "token expired or unknown"}}, Problem("token expired or unknown")),
    "llama.cpp": (
        {"error": {"code": 401, "message": "Invalid API Key", "type": "authentication_error"}},
        Problem("Invalid API Key", "authentication_error", 401),
    ),
    "openrouter": (
        {"error": {"code": 502, "message": "Provider returned error", "metadata": {"raw": "x"}}, "user_id": "u"},
        Problem("Provider returned error", "", 502),
    ),
    "vllm": (
        {"object": "error", "message": "bad", "type": "BadRequestError", "param": None, "code": 400},
        Problem("bad", "BadRequestError", 400),
    ),
    "vllm-nested": (
        {"error": {"message": "bad", "type": "BadRequestError", "code": 400}},
        Problem("bad", "BadRequestError", 400),
    ),
    "google": (
        {"error": {"code": 429, "message": "Resource exhausted", "status": "RESOURCE_EXHAUSTED"}},
        Problem("Resource exhausted", "", 429),
    ),
    "ollama": ({"error": "model 'x' not found"}, Problem("model 'x' not found", "model 'x' not found")),
    "oauth": (
        {"error": "invalid_client", "error_description": "unknown client"},
        Problem("unknown client", "invalid_client"),
    ),
    "fastapi": ({"detail": "Not Found"}, Problem("Not Found")),
    "fastapi-list": ({"detail": [{"loc": ["a"], "msg": "no"}]}, Problem('[{"loc":["a"],"msg":"no"}]')),
    "aws": ({"message": "Forbidden"}, Problem("Forbidden")),
    "message-and-code": ({"message": "no", "code": 1113}, Problem("no", "1113")),
    "errors": ({"errors": ["a", "b"]}, Problem('["a","b"]')),
    "words-are-an-object": ({"error": {"message": {"a": 1}}}, Problem('{"a":1}')),
    "words-are-a-number": ({"error": {"message": 5}}, Problem("5")),
    "words-in-description": ({"error": {"description": "no"}}, Problem("no")),
    "an-empty-error": ({"error": {}}, Problem("")),
    "a-code-that-is-no-status": ({"error": {"message": "no", "code": 99}}, Problem("no")),
    "the-lowest-status": ({"error": {"message": "no", "code": 100}}, Problem("no", "", 100)),
    "the-highest-status": ({"error": {"message": "no", "code": 599}}, Problem("no", "", 599)),
    "a-code-above-all-statuses": ({"error": {"message": "no", "code": 600}}, Problem("no")),
    "a-code-that-is-true": ({"error": {"message": "no", "code": True}}, Problem("no")),
    "a-huge-code": ({"error": {"message": "no", "code": 10**30}}, Problem("no")),
    # JSON that is no error in any known shape is told as it is
    "another-object": ({"status": "down"}, Problem('{"status":"down"}')),
    "a-list": (["no"], Problem('["no"]')),
    "a-text": ("no", Problem('"no"')),
    "an-empty-object": ({}, Problem("{}")),
    "null-error": ({"error": None}, Problem('{"error":null}')),
}


@pytest.mark.parametrize(("value", "problem"), PROBLEMS.values(), ids=PROBLEMS)
def test_the_error_that_json_tells_of(value, problem):
    body = json.dumps(value, separators=(",", ":")).encode()
    assert problem_in(body, "application/json") == problem


PAGES = {
    # no JSON at all -> words
    "nothing": (b"", "", ""),
    "blank": (b" \n\t", "text/plain", ""),
    "text": (b"upstream connect error", "text/plain", "upstream connect error"),
    "several-lines": (b"no\r\n  such\n\nhost", "text/plain", "no such host"),
    "nginx": (
        b"<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body><center>nginx</center></body></html>",
        "text/html",
        "an HTML page: 502 Bad Gateway",
    ),
    "html-by-its-first-letters": (b"  <!DOCTYPE html><title>Oops</title>", "", "an HTML page: Oops"),
    "html-said-to-be-json": (b"<html><title>Log in</title></html>", "application/json", "an HTML page: Log in"),
    "html-in-capitals": (b"<HTML><TITLE>Gone</TITLE></HTML>", "", "an HTML page: Gone"),
    "title-with-attributes": (b'<title data-x="1">Hm</title>', "text/html", "an HTML page: Hm"),
    "title-over-lines": (b"<title>\n  Bad\n  day\n</title>", "text/html", "an HTML page: Bad day"),
    "html-without-title": (b"<h1>No</h1><p>luck</p>", "text/html", "an HTML page: No luck"),
    "html-without-words": (b"<html></html>", "text/html", "an HTML page:"),
    "broken-json": (b'{"error": {"mess', "application/json", '{"error": {"mess'),
    "json-lines": (b'{"a":1}\n{"b":2}', "application/json", '{"a":1} {"b":2}'),
    "invalid-utf-8": (b"caf\xe9", "text/plain", "caf\ufffd"),
    "control-characters": (b"a\x1b[31mb\x00c\x07", "text/plain", "a [31mb c"),
    "too-deep": (b"[" * 10**5, "application/json", "[" * (MAX_ERROR_TEXT - 1) + "…"),
    "too-many-digits": (b"9" * 5000, "application/json", "9" * (MAX_ERROR_TEXT - 1) + "…"),
}


@pytest.mark.parametrize(("body", "content_type", "words"), PAGES.values(), ids=PAGES)
def test_the_error_that_anything_else_tells_of(body, content_type, words):
    assert problem_in(body, content_type) == Problem(words)


def test_the_words_of_an_error_are_cleaned_and_cut():
    body = json.dumps({"error": {"message": "no\x1b[2J\u202e" + "x" * 1000, "code": "a\nb"}}).encode()
    problem = problem_in(body)
    assert problem.message.startswith("no [2J x")
    assert len(problem.message) == MAX_ERROR_TEXT
    assert problem.code == "a b"


def test_a_page_of_tags_without_end_is_told_like_any_other():
    body = b"<html>" + b"<title " * 300_000
    assert problem_in(body, "text/html").message.startswith("an HTML page")


@given(st.binary(max_size=200), st.sampled_from(["", "application/json", "text/html"]))
def test_no_bytes_make_looking_for_an_error_raise(body, content_type):
    problem = problem_in(body, content_type)
    assert len(problem.message) <= MAX_ERROR_TEXT


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from("error message detail errors code type object error_description".split()), inner, max_size=4
        )
    ),
    max_leaves=8,
)


@given(VALUES)
def test_no_json_makes_looking_for_an_error_raise(value):
    problem = problem_in(json.dumps(value).encode())
    assert problem.status == 0 or 100 <= problem.status <= 599


# -- clean -------------------------------------------------------------------------------------------

CLEANED = {
    "plain": ("no such model", "no such model"),
    "trimmed": ("  no  ", "no"),
    "one-line": ("a\nb\r\nc\td", "a b c d"),
    "other-line-ends": ("a\u2028b\u2029c\u0085d\x0be\x0cf", "a b c d e f"),
    "other-spaces": ("a\u00a0b\u3000c", "a b c"),
    "terminal-escapes": ("a\x1b]0;title\x07b\x9b31m", "a ]0;title b 31m"),
    "null-bytes": ("a\x00b", "a b"),
    "direction-overrides": ("a\u202egnp.exe\u2066b", "a gnp.exe b"),
    "zero-width": ("pass\u200bword\ufeff", "pass word"),
    "surrogates": ("a\ud800b", "a b"),
    "private-use": ("a\ue000b", "a b"),
    "letters-stay": ("Grüße, 世界 🙂 é", "Grüße, 世界 🙂 é"),
    "markup-stays": ("<b>&amp;", "<b>&amp;"),
    "empty": ("", ""),
}


@pytest.mark.parametrize(("text", "expected"), CLEANED.values(), ids=CLEANED)
def test_clean_text_is_one_printable_line(text, expected):
    assert clean(text) == expected


CUT = {
    "just-fits": ("x" * 10, 10, "x" * 10),
    "one-too-many": ("x" * 11, 10, "x" * 9 + "…"),
    "much-too-long": ("x" * 10**6, 10, "x" * 9 + "…"),
    "spaces-do-not-count": ("a" + " " * 20 + "b", 10, "a b"),
    "letters-of-several-bytes": ("ü" * 11, 10, "ü" * 9 + "…"),
}


@pytest.mark.parametrize(("text", "most", "expected"), CUT.values(), ids=CUT)
def test_clean_text_is_cut(text, most, expected):
    assert clean(text, most) == expected


@given(st.text(max_size=100) | st.text(st.characters(categories=["C", "Z"]), max_size=50), st.integers(2, 60))
def test_clean_text_is_short_and_safe_and_stays_as_it_is(text, most):
    cleaned = clean(text, most)
    assert len(cleaned) <= most
    assert not any(unicodedata.category(character).startswith("C") for character in cleaned)
    assert cleaned == " ".join(cleaned.split())
    assert clean(cleaned, most) == cleaned


# -- decode ------------------------------------------------------------------------------------------


def test_json_that_is_not_utf_8_is_read_with_replacement_characters():
    assert decode(b'{"a":"\xff"}', dict[str, Any]) == {"a": "\ufffd"}


@pytest.mark.parametrize("data", [b"", b"{", b"[1", b"NaN", b"[" * 10**5, b"9" * 5000, b'"\\ud800"', b"\xff"])
def test_what_is_no_json_is_a_value_error(data):
    with pytest.raises(ValueError):
        decode(data, Any)


def test_json_of_another_shape_is_a_value_error():
    with pytest.raises(ValueError, match="Expected `object`"):
        decode(b"[]", dict[str, Any])
