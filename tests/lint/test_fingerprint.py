"""Fingerprints of findings stay when lines move, and part what differs."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from route_run.lint.fingerprint import fingerprints
from route_run.lint.verdict import judge
from support.properties import examples
from support.reading import loaded_from

TODAY = date(2026, 11, 23)
SOURCE = """version: 1
tags:
  desk: {values: [support, support, 2024-08-06, 2024-08-06]}
  team: {requird: true}
models:
  small: {}
  large: {}
ledger: {retention: 400, hash_key: sk-live-1}
"""


def prints_of(text):
    verdict = judge(loaded_from(text), TODAY, looked_for=())
    return dict(zip(verdict.fingerprints, verdict.findings, strict=True))


WHERE = prints_of(SOURCE)


def test_every_finding_has_a_fingerprint_of_its_own():
    verdict = judge(loaded_from(SOURCE), TODAY, looked_for=())

    assert len(set(verdict.fingerprints)) == len(verdict.findings) > 6


@examples(60)
@given(st.lists(st.tuples(st.integers(0, 8), st.sampled_from(["", "# a comment", "   "])), max_size=6))
def test_lines_that_move_leave_fingerprints_as_they_are(inserted):
    lines = SOURCE.splitlines()
    for index, text in inserted:
        lines.insert(index, text)

    assert prints_of("\n".join(lines) + "\n").keys() == WHERE.keys()


@examples(30)
@given(st.permutations([1, 2, 3]))
def test_sections_in_another_order_leave_fingerprints_as_they_are(order):
    lines = SOURCE.splitlines(keepends=True)
    sections = ["", "".join(lines[1:4]), "".join(lines[4:7]), lines[7]]

    assert prints_of("version: 1\n" + "".join(sections[n] for n in order)).keys() == WHERE.keys()


def test_the_folder_of_a_policy_is_not_in_a_fingerprint():
    assert prints_of(SOURCE).keys() == WHERE.keys()


def test_another_offender_at_the_same_place_is_another_finding():
    other = SOURCE.replace("requird", "requierd")

    assert len(prints_of(other).keys() - WHERE.keys()) == 1


def test_the_text_of_a_secret_is_not_in_a_fingerprint():
    assert prints_of(SOURCE.replace("sk-live-1", "sk-live-2")).keys() == WHERE.keys()


def test_a_finding_without_a_document_has_a_fingerprint_too(tmp_path):
    from route_run.table import load

    loaded = load([tmp_path / "nowhere"])

    assert [len(found) for found in fingerprints(loaded.findings, loaded.reading.documents)] == [32]
