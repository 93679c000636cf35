"""Caps: a hostile file costs no more than reading up to its cap. Work is counted in nodes, never in time."""

from __future__ import annotations

import pytest

from route_run.text import Limits
from route_run.text.parse import _Builder
from support.reading import codes, places, read

LIMITS = Limits()
ALIASES = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 9)}]\n" for n in range(20)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{','.join([f'*{chr(97 + n)}'] * 9)}]}}\n" for n in range(20)
)
BOMBS = {
    "brackets": "[" * 500_000,
    "braces": "{a: " * 200_000,
    "dashes": "- " * 400_000,
    "questions": "? " * 400_000,
    "list-in-key": "? [" * 200_000,
    "aliases": ALIASES,
    "merges": MERGES,
    "anchors": "".join(f"- &a{n} x\n" for n in range(60_000)),
    "one-key": "a: 1\n" * 150_000,
    "one-key-flow": "{" + "a: 1, " * 150_000 + "}",
    "wide-list": "[" + "a," * 400_000 + "]",
    "wide-mapping": "".join(f"k{n}: {{}}\n" for n in range(80_000)),
    "odd-scalars": "- no\n" * 150_000,
    "empty-values": "- \n" * 300_000,
    "tags": "- !a x\n" * 100_000,
    "templates": "- {{ x }}\n" * 80_000,
    "quotes": "- '\n" * 200_000,
    "comments": "# no\n" * 200_000,
    "one-scalar": "a: " + "x" * 1_000_000,
    "digits": "a: " + "1" * 1_000_000,
    "underscores": "a: 1" + "_" * 1_000_000 + "x",
    "blanks": " " * 1_000_000,
    "tabs": "\t" * 1_000_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_hostile_file_is_read_no_further_than_its_caps(name):
    builder = _Builder("bomb.yaml", LIMITS)
    builder.read(BOMBS[name])
    assert builder._nodes <= LIMITS.nodes + 1
    assert len(builder.findings) <= LIMITS.findings + 1


@pytest.mark.parametrize("name", ["brackets", "braces", "dashes", "questions"])
def test_a_deeply_nested_file_is_left_at_its_first_level_too_many(name):
    builder = _Builder("bomb.yaml", LIMITS)
    builder.read(BOMBS[name])
    assert builder._nodes <= 2 * LIMITS.depth + 2
    assert codes(builder.findings)[-1] == "RR008"
    assert "nested deeper than 32 levels" in builder.findings[-1].message


def test_an_alias_is_never_expanded():
    document, findings = read(ALIASES)
    assert str(document.data).count("x") == 9
    assert set(codes(findings[:-1])) == {"RR006"}


def test_the_deepest_file_allowed_is_read_whole():
    nested = "[" * (LIMITS.depth - 1) + "]" * (LIMITS.depth - 1)
    document, findings = read(f"a: {nested}")
    assert (findings, document.complete) == ([], True)


def test_one_level_more_is_refused_where_it_starts():
    nested = "[" * LIMITS.depth + "]" * LIMITS.depth
    document, findings = read(f"a: {nested}")
    assert places(findings) == [f"RR008 1:{3 + LIMITS.depth}"]
    assert not document.complete


def test_the_largest_file_allowed_is_read():
    text = "a: 1\n#" + "x" * 94
    document, findings = read(text, limits=Limits(bytes=100))
    assert (document.data, findings) == ({"a": 1}, [])


def test_one_byte_more_is_refused_with_both_sizes():
    document, findings = read("a: 1\n#" + "x" * 95, limits=Limits(bytes=100))
    assert places(findings) == ["RR008 1:1"]
    assert "101 bytes" in findings[0].message
    assert "100" in findings[0].message
    assert (document.data, document.complete) == (None, False)


def test_size_counts_bytes_and_not_characters():
    _, findings = read("a: " + "ä" * 50, limits=Limits(bytes=100))
    assert codes(findings) == ["RR008"]


def test_as_many_nodes_as_allowed_are_read():
    document, findings = read("[a, b, c]", limits=Limits(nodes=4))
    assert (document.data, codes(findings)) == (["a", "b", "c"], ["RR010"])


def test_one_node_more_stops_reading_and_keeps_what_came_before():
    document, findings = read("a: 1\nb: 2\nc: 3", limits=Limits(nodes=5))
    assert document.data == {"a": 1, "b": 2}
    assert places(findings) == ["RR008 3:1"]


@pytest.mark.parametrize("value", ["no", "2024-08-06"], ids=["errors", "warnings"])
def test_reading_stops_at_the_most_findings_with_an_error(value):
    document, findings = read("a:\n" + f"- {value}\n" * 500 + "drain: true\n")
    assert len(findings) == LIMITS.findings + 1
    assert "more than 100 findings" in findings[-1].message
    assert (findings[-1].is_error, document.complete, "drain" in document.data) == (True, False, False)


@pytest.mark.parametrize(
    "text", ["a: 1_{}", "a: 1_{}: b", "a: &{} b", "a: *{}", "a: !{} b", "a: b\n'{0}': 1\n'{0}': 2"]
)
def test_a_message_is_short_however_long_what_it_names(text):
    _, findings = read(text.format("0" * 900))
    assert findings
    assert all(len(finding.message) + len(finding.help) < 300 for finding in findings)


@pytest.mark.parametrize("count", range(97, 103))
def test_a_file_with_about_as_many_findings_as_allowed_never_raises(count):
    _, findings = read("- no\n" * count)
    assert codes(findings).count("RR004") == min(count, LIMITS.findings)


@pytest.mark.parametrize("text", ["", "- a", "x" * 20, "a: b: c"], ids=["empty", "list", "too-large", "syntax"])
def test_a_cap_of_one_finding_never_raises(text):
    _, findings = read(text, limits=Limits(findings=1, bytes=10))
    assert len(findings) == 1
