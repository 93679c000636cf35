"""Answers that are no plain stream: whole bodies, errors in every shape, nothing at all, hostile bytes."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.classify import classify
from route_run.flow.failure import Cause, Failure, Kind
from route_run.flow.outcome import Usage
from route_run.policy import Dialect
from route_run.wire.answer import MAX_ANSWER, Content, End, Problem, Progress, Unreadable
from route_run.wire.dialect import codec
from route_run.wire.frames import MAX_LINE
from support.answers import JSON, STREAM, chunk, json_lines, named_sse, receive, said, sse
from support.cuts import byte_by_byte
from support.recorded import ANTHROPIC, COGNIGY, OPENAI

DIALECTS = list(Dialect)


def pretty(value: object) -> bytes:
    return json.dumps(value, indent=2).encode() + b"\n"


def single(value: object) -> bytes:
    return json.dumps(value).encode()


# -- one body ----------------------------------------------------------------------------------------

USAGE = {"prompt_tokens": 34, "completion_tokens": 3, "total_tokens": 37}
CALLS = [{"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city":"Rome"}'}}]


def completion(message: dict[str, object], reason: str | None = "stop", **fields: object) -> dict[str, object]:
    return {"id": "x", "choices": [{"index": 0, "message": message, "finish_reason": reason}], "usage": USAGE} | fields


def message(*blocks: dict[str, object], reason: str = "end_turn", **usage: int) -> dict[str, object]:
    return {"type": "message", "role": "assistant", "content": list(blocks), "stop_reason": reason, "usage": usage}


BODIES = {
    # dialect, body -> text, calls, usage, reason
    "openai": (OPENAI, completion({"role": "assistant", "content": "Rain."}), "Rain.", [], Usage(34, 3), "stop"),
    "openai-cut-short": (OPENAI, completion({"content": "Ra"}, "length"), "Ra", [], Usage(34, 3), "length"),
    "openai-null-content": (OPENAI, completion({"content": None}), "", [], Usage(34, 3), "stop"),
    "openai-no-content": (OPENAI, completion({"role": "assistant"}), "", [], Usage(34, 3), "stop"),
    "openai-content-in-parts": (
        OPENAI,
        completion({"content": [{"type": "text", "text": "Ra"}, {"type": "text", "text": "in"}]}),
        "Rain",
        [],
        Usage(34, 3),
        "stop",
    ),
    "openai-tool-call": (
        OPENAI,
        completion({"content": None, "tool_calls": CALLS}, "tool_calls"),
        "",
        [("call_1", "weather", '{"city":"Rome"}')],
        Usage(34, 3),
        "tool_calls",
    ),
    "openai-two-tool-calls": (
        OPENAI,
        completion({"tool_calls": [*CALLS, CALLS[0] | {"id": "call_2"}]}, "tool_calls"),
        "",
        [("call_1", "weather", '{"city":"Rome"}'), ("call_2", "weather", '{"city":"Rome"}')],
        Usage(34, 3),
        "tool_calls",
    ),
    "openai-without-usage": (OPENAI, completion({"content": "Rain"}, usage=None), "Rain", [], None, "stop"),
    "openai-empty-usage": (OPENAI, completion({"content": "Rain"}, usage={}), "Rain", [], None, "stop"),
    "openai-half-a-usage": (
        OPENAI,
        completion({"content": "Rain"}, usage={"prompt_tokens": 34}),
        "Rain",
        [],
        Usage(34, 0),
        "stop",
    ),
    "openai-cached": (
        OPENAI,
        completion({"content": "Rain"}, usage=USAGE | {"prompt_tokens_details": {"cached_tokens": 33}}),
        "Rain",
        [],
        Usage(34, 3, 33),
        "stop",
    ),
    "openai-cached-null": (
        OPENAI,
        completion({"content": "Rain"}, usage=USAGE | {"prompt_tokens_details": None}),
        "Rain",
        [],
        Usage(34, 3),
        "stop",
    ),
    "openai-error-null": (OPENAI, completion({"content": "Rain"}, error=None), "Rain", [], Usage(34, 3), "stop"),
    "anthropic": (
        ANTHROPIC,
        message({"type": "text", "text": "Rain."}, input_tokens=34, output_tokens=3),
        "Rain.",
        [],
        Usage(34, 3),
        "end_turn",
    ),
    "anthropic-cache-read": (
        ANTHROPIC,
        message({"type": "text", "text": "Ra"}, reason="max_tokens", input_tokens=1, cache_read_input_tokens=33),
        "Ra",
        [],
        Usage(34, 0, 33),
        "max_tokens",
    ),
    "anthropic-cache-written": (
        ANTHROPIC,
        message({"type": "text", "text": "Rain"}, input_tokens=4, cache_creation_input_tokens=30, output_tokens=3),
        "Rain",
        [],
        Usage(34, 3),
        "end_turn",
    ),
    "anthropic-several-blocks": (
        ANTHROPIC,
        message(
            {"type": "thinking", "thinking": "hm", "signature": "x"},
            {"type": "text", "text": "Let me "},
            {"type": "text", "text": "look."},
            {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Rome"}},
            {"type": "tool_use", "id": "toolu_2", "name": "now", "input": {}},
            reason="tool_use",
        ),
        "Let me look.",
        [("toolu_1", "weather", '{"city": "Rome"}'), ("toolu_2", "now", "{}")],
        Usage(0, 0),
        "tool_use",
    ),
    "anthropic-nothing-said": (
        ANTHROPIC,
        message(input_tokens=34, output_tokens=0),
        "",
        [],
        Usage(34, 0),
        "end_turn",
    ),
    "cognigy": (COGNIGY, completion({"content": "Rain"}), "Rain", [], Usage(34, 3), "stop"),
}  # fmt: skip
EACH_BODY = pytest.mark.parametrize(
    ("dialect", "body", "text", "calls", "usage", "reason"), BODIES.values(), ids=BODIES
)


def holds(received, text, calls, usage, reason) -> bool:
    """Whether an answer ended properly and is this one; the layout of a call's arguments does not count."""
    found = [(identity, name, json.loads(arguments)) for identity, name, arguments in received.calls]
    wanted = [(identity, name, json.loads(arguments)) for identity, name, arguments in calls]
    ended = received.reasons == [reason] and received.progress is not Progress.OPEN
    clean = not received.problems and not received.unreadable
    return ended and clean and (received.text, found, received.usage) == (text, wanted, usage)


