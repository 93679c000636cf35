"""Server-sent events and bare JSON lines: the vectors of the standard, every cut of each, caps, and cost."""

from __future__ import annotations

import sys
import tracemalloc
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.wire.frames import MAX_EVENT, MAX_LINE, Frame, FrameDecoder, FrameError, encode_frame
from support.cuts import at_places, byte_by_byte, chunkings, in_two

BOM = b"\xef\xbb\xbf"


def decoded(chunks: list[bytes] | tuple[bytes, ...]) -> list[Frame]:
    decoder = FrameDecoder()
    frames = [frame for chunk in chunks for frame in decoder.feed(chunk)]
    return frames + decoder.finish()


def feed_all(chunks: Iterable[bytes]) -> None:
    decoder = FrameDecoder()
    for chunk in chunks:
        decoder.feed(chunk)


def data(*payloads: bytes, name: bytes = b"") -> list[Frame]:
    return [Frame(payload, name) for payload in payloads]


def bare(*lines: bytes) -> list[Frame]:
    return [Frame(line, bare=True) for line in lines]


# behaviours of the WHATWG standard's tests for event streams, in bytes of our own
VECTORS: dict[str, tuple[bytes, list[Frame]]] = {
    "nothing": (b"", []),
    "one-event": (b"data: hello\n\n", data(b"hello")),
    "two-events": (b"data: one\n\ndata: two\n\n", data(b"one", b"two")),
    "byte-order-mark": (BOM + b"data: a\n\ndata: b\n\n", data(b"a", b"b")),
    "byte-order-mark-alone": (BOM, []),
    "half-a-byte-order-mark": (BOM[:2], []),
    "only-the-first-byte-order-mark-is-dropped": (BOM + BOM + b"data: a\n\ndata: b\n\n", data(b"b")),
    "a-later-byte-order-mark-is-part-of-a-field": (b"data: a\n\n" + BOM + b"data: b\n\ndata: c\n\n", data(b"a", b"c")),
    "byte-order-mark-before-a-blank-line": (BOM + b"\n\ndata: a\n\n", data(b"a")),
    "byte-order-mark-after-a-blank-line": (b"\n" + BOM + b"data: a\n\ndata: b\n\n", data(b"b")),
    "byte-order-mark-before-a-comment": (BOM + b":x\ndata: a\n\n", data(b"a")),
    "byte-order-mark-before-json": (BOM + b'{"a":1}\n', bare(b'{"a":1}')),
    "comments": (b"data:1\n:\x00\n:\r\ndata:2\n:" + b"x" * 100 + b"\ndata: 3\n\n", data(b"1\n2\n3")),
    "comments-alone": (b":\n\n: ping\n\n:\n\n", []),
    "comment-before-and-after": (b": on\ndata: a\n: off\n\n", data(b"a")),
    "event-is-complete-only-with-its-empty-line": (b"retry:1000\ndata:a\n\nid:b\ndata:c", data(b"a")),
    "unterminated-line-end-is-not-an-empty-line": (b"data: a\n\ndata: b\n", data(b"a")),
    "field-without-colon": (b"data\n\ndata\ndata\n\ndata:a\n\n", data(b"", b"\n", b"a")),
    "empty-values": (b"data:\n\ndata: \n\ndata:\ndata:\n\n", data(b"", b"", b"\n")),
    "one-leading-space": (b"data:\tx\rdata: \r\ndata:  y\ndata:z\r\n\r\n", data(b"\tx\n\n y\nz")),
    "colons-in-values": (b"data: a: b:c\n\n", data(b"a: b:c")),
    "several-lines": (b"data: a\ndata: b\ndata: c\n\n", data(b"a\nb\nc")),
    "other-fields-between-lines": (b"data: a\nid: 1\nretry: 5\nx: y\ndata: b\n\n", data(b"a\nb")),
    "field-names-are-exact": (
        b"data:a\nfoo:b\n data:c\nData:d\ndata\x00:e\ndataa:f\nda:g\ndata :h\n\n",
        data(b"a"),
    ),
    "event-name": (b"event: ping\ndata: a\n\n", data(b"a", name=b"ping")),
    "event-name-after-data": (b"data: a\nevent: ping\n\n", data(b"a", name=b"ping")),
    "the-last-event-name-counts": (b"event: one\nevent: two\ndata: a\n\n", data(b"a", name=b"two")),
    "an-empty-event-name-is-none": (b"event: one\nevent:\ndata: a\n\n", data(b"a")),
    "an-event-name-lasts-for-one-event": (
        b"event: ping\ndata: a\n\ndata: b\n\n",
        [Frame(b"a", b"ping"), Frame(b"b")],
    ),
    "an-event-without-data-is-not-dispatched": (b"event: ping\n\ndata: a\n\n", data(b"a")),
    "an-event-with-only-an-id-is-not-dispatched": (b"id: 5\n\nretry: 9\n\n", []),
    "line-feeds": (b"data: a\ndata: b\n\n", data(b"a\nb")),
    "carriage-returns": (b"data: a\rdata: b\r\r", data(b"a\nb")),
    "both": (b"data: a\r\ndata: b\r\n\r\n", data(b"a\nb")),
    "mixed-line-ends": (b"data:a\r\ndata:b\ndata:c\r\rdata:d\n\r\ndata:e\r\n\n", data(b"a\nb\nc", b"d", b"e")),
    "cr-lf-is-one-line-end": (b"data: a\r\ndata: b\r\n\r\ndata: c\r\n\r\n", data(b"a\nb", b"c")),
    "lf-cr-is-two-line-ends": (b"data: a\n\rdata: b\n\r", data(b"a", b"b")),
    "ends-with-a-carriage-return": (b"data: a\r\n\r", data(b"a")),
    "many-empty-lines": (b"\n\n\r\r\n\ndata: a\n\n\n\n", data(b"a")),
    "null-bytes-in-data": (b"data: a\x00b\n\n", data(b"a\x00b")),
    "no-other-byte-ends-a-line": (
        "data: a\u2028b\u2029c\u0085d\n\n".encode() + b"data: \x0b\x0c\x1c\x1d\x1e\n\n",
        data("a\u2028b\u2029c\u0085d".encode(), b"\x0b\x0c\x1c\x1d\x1e"),
    ),
    "letters-of-several-bytes": ("data: grüße 🙂\n\n".encode(), data("grüße 🙂".encode())),
    "a-byte-order-mark-in-a-value": (b"data: " + BOM + b"a\n\n", data(BOM + b"a")),
    "a-mark-of-utf-16-is-none": (b"\xff\xfedata: a\n\ndata: b\n\n", data(b"b")),
    "a-mark-between-cr-and-lf-is-no-mark": (b"data: a\r" + BOM + b"\ndata: b\n\n", data(b"a\nb")),
    "an-id-between-data-lines": (b"data: a\nid: 1\x00\ndata: b\n\n", data(b"a\nb")),
    "a-null-byte-as-an-event-name": (b"event: a\x00\ndata: b\n\n", data(b"b", name=b"a\x00")),
    "spaces-and-tabs-in-names": (b"event:\tping \ndata:a\n\n", data(b"a", name=b"\tping ")),
    "an-empty-line-of-blanks-is-none": (b"data: a\n \n\n", data(b"a")),
    "invalid-utf-8-passes-as-it-is": (b"data: a\xff\xc3(\n\n", data(b"a\xff\xc3(")),
    "json-with-escapes": (b'data: {"a":"x\\ny"}\n\n', data(b'{"a":"x\\ny"}')),
    "done": (b"data: [DONE]\n\n", data(b"[DONE]")),
    # beyond the standard: JSON lines
    "json-lines": (b'{"a":1}\n{"b":2}\n', bare(b'{"a":1}', b'{"b":2}')),
    "json-lines-with-cr-lf": (b'{"a":1}\r\n{"b":2}\r\n', bare(b'{"a":1}', b'{"b":2}')),
    "json-lines-with-empty-lines": (b'\n{"a":1}\n\n\n{"b":2}\n\n', bare(b'{"a":1}', b'{"b":2}')),
    "the-last-json-line-needs-no-line-end": (b'{"a":1}\n{"b":2}', bare(b'{"a":1}', b'{"b":2}')),
    "one-json-line-without-line-end": (b'{"a":1}', bare(b'{"a":1}')),
    "json-lines-between-events": (
        b'data: x\n\n{"a":1}\ndata: y\n\n',
        [Frame(b"x"), Frame(b'{"a":1}', bare=True), Frame(b"y")],
    ),
    "a-later-byte-order-mark-hides-the-last-json-line": (b"data: a\n\n" + BOM + b'{"a":1}', data(b"a")),
    "a-brace-inside-of-an-event-is-an-unknown-field": (b'data: x\n{"a":1}\ndata: y\n\n', data(b"x\ny")),
    "also-where-the-stream-ends-with-it": (b'data: x\n{"a":1}', []),
    "an-indented-brace-is-an-unknown-field": (b' {"a":1}\n', []),
    "a-bracket-is-an-unknown-field": (b'[{"a":1}]\n', []),
}  # fmt: skip


