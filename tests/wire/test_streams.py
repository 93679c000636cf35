"""Streamed answers of every dialect: what is in them, where they end, and what a cut leaves of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.wire.answer import Content, Progress
from route_run.wire.dialect import codec
from support.answers import JSON, receive
from support.cuts import byte_by_byte, chunkings
from support.recorded import RECORDED

EACH = pytest.mark.parametrize("recorded", RECORDED.values(), ids=RECORDED)


@EACH
def test_a_stream_holds_what_was_said(recorded):
    received = receive(recorded.dialect, recorded.whole, recorded.content_type)
    assert received.text == recorded.text
    assert tuple(received.calls) == recorded.calls
    assert received.usage == recorded.usage
    assert received.reasons == [recorded.reason]
    assert received.problems == []
    assert received.unreadable == []
    assert received.progress is not Progress.OPEN


@EACH
def test_no_piece_of_text_is_empty(recorded):
    received = receive(recorded.dialect, recorded.whole, recorded.content_type)
    assert all(piece.text for piece in received.pieces if isinstance(piece, Content))


@EACH
def test_a_stream_read_byte_by_byte_is_the_same(recorded):
    whole = receive(recorded.dialect, recorded.whole, recorded.content_type)
    assert receive(recorded.dialect, byte_by_byte(recorded.whole), recorded.content_type) == whole


@given(st.data(), st.sampled_from(sorted(RECORDED)))
def test_a_stream_does_not_depend_on_how_it_is_cut_into_chunks(choice, name):
    recorded = RECORDED[name]
    whole = receive(recorded.dialect, recorded.whole, recorded.content_type)
    chunks = choice.draw(chunkings(recorded.whole))
    assert receive(recorded.dialect, chunks, recorded.content_type) == whole


@EACH
def test_a_stream_that_breaks_off_is_open_until_its_proper_end(recorded):
    # a line end, or the second half of one, may be missing from what is complete all the same
    complete = len(recorded.before) + len(recorded.end)
    for length in range(len(recorded.whole) + 1):
        progress = receive(recorded.dialect, recorded.whole[:length], recorded.content_type).progress
        if length < complete - 1:
            assert progress is Progress.OPEN, recorded.whole[:length][-40:]
        elif length >= complete:
            assert progress is not Progress.OPEN, recorded.whole[:length][-40:]


@EACH
def test_a_stream_that_breaks_off_gives_the_beginning_of_what_it_would_have_given(recorded):
    """It is truncated, not unreadable: half a JSON line at its end says nothing about the dialect."""
    whole = receive(recorded.dialect, recorded.whole, recorded.content_type).pieces
    # what claims to be one JSON body is known to be lines only from its first line end on
    shortest = recorded.whole.index(b"\n") + 1 if recorded.content_type == JSON else 0
    for length in range(shortest, len(recorded.whole)):
        pieces = receive(recorded.dialect, recorded.whole[:length], recorded.content_type).pieces
        assert pieces == whole[: len(pieces)], recorded.whole[:length][-40:]


TYPES = {
    "openai": [
        "",
        "text/event-stream; charset=utf-8",
        "text/event-stream;",
        "text/event-stream;charset=windows-1252",
        "text/event-stream; bogus",
        " text/event-stream ",
        "TEXT/EVENT-STREAM",
        "text/plain",
        "application/octet-stream",
    ],
    "cognigy-json-lines": ["", "application/x-ndjson", "application/jsonl", "application/stream+json", "text/plain"],
}


@pytest.mark.parametrize(
    ("name", "content_type"), [(name, content_type) for name, types in TYPES.items() for content_type in types]
)
def test_a_stream_is_known_by_its_bytes_whatever_text_it_is_said_to_be(name, content_type):
    recorded = RECORDED[name]
    assert receive(recorded.dialect, recorded.whole, content_type).text == recorded.text


@EACH
def test_text_comes_with_the_bytes_that_hold_it(recorded):
    """First token: nothing is held back until more arrives."""
    decoder = codec(recorded.dialect).decoder(recorded.content_type, streamed=True)
    fed = "".join(piece.text for piece in decoder.feed(recorded.before) if isinstance(piece, Content))
    at_the_end = recorded.text.removeprefix(fed)
    assert len(at_the_end) <= 2  # only what the very chunk of the end still holds


@EACH
def test_what_follows_the_proper_end_adds_no_content_and_no_second_end(recorded):
    again = recorded.whole + recorded.before + recorded.end
    received = receive(recorded.dialect, again, recorded.content_type)
    assert (received.text, tuple(received.calls)) == (recorded.text, recorded.calls)
    assert received.reasons == [recorded.reason]


@pytest.mark.parametrize("name", ["openai", "anthropic", "cognigy", "cognigy-json-lines-said-to-be-json"])
@pytest.mark.parametrize("garbage", [b"data: {broken\n\n", b"{broken\n", b"\xff\xfe\n\n"])
def test_garbage_after_the_proper_end_does_not_undo_it(name, garbage):
    """An answer that has ended is an answer; only its usage may still come."""
    recorded = RECORDED[name]
    chunks = [recorded.before, recorded.end, garbage]
    received = receive(recorded.dialect, chunks, recorded.content_type)
    assert received.text == recorded.text
    assert received.unreadable == []
    assert received.progress is not Progress.OPEN
