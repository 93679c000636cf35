"""The reader of JSON in pieces: it fails at the very first character that no JSON can have there, however it is cut."""

from __future__ import annotations

import itertools
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.guard.reading import MAX_DEPTH, JsonReader, Mark
from support.properties import examples

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)
TEXTS = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only),
    VALUES,
    st.sampled_from([None, 1, "\t"]),
    st.booleans(),
)


def read(*pieces: str) -> JsonReader:
    reader = JsonReader()
    for piece in pieces:
        reader.feed(piece)
    return reader


def is_json(text: str) -> bool:
    try:
        json.loads(text, parse_constant=lambda name: json.loads(""))
    except ValueError:
        return False
    return True


# -- where a text stops being the beginning of JSON ---------------------------------------------------

BROKEN = {
    # the text -> the character that breaks it, and what was expected instead
    "words": ("Sure: {}", 0, "a value"),
    "fence": ("```json", 0, "a value"),
    "byte order mark": ("\ufeff{}", 0, "a value"),
    "no-break space": ("\u00a0{}", 0, "a value"),
    "form feed": ("\f1", 0, "a value"),
    "NaN": ("NaN", 0, "a value"),
    "Infinity": ("-Infinity", 1, "a digit"),
    "upper case": ("True", 0, "a value"),
    "half a word": ("nul1", 3, "`true`"),
    "word too long": ("nulll", 4, "nothing more"),
    "plus": ("+1", 0, "a value"),
    "point first": (".5", 0, "a value"),
    "point last": ("1.]", 2, "a digit after the point"),
    "leading zero": ("[01]", 2, "`,` or `]`"),
    "two points": ("1.5.", 3, "nothing more"),
    "empty exponent": ("1e,", 2, "exponent"),
    "sign without digits": ("1e+ ", 3, "exponent"),
    "minus alone": ("- 1", 1, "a digit"),
    "digit of another script": ("٣", 0, "a value"),
    "such a digit inside": ("1٣", 1, "nothing more"),
    "two values": ("{} {}", 3, "nothing more"),
    "trailing comma in a list": ("[1,]", 3, "a value"),
    "trailing comma in an object": ('{"a":1,}', 7, "a name"),
    "comma first": ("[,", 1, "a value or `]`"),
    "no comma": ("[1 2", 3, "`,` or `]`"),
    "no comma between fields": ('{"a":1 "b"', 7, "`,` or `}`"),
    "no colon": ('{"a" 1', 5, "`:`"),
    "name without quotes": ("{a:1}", 1, "a name"),
    "single quotes": ("{'a'", 1, "a name"),
    "closed by the wrong one": ("[1}", 2, "`,` or `]`"),
    "object closed by the wrong one": ('{"a":1]', 6, "`,` or `}`"),
    "closed once too often": ("[]]", 2, "nothing more"),
    "line break in a text": ('"a\nb"', 2, "escape"),
    "unknown escape": ('"\\x', 2, "escape"),
    "short code": ('"\\u12"', 5, "hexadecimal"),
    "comment": ("// x", 0, "a value"),
    "comment inside": ("[1 /* x */]", 3, "`,` or `]`"),
}


@pytest.mark.parametrize(("text", "place", "words"), BROKEN.values(), ids=[name.replace(" ", "-") for name in BROKEN])
def test_a_text_breaks_at_the_first_character_that_cannot_stand_there(text, place, words):
    assert read(text[:place]).problem is None
    problem = read(text[: place + 1]).problem
    assert problem is not None
    assert words in problem
    assert problem.endswith(f" at character {place}")
    assert read(text).problem == read(*text).problem == problem


def test_a_problem_says_nothing_of_the_text():
    assert "zephyr" not in str(read("zephyr").problem)


@pytest.mark.parametrize(
    "text", ["-", "1.", "1e", "1e-", "tru", '"', '"\\', '"\\u00', "[", "[1,", '{"', '{"a"', '{"a":', ""]
)
def test_a_beginning_is_neither_broken_nor_whole(text):
    assert (read(text).problem, read(text).is_whole) == (None, False)


@pytest.mark.parametrize(
    "text", ["0", "-0.5e+7", "12", "true", '"\\ud83e"', "{}", "[[]]", ' {"a": [1, {"b": null}]} \n']
)
def test_a_whole_value_is_whole(text):
    assert read(text).is_whole
    assert read(*text).is_whole