@pytest.mark.parametrize(("stream", "frames"), VECTORS.values(), ids=VECTORS)
def test_a_stream_in_one_piece(stream, frames):
    assert decoded([stream]) == frames


@pytest.mark.parametrize(("stream", "frames"), VECTORS.values(), ids=VECTORS)
def test_a_stream_cut_at_any_place(stream, frames):
    for first, second in in_two(stream):
        assert decoded((first, second)) == frames, f"cut after {first!r}"


SHORT = {name: vector for name, vector in VECTORS.items() if len(vector[0]) <= 50}


@pytest.mark.parametrize(("stream", "frames"), SHORT.values(), ids=SHORT)
def test_a_short_stream_cut_at_any_two_places(stream, frames):
    for first in range(len(stream) + 1):
        for second in range(first, len(stream) + 1):
            assert decoded((stream[:first], stream[first:second], stream[second:])) == frames, (first, second)


@pytest.mark.parametrize(("stream", "frames"), VECTORS.values(), ids=VECTORS)
def test_a_stream_byte_by_byte(stream, frames):
    assert decoded(byte_by_byte(stream)) == frames


@pytest.mark.parametrize(("stream", "frames"), VECTORS.values(), ids=VECTORS)
def test_a_stream_with_empty_chunks_between_its_bytes(stream, frames):
    assert decoded([part for byte in byte_by_byte(stream) for part in (b"", byte, b"")]) == frames


