"""Every trap of YAML as a row: what is read, and the finding with its place and the words that help."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from support.reading import places, read


@dataclass(frozen=True)
class Trap:
    """``findings`` are `CODE line:column`; ``words`` stand in the message or the help of the first."""

    name: str
    text: str | bytes
    findings: tuple[str, ...]
    words: tuple[str, ...] = ()
    data: object = field(default=...)
    complete: bool = True


ACCEPTED = [
    Trap("byte order mark", "\ufeffa: 1", (), data={"a": 1}),
    Trap("CRLF", "a: 1\r\nb: 2\r\n", (), data={"a": 1, "b": 2}),
    Trap("CR", "a: 1\rb: 2\r", (), data={"a": 1, "b": 2}),
    Trap("comment after a value", "a: b #c", (), data={"a": "b"}),
    Trap("hash inside a value", "a: b#c", (), data={"a": "b#c"}),
    Trap("document markers", "---\na: 1\n...\n", (), data={"a": 1}),
    Trap("version directive", "%YAML 1.2\n---\na: 1", (), data={"a": 1}),
    Trap("quoted word", 'a: "no"', (), data={"a": "no"}),
    Trap("quoted key", "'on': 1", (), data={"on": 1}),
    Trap("quoted number", "a: '010'", (), data={"a": "010"}),
    Trap("regex in single quotes", r"a: '[^a-z]+\d'", (), data={"a": r"[^a-z]+\d"}),
    Trap("literal block", "a: |\n  x\n  y\n", (), data={"a": "x\ny\n"}),
    Trap("folded block", "a: >-\n  x\n  y\n", (), data={"a": "x y"}),
    Trap("keys alone", "? a\n? b\n", (), data={"a": None, "b": None}),
    Trap("explicit key", "? a\n: b\n", (), data={"a": "b"}),
    Trap("no value", "a:\nb: 1\n", (), data={"a": None, "b": 1}),
    Trap("tab after a comma", "a: [x,\ty]", (), data={"a": ["x", "y"]}),
    Trap("blanks before the colon", "a : 1", (), data={"a": 1}),
    Trap("equals sign", "a: =", (), data={"a": "="}),
    Trap("arrows as a value", "a: <<", (), data={"a": "<<"}),
    Trap("quoted merge key", "'<<': 1", (), data={"<<": 1}),
    Trap("emoji", "a: 😀", (), data={"a": "😀"}),
    Trap("reference", "a: ${NAME}", (), data={"a": "${NAME}"}),
]
SCALARS = [
    Trap("bare no", "a: no", ("RR004 1:4",), ("`no` is text in YAML 1.2", '`"no"`'), {"a": "no"}),
    Trap("bare On in a list", "a: [On]", ("RR004 1:5",), ("`true`",), {"a": ["On"]}),
    Trap("octal", "a: 010", ("RR004 1:4",), ("different numbers", '`"010"`'), {"a": "010"}),
    Trap("underscores", "a: 1_000", ("RR004 1:4",), ("decimal",), {"a": "1_000"}),
    Trap("base 60", "a: 22:22", ("RR004 1:4",), ("base-60", '`"22:22"`'), {"a": "22:22"}),
    Trap("date", "a: 2024-08-06", ("RR015 1:4",), ("a date to many", '`"2024-08-06"`'), {"a": "2024-08-06"}),
    Trap("impossible date", "a: 2024-13-45", ("RR015 1:4",), (), {"a": "2024-13-45"}),
    Trap("not a number", "a: .nan", ("RR005 1:4",), ("not a finite number",), {"a": ".nan"}),
    Trap("infinity", "a: -.Inf", ("RR005 1:4",), ("not a finite number",), {"a": "-.Inf"}),
    Trap("30 digits", f"a: {'1' * 30}", ("RR005 1:4",), ("at most 18 digits",)),
    Trap("5000 digits", f"a: {'1' * 5000}", ("RR005 1:4",), ("at most 18 digits",)),
    Trap("1e400", "a: 1e400", ("RR005 1:4",), ("too large",)),
]
KEYS = [
    Trap("key on", "on: 1", ("RR004 1:1",), ("`on`", 'write `"on"`'), {"on": 1}),
    Trap("keys yes and on", "yes: 1\non: 2", ("RR004 1:1", "RR004 2:1"), (), {"yes": 1, "on": 2}),
    Trap("number as a key", "1: a", ("RR011 1:1",), ("a key is text", '`"1"`'), {"1": "a"}),
    Trap("null as a key", "~: a", ("RR011 1:1",), ("is null", '`"~"`'), {"~": "a"}),
    Trap("truth as a key", "true: a", ("RR011 1:1",), ("is bool",), {"true": "a"}),
    Trap("infinite key", ".inf: a", ("RR005 1:1",), ('write `".inf"`',), {".inf": "a"}),
    Trap("list as a key", "? [a]\n: b\nc: 1", ("RR011 1:3",), ("not a list or mapping",), {"c": 1}),
    Trap("mapping as a key", "{{a: 1}: b, c: 1}", ("RR011 1:2",), (), {"c": 1}),
    Trap("template", "a: {{ x }}", ("RR011 1:5",), ("`{{`", "quote"), {"a": {}}),
    Trap("template in a flow mapping", "{a: {{ x }}, b: 1}", ("RR011 1:6",), ("`{{`",), {"a": {}, "b": 1}),
    Trap("alias as a key", "*a : b", ("RR006 1:1",), ("aliases are not used",), {}),
    Trap("nested list as a key", "? [[a], [b]]\n: c\nd: 1", ("RR011 1:3",), (), {"d": 1}),
]
REPEATED = [
    Trap("same key", "a: 1\na: 2", ("RR003 2:1",), ("`a` stands here a second time",), {"a": 1}),
    Trap("same key, nested", "a:\n  b: 1\n  b: 2\n", ("RR003 3:3",), (), {"a": {"b": 1}}),
    Trap("same key, flow", "{a: 1, a: 2}", ("RR003 1:8",), (), {"a": 1}),
    Trap("same key, other quotes", "'a': 1\n\"a\": 2", ("RR003 2:1",), (), {"a": 1}),
    Trap("same key, escaped", 'ä: 1\n"\\xe4": 2', ("RR003 2:1",), (), {"ä": 1}),
    Trap("three times", "a: 1\na: 2\na: 3", ("RR003 2:1", "RR003 3:1"), (), {"a": 1}),
    Trap("second value has faults too", "a: 1\na: {b: no}", ("RR003 2:1", "RR004 2:8"), (), {"a": 1}),
    Trap("key after the repeated one", "a: 1\na: [2]\nb: 3", ("RR003 2:1",), (), {"a": 1, "b": 3}),
]
SYNTAX = [
    Trap("anchor", "a: &x b", ("RR006 1:4",), ("anchors are not used", "`&x`"), {"a": "b"}),
    Trap("alias", "a: *x", ("RR006 1:4",), ("`*x`", "write the value out"), {"a": None}),
    Trap("recursive alias", "a: &x [*x]", ("RR006 1:4", "RR006 1:8"), (), {"a": [None]}),
    Trap("anchor defined again", "a: &x 1\nb: &x 2", ("RR006 1:4", "RR006 2:4"), (), {"a": 1, "b": 2}),
    Trap("merge key", "<<: {a: 1}\nb: 2", ("RR006 1:1",), ("merge keys are not used",), {"b": 2}),
    Trap("merge key twice", "<<: {a: 1}\n<<: {b: 1}", ("RR006 1:1", "RR006 2:1"), (), {}),
    Trap("python tag", "a: !!python/object:os.system x", ("RR007 1:4",), ("tags are not used",), {"a": "x"}),
    Trap("environment tag", "a: !env NAME", ("RR007 1:4",), ("`!env`", "`${NAME}`"), {"a": "NAME"}),
    Trap("binary tag", "a: !!binary aGk=", ("RR007 1:4",), (), {"a": "aGk="}),
    Trap("set tag", "a: !!set {b}", ("RR007 1:4",), (), {"a": {"b": None}}),
    Trap("tag on a key", "!!str a: 1", ("RR007 1:1",), (), {"a": 1}),
    Trap("second document", "a: 1\n---\nb: 2", ("RR009 2:1",), ("a second one",), {"a": 1}, complete=False),
    Trap("empty file", "", ("RR010 1:1",), ("is empty", "`version: 1`"), None),
    Trap("comment alone", "# nothing\n", ("RR010 1:1",), ("is empty",), None),
    Trap("null document", "---\n~\n", ("RR010 1:1",), ("is empty",), None),
    Trap("a scalar", "hello", ("RR010 1:1",), ("a single value",), "hello"),
    Trap("a list", "- a\n- b", ("RR010 1:1",), ("a list",), ["a", "b"]),
    Trap("tab after the colon", "a:\tb", ("RR002 1:2",), ("a tab", "use a blank"), {"a": "b"}),
    Trap("tab among blanks", "a: \tb", ("RR002 1:2",), ("a tab",), {"a": "b"}),
    Trap("tab indents", "a:\n\tb: 1", ("RR002 2:1",), ("a tab indents this line", "blanks"), complete=False),
    Trap("unknown escape", r'a: "\d+"', ("RR002 1:5",), ("backslash", "single quotes"), complete=False),
    Trap("bare regex", "a: [^a-z]+", ("RR002 1:10",), ("single quotes",), complete=False),
    Trap("at sign", "a: @x", ("RR002 1:4",), ("single quotes",), complete=False),
    Trap("backtick", "a: `x`", ("RR002 1:4",), ("single quotes",), complete=False),
    Trap("second colon", "a: b: c", ("RR002 1:5",), ("second `: `", "quote"), {"a": "b"}, complete=False),
    Trap("list after a key", "a: - b", ("RR002 1:4",), ("not YAML",), complete=False),
    Trap("open quote", "a: 'x", ("RR002 1:6",), ("quotes",), complete=False),
    Trap("half a surrogate pair", r'a: "\ud83d"', ("RR002 1:7",), ("surrogate",), complete=False),
    Trap("half a surrogate pair as a key", r'"\ud83d": 1', ("RR002 1:4",), ("surrogate",), complete=False),
    Trap("NUL", "a: 'x\0'", ("RR002 1:6",), ("control character", "remove"), complete=False),
    Trap("control character", "a: 1\nb: ä\x01", ("RR002 2:5",), ("control character",), complete=False),
    Trap("full-width colon", "a: 1\nb\uff1a 2\n", ("RR002 2:1",), ("full-width colon",), complete=False),
    Trap("no-break space at the end", "a: 1\nb:\u00a02\n", ("RR002 2:1",), ("no-break space",), complete=False),
    Trap("no-break space amid", "a: 1\nb:\u00a02\nc: 3\n", ("RR002 2:1",), ("no-break space",), complete=False),
    Trap("no colon", "a: 1\nb\nc: 3\n", ("RR002 2:1",), ("`key: value`",), complete=False),
    Trap("bare reference in a flow mapping", "a: {b: ${NAME}}", ("RR002 1:9",), ('`"${NAME}"`',), complete=False),
]
BYTES = [
    Trap("byte that is not UTF-8", b"a: \xff", ("RR001 1:4",), ("0xff", "offset 3", "UTF-8"), None, complete=False),
    Trap("after text that is", "ä: 1\nö: ".encode() + b"\xe4", ("RR001 2:4",), ("offset 10",), None, complete=False),
    Trap("UTF-16", "a: 1".encode("utf-16"), ("RR001 1:1",), ("offset 0",), None, complete=False),
    Trap("raw surrogate", b"a: \xed\xa0\xbd", ("RR001 1:4",), ("offset 3",), None, complete=False),
    Trap("cut off character", "a: ä".encode()[:-1], ("RR001 1:4",), ("offset 3",), None, complete=False),
]


@pytest.mark.parametrize(
    "trap", [*ACCEPTED, *SCALARS, *KEYS, *REPEATED, *SYNTAX, *BYTES], ids=lambda trap: trap.name.replace(" ", "-")
)
def test_trap(trap):
    document, findings = read(trap.text)
    assert places(findings) == list(trap.findings)
    said = f"{findings[0].message} {findings[0].help}" if findings else ""
    for word in trap.words:
        assert word in said
    if trap.data is not ...:
        assert document.data == trap.data
    assert document.complete is trap.complete


def test_a_repeated_key_points_at_the_first_one_too():
    _, findings = read("ab: 1\nc: 2\nab: 3")
    (label,) = findings[0].labels
    assert (str(label.span), label.span.end.column, label.text) == ("policy.yaml:1:1", 3, "first here")
    assert (str(findings[0].span), findings[0].span.end.column) == ("policy.yaml:3:1", 3)


def test_a_key_that_stands_three_times_always_points_at_the_first():
    _, findings = read("a: 1\na: 2\na: 3")
    assert [str(finding.labels[0].span) for finding in findings] == ["policy.yaml:1:1"] * 2


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"], ids=["LS", "PS", "NEL"])
@pytest.mark.parametrize("line", ["b: 1 # ä", "why: ä, b"], ids=["comment", "value"])
def test_what_editors_show_as_one_line_hides_no_field(line, separator):
    document, findings = read(f"a: 1\n{line}{separator}drain: true\n")
    assert places(findings) == ["RR002 2:9"] if line.startswith("b") else ["RR002 2:10"]
    assert f"U+{ord(separator):04X}" in findings[0].message
    assert (document.data, document.complete) == (None, False)


def test_such_a_character_is_text_when_it_is_written_as_an_escape():
    document, findings = read(r'a: "x\u2028y"')
    assert (document.data, findings) == ({"a": "x\u2028y"}, [])
