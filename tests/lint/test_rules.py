"""Every rule: one file, one code, a page that holds, and examples that do what they say."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from route_run.errors import Code, Finding, Severity
from route_run.lint import page, rule
from route_run.lint.check import lint
from route_run.lint.report import as_text
from route_run.lint.rule import Rule, checks, rule_of, rules
from route_run.lint.verdict import judge
from route_run.table import load
from support.rules import write_example

NOT_OF_A_POLICY = {Code.RULE_FAILED, Code.STALE_BASELINE}
"""No policy can show them: a crash of ours, what a file beside the policy says. Their own tests do."""

TODAY = date(2026, 11, 23)
EVERY = [pytest.param(found, id=f"{found.code.value}-{found.slug}") for found in rules()]
WITH_EXAMPLES = [param for param in EVERY if param.values[0].code not in NOT_OF_A_POLICY]


@pytest.fixture(autouse=True)
def _language_ahead(request: pytest.FixtureRequest) -> None:
    """The page of deferred fields shows a language that is ahead of its release; this one is not."""
    named = request.node.callspec.params.get("found") if hasattr(request.node, "callspec") else None
    if isinstance(named, Rule) and named.code is Code.DEFERRED:
        request.getfixturevalue("restart_deferred")


def judged(folder: Path, files) -> tuple[Finding, ...]:
    return judge(load([write_example(folder, files)]), TODAY).findings


def test_every_code_has_exactly_one_module():
    counted = Counter(found.code for found in rules())

    assert [code.value for code in Code if counted[code] != 1] == []


def test_names_of_rules_are_unique():
    assert [slug for slug, count in Counter(found.slug for found in rules()).items() if count > 1] == []


@pytest.mark.parametrize("found", WITH_EXAMPLES)
def test_the_bad_example_has_the_finding(found: Rule, tmp_path: Path):
    codes = {finding.code for finding in judged(tmp_path, found.bad_files)}

    assert found.code in codes


@pytest.mark.parametrize("found", EVERY)
def test_the_good_example_has_no_such_finding_and_is_valid(found: Rule, tmp_path: Path):
    findings = judged(tmp_path, found.good_files)

    assert [f for f in findings if f.code is found.code or f.is_error] == []


@pytest.mark.parametrize("found", WITH_EXAMPLES)
def test_the_examples_differ_by_what_is_mended(found: Rule):
    assert found.bad_files != found.good_files


@pytest.mark.parametrize("found", EVERY)
def test_a_rule_says_everything_about_itself(found: Rule):
    for text in (found.title, found.why, found.effect, found.fix):
        assert text.strip()
    assert not found.title.endswith(".")
    assert len(found.title) <= 80
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", found.slug)


@pytest.mark.parametrize("found", [param for param in WITH_EXAMPLES if param.values[0].check])
def test_a_check_finds_its_own_code_with_the_severity_it_names(found: Rule, tmp_path: Path):
    loaded = load([write_example(tmp_path, found.bad_files)])

    findings = list(lint(loaded, [(found.code, found.check)], TODAY))
    own = [finding for finding in findings if finding not in loaded.findings]

    assert {finding.code for finding in own} == {found.code}
    assert found.severity in {finding.severity for finding in own}


@pytest.mark.parametrize("found", WITH_EXAMPLES)
def test_a_fix_of_the_bad_example_reaches_into_the_file(found: Rule, tmp_path: Path):
    for finding in judged(tmp_path, found.bad_files):
        for edit in finding.fix.edits if finding.fix else ():
            assert Path(edit.span.path).is_file()
            assert edit.span.start <= edit.span.end


@pytest.mark.parametrize("found", [param for param in WITH_EXAMPLES if param.values[0].is_secret])
def test_what_is_a_secret_is_not_in_the_report(found: Rule, tmp_path: Path):
    findings = [f for f in judged(tmp_path, found.bad_files) if f.code is found.code]
    loaded = load([tmp_path])
    shown = as_text(findings, loaded.sources)

    for finding in findings:
        line = loaded.sources[finding.span.path].splitlines()[finding.span.start.line - 1]
        secret = line[finding.span.start.column - 1 : finding.span.end.column - 1]
        assert secret.strip("'\"") not in shown


def test_just_the_rules_with_a_check_are_looked_for():
    assert {code for code, _ in checks()} == {found.code for found in rules() if found.check is not None}


def test_no_name_of_a_rule_is_in_both_places():
    found = [path.stem for path in Path(rule.home.__path__[0]).rglob("rr*.py")]

    assert sorted(found) == list(rule.module_names())


# -- looking rules up ------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["RR103", "rr103", "unknown-field", "unknown_field", " Unknown-Field "])
def test_a_rule_is_found_by_code_and_by_name(word):
    assert rule.rule_named(word) is rule_of(Code.UNKNOWN_FIELD)


@pytest.mark.parametrize("word", ["", "RR", "RR999", "field", "__init__"])
def test_a_word_that_is_no_rule_finds_none(word):
    assert rule.rule_named(word) is None


@pytest.mark.parametrize(
    ("word", "meant"), [("unkown-field", "unknown-field"), ("RR103x", "RR103"), ("duplicate", "duplicate-key")]
)
def test_a_misspelt_rule_has_a_similar_one(word, meant):
    assert rule.nearest_rule(word) == meant


def test_the_index_lists_every_rule_once_under_its_family():
    listed = re.findall(r"^  (RR\d{3})  (\S+)", page.index(rules()), re.MULTILINE)

    assert listed == [(found.code.value, found.slug) for found in rules()]


@pytest.mark.parametrize("found", EVERY)
def test_a_page_holds_all_that_a_rule_says(found: Rule):
    text = page.page(found)
    flat = " ".join(text.split())

    for part in (found.title, found.why, found.effect, found.fix):
        assert " ".join(part.split()) in flat
    assert " ".join(page.example_text(found.bad_files).split()) in flat


# -- a rule that crashes -----------------------------------------------------------------------------------


def test_a_rule_that_crashes_is_a_finding_of_its_own_and_the_others_still_report(policy_of):
    loaded = policy_of("version: 1\ntags: {t: {values: [2024-08-06]}}\n")

    def crashes(facts):
        yield Finding(Code.UNKNOWN_NAME, loaded.findings[0].span, "found before the crash", Severity.INFO)
        raise ZeroDivisionError("sk-live-4711")

    def works(facts):
        yield Finding(Code.NOT_SERVED, loaded.findings[0].span, "found after the crash", Severity.INFO)

    findings = lint(loaded, [(Code.UNKNOWN_NAME, crashes), (Code.NOT_SERVED, works)])

    said = [f.message for f in findings if f.code is not Code.LOOKS_LIKE_A_DATE]
    assert said[0].startswith("the rule `RR201` failed with `ZeroDivisionError` at test_rules.py:")
    assert said[1:] == ["found before the crash", "found after the crash"]
    assert findings[0].code is Code.RULE_FAILED
    assert findings[0].is_error
    assert "sk-live" not in repr(findings[0])


def test_a_rule_that_crashes_without_any_document_is_a_finding_too(tmp_path):
    def crashes(facts):
        raise RecursionError
        yield

    findings = lint(load([tmp_path / "nowhere"]), [(Code.TYPE, crashes)])

    assert [f.code for f in findings if f.code is not Code.NO_POLICY] == [Code.RULE_FAILED]
