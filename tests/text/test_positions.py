"""Where keys and values stand: columns count code points, whatever the style of the text."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from route_run.errors import Position
from support.properties import examples
from support.reading import fragment, read

BLOCK = """\
version: 1
routes:
  störung-日本: {match: {}, upstream: main}  # 😀
  "q 1":
    upstream: 'it''s'
    tags:
      - eins
      - [zwei, {drei: vier}]
last: |
  text
  more
"""
VALUES = [
    (("version",), "1"),
    (("routes", "störung-日本"), "{match: {}, upstream: main}"),
    (("routes", "störung-日本", "match"), "{}"),
    (("routes", "störung-日本", "upstream"), "main"),
    (("routes", "q 1", "upstream"), "'it''s'"),
    (("routes", "q 1", "tags", 0), "eins"),
    (("routes", "q 1", "tags", 1), "[zwei, {drei: vier}]"),
    (("routes", "q 1", "tags", 1, 0), "zwei"),
    (("routes", "q 1", "tags", 1, 1, "drei"), "vier"),
    (("routes", "q 1", "tags"), "- eins\n      - [zwei, {drei: vier}]"),
    (("last",), "|\n  text\n  more\n"),
]
KEYS = [
    (("version",), "version"),
    (("routes", "störung-日本"), "störung-日本"),
    (("routes", "störung-日本", "upstream"), "upstream"),
    (("routes", "q 1"), '"q 1"'),
    (("routes", "q 1", "tags", 1, 1, "drei"), "drei"),
]


def dotted(keys):
    return ".".join(map(str, keys))


@pytest.mark.parametrize(("keys", "text"), VALUES, ids=[dotted(keys) for keys, _ in VALUES])
def test_the_span_of_a_value_is_its_text(keys, text):
    document, _ = read(BLOCK)
    assert fragment(BLOCK, document.span_of(keys)) == text


@pytest.mark.parametrize(("keys", "text"), KEYS, ids=[dotted(keys) for keys, _ in KEYS])
def test_the_span_of_a_key_is_its_text(keys, text):
    document, _ = read(BLOCK)
    assert fragment(BLOCK, document.span_of_key(keys)) == text


def test_columns_count_code_points():
    document, _ = read("{😀: ä, b: c}")
    assert document.span_of_key(("b",)).start == Position(1, 8)


def test_columns_do_not_count_a_byte_order_mark():
    document, _ = read("\ufeffa: b")
    assert document.span_of(("a",)).start == Position(1, 4)


@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_lines_are_counted_whatever_ends_them(newline):
    document, _ = read(newline.join(["a: 1", "# comment", "", "b: 2", ""]))
    assert document.span_of_key(("b",)).start == Position(4, 1)


def test_a_value_over_several_lines_spans_them():
    document, _ = read("a: 'one\n  two'\nb: 1")
    span = document.span_of(("a",))
    assert (span.start, span.end) == (Position(1, 4), Position(2, 7))


def test_a_block_mapping_ends_where_its_last_value_ends():
    document, _ = read("a:\n  b: 1\n\n\n# comment\n\nc: 2\n")
    assert document.span_of(("a",)).end == Position(2, 7)


def test_a_key_without_a_value_has_the_place_after_its_colon():
    document, _ = read("a:\nb: 1\n")
    span = document.span_of(("a",))
    assert (span.start, span.end) == (Position(1, 3), Position(1, 3))


def test_a_path_that_leads_nowhere_gives_the_nearest_parent():
    document, _ = read(BLOCK)
    assert document.span_of(("routes", "q 1", "nothing", "deeper")) == document.span_of(("routes", "q 1"))
    assert document.span_of_key(("routes", "q 1", "nothing")) == document.span_of(("routes", "q 1"))


def test_the_span_of_no_keys_is_the_whole_document():
    document, _ = read("a: 1\nb: 2")
    assert fragment("a: 1\nb: 2", document.span_of(())) == "a: 1\nb: 2"


def test_a_repeated_key_keeps_the_place_of_the_first():
    document, _ = read("a: 1\na: 2")
    assert str(document.span_of_key(("a",))) == "policy.yaml:1:1"
    assert str(document.span_of(("a",))) == "policy.yaml:1:4"


def test_a_value_with_a_finding_of_the_reader_is_flawed_and_its_neighbour_is_not():
    document, _ = read("a: no\nb: yes please\n")
    assert document.is_flawed(document.span_of(("a",)))
    assert not document.is_flawed(document.span_of(("b",)))


def test_a_value_that_is_only_warned_of_is_not_flawed():
    document, _ = read("a: 2024-08-06\n")
    assert not document.is_flawed(document.span_of(("a",)))


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\x85\u2028\u2029\ufeff", exclude_categories=["Cc"]))
TREES = st.recursive(
    st.integers(-(10**9), 10**9) | TEXT.filter(str.isalpha) | st.booleans(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT.filter(str.isalpha), inner, max_size=3),
    max_leaves=8,
)


@examples(80)
@given(st.dictionaries(TEXT.filter(str.isalpha), TREES, min_size=1, max_size=3), st.booleans())
def test_every_scalar_reads_the_same_at_its_span_alone(data, flow):
    text = yaml.safe_dump(data, allow_unicode=True, default_flow_style=flow, width=10_000)
    document, _ = read(text)
    for keys, value in scalars(data):
        assert yaml.safe_load(fragment(text, document.span_of(keys))) == value
        if isinstance(keys[-1], str):
            assert yaml.safe_load(fragment(text, document.span_of_key(keys))) == keys[-1]


def scalars(tree, keys=()):
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from scalars(value, (*keys, key))
    elif keys:
        yield keys, tree
