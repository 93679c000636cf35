"""Reports of findings: what people read, what machines read, and what neither ever gets to see."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.errors import Code, Finding, Label, Position, Severity, Span
from route_run.lint.report import MAX_LINE_SHOWN, as_text, finding_as_json, printable, rendered, summary
from route_run.lint.verdict import Verdict
from support.properties import examples
from support.reading import report

GOLDEN = Path(__file__).parent / "golden"
NOTES = 2
"""Lines that every finding has below its excerpt: the effect, and where to read more."""


def span(line, column, end_column, path="a.yaml", end_line=None):
    return Span(path, Position(line, column), Position(end_line or line, end_column))


def found(where, code=Code.TYPE, **rest):
    return Finding(code, where, rest.pop("message", "something is wrong"), **rest)


def excerpt(text, where, **rest):
    """The source line of a finding and the line that underlines it, without the gutter."""
    _, _, source, marks, *_ = as_text([found(where, **rest)], {"a.yaml": text}).splitlines()
    gutter = source.index("| ") + 2
    return source[gutter:], marks[gutter:]


# -- goldens -----------------------------------------------------------------------------------------

SEVERAL = {
    "policy.yaml": """version: 1
endpoints:
  first: {dialect: openai, base_url: "https://first.example/v1", serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000}
upstreams:
  main: {targets: [{endpoint: first, model: m}]}
routes:
  gold: {match: {tags: {tier: gold}}, upstream: main}
  acme:
    match: {tags: {tenant: acme}}
    upstream: mian
  first: {match: {tags: {tier: gold, tenant: acme}}, upstream: main, colour: red}
