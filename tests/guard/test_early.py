"""Output checks while the answer comes: as early as it is provable, and never against the check of the whole."""

from __future__ import annotations

import itertools
import json
import tracemalloc
from typing import NamedTuple

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from route_run.guard import OutputCheck
from route_run.guard.early import MAX_MEMBER
from route_run.guard.output import compile_schema
from route_run.guard.reading import MAX_DEPTH
from support.properties import examples


def check(schema: object) -> OutputCheck:
    compiled = compile_schema(json.dumps(schema).encode())
    assert isinstance(compiled, OutputCheck), compiled
    return compiled


def failing(compiled: OutputCheck, *pieces: str) -> tuple[int, str] | None:
    """Which character is the one that fails, and the reason."""
    early, before = compiled.begin(), 0
    for piece in pieces:
        before += len(piece)
        if (reason := early.feed(piece)) is not None:
            return before, reason
    return None


# -- how early ----------------------------------------------------------------------------------------


class Row(NamedTuple):
    schema: object
    beginning: str  # up to and with the character that decides
    reason: str


ANSWER = {
    "type": "object",
    "properties": {"n": {"type": "number"}, "t": {"enum": ["a"]}},
    "additionalProperties": False,
}
EARLY = {
    "not JSON": Row({}, "S", "not JSON: a value is expected at character 0"),
    "a fence": Row(ANSWER, "`", "not JSON: a value is expected at character 0"),
    "type of a list": Row(ANSWER, " [", "answer: not of the type object"),
    "type of a text": Row(ANSWER, '"', "answer: not of the type object"),
    "type of a number": Row(ANSWER, "-", "answer: not of the type object"),
    "type of a word": Row({"type": ["string", "null"]}, "t", "answer: not of the type ['string', 'null']"),
    "unknown name": Row(ANSWER, '{"secret"', "answer: holds a field that the schema does not know"),
    "name written with escapes": Row(ANSWER, '{"\\u0073"', "answer: holds a field that the schema does not know"),
    "name against a pattern": Row(
        {"patternProperties": {"^x": {}}, "additionalProperties": False},
        '{"x1": 1, "y"',
        "answer: holds a field that the schema does not know",
    ),
    "rule of names": Row({"propertyNames": {"maxLength": 2}}, '{"abc"', "answer: does not satisfy maxLength: 2"),
    "forbidden name": Row({"properties": {"n": False}}, '{"n"', "answer: not allowed by the schema"),
    "value": Row(ANSWER, '{"t": "a", "n": "x"', "answer['n']: not of the type number"),
    "number ends behind it": Row(
        {"properties": {"n": {"maximum": 5}}}, '{"n":66,', "answer['n']: does not satisfy maximum: 5"
    ),
    "enum": Row(ANSWER, '{"t":"b"', "answer['t']: not one of ['a']"),
    "reference": Row(
        {"$defs": {"t": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/t"}}},
        '{"a": null',
        "answer['a']: not of the type string",
    ),
    "inside of a value": Row(
        {"properties": {"a": {"items": {"required": ["b"]}}}}, '{"a": [{"b": 1}, {}]', "answer['a'][1]: 'b' is missing"
    ),
    "other fields": Row({"additionalProperties": {"type": "null"}}, '{"secret": 1 ', "answer[…]: not of the type null"),
    "item": Row({"items": {"type": "null"}}, "[null, null, 1]", "answer[2]: not of the type null"),
    "item that is an object": Row(
        {"items": {"additionalProperties": False, "properties": {"a": {}}}},
        '[{"a": 1}, {"secret": 2}',
        "answer[1]: holds a field that the schema does not know",
    ),
    "named twice inside": Row(
        {"properties": {"a": {}}},
        '{"a": {"secret": 1, "secret": 2}',
        "answer: names a field twice; readers disagree on which one counts",
    ),
    "too deep": Row({}, "[" * (MAX_DEPTH + 1), f"nested deeper than {MAX_DEPTH} levels, too deep to be checked"),
}


@pytest.mark.parametrize(
    ("schema", "beginning", "reason"), EARLY.values(), ids=[name.replace(" ", "-") for name in EARLY]
)
def test_an_answer_fails_at_the_character_that_decides(schema, beginning, reason):
    compiled = check(schema)
    assert failing(compiled, beginning[:-1]) is None
    assert failing(compiled, *beginning) == (len(beginning), reason)
    assert failing(compiled, beginning + " and more") == (len(beginning) + 9, reason)


LATE = {
    # what may still become right, or is left to the check of the whole
    "missing": ({"required": ["a"]}, "{}"),
    "whole number": ({"type": "integer"}, "1.5"),
    "position in a list": ({"prefixItems": [{}, {}], "items": {"type": "null"}}, "[1, 2, 3]"),
    "any of": ({"anyOf": [{"type": "null"}, {"type": "string"}]}, "{}"),
    "const": ({"const": {"a": 1}}, "[]"),
    "nothing at all": (False, "{}"),
    "list where rules of fields stand": ({"additionalProperties": {"type": "null"}}, "[1]"),
    "object where rules of items stand": ({"items": {"type": "null"}}, '{"a": 1}'),
    "a number nobody can read": ({"type": "number"}, "9" * 5000),
}


@pytest.mark.parametrize(("schema", "answer"), LATE.values(), ids=[name.replace(" ", "-") for name in LATE])
def test_what_the_beginning_does_not_prove_is_left_to_the_whole_check(schema, answer):
    compiled = check(schema)
    assert failing(compiled, *answer) is None
    assert compiled.begin().feed(answer) is None


def test_once_failed_it_stays_failed_with_the_same_reason():
    early = check(ANSWER).begin()
    first = early.feed("[")
    assert first is not None
    assert early.feed('{"n": 1}') == first
    assert not early.is_whole


def test_without_a_schema_any_json_will_do():
    early = OutputCheck().begin()
    assert early.feed('{"a": 1, "a": [') is None
    assert not early.is_whole
    assert early.feed("]}") is None
    assert early.is_whole
    assert str(early.feed("x")).startswith("not JSON: nothing more is expected")


def test_a_field_named_twice_is_no_answer_to_a_schema():
    twice = '{"t": "b", "t": "a"}'
    assert "names a field twice" in str(check(ANSWER).reason(twice))
    assert "names a field twice" in str(check({}).reason('[{"a": 1, "a": 1}]'))
    assert OutputCheck().reason(twice) is None


def test_a_value_too_long_to_be_kept_is_left_to_the_whole_check():
    compiled = check({"properties": {"a": {"type": "null"}, "b": {"type": "null"}}})
    short, long = "x" * (MAX_MEMBER - 2), "x" * (MAX_MEMBER - 1)
    assert failing(compiled, f'{{"a": "{short}"') is not None
    assert failing(compiled, f'{{"a": "{long}"') is None
    assert failing(compiled, f'{{"a": "{long}", "b": 1}}') is not None
    assert failing(compiled, f'{{"{long}": 1, "b": 1}}') is not None


# -- against the whole check --------------------------------------------------------------------------

LEAVES = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "", "a", "ab", "é"])
NAMES = st.sampled_from(["a", "b", "ab", "é"])
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
TYPES = st.sampled_from(["object", "array", "string", "number", "integer", "boolean", "null"])