@EACH_BODY
def test_a_body_that_was_asked_for(dialect, body, text, calls, usage, reason):
    received = receive(dialect, single(body), JSON, streamed=False)
    assert holds(received, text, calls, usage, reason)


@pytest.mark.parametrize("content_type", [JSON, "application/json; charset=utf-8", "Application/JSON"])
@pytest.mark.parametrize("written", [single, pretty], ids=["one-line", "pretty-printed"])
@EACH_BODY
def test_a_body_where_a_stream_was_asked_for(dialect, body, text, calls, usage, reason, written, content_type):
    received = receive(dialect, written(body), content_type)
    assert holds(received, text, calls, usage, reason)


@pytest.mark.parametrize("written", [single, pretty], ids=["one-line", "pretty-printed"])
@EACH_BODY
def test_a_body_byte_by_byte(dialect, body, text, calls, usage, reason, written):
    received = receive(dialect, byte_by_byte(written(body)), JSON)
    assert holds(received, text, calls, usage, reason)


@pytest.mark.parametrize("written", [single, pretty], ids=["one-line", "pretty-printed"])
@pytest.mark.parametrize("dialect", [OPENAI, COGNIGY], ids=["openai", "cognigy"])
def test_a_whole_body_without_a_reason_is_whole_however_it_is_written(dialect, written):
    """Its closing brace is the proper end: whether it has line breaks inside must not matter."""
    body = {"choices": [{"message": {"role": "assistant", "content": "Rain"}}]}
    received = receive(dialect, written(body), JSON)
    assert received.text == "Rain"
    assert received.progress is not Progress.OPEN


def test_a_stream_where_a_body_was_asked_for_is_read_as_a_stream():
    received = receive(OPENAI, sse(said("Rain"), chunk({}, "stop"), b"[DONE]"), STREAM, streamed=False)
    assert (received.text, received.reasons) == ("Rain", ["stop"])


@pytest.mark.parametrize("name", ["openai", "anthropic", "cognigy"])
@pytest.mark.parametrize("streamed", [True, False], ids=["stream-asked", "plain-asked"])
def test_a_body_that_breaks_off_is_never_an_answer(name, streamed):
    dialect, body = BODIES[name][0], single(BODIES[name][1])
    for length in range(len(body)):
        received = receive(dialect, body[:length], JSON, streamed=streamed)
        assert received.progress is Progress.OPEN
        assert received.text == ""


