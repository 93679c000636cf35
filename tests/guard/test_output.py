"""The output checker: what is an answer, which schemas can be used, and that no answer ever breaks it."""

from __future__ import annotations

import json
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.guard import OutputCheck
from route_run.guard.output import MAX_MESSAGE, compile_schema
from support.properties import examples


def check(schema) -> OutputCheck:
    compiled = compile_schema(json.dumps(schema).encode())
    assert isinstance(compiled, OutputCheck), compiled
    return compiled


def refusal(schema) -> str:
    content = schema if isinstance(schema, bytes) else json.dumps(schema).encode()
    compiled = compile_schema(content)
    assert isinstance(compiled, str), "the schema was accepted"
    return compiled


class Row(NamedTuple):
    schema: object
    answer: str
    reason: str | None


ANSWERS = {
    "object": Row({"type": "object"}, "{}", None),
    "surrounding blanks": Row({}, " \n{}\n ", None),
    "not json": Row({}, "hello", "not JSON: Expecting value: line 1 column 1 (char 0)"),
    "empty": Row({}, "", "not JSON: Expecting value: line 1 column 1 (char 0)"),
    "text around": Row({}, "Sure: {}", "not JSON: Expecting value: line 1 column 1 (char 0)"),
    "fenced": Row({}, "```json\n{}\n```", "not JSON: Expecting value: line 1 column 1 (char 0)"),
    "two values": Row({}, "{} {}", "not JSON: Extra data: line 1 column 4 (char 3)"),
    "NaN": Row({"type": "number"}, "NaN", "not JSON: NaN is not JSON"),
    "Infinity inside": Row({}, '{"a": -Infinity}', "not JSON: -Infinity is not JSON"),
    "type": Row({"type": "object"}, "[]", "answer: not of the type object"),
    "types": Row({"type": ["string", "null"]}, "5", "answer: not of the type ['string', 'null']"),
    "missing": Row({"required": ["a", "b"]}, '{"a": 1}', "answer: 'b' is missing"),
    "two missing": Row({"required": ["a", "b"]}, "{}", "answer: 'a', 'b' is missing"),
    "unknown field": Row(
        {"properties": {"a": {}}, "additionalProperties": False},
        '{"secret": 1}',
        "answer: holds a field that the schema does not know",
    ),
    "unevaluated field": Row(
        {"properties": {"a": {}}, "unevaluatedProperties": False},
        '{"secret": 1}',
        "answer: holds a field that the schema does not know",
    ),
    "enum": Row({"enum": ["a", "b"]}, '"secret"', "answer: not one of ['a', 'b']"),
    "const": Row({"const": 5}, '"secret"', "answer: not one of 5"),
    "place": Row(
        {"properties": {"a": {"items": {"type": "number"}}}},
        '{"a": [1, "x"]}',
        "answer['a'][1]: not of the type number",
    ),
    "maximum": Row({"maximum": 5}, "6", "answer: does not satisfy maximum: 5"),
    "length": Row({"minLength": 3}, '"xy"', "answer: does not satisfy minLength: 3"),
    "format is not judged": Row({"format": "date"}, '"secret"', None),
    "pattern holds": Row({"pattern": "^[a-z]+$"}, '"abc"', None),
    "pattern": Row({"pattern": "^[a-z]+$"}, '"ABC"', "answer: does not satisfy pattern: '^[a-z]+$'"),
    "pattern is searched for": Row({"pattern": "b"}, '"abc"', None),
    "pattern ends at the end": Row({"pattern": "^a$"}, '"a\\n"', "answer: does not satisfy pattern: '^a$'"),
    "pattern is for texts": Row({"pattern": "^a$"}, "5", None),
    "reference": Row(
        {"$defs": {"t": {"type": "string"}}, "properties": {"a": {"$ref": "#/$defs/t"}}},
        '{"a": 1}',
        "answer['a']: not of the type string",
    ),
    "escaped reference": Row(
        {"$defs": {"a/b~c": {"type": "string"}}, "$ref": "#/$defs/a~1b~0c"}, "1", "answer: not of the type string"
    ),
    "same items": Row(
        {"uniqueItems": True}, '[{"a": 1, "b": 2}, {"b": 2, "a": 1.0}]', "answer: does not satisfy uniqueItems: True"
    ),
    "different items": Row({"uniqueItems": True}, '[1, true, "1", null, [], {}, [1], {"a": 1}, [[]]]', None),
    "items that may be the same": Row({"uniqueItems": False}, "[1, 1]", None),
    "boolean schema": Row(True, '"anything"', None),
}


