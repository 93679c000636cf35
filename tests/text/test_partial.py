"""What is kept of a file that is broken somewhere: everything before the break."""

from __future__ import annotations

import pytest

from support.reading import codes, fragment, places, read

BROKEN = """\
version: 1
routes:
  first: {match: {}, upstream: main}
  second:
    upstream: main
     match: {}
  third: {upstream: main}
"""


def test_what_stands_before_a_syntax_error_is_kept():
    document, _ = read(BROKEN)
    assert document.data["version"] == 1
    assert document.data["routes"]["first"] == {"match": {}, "upstream": "main"}
    assert "third" not in document.data["routes"]


def test_a_broken_file_says_that_nothing_after_the_break_is_read():
    document, findings = read(BROKEN)
    assert places(findings) == ["RR002 6:11"]
    assert findings[0].effect == "nothing after this point of the file is read"
    assert not document.complete


def test_findings_before_a_syntax_error_are_kept():
    _, findings = read("a: no\na: 1\nb: [1, 2\nc: 3\n")
    assert codes(findings) == ["RR004", "RR003", "RR002"]


def test_places_before_a_syntax_error_are_right():
    document, _ = read(BROKEN)
    assert fragment(BROKEN, document.span_of(("routes", "first", "upstream"))) == "main"
    assert fragment(BROKEN, document.span_of_key(("routes", "second"))) == "second"


@pytest.mark.parametrize("keys", [(), ("routes",), ("routes", "second")], ids=["document", "section", "item"])
def test_a_collection_that_is_cut_off_ends_no_earlier_than_what_it_holds(keys):
    document, _ = read(BROKEN)
    assert document.span_of(keys).end >= document.span_of_key(("routes", "second", "upstream")).end


def test_a_second_document_leaves_the_first_as_it_is():
    document, findings = read("a: 1\n---\nb: no\n")
    assert (document.data, codes(findings)) == ({"a": 1}, ["RR009"])


@pytest.mark.parametrize(
    ("text", "line"),
    [("a: 1\nb: [1, 2\n", 2), ("a: 1\nb: [1, 2", 2), ("a: {b: 1\n\nc: 2\n", 3)],
    ids=["newline", "no-newline", "goes-on"],
)
def test_an_open_bracket_is_reported_where_the_text_stops_making_sense(text, line):
    _, findings = read(text)
    assert codes(findings) == ["RR002"]
    assert findings[0].span.start.line == line


def test_an_error_at_the_end_of_a_file_points_inside_the_file():
    text = "a: 1\nb: 'x"
    _, findings = read(text)
    start = findings[0].span.start
    assert (start.line, start.column) == (2, 6)