@pytest.mark.parametrize(("stream", "frames"), VECTORS.values(), ids=VECTORS)
def test_a_stream_that_is_cut_off_gives_nothing_that_the_whole_does_not(stream, frames):
    for first, _ in in_two(stream):
        now = FrameDecoder().feed(first)
        assert now == frames[: len(now)]


PROMPT = {
    "line-feed": (b"data: a\n", b"\n", data(b"a")),
    "carriage-return": (b"data: a\r", b"\r", data(b"a")),
    "cr-lf": (b"data: a\r\n", b"\r", data(b"a")),
    "json-line": (b'{"a":1}', b"\n", bare(b'{"a":1}')),
    "json-line-cr": (b'{"a":1}', b"\r", bare(b'{"a":1}')),
}


@pytest.mark.parametrize(("before", "byte", "frames"), PROMPT.values(), ids=PROMPT)
def test_a_frame_comes_with_the_byte_that_completes_it(before, byte, frames):
    decoder = FrameDecoder()
    assert decoder.feed(before) == []
    assert decoder.feed(byte) == frames


SOUP = st.lists(
    st.sampled_from(
        [b"data", b"event", b"id", b"retry", b":", b" ", b"\n", b"\r", b"\r\n", b"{", b"}", b"a", b"\x00", BOM, b"\xff"]
    ),
    max_size=24,
).map(b"".join)  # fmt: skip


@given(st.data(), SOUP)
def test_frames_do_not_depend_on_how_bytes_are_cut(choice, stream):
    assert decoded(choice.draw(chunkings(stream))) == decoded([stream])


@given(st.binary(max_size=80), st.lists(st.integers(0, 80), max_size=5))
def test_no_bytes_make_the_decoder_stumble(stream, places):
    assert decoded(at_places(stream, places)) == decoded([stream])


# -- ids and reconnection times ----------------------------------------------------------------------