def schemas(depth: int) -> st.SearchStrategy[object]:
    """Schemas over the same few names and values, so that both verdicts are common."""
    if not depth:
        return st.booleans() | st.builds(lambda kind: {"type": kind}, TYPES)
    inner = schemas(depth - 1)
    named = st.dictionaries(NAMES, inner, max_size=3)
    return st.fixed_dictionaries(
        {},
        optional={
            "type": TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True),
            "properties": named,
            "patternProperties": st.dictionaries(st.sampled_from(["^a", "b$"]), inner, max_size=2),
            "additionalProperties": inner,
            "propertyNames": st.sampled_from([True, {"maxLength": 1}, {"pattern": "^a"}]),
            "items": inner,
            "prefixItems": st.lists(inner, min_size=1, max_size=2),
            "required": st.lists(NAMES, max_size=2, unique=True),
            "enum": st.lists(VALUES, min_size=1, max_size=3),
            "maximum": st.integers(-2, 2),
            "uniqueItems": st.booleans(),
            "anyOf": st.lists(inner, min_size=1, max_size=2),
            "not": inner,
            "$ref": st.sampled_from(["#", "#/$defs/d"]),
        },
    )


@st.composite
def checks(draw: st.DrawFn) -> OutputCheck:
    schema = draw(schemas(2))
    if isinstance(schema, dict):
        schema["$defs"] = {"d": draw(schemas(1))}
    compiled = compile_schema(json.dumps(schema).encode())
    assume(isinstance(compiled, OutputCheck))  # some only refer to themselves
    return compiled