tags: {tier: {values: [gold, no]}, tenant: {}}
tags: {}
ledger: {hash_key: sk-live-4711, retention: 5, unknown: 1}
""",
    "more.yaml": "version: 1\nroutes:\n  silver: {match: {tags: {tenant: acme}}, upstream: main}\n"
    "  other: {match: {tags: {tier: gold}}, upstream: main}\nbounds: {b: {match: {tags: {tenant: 2024-08-06}}}}\n",
    "broken.yaml": "version: 1\nwebhooks: {}\nbounds: @x\n",
}


def test_a_report_for_people(policy_of, golden, tmp_path):
    loaded = policy_of(SEVERAL)
    golden(report(loaded, tmp_path / "policy") + "\n", GOLDEN / "report.txt")


def test_a_painted_report_is_the_plain_one_with_roles_around_its_parts(policy_of, golden, tmp_path):
    loaded = policy_of("version: 1\nledger: {capture: all}\nbounds: {b: {match: {tags: {t: 2024-08-06}}}}\n")
    painted = as_text(loaded.findings, loaded.sources, lambda text, role: f"<{role}>{text}</{role}>")
    golden(painted.replace(f"{tmp_path / 'policy'}/", "") + "\n", GOLDEN / "painted.txt")


def test_no_findings_are_an_empty_report():
    assert as_text([], {}) == ""


# -- machines ----------------------------------------------------------------------------------------


def test_a_finding_as_json_has_every_field_always():
    assert finding_as_json(found(span(2, 3, 5))) == {
        "code": "RR101",
        "rule": "type",
        "severity": "error",
        "confidence": "proved",
        "message": "something is wrong",
        "path": "a.yaml",
        "line": 2,
        "column": 3,
        "end_line": 2,
        "end_column": 5,
        "help": None,
        "effect": "the item is left out, and the engine refuses to open the policy",
        "fix": None,
        "related": [],
    }


def json_of(policy_of, findings):
    """A report of just these findings, about a policy of one sound file."""
    verdict = Verdict(policy_of("version: 1\n"), tuple(findings))
    return json.loads(rendered("json", verdict, Path("/")))


def test_a_json_report_keeps_texts_as_they_are_and_is_still_json(policy_of):
    message = 'ä "quoted" \x1b[31m \u2028 \n :: 😀'
    (finding,) = json_of(policy_of, [found(span(1, 1, 1), message=message)])["findings"]
    assert finding["message"] == message


def test_counts_are_by_severity(policy_of):
    findings = [found(span(1, 1, 2)), found(span(2, 1, 2)), found(span(3, 1, 2), severity=Severity.WARNING)]
    counted = json_of(policy_of, findings)["summary"]
    assert (counted["error"], counted["warning"], counted["info"], counted["files"]) == (2, 1, 0, 1)


ERROR, WARNING, INFO = (found(span(1, 1, 2), severity=severity) for severity in Severity)


@pytest.mark.parametrize(
    ("findings", "files", "words"),
    [
        ([], 0, "no findings in 0 files"),
        ([], 1, "no findings in 1 file"),
        ([ERROR], 1, "1 error in 1 file"),
        ([ERROR, ERROR, WARNING], 3, "2 errors, 1 warning in 3 files"),
        ([WARNING, WARNING], 2, "2 warnings in 2 files"),
        ([INFO], 1, "1 info in 1 file"),
        ([INFO, INFO, WARNING], 1, "1 warning, 2 info in 1 file"),
    ],
)
def test_a_summary_in_one_line(findings, files, words):
    assert summary(findings, files) == words


# -- excerpts ----------------------------------------------------------------------------------------


def test_the_offender_is_underlined():
    assert excerpt("a: bcd", span(1, 4, 7)) == ("a: bcd", "   ^^^")


def test_a_span_of_no_width_is_one_mark():
    assert excerpt("a:", span(1, 3, 3)) == ("a:", "  ^")


def test_a_span_over_several_lines_is_underlined_to_the_end_of_its_first():
    assert excerpt("a: 'b\n  c'", span(1, 4, 4, end_line=2)) == ("a: 'b", "   ^^")


def test_a_second_place_is_underlined_in_another_way():
    label = Label(span(1, 1, 2), "first here")
    text = as_text([found(span(2, 1, 2), labels=(label,))], {"a.yaml": "a: 1\na: 2"})
    assert text.splitlines()[4:-NOTES] == ["  --> a.yaml:1:1 first here", "1 | a: 1", "  | -"]


def test_the_gutter_is_as_wide_as_the_number_of_the_line():
    lines = as_text([found(span(120, 1, 2))], {"a.yaml": "\n" * 119 + "x"}).splitlines()
    assert lines[2:-NOTES] == ["120 | x", "    | ^"]


@pytest.mark.parametrize(
    ("text", "where"),
    [("", span(1, 1, 1)), ("a", span(5, 1, 2)), ("\n  \n", span(2, 1, 2)), ("a", span(1, 1, 1, path="other.yaml"))],
    ids=["empty", "after-the-end", "blank-line", "other-file"],
)
def test_a_place_without_a_text_has_no_excerpt(text, where):
    assert len(as_text([found(where)], {"a.yaml": text}).splitlines()) == 2 + NOTES


LONG = "x" * 200 + "OFFENDER" + "y" * 200


def test_a_long_line_is_shown_around_the_offender():
    source, marks = excerpt(LONG, span(1, 201, 209))
    assert len(source) == MAX_LINE_SHOWN
    assert source[marks.index("^") : marks.rindex("^") + 1] == "OFFENDER"
    assert source.startswith("xxx")
    assert source.endswith("yyy")


def test_a_long_line_is_shown_from_its_start_when_the_offender_stands_there():
    source, marks = excerpt("OFFENDER" + "y" * 400, span(1, 1, 9))
    assert (source[:8], marks) == ("OFFENDER", "^" * 8)


def test_an_offender_longer_than_the_window_is_underlined_to_its_edge():
    source, marks = excerpt("a: " + "x" * 1000, span(1, 4, 1004))
    assert len(source) == len(marks) == MAX_LINE_SHOWN


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)


@examples(150)
@given(TEXTS, st.data())
def test_what_is_underlined_is_what_the_span_covers(text, data):
    lines = text.splitlines() or [""]
    number = data.draw(st.integers(1, len(lines)))
    line = lines[number - 1]
    start = data.draw(st.integers(0, max(0, len(line) - 1)))
    end = data.draw(st.integers(start, min(len(line), start + 60)))
    out = as_text([found(span(number, start + 1, end + 1))], {"a.yaml": text}).splitlines()
    if len(out) == 2 + NOTES:
        assert not line.strip()
        return
    gutter = len(f"{number} | ")
    source, marks = out[2][gutter:], out[3][gutter:]
    first, width = marks.index("^"), marks.count("^")
    assert source[first : first + width] == printable(line[start : max(end, start + 1)])


# -- what never gets out -----------------------------------------------------------------------------

HOSTILE = "\x1b[31m\x07\x08\r\u202e\u2066\u200b\x9b31m\ufeff\u2028"


@pytest.mark.parametrize("place", ["message", "help", "effect", "label", "path", "source"])
def test_nothing_a_terminal_acts_on_is_printed(place):
    words = {key: HOSTILE for key in ("message", "help", "effect") if key == place}
    path = f"a{HOSTILE}.yaml" if place == "path" else "a.yaml"
    labels = (Label(span(1, 1, 2), HOSTILE),) if place == "label" else ()
    source = f"a: {HOSTILE.replace(chr(13), '').replace(chr(0x2028), '')}" if place == "source" else "a: b"
    text = as_text([found(span(1, 1, 4, path=path), labels=labels, **words)], {path: source})
    assert not set(text) & set(HOSTILE.replace("[", "").replace("3", "").replace("1", "").replace("m", ""))
    assert all(line.isprintable() for line in text.split("\n"))


@examples(100)
@given(TEXTS, TEXTS)
def test_every_line_of_a_report_can_be_printed(message, source):
    text = as_text([found(span(1, 1, 5), message=message, help=message)], {"a.yaml": source})
    assert all(line.isprintable() for line in text.split("\n"))


def test_a_line_break_in_a_message_starts_no_new_line():
    text = as_text([found(span(9, 1, 1), message="x\n::error file=a::fake")], {})
    assert text.splitlines()[:2] == ["error[RR101] x·::error file=a::fake", "  --> a.yaml:9:1"]


@pytest.mark.parametrize(("text", "shown"), [("a\tb", "a b"), ("a\x00b", "a·b"), ("ä日😀", "ä日😀"), ("", "")])
def test_what_can_be_printed_of_a_text(text, shown):
    assert printable(text) == shown


SECRETS = "key: sk-live-1, other: sk-live-2"


def test_a_literal_secret_is_blotted_out_in_the_excerpt_of_every_finding_of_its_line():
    secret = found(span(1, 6, 15), Code.LITERAL_SECRET)
    neighbour = found(span(1, 17, 22), labels=(Label(span(1, 1, 4), "here"),))
    text = as_text([secret, neighbour], {"a.yaml": SECRETS})
    assert "sk-live-1" not in text
    assert text.count("key: *********, other:") == 3


def test_blotting_keeps_the_columns_of_what_follows():
    secret = found(span(1, 6, 15), Code.LITERAL_SECRET)
    text = as_text([found(span(1, 17, 22)), secret], {"a.yaml": SECRETS})
    assert "1 | key: *********, other: sk-live-2\n  |                 ^^^^^" in text


def test_a_secret_over_several_lines_is_blotted_out_in_each():
    source = "key: |\n  sk-live-1\n  sk-live-2\nx: 1"
    secret = found(span(1, 6, 1, end_line=4), Code.LITERAL_SECRET)
    others = [found(span(line, 3, 5)) for line in (2, 3)]
    assert "sk-live" not in as_text([secret, *others], {"a.yaml": source})


def test_a_secret_of_one_file_blots_nothing_in_another():
    secret = found(span(1, 1, 5), Code.LITERAL_SECRET)
    text = as_text([secret, found(span(1, 1, 5, path="b.yaml"))], {"a.yaml": "sk-1", "b.yaml": "mine"})
    assert "mine" in text
    assert "sk-1" not in text


def test_a_field_that_takes_secrets_is_blotted_out_each_time_it_stands_in_a_line():
    text = as_text([found(span(1, 2, 5))], {"a.yaml": '{api_key: "${KEY}", api_key: sk-1, client_secret: sk-2}'})
    assert '{api_key: "${KEY}", api_key: ****, client_secret: ****}' in text