# -- what is no answer -------------------------------------------------------------------------------

NO_ANSWERS = {
    "html": (b"<html><title>Login</title></html>", "text/html"),
    "html-with-charset": (b"<html></html>", "text/html; charset=utf-8"),
    "html-in-capitals": (b"<html></html>", "TEXT/HTML"),
    "xhtml": (b"<html/>", "application/xhtml+xml"),
    "xml": (b"<error/>", "text/xml"),
    "image": (b"\x89PNG", "image/png"),
    "empty-json": (b"", JSON),
    "blank-json": (b" \n ", JSON),
    "html-said-to-be-json": (b"<html></html>", JSON),
    "broken-json": (b"{malformed json: <<<chaos>>>", JSON),
    "half-a-json": (b'{"choices": [{"mess', JSON),
    "a-list": (b"[1, 2]", JSON),
    "a-list-of-chunks": (b'[{"choices": []}]', JSON),
    "a-number": (b"5", JSON),
    "null": (b"null", JSON),
    "an-empty-object": (b"{}", JSON),
    "another-object": (b'{"answer": 42}', JSON),
    "choices-of-another-kind": (b'{"choices": 5, "content": 5}', JSON),
    "no-choices": (b'{"choices": [], "content": null}', JSON),
}


@pytest.mark.parametrize("streamed", [True, False], ids=["stream-asked", "plain-asked"])
@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.value)
@pytest.mark.parametrize(("body", "content_type"), NO_ANSWERS.values(), ids=NO_ANSWERS)
def test_what_is_no_answer_is_never_taken_for_one(body, content_type, dialect, streamed):
    received = receive(dialect, body, content_type, streamed=streamed)
    assert [type(piece) for piece in received.pieces] == [Unreadable]
    assert received.progress is Progress.OPEN


def test_an_empty_body_says_that_it_is_empty():
    assert receive(OPENAI, b" \n", JSON, streamed=False).pieces == [Unreadable("the answer is empty")]


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.value)
def test_a_stream_of_nothing_is_open(dialect):
    assert receive(dialect, b"").progress is Progress.OPEN


@pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.value)
def test_comments_alone_are_no_answer(dialect):
    received = receive(dialect, b":\n\n: ping\n\n" * 5)
    assert (received.pieces, received.progress) == ([], Progress.OPEN)


# -- errors ------------------------------------------------------------------------------------------

ERRORS = {
    # one value -> what it tells, whichever dialect it comes in
    "openai": (
        {"error": {"message": "no", "type": "invalid_request_error", "param": None, "code": "bad_thing"}},
        Problem("no", "bad_thing", 400),
    ),
    "null-code": ({"error": {"message": "no", "type": "server_error", "code": None}}, Problem("no", "server_error")),
    "llama.cpp": (
        {"error": {"code": 503, "message": "Loading model", "type": "unavailable_error"}},
        Problem("Loading model", "unavailable_error", 503),
    ),
    "openrouter": ({"error": {"code": 429, "message": "no"}, "user_id": "u"}, Problem("no", "", 429)),
    "cognigy": ({"error": {"message": "upstream failed"}}, Problem("upstream failed")),
    "anthropic": (
        {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
        Problem("Overloaded", "overloaded_error"),
    ),
    "ollama": ({"error": "model not found"}, Problem("model not found", "model not found")),
    "code-that-is-no-status": ({"error": {"code": 7, "message": "no", "type": "odd"}}, Problem("no", "odd")),
    "code-in-text": ({"error": {"code": "429", "message": "no"}}, Problem("no", "429")),
    "code-true": ({"error": {"code": True, "message": "no", "type": "odd"}}, Problem("no", "odd")),
    "words-in-detail": ({"error": {"detail": "no"}}, Problem("no")),
    "words-missing": ({"error": {"type": "odd"}}, Problem("odd", "odd")),
}  # fmt: skip
# a code that nobody knows leaves the type beside it to say which status it would have had
EACH_ERROR = pytest.mark.parametrize(("value", "problem"), ERRORS.values(), ids=ERRORS)
EACH_DIALECT = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.value)


@EACH_DIALECT
@EACH_ERROR
def test_an_error_as_the_first_event(value, problem, dialect):
    received = receive(dialect, sse(value))
    assert received.pieces == [problem]
    assert received.progress is Progress.OPEN


