"""Fixes as edits: comments survive, overlaps wait, files stay readable, decisions are compared."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.errors import Code, Edit, Finding, Fix, Position, Span
from route_run.lint.difference import difference
from route_run.lint.fix import MOST_ROUNDS, apply, mend
from route_run.lint.verdict import Verdict, judge
from route_run.table import load
from support.policies import write_policy
from support.properties import examples

TODAY = date(2026, 11, 23)
UPSTREAM = """endpoints:
  main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
models:
  small: {context_window: 32000, max_output_tokens: 4096}
upstreams:
  main: {targets: [{endpoint: main, model: small}]}
"""


def mended(folder: Path, files, *, unsafe=False, wanted=lambda finding: True):
    root = write_policy(folder / "policy", files)

    return mend(lambda contents: judge(load([root], contents), TODAY, looked_for=()), wanted, unsafe=unsafe)


def after(result, name="policy.yaml"):
    (change,) = [change for change in result.changes if change.path.name == name]
    return change.after.decode()


def edit(line, column, end_column, text, path="a", end_line=None):
    return Edit(Span(path, Position(line, column), Position(end_line or line, end_column)), text)


def fix(*edits):
    return Fix("mend it", edits, is_safe=True)


# -- edits -----------------------------------------------------------------------------------------------


def test_edits_replace_insert_and_remove():
    fixes = [fix(edit(1, 1, 2, "A")), fix(edit(2, 3, 3, "+")), fix(edit(3, 1, 1, "", end_line=4))]

    assert apply({"a": "abc\ndef\nghi\n"}, fixes) == ({"a": "Abc\nde+f\n"}, 3)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (edit(1, 1, 4, "x"), edit(1, 3, 5, "y")),
        (edit(1, 1, 4, "x"), edit(1, 2, 3, "y")),
        (edit(1, 2, 2, "x"), edit(1, 2, 2, "y")),
        (edit(1, 1, 3, "x"), edit(1, 3, 3, "y")),
    ],
    ids=["crossing", "inside", "same place", "at the end"],
)
def test_of_overlapping_fixes_the_first_wins(first, second):
    assert apply({"a": "abcdef"}, [fix(first), fix(second)]) == apply({"a": "abcdef"}, [fix(first)])


def test_neighbours_do_not_overlap():
    assert apply({"a": "abcd"}, [fix(edit(1, 1, 3, "x")), fix(edit(1, 3, 5, "y"))]) == ({"a": "xy"}, 2)


def test_all_edits_of_a_fix_are_made_or_none():
    both = fix(edit(1, 1, 2, "x"), edit(1, 3, 4, "z"))

    assert apply({"a": "abcd"}, [fix(edit(1, 3, 4, "y")), both]) == ({"a": "abyd"}, 1)


@pytest.mark.parametrize(
    "outside", [edit(9, 1, 2, "x"), edit(1, 9, 9, "x"), edit(1, 3, 2, "x"), edit(1, 1, 2, "x", path="b")]
)
def test_an_edit_outside_of_the_text_is_not_made(outside):
    assert apply({"a": "abc\n"}, [fix(outside)]) == ({}, 0)


def test_the_end_of_a_text_can_be_edited_with_and_without_a_last_line_break():
    assert apply({"a": "x\n"}, [fix(edit(2, 1, 1, "y"))]) == ({"a": "x\ny"}, 1)
    assert apply({"a": "x"}, [fix(edit(1, 2, 2, "y"))]) == ({"a": "xy"}, 1)


TEXTS = st.text("ab# :\n\r", max_size=30)


@examples(150)
@given(TEXTS, st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.text("XY", max_size=3)), max_size=4))
def test_edits_change_their_spans_and_nothing_else(text, stretches):
    lines = text.splitlines(keepends=True)

    def position(offset):
        for number, line in enumerate(lines, start=1):
            if offset < len(line):
                return Position(number, offset + 1)
            offset -= len(line)
        return None

    wanted = [(a, b, new) for a, b, new in stretches if a <= b and position(a) and position(b)]
    fixes = [fix(Edit(Span("a", position(a), position(b)), new)) for a, b, new in wanted]
    changed, count = apply({"a": text}, fixes)
    result = changed.get("a", text)

    assert count <= len(wanted)
    kept = [c for c in result if c not in "XY"]
    removed = len(text) - len(kept)
    assert removed <= sum(b - a for a, b, _ in wanted)
    assert "".join(kept) == text if all(a == b for a, b, _ in wanted) else True


# -- fixing a policy -------------------------------------------------------------------------------------


def test_comments_order_and_layout_survive(tmp_path):
    text = (
        "# top\nversion: 1   # language\n\ntags:\n  desk:   {requird: true}  # who asks\n  'old':\n    - values\n# end"
    )
    source = text.replace("  'old':\n    - values\n", "")

    assert after(mended(tmp_path, source)) == source.replace("requird", "required")


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte order mark"])
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_bytes_that_are_no_part_of_a_fix_stay(tmp_path, start, ending):
    text = f"version: 1{ending}tags: {{größe: {{requird: true}}}} # ä{ending}"
    root = tmp_path / "policy"
    root.mkdir()
    (root / "policy.yaml").write_bytes(start + text.encode())

    (change,) = mend(lambda contents: judge(load([root], contents), TODAY, looked_for=()), lambda _: True).changes

    assert change.after == start + text.replace("requird", "required").encode()


def test_fixes_go_on_until_nothing_is_left(tmp_path):
    source = "version: 1\nledgr: {capture: full, retention: 1d, durabilty: groupd}\n"

    result = mended(tmp_path, source)

    assert after(result) == "version: 1\nledger: {capture: full, retention: 1d, durability: grouped}\n"
    assert result.verdict.findings == ()
    assert result.edits == 3


def test_fixes_that_undo_each_other_end(tmp_path):
    root = write_policy(tmp_path / "policy", "version: 1\n")
    path = root / "policy.yaml"

    def flips(contents):
        text = contents.get(path, path.read_bytes()).decode()
        other = "version: 1 " if text == "version: 1\n" else "version: 1"
        span = Span(str(path), Position(1, 1), Position(1, len(text)))
        return Verdict(load([root], contents), (Finding(Code.TYPE, span, "x", fix=fix(Edit(span, other))),))

    assert mend(flips, lambda _: True).edits == MOST_ROUNDS


def test_a_fix_that_would_break_its_file_is_not_made(tmp_path):
    root = write_policy(tmp_path / "policy", "version: 1\n")
    path = root / "policy.yaml"
    span = Span(str(path), Position(1, 10), Position(1, 11))

    def breaks(contents):
        return Verdict(load([root], contents), (Finding(Code.TYPE, span, "x", fix=fix(Edit(span, "["))),))

    assert mend(breaks, lambda _: True).changes == ()


def test_unsafe_fixes_are_made_when_asked_for_only(tmp_path):
    source = "version: 1\nledger: {retention: 400}\n"

    assert mended(tmp_path / "a", source).changes == ()
    assert after(mended(tmp_path / "b", source, unsafe=True)) == source.replace("400", "400d")


def test_only_what_is_wanted_is_mended(tmp_path):
    source = "version: 1\ntags: {t: {requird: true, values: [2024-08-06]}}\n"

    result = mended(tmp_path, source, wanted=lambda finding: finding.code is Code.LOOKS_LIKE_A_DATE)

    assert after(result) == source.replace("2024-08-06", '"2024-08-06"')


SAFE = {
    "unit": ("timeouts: {total: 30}", "timeouts: {total: 30s}"),
    "spelt-out unit": ("timeouts: {total: 5 minutes}", "timeouts: {total: 5min}"),
    "field": ("timouts: {total: 30s}", "timeouts: {total: 30s}"),
    "value": ("fallback: {after_content: fial}", "fallback: {after_content: fail}"),
    "number in quotes": ('retry: {attempts: "2"}', "retry: {attempts: 2}"),
    "text without quotes": ("description: 5", 'description: "5"'),
    "swapped letters": ("timeouts: {total: 30s, idel: 5s}", "timeouts: {total: 30s, idle: 5s}"),
}


@pytest.mark.parametrize(("bad", "good"), SAFE.values(), ids=SAFE.keys())
def test_what_is_safe_is_mended(tmp_path, bad, good):
    def policy(said):
        return f"version: 1\n{UPSTREAM}".replace("model: small}]}", f"model: small}}], {said}}}")

    result = mended(tmp_path, policy(bad))

    assert after(result) == policy(good)
    assert not any(finding.is_error for finding in result.verdict.findings)


UNSURE = {
    "another region": ("tags: {region: {values: [us-west]}}", "{tags: {region: eu-west}}"),
    "a model that is not there yet": ("tags: {region: {values: [gpt-4]}}", "{tags: {region: gpt-4o}}"),
    "a numbered name": ("tags: {region: {values: [zone1]}}", "{tags: {region: zone2}}"),
    "two candidates": ("tags: {region: {values: [supports, supporta]}}", "{tags: {region: support}}"),
}


@pytest.mark.parametrize(("tags", "match"), UNSURE.values(), ids=UNSURE.keys())
def test_a_name_that_may_be_another_one_is_not_mended(tmp_path, tags, match):
    source = f"version: 1\n{tags}\nbounds: {{b: {{match: {match}, parameters: {{temperature: {{max: 1}}}}}}}}\n"

    assert mended(tmp_path, source).changes == ()


def test_a_name_that_can_only_be_a_slip_is_mended(tmp_path):
    source = f"version: 1\n{UPSTREAM}routes:\n  all: {{match: {{}}, upstream: mian}}  # to the main one\n"

    assert after(mended(tmp_path, source)) == source.replace("mian", "main")


# -- what it means for decisions -------------------------------------------------------------------------


def test_a_policy_that_was_invalid_has_nothing_to_compare(tmp_path):
    result = mended(tmp_path, "version: 1\ntags: {t: {requird: true}}\n")

    assert result.summary() == (
        "1 edit in 1 file, the policy was invalid before (it is valid now), so there are no decisions to compare"
    )


def test_equal_policies_decide_alike_without_asking(tmp_path):
    result = mended(tmp_path, "version: 1\ntags: {t: {values: [2024-08-06]}}\n")

    assert result.agreement.is_proved
    assert result.summary() == "1 edit in 1 file, 0 decisions changed (the compiled policies are equal)"


def test_a_fix_that_changes_decisions_is_said_to(tmp_path):
    root = write_policy(tmp_path / "policy", f"version: 1\n{UPSTREAM}routes:\n  all: {{match: {{}}, upstream: main}}\n")
    path = root / "policy.yaml"
    line = path.read_text().count("\n")
    span = Span(str(path), Position(line, 16), Position(line, 18))
    note = Fix("narrow it", (Edit(span, "{prompt_tokens: {min: 2000}}"),), is_safe=True)

    def narrowing(contents):
        found = () if contents else (Finding(Code.TYPE, span, "x", fix=note),)
        return Verdict(load([root], contents), found)

    result = mend(narrowing, lambda _: True)

    assert result.summary() == (
        "1 edit in 1 file, 2 of 2 compared decisions changed, one for every match, the first: 5 prompt tokens"
    )


def test_nothing_to_mend_is_said(tmp_path):
    assert mended(tmp_path, "version: 1\n").summary() == "0 edits, nothing changed"


# -- the diff --------------------------------------------------------------------------------------------


def test_a_diff_shows_what_would_change(tmp_path):
    result = mended(tmp_path, "version: 1\n# kept\ntags: {t: {requird: true}}")

    assert difference(result).replace(f"{tmp_path}", "") == (
        "--- a//policy/policy.yaml\n+++ b//policy/policy.yaml\n@@ -1,3 +1,3 @@\n version: 1\n # kept\n"
        "-tags: {t: {requird: true}}\n\\ No newline at end of file\n"
        "+tags: {t: {required: true}}\n\\ No newline at end of file\n"
    )


def test_a_diff_shows_no_secret(tmp_path):
    source = "version: 1\ntags: {t: {requird: true}}\nledger: {hash_key: sk-live-0815}\n"

    shown = difference(mended(tmp_path, source))

    assert "requird" in shown
    assert "0815" not in shown
