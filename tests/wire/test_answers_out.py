"""Answers out: what an encoder writes, its own dialect's decoder reads back, however it is cut on the way."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.outcome import ToolPiece, Usage
from route_run.policy import Dialect
from route_run.wire.answer import Answer, End, Problem, Progress
from route_run.wire.dialect import codec
from support.answers import JSON, STREAM, Received, receive
from support.cuts import chunkings
from support.recorded import ANTHROPIC, COGNIGY, OPENAI

DIALECTS = list(Dialect)
EACH_DIALECT = pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.value)

# every letter that UTF-8 can write: JSON has to carry line ends, null bytes and U+2028 alike
TEXTS = st.text(st.characters(codec="utf-8"), max_size=30)
NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
VALUES = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS
ARGUMENTS = st.just("") | st.dictionaries(TEXTS, VALUES | st.lists(VALUES, max_size=2), max_size=3).map(json.dumps)
USAGES = st.builds(Usage, st.integers(0, 10**6), st.integers(0, 10**6))
REASONS = {
    OPENAI: ["stop", "length", "tool_calls", "content_filter"],
    ANTHROPIC: ["end_turn", "max_tokens", "tool_use", "refusal", "stop_sequence"],
    COGNIGY: [""],
}


@st.composite
def answers(draw: st.DrawFn, dialect: Dialect) -> Answer:
    """Any answer that a dialect can carry."""
    calls = draw(st.lists(st.tuples(NAMES, NAMES, ARGUMENTS), max_size=3)) if dialect is not COGNIGY else []
    pieces = draw(st.lists(TEXTS.filter(bool), max_size=4)) if draw(st.booleans()) else []
    return Answer(
        text="".join(pieces) or draw(TEXTS),
        tool_calls=[ToolPiece(index, *call) for index, call in enumerate(calls)],
        usage=draw(USAGES if dialect is ANTHROPIC else USAGES | st.none()),  # messages always report usage
        reason=draw(st.sampled_from(REASONS[dialect])),
        pieces=pieces,
    )


def is_the_same(received: Received, answer: Answer) -> bool:
    """Whether all of an answer came back; the layout of a call's arguments does not count."""
    found = [(identity, name, json.loads(arguments or "{}")) for identity, name, arguments in received.calls]
    wanted = [(call.id, call.name, json.loads(call.arguments or "{}")) for call in answer.tool_calls]
    whole = received.reasons == [answer.reason] and received.progress is not Progress.OPEN
    clean = not received.problems and not received.unreadable
    return whole and clean and (received.text, found, received.usage) == (answer.text, wanted, answer.usage)


@EACH_DIALECT
@given(st.data())
def test_a_streamed_answer_comes_back_as_it_was(dialect, choice):
    answer = choice.draw(answers(dialect))
    stream = b"".join(codec(dialect).encode_stream(answer))
    assert is_the_same(receive(dialect, choice.draw(chunkings(stream))), answer)


@EACH_DIALECT
@given(st.data())
def test_a_plain_answer_comes_back_as_it_was(dialect, choice):
    answer = choice.draw(answers(dialect))
    body = codec(dialect).encode_plain(answer)
    content_type = STREAM if dialect is COGNIGY else JSON  # there is no plain answer from cognigy
    streamed = choice.draw(st.booleans())
    assert is_the_same(receive(dialect, choice.draw(chunkings(body)), content_type, streamed=streamed), answer)


@EACH_DIALECT
@given(st.data())
def test_half_a_streamed_answer_is_never_whole(dialect, choice):
    answer = choice.draw(answers(dialect))
    *most, last = codec(dialect).encode_stream(answer)
    stream = b"".join(most)
    length = choice.draw(st.integers(0, len(stream)))
    received = receive(dialect, stream[:length])
    assert answer.text.startswith(received.text)
    if received.progress is not Progress.OPEN:  # a finish_reason or usage may come before the last chunk
        assert received.text == answer.text
        assert last


@EACH_DIALECT
def test_a_text_is_streamed_word_by_word(dialect):
    stream = codec(dialect).encode_stream(Answer(text="one two  three"))
    pieces = [piece for part in stream for piece in receive(dialect, [part]).pieces]
    assert [piece.text for piece in pieces if hasattr(piece, "text")] == ["one", " two", " ", " three"]


@EACH_DIALECT
def test_given_pieces_are_streamed_as_they_are(dialect):
    stream = codec(dialect).encode_stream(Answer(text="one two", pieces=("on", "e t", "wo")))
    pieces = [piece for part in stream for piece in receive(dialect, [part]).pieces]
    assert [piece.text for piece in pieces if hasattr(piece, "text")] == ["on", "e t", "wo"]


@EACH_DIALECT
def test_the_proper_end_comes_last(dialect):
    *most, last = codec(dialect).encode_stream(Answer(text="Rain"))
    decoder = codec(dialect).decoder(STREAM, streamed=True)
    assert not any(isinstance(piece, End) for part in most for piece in decoder.feed(part)) or dialect is OPENAI
    decoder.feed(last)
    assert decoder.progress is Progress.DONE