def test_what_lies_too_deep_is_a_problem_at_its_first_character():
    assert read("[" * MAX_DEPTH).problem is None
    assert f"{MAX_DEPTH} levels" in str(read("[" * (MAX_DEPTH + 1)).problem)
    assert read('{"a":' * MAX_DEPTH + "1" + "}" * MAX_DEPTH).is_whole


# -- against json.loads -------------------------------------------------------------------------------


@examples(300)
@given(TEXTS)
def test_json_is_whole_and_so_is_none_of_its_beginnings_that_is_no_json(text):
    reader = JsonReader()
    for place, character in enumerate(text):
        assert reader.is_whole == is_json(text[:place])
        reader.feed(character)
        assert reader.problem is None
    assert reader.is_whole


PIECES = st.sampled_from([*'{}[]",:\\ \n0123-.eE+tfnu', "true", "false", "null", '"a"', "\\u00e", "\ud800", "é"])


@examples(600)
@given(st.lists(PIECES, max_size=12).map("".join))
def test_any_text_is_whole_exactly_when_it_is_json(text):
    assert read(text).is_whole == is_json(text)


ENDINGS = ["", "0", "e", "ue", "rue", "se", "lse", "alse", "l", "ll", "ull", '"', "0000", "000", "00", "n"]
ENDINGS += [f'{code}"' for code in ("0000", "000", "00", "0", "n")]
INSIDE = [ending + more for ending in ENDINGS for more in ("", ":0")] + ['"":0', ":0", '""']


def can_become_json(text: str) -> bool:
    """By trying: every way to end what is open at its end, and then every way to close what is around it."""
    for inside in INSIDE:
        for depth in range(5):
            for closing in itertools.product("]}", repeat=depth):
                if is_json(text + inside + "".join(closing)):
                    return True
    return False


@examples(150)
@given(st.lists(PIECES.filter(lambda piece: len(piece) == 1), max_size=5).map("".join))
def test_a_text_is_broken_exactly_when_nothing_can_make_json_of_it(text):
    assert (read(text).problem is None) == can_become_json(text)


@examples(200)
@given(st.one_of(TEXTS, st.lists(PIECES, max_size=12).map("".join)), st.data())
def test_however_a_text_is_cut_it_is_read_the_same(text, data):
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pieces = [text[a:b] for a, b in itertools.pairwise([0, *cuts, len(text)])]
    whole, cut = read(text), read(*pieces)
    assert (cut.problem, cut.is_whole) == (whole.problem, whole.is_whole)


# -- marks --------------------------------------------------------------------------------------------


def marked(*pieces: str) -> list[tuple[Mark, int]]:
    """Marks with their places in the whole text."""
    reader, before, found = JsonReader(), 0, []
    for piece in pieces:
        found += [(mark, before + place) for mark, place in reader.feed(piece)]
        before += len(piece)
    return found


def members(text: str, marks: list[tuple[Mark, int]]) -> list[str]:
    places = [place for mark, place in marks if mark != Mark.VALUE]
    return [text[begin:end] for begin, end in zip(places[::2], places[1::2], strict=True)]


@examples(200)
@given(st.dictionaries(st.text(max_size=4), VALUES, max_size=4) | st.lists(VALUES, max_size=4), st.booleans())
def test_marks_lie_around_the_outermost_names_and_values(value, one_by_one):
    text = json.dumps(value, indent=1)
    expected = [part for pair in value.items() for part in pair] if isinstance(value, dict) else value
    found = members(text, marked(*text) if one_by_one else marked(text))
    assert [json.loads(part) for part in found] == expected


def test_a_number_ends_where_the_next_character_says_so():
    assert marked("[1", "2", ",3]") == marked("[12,3]")
    assert marked("[12,3]")[1:3] == [(Mark.MEMBER, 1), (Mark.MEMBER_END, 3)]


# -- bounds -------------------------------------------------------------------------------------------

LARGE = {
    "text": '"' + "x" * 100_000,
    "escapes": '"' + "\\n" * 50_000,
    "digits": "9" * 100_000,
    "blanks": " " * 100_000,
    "items": "[" + "1," * 50_000,
    "texts": "[" + '"",' * 35_000,
}


@pytest.mark.parametrize("text", LARGE.values(), ids=LARGE)
def test_nothing_is_kept_of_a_large_text(text):
    reader = JsonReader()
    pieces = [text[place : place + 1000] for place in range(0, len(text), 1000)]
    tracemalloc.start()
    for piece in pieces:
        reader.feed(piece)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reader.problem is None
    assert peak < 200_000
