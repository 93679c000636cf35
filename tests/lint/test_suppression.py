"""Suppressions: what they cover, what they must say, and what becomes of those that are not needed."""

from __future__ import annotations

from datetime import date

import pytest

from route_run.errors import Code
from route_run.lint.suppression import HOW
from route_run.lint.verdict import judge
from support.reading import fragment, loaded_from, places

TODAY = date(2026, 11, 23)
DATE = "release: {values: [2024-08-06]}"


def judged(text, today=TODAY):
    return judge(loaded_from(text), today, looked_for=())


def tags(*lines):
    return "version: 1\ntags:\n" + "\n".join(f"  {line}" for line in lines) + "\n"


def ignore(what="[RR015] because we read it alone"):
    return f"# route-run: ignore{what}"


def test_on_the_line_of_the_finding():
    verdict = judged(tags(f"{DATE}  {ignore()}"))

    assert verdict.findings == ()
    (entry,) = verdict.suppressed
    assert (entry.finding.code, entry.by.reason, entry.by.until) == (
        Code.LOOKS_LIKE_A_DATE,
        "we read it alone",
        None,
    )


def test_alone_on_the_line_above():
    assert judged(tags(ignore(), DATE)).findings == ()


def test_several_stand_one_above_the_other():
    above = [ignore("[RR110] because it comes"), "# another comment", ignore("[RR015] because x y")]
    verdict = judged(tags(*above, DATE))

    assert [finding.code for finding in verdict.findings] == [Code.STALE_SUPPRESSION]
    assert len(verdict.suppressed) == 1


@pytest.mark.parametrize(
    "lines",
    [(ignore(), "other: {}", DATE), (DATE, ignore(), "other: {}"), (f"other: {{}}  {ignore()}", DATE)],
    ids=["two lines above", "below", "behind something on the line above"],
)
def test_nowhere_else(lines):
    assert {finding.code for finding in judged(tags(*lines)).findings} == {
        Code.LOOKS_LIKE_A_DATE,
        Code.STALE_SUPPRESSION,
    }


def test_only_the_codes_it_names():
    assert places(judged(tags(f"{DATE}  {ignore('[RR110] because x')}")).findings) == ["RR015 3:22", "RR904 3:36"]


def test_a_text_that_looks_like_one_is_none():
    verdict = judged(tags(f'release: {{values: [2024-08-06], description: "{ignore()}"}}'))

    assert places(verdict.findings) == ["RR015 3:22"]
    assert verdict.suppressions == ()


@pytest.mark.parametrize(("today", "codes"), [(date(2027, 1, 31), []), (date(2027, 2, 1), ["RR015", "RR903"])])
def test_it_holds_to_the_end_of_its_last_day(today, codes):
    text = tags(f"{DATE}  {ignore('[RR015] because of x, until 2027-01-31')}")

    assert [finding.code.value for finding in judged(text, today).findings] == codes


def test_an_expired_one_says_since_when():
    text = tags(f"{DATE}  {ignore('[RR015] because of x, until 2026-11-22')}")

    assert judged(text).findings[1].message == "this suppression expired on 2026-11-22, 1 day ago"


MALFORMED = {
    "no reason": "# route-run: ignore[RR015]",
    "because of nothing": "# route-run: ignore[RR015] because",
    "dots for a reason": "# route-run: ignore[RR015] because ...",
    "no code": "# route-run: ignore[] because x",
    "no brackets": "# route-run: ignore RR015 because x",
    "another verb": "# route-run: disable[RR015] because x",
    "no colon": "# route-run ignore[RR015] because x",
    "another case": "# Route-Run: ignore[RR015] because x",
    "not a day": "# route-run: ignore[RR015] because x, until tomorrow",
    "no such day": "# route-run: ignore[RR015] because x, until 2026-02-30",
    "behind other words": "# see below; route-run: ignore[RR015] because x",
}


@pytest.mark.parametrize("comment", MALFORMED.values(), ids=MALFORMED.keys())
def test_one_that_is_not_understood_suppresses_nothing_and_says_so(comment):
    findings = judged(tags(f"{DATE}  {comment}")).findings

    assert places(findings) == ["RR015 3:22", "RR901 3:36"]
    assert findings[1].help == HOW


@pytest.mark.parametrize(
    "comment", ["# route-run lint checks this", "# see route-run: it ignores it", "# the run route"]
)
def test_a_comment_that_speaks_of_something_else_is_left_alone(comment):
    assert judged(f"version: 1 {comment}\n").findings == ()


def test_until_is_a_word_of_a_reason_too():
    (entry,) = judged(tags(f"{DATE} {ignore('[RR015] because we wait until it is over')}")).suppressed

    assert (entry.by.reason, entry.by.until) == ("we wait until it is over", None)


def test_a_code_that_does_not_exist_is_an_error_at_the_code():
    text = tags(f"{DATE}  {ignore('[RR015, RR051] because x')}")
    (finding,) = judged(text).findings

    assert finding.code is Code.UNKNOWN_SUPPRESSION
    assert fragment(text, finding.span) == "RR051"
    assert finding.fix is None


def test_a_name_in_the_place_of_a_code_has_its_fix():
    (_, finding) = judged(tags(f"{DATE}  {ignore('[looks-like-a-date] because x')}")).findings

    assert finding.code is Code.UNKNOWN_SUPPRESSION
    assert finding.fix.edits[0].text == "RR015"
    assert finding.fix.is_safe


def test_what_makes_the_policy_invalid_stays_and_the_comment_is_an_error():
    text = f"version: 1\nledger: {{retention: 400}}  {ignore('[RR107] because x')}\n"
    verdict = judged(text)

    assert [finding.code.value for finding in verdict.findings] == ["RR107", "RR905"]
    assert verdict.suppressed == ()
    assert not verdict.loaded.is_valid


def test_findings_about_suppressions_cannot_be_suppressed():
    text = "version: 1\n# route-run: ignore[RR904] because x\n# route-run: ignore[RR015] because y\ntags: {}\n"

    assert [finding.code.value for finding in judged(text).findings] == ["RR905", "RR904"]


def test_nothing_is_called_stale_while_the_policy_is_invalid():
    text = f"version: 1\ntags: {{t: {{}}}}  {ignore()}\nledger: {{retention: 400}}\n"

    assert [finding.code.value for finding in judged(text).findings] == ["RR107"]


def test_a_stale_one_is_a_warning_with_a_safe_fix():
    (finding,) = judged(f"version: 1  {ignore()}\n").findings

    assert (finding.code, finding.is_error) == (Code.STALE_SUPPRESSION, False)
    assert finding.fix.is_safe


def test_suppressions_of_an_unreadable_file_are_not_asked():
    verdict = judged(f"version: 1\ntags: {{t: {{values: [2024-08-06]}}}}  {ignore()}\nledger: [\n")

    assert [finding.code.value for finding in verdict.findings] == ["RR015", "RR002"]