@pytest.mark.parametrize(
    ("schema", "answer", "reason"), ANSWERS.values(), ids=[name.replace(" ", "-") for name in ANSWERS]
)
def test_answer(schema, answer, reason):
    assert check(schema).reason(answer) == reason


def test_a_pattern_of_a_key_judges_the_values_of_the_keys_it_is_found_in():
    compiled = check({"patternProperties": {"^n_": {"type": "number"}}})
    assert compiled.reason('{"n_a": 1, "a": "x", "an_": "x"}') is None
    assert compiled.reason('{"n_a": "x"}').endswith("not of the type number")


def test_a_check_without_a_schema_asks_for_any_json():
    assert OutputCheck().reason("[1, null]") is None
    assert OutputCheck().reason("hello").startswith("not JSON")


# -- answers that try to break it --------------------------------------------------------------------

HOSTILE = {
    "deep": "[" * 100_000 + "]" * 100_000,
    "deep and open": "[" * 100_000,
    "deep mapping": '{"a":' * 50_000 + "1" + "}" * 50_000,
    "5000 digits": "9" * 5000,
    "400 digits": "9" * 400,
    "overflow": "1e999",
    "negative overflow": "-1e999",
    "tiny": "1e-999",
    "NaN": "NaN",
    "half a surrogate pair": '"\\ud800"',
    "raw half of a surrogate pair": '"\ud800"',
    "NUL": '"\\u0000"',
    "long": '"' + "x" * 1_000_000 + '"',
    "one key often": "{" + ", ".join(['"a": 1'] * 10_000) + "}",
    "many keys": "{" + ", ".join(f'"k{n}": 1' for n in range(10_000)) + "}",
    "many items": "[" + ", ".join(f'{{"k": {n}}}' for n in range(10_000)) + "]",
    "byte order mark": "\ufeff{}",
    "text to backtrack in": '"' + "a" * 40 + '!"',
    "key to backtrack in": '{"' + "k" * 40 + '!": 1}',
}
SCHEMAS = {
    "anything": {},
    "recursive": {"items": {"$ref": "#"}, "additionalProperties": {"$ref": "#"}},
    "fraction": {"multipleOf": 0.1},
    "small fraction": {"multipleOf": 1e-9},
    "whole": {"multipleOf": 7, "maximum": 1e300},
    "integer": {"type": "integer"},
    "unique": {"uniqueItems": True, "minItems": 1},
    "pattern": {
        "pattern": "^(a+)+$",
        "patternProperties": {"^(k+)+$": {"type": "number"}},
        "additionalProperties": {"type": "number"},
    },
    "large pattern": {"pattern": r"^\pL{350}$"},
    "closed": {"patternProperties": {"^k[0-9]+$": {"type": "number"}}, "additionalProperties": False},
    "const": {"const": {"a": [1, 2, {"b": None}]}},
}


@pytest.mark.parametrize("answer", HOSTILE.values(), ids=[name.replace(" ", "-") for name in HOSTILE])
@pytest.mark.parametrize("schema", SCHEMAS.values(), ids=[name.replace(" ", "-") for name in SCHEMAS])
def test_no_answer_breaks_the_check(schema, answer):
    reason = check(schema).reason(answer)
    assert reason is None or 0 < len(reason) <= MAX_MESSAGE


@examples(120)
@given(st.text(max_size=50), st.sampled_from(list(SCHEMAS.values())))
def test_a_check_never_raises_for_any_text(answer, schema):
    check(schema).reason(answer)


@examples(80)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
        max_leaves=6,
    ),
    st.sampled_from(list(SCHEMAS.values())),
)
def test_a_check_never_raises_for_any_value(value, schema):
    check(schema).reason(json.dumps(value))


# -- reasons say nothing of the answer ---------------------------------------------------------------