@pytest.mark.parametrize("plain", [False, True], ids=["stream", "plain"])
@EACH_DIALECT
def test_cached_tokens_come_back_too(dialect, plain):
    answer = Answer(text="Rain", usage=Usage(34, 3, cached=33))
    speaks = codec(dialect)
    data = speaks.encode_plain(answer) if plain else b"".join(speaks.encode_stream(answer))
    content_type = JSON if plain and dialect is not COGNIGY else STREAM
    assert receive(dialect, data, content_type, streamed=not plain).usage == answer.usage


def test_the_words_of_chat_completions_for_an_end_become_those_of_messages():
    for reason, theirs in (("stop", "end_turn"), ("length", "max_tokens"), ("tool_calls", "tool_use")):
        stream = b"".join(codec(ANTHROPIC).encode_stream(Answer(text="Rain", reason=reason)))
        assert receive(ANTHROPIC, stream).reasons == [theirs]


# -- what clients of each dialect lean on ------------------------------------------------------------


def events(stream: bytes) -> list[dict[str, object]]:
    lines = [line.removeprefix(b"data: ") for line in stream.splitlines() if line.startswith(b"data: {")]
    return [json.loads(line) for line in lines]


def test_chunks_of_chat_completions_share_an_id_and_end_with_usage_and_done():
    answer = Answer(text="Rain", usage=Usage(34, 3), id="chatcmpl-7", model="m")
    stream = b"".join(codec(OPENAI).encode_stream(answer))
    written = events(stream)
    assert {(event["id"], event["object"], event["model"]) for event in written} == {
        ("chatcmpl-7", "chat.completion.chunk", "m")
    }
    assert written[0]["choices"] == [{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}]
    assert written[-2]["choices"] == [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    assert (written[-1]["choices"], written[-1]["usage"]) == (
        [],
        {"prompt_tokens": 34, "completion_tokens": 3, "total_tokens": 37},
    )
    assert stream.endswith(b"data: [DONE]\n\n")


def test_a_plain_completion_has_null_content_beside_tool_calls():
    body = codec(OPENAI).encode_plain(Answer(tool_calls=[ToolPiece(0, "call_1", "f", "{}")], reason="tool_calls"))
    (choice,) = json.loads(body)["choices"]
    assert choice["message"]["content"] is None
    assert choice["message"]["tool_calls"] == [
        {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    ]


def test_events_of_messages_are_named_and_in_their_order():
    stream = b"".join(codec(ANTHROPIC).encode_stream(Answer(text="Rain falls", usage=Usage(34, 3))))
    names = [line.removeprefix(b"event: ").decode() for line in stream.splitlines() if line.startswith(b"event: ")]
    assert names == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [event["type"] for event in events(stream)] == names


def test_a_plain_message_is_one():
    written = json.loads(codec(ANTHROPIC).encode_plain(Answer(text="Rain", usage=Usage(34, 3), model="c", id="msg_7")))
    assert written == {
        "id": "msg_7",
        "type": "message",
        "role": "assistant",
        "model": "c",
        "content": [{"type": "text", "text": "Rain"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 34, "output_tokens": 3},
    }


def test_a_stream_of_cognigy_is_text_then_usage_then_done():
    stream = b"".join(codec(COGNIGY).encode_stream(Answer(text="Rain", usage=Usage(34, 3))))
    assert stream == (
        b'data: {"choices":[{"delta":{"content":"Rain"}}]}\n\n'
        b'data: {"usage":{"prompt_tokens":34,"completion_tokens":3,"total_tokens":37}}\n\n'
        b"data: [DONE]\n\n"
    )


# -- errors out --------------------------------------------------------------------------------------

CODES = st.text("abcdefghijklmnopqrstuvwxyz_", min_size=1, max_size=20)
WORDS = st.text(st.characters(codec="ascii", categories=["L", "P"]), min_size=1, max_size=40)


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@given(WORDS, CODES)
def test_a_problem_comes_back_as_it_was(dialect, words, code):
    speaks, problem = codec(dialect), Problem(words, code)
    assert receive(dialect, speaks.encode_problem_event(problem)).pieces == [problem]
    assert receive(dialect, speaks.encode_problem(problem), JSON, streamed=False).pieces == [problem]


@given(WORDS, CODES)
def test_a_problem_of_cognigy_comes_back_in_words_alone(words, code):
    speaks = codec(COGNIGY)
    assert receive(COGNIGY, speaks.encode_problem_event(Problem(words, code))).pieces == [Problem(words)]


ENCODED_PROBLEMS = {
    OPENAI: {"error": {"message": "no", "type": "server_error", "code": None}},
    ANTHROPIC: {"type": "error", "error": {"type": "api_error", "message": "no"}},
    COGNIGY: {"error": {"message": "no"}},
}


@EACH_DIALECT
def test_a_problem_without_a_code_is_written_as_the_dialect_does(dialect):
    assert json.loads(codec(dialect).encode_problem(Problem("no"))) == ENCODED_PROBLEMS[dialect]