@EACH_DIALECT
@EACH_ERROR
def test_an_error_as_a_named_event(value, problem, dialect):
    assert receive(dialect, b"event: error\n" + sse(value)).pieces == [problem]


@EACH_DIALECT
@EACH_ERROR
def test_an_error_as_a_json_line(value, problem, dialect):
    assert receive(dialect, json_lines(value), "application/x-ndjson").pieces == [problem]


@pytest.mark.parametrize("streamed", [True, False], ids=["stream-asked", "plain-asked"])
@pytest.mark.parametrize("written", [single, pretty], ids=["one-line", "pretty-printed"])
@EACH_DIALECT
@EACH_ERROR
def test_an_error_as_a_body(value, problem, dialect, written, streamed):
    received = receive(dialect, written(value), JSON, streamed=streamed)
    assert received.pieces[:1] == [problem]
    assert received.progress is Progress.OPEN


@EACH_DIALECT
def test_an_error_after_content(dialect):
    opening = {
        OPENAI: sse(said("Ra")),
        COGNIGY: json_lines(said("Ra")),
        ANTHROPIC: named_sse(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Ra"}}
        ),
    }[dialect]
    received = receive(dialect, opening + sse({"error": {"message": "cut"}}))
    assert received.pieces == [Content("Ra"), Problem("cut")]
    assert received.progress is Progress.OPEN


def test_vllm_says_error_as_its_object():
    value = {"object": "error", "message": "no", "type": "BadRequestError", "param": None, "code": 400}
    for data, content_type in ((sse(value), STREAM), (single(value), JSON)):
        assert receive(OPENAI, data, content_type).pieces[:1] == [Problem("no", "BadRequestError", 400)]


def test_a_finish_reason_of_error_is_a_problem():
    received = receive(OPENAI, sse(said("Ra"), chunk({}, "error")))
    assert [type(piece) for piece in received.pieces] == [Content, Problem]
    assert received.progress is Progress.OPEN


def test_a_finish_reason_of_error_is_a_problem_in_a_body_too():
    received = receive(OPENAI, single(completion({"content": ""}, "error")), JSON, streamed=False)
    assert received.reasons == []
    assert len(received.problems) == 1


def test_an_error_beside_a_finish_reason_of_error_is_told_in_its_own_words():
    value = chunk({"content": ""}, "error", error={"code": 502, "message": "Provider disconnected"})
    assert receive(OPENAI, sse(value)).pieces == [Problem("Provider disconnected", "", 502)]


def test_an_error_without_words_is_still_an_error():
    for value in ({"error": True}, {"error": ["x"]}, {"error": 5}):
        assert len(receive(OPENAI, sse(value)).problems) == 1


def test_an_error_event_with_an_unknown_code_is_judged_by_its_type():
    """Gateways put codes of their own beside the type that says what it is."""
    value = {"error": {"message": "Chaos", "type": "rate_limit_error", "code": "chaos_ratelimit"}}
    (problem,) = receive(OPENAI, sse(value)).problems
    failure = Failure(Cause.ERROR_EVENT, problem.message, problem.status, problem.code)
    assert classify(failure).kind is Kind.RATE_LIMITED


# -- noise that is no error --------------------------------------------------------------------------

OPENAI_NOISE = {
    "empty-choices": chunk(),
    "no-choices": {"id": "x", "object": "chat.completion.chunk"},
    "null-choices": {"choices": None},
    "null-usage": chunk({}, None, usage=None),
    "null-delta": {"choices": [{"index": 0, "delta": None}]},
    "role-alone": chunk({"role": "assistant"}),
    "null-content": chunk({"content": None}),
    "empty-content": said(""),
    "empty-parts": chunk({"content": []}),
    "null-tool-calls": chunk({"tool_calls": None}),
    "null-error": chunk(error=None),
    "unknown-fields": chunk(flux={"a": [1]}, x_groq={"id": "y"}),
    "null-finish-reason": chunk({}, None),
    "empty-finish-reason": said("", ""),
}


@pytest.mark.parametrize("dialect", [OPENAI, COGNIGY], ids=["openai", "cognigy"])
@pytest.mark.parametrize("value", OPENAI_NOISE.values(), ids=OPENAI_NOISE)
def test_noise_between_chunks_is_passed_over(value, dialect):
    received = receive(dialect, sse(value, said("Ra"), value, said("in"), value))
    assert (received.text, received.reasons, received.unreadable) == ("Rain", [], [])
    assert received.progress is Progress.OPEN