IDS = {
    "an-id": (b"id: 1\ndata: a\n\n", b"1"),
    "the-last-counts": (b"id: 1\ndata: a\n\nid: 2\ndata: b\n\n", b"2"),
    "it-stays": (b"id: 1\ndata: a\n\ndata: b\n\n", b"1"),
    "empty-resets-it": (b"id: 1\ndata: a\n\nid\ndata: b\n\n", b""),
    "with-a-null-byte-is-ignored": (b"id: 1\n\nid: 2\x003\ndata: a\n\n", b"1"),
    "an-event-without-data-still-sets-it": (b"id: 7\n\n", b"7"),
    "an-event-that-is-cut-off-does-not": (b"id: 1\ndata: a\n\nid: 2\ndata: b", b"1"),
}


@pytest.mark.parametrize(("stream", "last"), IDS.values(), ids=IDS)
def test_the_last_event_id(stream, last):
    decoder = FrameDecoder()
    decoder.feed(stream)
    decoder.finish()
    assert decoder.last_event_id == last


RETRIES = {
    "digits": (b"retry: 3000\n\n", 3000),
    "zero": (b"retry:0\n\n", 0),
    "leading-zeros": (b"retry: 03000\n\n", 3000),
    "ten-digits": (b"retry: 1800000000\n\n", 1_800_000_000),
    "so-many-digits-and-no-more": (b"retry: 1234567890123456\n\n", 123_456_789_012_345),
    "the-last-counts": (b"retry: 1\nretry: 2\n\n", 2),
    "bogus-is-ignored": (b"retry: 3000\nretry: 1000x\n\n", 3000),
    "empty-is-ignored": (b"retry: 3000\nretry\nretry:\n\n", 3000),
    "signs-are-ignored": (b"retry: -5\nretry: +5\n\n", None),
    "fractions-are-ignored": (b"retry: 1.5\n\n", None),
    "two-spaces-are-ignored": (b"retry:  5\n\n", None),
    "other-digits-are-ignored": ("retry: ٣\n\n".encode(), None),
}


@pytest.mark.parametrize(("stream", "milliseconds"), RETRIES.values(), ids=RETRIES)
def test_the_reconnection_time(stream, milliseconds):
    decoder = FrameDecoder()
    decoder.feed(stream)
    assert decoder.retry == milliseconds


# -- caps --------------------------------------------------------------------------------------------


CAPPED = {
    "data": (b"data: ", data(b"x" * (MAX_LINE - 6))),
    "comment": (b":", []),
    "json": (b"{", bare(b"{" + b"x" * (MAX_LINE - 1))),
}


@pytest.mark.parametrize(("field", "frames"), CAPPED.values(), ids=CAPPED)
def test_a_line_of_just_the_cap_is_taken(field, frames):
    line = field + b"x" * (MAX_LINE - len(field))
    assert decoded([line, b"\n\n"]) == frames
    assert decoded([line + b"\n\n"]) == frames


def test_a_later_line_of_just_the_cap_is_taken_in_two_pieces():
    line = b"data: " + b"x" * (MAX_LINE - 6)
    assert len(decoded([b"data: a\n\n" + line[:10], line[10:], b"\n\n"])) == 2