SECRET = "zephyr-4711"
LEAKS = {
    "type": ({"type": "object"}, f'"{SECRET}"'),
    "enum": ({"enum": ["a"]}, f'"{SECRET}"'),
    "const": ({"const": "a"}, f'"{SECRET}"'),
    "pattern": ({"pattern": "^a$"}, f'"{SECRET}"'),
    "length": ({"maxLength": 3}, f'"{SECRET}"'),
    "unique": ({"uniqueItems": True}, f'["{SECRET}", "{SECRET}"]'),
    "contains": ({"contains": {"type": "number"}}, f'["{SECRET}"]'),
    "items": ({"items": {"type": "number"}}, f'["{SECRET}"]'),
    "not": ({"not": {"type": "string"}}, f'"{SECRET}"'),
    "one of": ({"oneOf": [{"type": "number"}, {"type": "null"}]}, f'"{SECRET}"'),
    "missing beside": ({"required": ["a"]}, json.dumps({"b": SECRET})),
    "false": ({"properties": {"a": False}}, json.dumps({"a": SECRET})),
    "unknown key": ({"additionalProperties": False}, json.dumps({SECRET: 1})),
    "key name": ({"propertyNames": {"maxLength": 3}}, json.dumps({SECRET: 1})),
    "value of an unnamed key": ({"additionalProperties": {"type": "number"}}, json.dumps({SECRET: "x"})),
    "key of a pattern": ({"patternProperties": {"^z": {"type": "number"}}}, json.dumps({SECRET: "x"})),
    "not json": ({}, SECRET),
    "broken json": ({}, f'{{"{SECRET}": }}'),
    "after json": ({}, f"{{}} {SECRET}"),
    "number": ({"maximum": 5}, "47110815"),
    "dependent": ({"dependentRequired": {"a": ["b"]}}, json.dumps({"a": SECRET})),
}


@pytest.mark.parametrize(("schema", "answer"), LEAKS.values(), ids=[name.replace(" ", "-") for name in LEAKS])
def test_a_reason_holds_nothing_of_the_answer(schema, answer):
    reason = check(schema).reason(answer)
    assert reason
    assert "4711" not in reason
    assert "zephyr" not in reason


def test_a_reason_is_no_longer_than_a_record_takes():
    reason = check({"enum": ["x" * 1000]}).reason('"y"')
    assert len(reason) == MAX_MESSAGE
    assert reason.endswith("…")


@pytest.mark.parametrize(
    "schema",
    [False, {"properties": {"a": False}}, {"if": {"type": "object"}, "then": False}],
    ids=["whole", "field", "branch"],
)
def test_what_a_schema_forbids_altogether_is_said_in_words(schema):
    reason = check(schema).reason('{"a": 1}')
    assert reason
    assert "None" not in reason


# -- schemas -----------------------------------------------------------------------------------------