ANTHROPIC_NOISE = {
    "ping": {"type": "ping"},
    "unknown-event": {"type": "flux", "flux": 1},
    "unknown-event-with-familiar-fields": {"type": "flux", "index": "one", "delta": "x", "usage": 5},
    "unknown-block": {"type": "content_block_start", "index": 0, "content_block": {"type": "flux", "flux": []}},
    "unknown-delta": {"type": "content_block_delta", "index": 0, "delta": {"type": "flux_delta", "flux": 1}},
    "empty-text": {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": ""}},
    "server-tool": {
        "type": "content_block_start",
        "index": 0,
        "content_block": {"type": "web_search_tool_result", "tool_use_id": "x", "content": [{"type": "y"}]},
    },
    "block-stop": {"type": "content_block_stop", "index": 0},
}


@pytest.mark.parametrize("value", ANTHROPIC_NOISE.values(), ids=ANTHROPIC_NOISE)
def test_noise_between_messages_events_is_passed_over(value):
    rain = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Rain"}}
    received = receive(ANTHROPIC, named_sse(value, rain, value))
    assert received.pieces == [Content("Rain")]


def test_an_empty_finish_reason_is_no_end():
    """Servers of Ollama and SGLang wrote "" where null is meant, on every chunk."""
    received = receive(OPENAI, sse(said("Ra", ""), said("in", ""), chunk({}, "stop")))
    assert (received.text, received.reasons) == ("Rain", ["stop"])


DONE_VARIANTS = {
    "usual": b"data: [DONE]\n\n",
    "no-space": b"data:[DONE]\n\n",
    "spaces-around": b"data:  [DONE] \n\n",
    "carriage-returns": b"data: [DONE]\r\n\r\n",
    "named": b"event: done\ndata: [DONE]\n\n",
}


@pytest.mark.parametrize("dialect", [OPENAI, COGNIGY], ids=["openai", "cognigy"])
@pytest.mark.parametrize("done", DONE_VARIANTS.values(), ids=DONE_VARIANTS)
def test_done_is_an_end_however_it_is_written(done, dialect):
    received = receive(dialect, sse(said("Rain")) + done)
    assert received.pieces == [Content("Rain"), End()]
    assert received.progress is Progress.DONE


NOT_DONE = {
    "in-small-letters": b"data: [done]\n\n",
    "with-more": b"data: [DONE] now\n\n",
    "as-json-text": b'data: "[DONE]"\n\n',
    "unterminated": b"data: [DONE]",
    "half-terminated": b"data: [DONE]\n",
    "as-a-comment": b": [DONE]\n\n",
    "as-content": sse(said("[DONE]")),
}


@pytest.mark.parametrize("done", NOT_DONE.values(), ids=NOT_DONE)
def test_what_only_looks_like_done_is_no_end(done):
    assert receive(OPENAI, sse(said("Rain")) + done).progress is Progress.OPEN


def test_messages_end_with_message_stop_alone():
    stop = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}
    assert receive(ANTHROPIC, named_sse(stop)).progress is Progress.OPEN
    assert receive(ANTHROPIC, named_sse(stop, {"type": "message_stop"})).progress is Progress.DONE


@pytest.mark.parametrize("data", [b"[DONE]", b'{"choices":[{"delta":{},"finish_reason":"stop"}]}'])
def test_ends_of_other_dialects_do_not_end_messages(data):
    assert receive(ANTHROPIC, sse(data)).progress is Progress.OPEN


# -- usage -------------------------------------------------------------------------------------------


def test_usage_after_the_finish_reason_is_still_read():
    received = receive(OPENAI, sse(said("Rain"), chunk({}, "stop"), chunk(usage=USAGE)))
    assert received.usage == Usage(34, 3)


def test_the_last_usage_counts():
    first, second = {"prompt_tokens": 34, "completion_tokens": 1}, USAGE
    received = receive(OPENAI, sse(said("Ra", usage=first), said("in", usage=second), chunk({}, "stop")))
    assert received.usage == Usage(34, 3)


def test_usage_beside_choices_does_not_end_an_answer_of_cognigy():
    received = receive(COGNIGY, sse(said("Ra", usage=USAGE), said("in", usage=USAGE)))
    assert (received.text, received.progress) == ("Rain", Progress.OPEN)