TEXTS = st.builds(
    lambda value, indent, ascii_only: json.dumps(value, indent=indent, ensure_ascii=ascii_only),
    VALUES,
    st.sampled_from([None, 1]),
    st.booleans(),
)
TWICE = st.sampled_from(['{"a": 1, "a": null}', '{"a": "x", "\\u0061": 1}', '[{"b": 1, "b": 1}]', '{"a": 1} x'])


ANSWERS = st.lists(TEXTS | TWICE, min_size=10, max_size=10)


def nothing_fails_early_that_the_whole_check_accepts(compiled, answers):
    for answer in answers:
        early = compiled.begin()
        failed = early.feed(answer) is not None
        if compiled.reason(answer) is None:
            assert not failed
            assert early.is_whole


test_nothing_fails_early_that_the_whole_check_accepts = examples(60)(
    given(checks(), ANSWERS)(nothing_fails_early_that_the_whole_check_accepts)
)
test_nothing_fails_early_of_many_more = pytest.mark.timeout(0)(
    pytest.mark.long(examples(3000)(given(checks(), ANSWERS)(nothing_fails_early_that_the_whole_check_accepts)))
)


@examples(30)
@given(checks(), ANSWERS, st.data())
def test_however_an_answer_is_cut_the_verdict_and_its_reason_are_the_same(compiled, answers, data):
    for answer in answers:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(answer)), max_size=5)))
        pieces = [answer[a:b] for a, b in itertools.pairwise([0, *cuts, len(answer)])]
        reasons = {found and found[1] for found in (failing(compiled, *way) for way in ([answer], pieces, answer))}
        assert len(reasons) == 1


def test_every_cut_of_an_answer_gives_the_same_verdict():
    schema = {**ANSWER, "required": ["n"], "properties": {"n": {"type": "number"}, "t": {"enum": ["a"]}, "l": {}}}
    compiled = check(schema)
    for answer in ('{"n": -1.5e3, "t": "a", "l": [{"\\u00e9": null}]}', '{"n": 1, "t": "\\u0062"}', '{"n": 1, "x": 2}'):
        expected = failing(compiled, answer)
        for first, second in itertools.combinations(range(len(answer) + 1), 2):
            found = failing(compiled, answer[:first], answer[first:second], answer[second:])
            assert (found is None) == (expected is None)
            assert found is None or expected is None or found[1] == expected[1]


def test_a_schema_that_closes_objects_is_often_judged_early():
    """The properties above would hold for a check that never fails."""
    compiled = check(ANSWER)
    invalid = [json.dumps(value) for value in ([], "a", 1, {"x": 1}, {"n": "a"}, {"t": 1}, {"n": [], "t": "a"})]
    assert all(compiled.reason(answer) for answer in invalid)
    assert all(failing(compiled, answer) for answer in invalid)


# -- bounds -------------------------------------------------------------------------------------------


def test_little_is_kept_of_a_large_answer():
    compiled = check({"properties": {"a": {"type": "array"}}, "items": {"type": "object"}})
    for answer in ('{"a": "' + "x" * 200_000, "[" + "{}," * 5_000, '{"a": [' + "1," * 20_000):
        early = compiled.begin()
        pieces = [answer[place : place + 500] for place in range(0, len(answer), 500)]
        tracemalloc.start()
        for piece in pieces:
            assert early.feed(piece) is None
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 3 * MAX_MEMBER


def test_answers_as_deep_as_they_may_be_are_judged_by_schemas_of_themselves():
    reference = {"allOf": [{"anyOf": [{"type": "null"}, {"$ref": "#/$defs/d"}]}]}
    compiled = check({"$defs": {"d": {"items": reference, "additionalProperties": reference}}, "$ref": "#/$defs/d"})
    deepest = "[" * (MAX_DEPTH - 1) + "{}" + "]" * (MAX_DEPTH - 1)
    assert compiled.reason(deepest) is None
    assert failing(compiled, deepest) is None
    assert "too deep" in str(compiled.reason(f"[{deepest}]"))
    assert failing(compiled, f"[{deepest}]") is not None


SECRET = "zephyr-4711"


@pytest.mark.parametrize(
    "answer", [f'"{SECRET}', f'{{"{SECRET}"', f'{{"n": "{SECRET}"', f'{{"t": "{SECRET}"', SECRET, f'{{"t" {SECRET}']
)
def test_a_reason_holds_nothing_of_the_answer(answer):
    found = failing(check(ANSWER), answer)
    assert found is not None
    assert "zephyr" not in found[1]
    assert "4711" not in found[1]