REFUSED = {
    "not json": (b"{", "not a JSON document"),
    "not utf-8": (b"\xff", "not a JSON document"),
    "empty": (b"", "not a JSON document"),
    "a list": ([1], "not a JSON Schema"),
    "null": (None, "not a JSON Schema"),
    "unknown type": ({"type": "text"}, "not a JSON Schema"),
    "too deep": (b"[" * 100_000, "not a JSON document"),
    "a circle": ({"$ref": "#"}, "refers to itself"),
    "a circle of two": (
        {"$ref": "#/$defs/a", "$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        "refers to itself",
    ),
    "a circle beside": (
        {"$defs": {"a": {"if": {"dependentSchemas": {"x": {"$ref": "#/$defs/a"}}}}}},
        "refers to itself",
    ),
    "remote reference": ({"$ref": "https://evil.example/schema"}, "does not point to a schema in the same file"),
    "reference to a file": ({"$ref": "other.json"}, "does not point to a schema in the same file"),
    "file url": ({"properties": {"a": {"$ref": "file:///etc/passwd"}}}, "`$ref: file:///etc/passwd`"),
    "reference to nothing": ({"$ref": "#/$defs/gone"}, "`$ref: #/$defs/gone`"),
    "reference to a list": ({"required": ["a"], "properties": {"a": {"$ref": "#/required"}}}, "`$ref: #/required`"),
    "reference into a list": ({"allOf": [{}], "$ref": "#/allOf/x"}, "`$ref: #/allOf/x`"),
    "reference into a number": ({"minimum": 5, "$ref": "#/minimum/x"}, "`$ref: #/minimum/x`"),
    "reference to an example": ({"examples": [{"pattern": "(?=a)"}], "$ref": "#/examples/0"}, "`$ref: #/examples/0`"),
    "reference to no url": ({"$ref": "http://["}, "`$ref: http://[`"),
    "id that is no url": ({"$id": "https://x.example", "items": {"$id": "http://["}}, "an `$id` cannot be used"),
    "reference beside an id": (
        {"$defs": {"t": {}}, "properties": {"a": {"$id": "urn:x", "$ref": "#/$defs/t"}}},
        "`$ref: #/$defs/t` does not point to a schema in the same file",
    ),
    "NaN": (b'{"multipleOf": NaN}', "NaN is not JSON"),
    "half of a surrogate pair": ({"pattern": "\ud800"}, "half of a surrogate pair is not a character"),
    "patterns for what is evaluated": (
        {"allOf": [{"patternProperties": {"^a": {}}}], "unevaluatedProperties": False},
        "`unevaluatedProperties` cannot be used with `patternProperties`",
    ),
    "remote dynamic reference": ({"$dynamicRef": "https://evil.example/x#y"}, "`$dynamicRef:"),
    "look-ahead": ({"pattern": "(?=a)b"}, "the pattern `(?=a)b` cannot be used"),
    "look-behind": ({"items": {"pattern": "(?<!a)b"}}, "cannot be used"),
    "look-around for keys": ({"patternProperties": {"a(?!b)": {}}}, "the pattern `a(?!b)` cannot be used"),
    "back-reference": ({"pattern": r"(a)\1"}, "cannot be used"),
}


@pytest.mark.parametrize(("schema", "words"), REFUSED.values(), ids=[name.replace(" ", "-") for name in REFUSED])
def test_a_schema_that_cannot_be_used_is_refused_in_words(schema, words):
    assert words in refusal(schema)
    assert refusal(schema).encode()


USABLE = {
    "itself with a step": ({"items": {"$ref": "#"}, "properties": {"a": {"anyOf": [{"$ref": "#"}]}}}, "[[]]"),
    "the same part twice": ({"$defs": {"t": {}}, "allOf": [{"$ref": "#/$defs/t"}, {"$ref": "#/$defs/t"}]}, "1"),
    "const that looks like keywords": ({"const": {"patternProperties": 5}}, '{"patternProperties": 5}'),
    "enum that looks like a reference": ({"enum": [{"$ref": "other.json"}]}, '{"$ref": "other.json"}'),
    "example that looks like a pattern": ({"examples": [{"pattern": "(?=a)"}]}, "1"),
    "default that looks like a reference": ({"default": {"$ref": "x"}}, "1"),
    "fields named like keywords": ({"properties": {"$ref": {"type": "string"}, "pattern": {}}}, '{"$ref": "x"}'),
    "anchor": ({"$defs": {"t": {"$anchor": "t", "type": "string"}}, "$ref": "#t"}, '"x"'),
    "percent in a reference": ({"$defs": {"a b": {"type": "string"}}, "$ref": "#/$defs/a%20b"}, '"x"'),
    "class of re2": ({"pattern": r"^\pL+$"}, '"ä"'),
    "byte order mark": ("\ufeff{}", "1"),
}


@pytest.mark.parametrize(("schema", "answer"), USABLE.values(), ids=[name.replace(" ", "-") for name in USABLE])
def test_a_schema_that_only_looks_unusable_is_used(schema, answer):
    content = schema if isinstance(schema, str) else json.dumps(schema)
    compiled = compile_schema(content.encode())
    assert isinstance(compiled, OutputCheck), compiled
    assert compiled.reason(answer) is None


# Python's `$` also matches before a final newline; RE2's does not
ONE_ENGINE = {
    "beside other keys": ({"patternProperties": {"^a$": {}}, "additionalProperties": False}, '{"a\\n": 1}'),
    "below a dialect": (
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "items": {"$ref": "#"}, "pattern": "^a$"},
        '["a\\n"]',
    ),
    "in another dialect": (
        {"items": {"$id": "urn:x", "$schema": "http://json-schema.org/draft-07/schema#", "pattern": "^a$"}},
        '["a\\n"]',
    ),
}


@pytest.mark.parametrize(("schema", "answer"), ONE_ENGINE.values(), ids=[name.replace(" ", "-") for name in ONE_ENGINE])
def test_patterns_are_searched_for_by_one_engine_only(schema, answer):
    assert check(schema).reason(answer.replace("\\n", "")) is None
    assert check(schema).reason(answer) is not None


def test_keys_that_no_pattern_takes_are_held_to_the_schema_of_the_others():
    compiled = check(
        {"properties": {"a": {}}, "patternProperties": {"^n_": {}}, "additionalProperties": {"type": "null"}}
    )
    assert compiled.reason('{"a": 1, "n_a": 1, "b": null}') is None
    assert compiled.reason('{"b": 1}') == "answer[…]: not of the type null"


# -- samples -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "sample"),
    [
        ({"examples": [{"a": "ä"}, {"a": "b"}]}, '{"a": "ä"}'),
        ({"examples": [None]}, "null"),
        ({"examples": []}, "{}"),
        ({}, "{}"),
        (True, "{}"),
    ],
    ids=["first", "null", "none", "absent", "boolean"],
)
def test_the_sample_is_the_first_example(schema, sample):
    assert check(schema).sample() == sample


def test_a_check_without_a_schema_has_a_sample():
    assert OutputCheck().sample() == "{}"