def test_usage_does_not_end_an_answer_of_openai():
    assert receive(OPENAI, sse(said("Rain"), chunk(usage=USAGE))).progress is Progress.OPEN


def test_usage_of_messages_is_cumulative_and_what_is_left_out_stays():
    start = {"type": "message_start", "message": {"usage": {"input_tokens": 4, "cache_read_input_tokens": 30}}}
    middle = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 2}}
    end = {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 7, "input_tokens": 5}}
    received = receive(ANTHROPIC, named_sse(start, middle, end))
    assert received.pieces == [Usage(34, 0, 30), Usage(34, 2, 30), Usage(35, 7, 30)]


def test_usage_of_messages_is_null_where_nothing_is_said():
    assert receive(ANTHROPIC, named_sse({"type": "message_delta", "delta": {}, "usage": None})).pieces == []


ODD_USAGE = {
    "negative": {"prompt_tokens": -5, "completion_tokens": 3},
    "whole-fractions": {"prompt_tokens": 34.0, "completion_tokens": 3.0},
    "text": {"prompt_tokens": "34", "completion_tokens": "3"},
}


@pytest.mark.parametrize("usage", ODD_USAGE.values(), ids=ODD_USAGE)
def test_an_odd_usage_spoils_neither_the_answer_nor_the_account(usage):
    """An answer that was given and paid for is not thrown away for the sake of a number beside it."""
    received = receive(OPENAI, sse(said("Rain"), chunk({}, "stop"), chunk(usage=usage)))
    assert received.text == "Rain"
    assert received.unreadable == []
    assert received.usage is None or min(received.usage.prompt, received.usage.completion) >= 0


@pytest.mark.parametrize("cut", [True, False], ids=["in-two-chunks", "in-one-chunk"])
def test_usage_after_done_is_not_read_however_it_is_cut(cut):
    stream = [sse(said("Rain"), b"[DONE]"), sse(chunk(usage=USAGE))]
    assert receive(OPENAI, stream if cut else b"".join(stream)).usage is None


# -- hostile bytes -----------------------------------------------------------------------------------

DEEP, DIGITS = b"[" * 10**5, b"9" * 5000
NESTED = DEEP + b"]" * 10**5
HOSTILE = {
    "brackets": DEEP,
    "braces": b'{"a":' * 10**5,
    "brackets-in-choices": b'{"choices":' + DEEP,
    "brackets-in-content": b'{"content":' + DEEP,
    "brackets-in-error": b'{"error":' + DEEP,
    "brackets-in-an-unknown-field": b'{"flux":' + NESTED + b"}",
    "braces-in-error": b'{"error":' + b'{"a":' * 10**5,
    "closed-brackets-in-error": b'{"error":' + NESTED + b"}",
    "closed-brackets-in-input": b'{"type":"message","content":[{"type":"tool_use","input":' + NESTED + b"}]}",
    "digits": b'{"choices":[{"delta":{"content":' + DIGITS + b"}}]}",
    "digits-in-usage": b'{"choices":[],"usage":{"prompt_tokens":' + DIGITS + b"}}",
    "digits-in-index": b'{"type":"content_block_delta","index":' + DIGITS + b"}",
    "digits-in-error-code": b'{"error":{"message":"no","code":' + DIGITS + b"}}",
    "digits-in-an-unknown-field": b'{"flux":' + DIGITS + b"}",
    "nan": b'{"choices":[],"usage":{"prompt_tokens":NaN}}',
    "infinity": b'{"error":{"code":Infinity}}',
    "huge-exponent": b'{"error":{"code":1e999}}',
    "half-a-surrogate-pair": b'{"choices":[{"delta":{"content":"\\ud800"}}],"error":"\\udc00"}',
    "two-high-surrogates": b'{"error":{"message":"\\ud800\\ud800"}}',
    "null-byte": b'{"choices":\x00}',
    "control-character": b'{"choices":[{"delta":{"content":"\x01"}}]}',
    "two-values": b'{"choices":[]} {"choices":[]}',
    "byte-order-mark-inside": b'\xef\xbb\xbf{"choices":[]}',
    "duplicate-keys": b'{"choices":[],"choices":5}',
    "single-quotes": b"{'choices': []}",
    "trailing-comma": b'{"choices":[],}',
}  # fmt: skip