def test_events_of_just_the_cap_are_taken():
    """Each line counts with its line feed."""
    full = b"".join(b"data: " + b"x" * (MAX_EVENT // 8 - 1) + b"\n" for _ in range(8))
    feed_all([full, b"\n", full, b"\n"])
    with pytest.raises(FrameError):
        feed_all([full, b"data:\n"])


@pytest.mark.parametrize("field", [b"data: ", b":", b"id: ", b"unknown: ", b"{"])
@pytest.mark.parametrize("cut", [1, MAX_LINE // 2, MAX_LINE + 1, MAX_LINE + 2])
def test_a_line_above_the_cap_is_refused_however_it_is_cut(field, cut):
    stream = field + b"x" * (MAX_LINE + 1 - len(field)) + b"\n\n"
    with pytest.raises(FrameError, match="a line is longer than 1,048,576 bytes"):
        feed_all((stream[:cut], stream[cut:]))


def test_a_line_without_an_end_is_refused_before_it_ends():
    decoder = FrameDecoder()
    decoder.feed(b"x" * MAX_LINE)
    with pytest.raises(FrameError):
        decoder.feed(b"x")


def test_an_event_of_many_lines_is_refused_above_its_cap():
    line = b"data: " + b"x" * 1_000_000 + b"\n"
    with pytest.raises(FrameError, match="an event is larger than 4,194,304 bytes"):
        feed_all([line] * 5)


def test_empty_data_lines_count_towards_the_cap_of_an_event():
    almost = [b"data: " + b"x" * (MAX_EVENT // 4 - 100) + b"\n"] * 4
    feed_all([*almost, b"data\n" * 300])
    with pytest.raises(FrameError):
        feed_all([*almost, b"data\n" * 500])


def test_each_event_has_the_whole_cap_for_itself():
    decoder = FrameDecoder()
    event = b"".join(b"data: " + b"x" * 1_000_000 + b"\n" for _ in range(4)) + b"\n"
    frames = [frame for _ in range(3) for frame in decoder.feed(event)]
    assert [len(frame.data) for frame in frames] == [4_000_003] * 3


def test_memory_stays_bounded_while_a_stream_never_ends_its_line():
    chunk = b"x" * 65_536
    tracemalloc.start()
    try:
        with pytest.raises(FrameError):
            feed_all(bytes(bytearray(chunk)) for _ in range(1000))
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 4 * MAX_LINE


def test_memory_stays_bounded_under_comments_without_end():
    decoder = FrameDecoder()
    tracemalloc.start()
    try:
        for _ in range(100):
            assert decoder.feed(bytes(bytearray(b": keep-alive\n\n" * 500))) == []
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 100_000


def steps_of(chunks: list[bytes]) -> int:
    """How many lines of Python the decoder runs for these chunks."""
    steps = 0

    def count(frame, event, argument):
        nonlocal steps
        steps += event == "line"
        return count

    decoder = FrameDecoder()
    before = sys.gettrace()
    sys.settrace(count)
    try:
        for chunk in chunks:
            decoder.feed(chunk)
    finally:
        sys.settrace(before)
    return steps


def test_the_cost_of_a_long_line_grows_with_its_length_and_no_faster():
    line = b"data: " + b"x" * 199_994
    assert steps_of(byte_by_byte(line)) < 20 * len(line)


def test_a_long_line_in_small_pieces_is_joined_once():
    """A buffer that grows with every chunk would be copied 200,000 times: 20 GB instead of 200 kB."""
    copied = 0

    class Counted(bytes):
        """A chunk that counts how many bytes are made by adding to it."""

        def __radd__(self, other: bytes) -> bytes:
            nonlocal copied
            copied += len(other)
            return bytes(other) + bytes(self)

    decoder = FrameDecoder()
    for byte in byte_by_byte(b"data: " + b"x" * 20_000 + b"\n\n"):
        decoder.feed(Counted(byte))
    assert copied <= 100_000


def test_the_end_of_a_stream_leaves_nothing_behind():
    decoder = FrameDecoder()
    assert decoder.feed(b'{"a":1}') == []
    assert decoder.finish() == bare(b'{"a":1}')
    assert decoder.finish() == []
    decoder = FrameDecoder()
    assert decoder.feed(b"data: cut off\n") == []
    assert decoder.finish() == []
    assert decoder.feed(b"\n") == []


def test_a_frame_is_of_an_event_unless_it_is_said_to_be_bare_and_stays_as_it_is():
    frame = Frame(b"a")
    assert not frame.bare
    with pytest.raises(AttributeError):
        frame.data = b"b"


# -- the way out -------------------------------------------------------------------------------------

PAYLOADS = st.binary(max_size=40).map(lambda payload: payload.replace(b"\r", b""))
NAMES = st.binary(max_size=10).map(lambda name: name.translate(None, b"\r\n").lstrip(b" "))


@given(PAYLOADS, NAMES)
def test_an_encoded_frame_is_decoded_to_itself(payload, name):
    assert decoded([encode_frame(payload, name)]) == [Frame(payload, name)]


@given(st.lists(PAYLOADS, max_size=4), st.data())
def test_encoded_frames_stay_apart_however_they_are_cut(payloads, choice):
    stream = b"".join(encode_frame(payload) for payload in payloads)
    assert decoded(choice.draw(chunkings(stream))) == data(*payloads)
