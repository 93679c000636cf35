"""A baseline hides what was there, never more, and may only shrink."""

from __future__ import annotations

from datetime import date

import pytest

from route_run.errors import Code
from route_run.lint.baseline import Baseline, BaselineError
from route_run.lint.verdict import judge
from support.reading import loaded_from

TODAY = date(2026, 11, 23)
TWO = "version: 1\ntags:\n  a: {values: [2024-08-06]}\n  b: {values: [2024-08-06]}\n"
ONE = "version: 1\n\n# moved\ntags:\n  b: {values: [2024-08-06]}\n"
OTHER = "version: 1\ntags:\n  c: {values: [2024-08-06]}\n"


def judged(text, baseline=None):
    return judge(loaded_from(text), TODAY, baseline, ())


BASELINE = judged(TWO).as_baseline("lint.json")


def test_what_was_there_is_hidden_and_counted():
    verdict = judged(TWO, BASELINE)

    assert (verdict.findings, verdict.known, verdict.gone) == ((), 2, ())


def test_what_is_new_is_shown():
    assert Code.LOOKS_LIKE_A_DATE in {finding.code for finding in judged(OTHER, BASELINE).findings}


def test_what_is_gone_is_a_warning_until_the_baseline_shrinks():
    verdict = judged(ONE, BASELINE)

    (finding,) = verdict.findings
    assert (finding.code, finding.is_error, finding.span.path) == (Code.STALE_BASELINE, False, "lint.json")
    assert finding.message == "the baseline lists 1 finding that is gone"
    shrunk = BASELINE.without(verdict.gone)
    assert judged(ONE, shrunk).findings == ()
    assert shrunk.entries.keys() < BASELINE.entries.keys()


def test_what_makes_the_policy_invalid_is_neither_listed_nor_hidden():
    text = "version: 1\nledger: {capture: full, retention: 400}\n"
    verdict = judged(text)

    assert verdict.as_baseline("b").entries == {}
    forged = Baseline("b", dict.fromkeys(verdict.fingerprints, "RR107"))
    assert [finding.code for finding in judged(text, forged).findings] == [Code.UNIT]


def test_nothing_is_called_gone_while_the_policy_is_invalid():
    verdict = judged("version: 1\nledger: {retention: 400}\n", BASELINE)

    assert [finding.code for finding in verdict.findings] == [Code.UNIT]
    assert verdict.gone == ()


def test_a_baseline_is_read_back_as_it_was_written():
    assert Baseline.parse("lint.json", BASELINE.text()) == BASELINE
    assert BASELINE.text().count("\n") == len(BASELINE.entries) + 5


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{", '{"version": 2, "findings": {}}', '{"version": 1}', '{"version": 1, "findings": {"a": 1}}'],
)
def test_a_file_that_is_no_baseline_is_refused(text):
    with pytest.raises(BaselineError, match=r"lint\.json is not"):
        Baseline.parse("lint.json", text)