@EACH_DIALECT
@pytest.mark.parametrize("payload", HOSTILE.values(), ids=HOSTILE)
def test_hostile_json_never_ends_an_answer_or_raises(payload, dialect):
    for data, content_type, streamed in (
        (b"data: " + payload + b"\n\n", STREAM, True),
        (payload + b"\n", "application/x-ndjson", True),
        (payload, JSON, True),
        (payload, JSON, False),
        (payload + b"\n", "text/plain", True),
    ):
        received = receive(dialect, data, content_type, streamed=streamed)
        assert received.progress is Progress.OPEN
        assert received.reasons == []


UNREADABLE = ["brackets", "braces-in-error", "digits", "nan", "half-a-surrogate-pair", "single-quotes"]


@pytest.mark.parametrize("name", UNREADABLE)
def test_hostile_json_in_an_event_is_unreadable(name):
    received = receive(OPENAI, b"data: " + HOSTILE[name] + b"\n\n")
    assert [type(piece) for piece in received.pieces] == [Unreadable]


def test_bytes_that_are_not_utf_8_become_replacement_characters():
    payload = b'{"choices":[{"delta":{"content":"a\xffb\xc3"}}]}'
    assert receive(OPENAI, b"data: " + payload + b"\n\n").text == "a\ufffdb\ufffd"


def test_bytes_that_are_not_utf_8_in_the_input_of_a_tool_become_replacement_characters():
    block = b'{"type":"tool_use","id":"a","name":"f","input":{"a":"\xff"}}'
    body = b'{"type":"message","content":[' + block + b'],"stop_reason":"tool_use"}'
    received = receive(ANTHROPIC, body, JSON, streamed=False)
    assert received.calls == [("a", "f", '{"a":"\ufffd"}')]


def test_after_something_unreadable_nothing_more_is_read():
    received = receive(OPENAI, [b"data: {broken\n\n", sse(said("Rain"), chunk({}, "stop"))])
    assert [type(piece) for piece in received.pieces] == [Unreadable]


def test_an_unreadable_event_does_not_repeat_what_came():
    received = receive(OPENAI, b'data: {"secret-canary": broken\n\n')
    assert "canary" not in received.unreadable[0].message


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
KNOWN_FIELDS = st.sampled_from(
    "choices delta message content finish_reason usage error object type index content_block text id name input "
    "prompt_tokens stop_reason partial_json tool_calls function arguments code".split()
)
FAMILIAR = st.recursive(
    JSON_VALUES, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KNOWN_FIELDS, inner, max_size=4)
)


@given(FAMILIAR, st.sampled_from(DIALECTS), st.sampled_from([STREAM, JSON, "", "text/plain"]), st.booleans())
def test_no_json_makes_a_decoder_raise(value, dialect, content_type, streamed):
    receive(dialect, single(value), content_type, streamed=streamed)
    receive(dialect, sse(value, value), content_type, streamed=streamed)


@given(st.binary(max_size=60), st.sampled_from(DIALECTS), st.sampled_from([STREAM, JSON, ""]), st.booleans())
def test_no_bytes_make_a_decoder_raise(data, dialect, content_type, streamed):
    receive(dialect, byte_by_byte(data), content_type, streamed=streamed)


# -- caps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("content_type", "streamed"), [(STREAM, True), (JSON, True), (JSON, False)])
def test_an_answer_above_64_mib_is_unreadable(content_type, streamed):
    decoder = codec(OPENAI).decoder(content_type, streamed=streamed)
    filler = b":" + b"x" * (MAX_LINE - 2) + b"\n"
    for _ in range(MAX_ANSWER // MAX_LINE):
        assert decoder.feed(filler) == []
    assert decoder.feed(b"\n") == [Unreadable("the answer is larger than 67,108,864 bytes")]
    assert decoder.progress is Progress.OPEN


def test_a_line_above_its_cap_is_unreadable():
    received = receive(OPENAI, b"data: " + b"x" * MAX_LINE)
    assert received.pieces == [Unreadable("a line is longer than 1,048,576 bytes")]


@pytest.mark.parametrize("cut", [0, 60, MAX_LINE])
def test_what_came_before_a_line_above_its_cap_is_not_lost_however_it_is_cut(cut):
    """Whether text reached the caller decides whether a fallback is allowed: network cuts must not decide that."""
    stream = sse(said("Rain")) + b"data: " + b"x" * (MAX_LINE + 1) + b"\n\n"
    received = receive(OPENAI, [stream[:cut], stream[cut:]])
    assert [type(piece) for piece in received.pieces] == [Content, Unreadable]
