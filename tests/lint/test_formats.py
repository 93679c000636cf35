"""Reports for machines: goldens of each format, what the formats themselves demand, and what never gets out."""

from __future__ import annotations

import json
import re
from datetime import date
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft202012Validator

from route_run.errors import Code, Edit, Finding, Fix, Label, Position, Severity, Span
from route_run.lint.report import FORMATS, rendered
from route_run.lint.verdict import Verdict, judge
from route_run.schema import schema_text
from support.policies import write_policy
from support.properties import examples
from support.reading import loaded_from

HERE = Path(__file__).parent
TODAY = date(2026, 11, 23)
SARIF = Draft4Validator(json.loads((HERE / "sarif-schema-2.1.0.json").read_text(encoding="utf-8")))
SHAPE = Draft202012Validator(json.loads(schema_text("findings")))

POLICY = {
    "endpoints.yaml": """version: 1
endpoints:
  main:
    dialect: opnai
    base_url: https://models.example.com/v1
    serves: {small: {}}
    auth: {api_key: sk-live-0815}
models:
  small: {context_window: "32000", max_output_tokens: 4096}  # typed by hand
""",
    "routes.yaml": """version: 1
tags:
  desk: {values: [support, sales], requird: true}
  release: {values: [2024-08-06]}  # route-run: ignore[RR015] because only we read it, until 2027-01-31
routes:
  all: {match: {}, upstream: mian}
  tags: {match: {}, upstream: mian}
tags: {}
ledger: {retention: 400}
""",
    "sound.yaml": "version: 1\n",
}
EXTENSIONS = {"text": "txt", "json": "json", "sarif": "sarif", "github": "log", "junit": "xml", "gitlab": "gitlab.json"}


@pytest.fixture
def verdict(tmp_path: Path) -> Verdict:
    return verdict_on(tmp_path, POLICY)


def verdict_on(folder: Path, files) -> Verdict:
    from route_run.table import load

    return judge(load([write_policy(folder / "policy", files)]), TODAY, looked_for=())


def span(line, column, end_column, path="a.yaml", end_line=None):
    return Span(path, Position(line, column), Position(end_line or line, end_column))


@pytest.mark.parametrize("style", FORMATS)
def test_a_report_in_each_format(style, verdict, golden, tmp_path):
    text = rendered(style, verdict, tmp_path).replace(f"{tmp_path}/", "")

    golden(text, HERE / "golden" / f"formats.{EXTENSIONS[style]}")


@pytest.mark.parametrize("style", FORMATS)
def test_the_same_policy_gives_the_same_report(style, tmp_path):
    first, second = (rendered(style, verdict_on(tmp_path, POLICY), tmp_path) for _ in range(2))

    assert first == second


@pytest.mark.parametrize("style", FORMATS)
def test_a_policy_without_findings_has_a_report_too(style, tmp_path):
    text = rendered(style, verdict_on(tmp_path, {"sound.yaml": "version: 1\n"}), tmp_path)

    assert text.endswith("\n")
    assert "RR" not in text.replace("SRCROOT", "")


@pytest.mark.parametrize("style", FORMATS)
def test_no_report_shows_a_literal_secret(style, verdict, tmp_path):
    assert "0815" not in rendered(style, verdict, tmp_path)


def test_an_unknown_format_is_refused(verdict):
    with pytest.raises(ValueError, match="no format: yaml"):
        rendered("yaml", verdict, Path("/"))


# -- json ------------------------------------------------------------------------------------------------


def test_a_json_report_has_the_shape_that_its_schema_describes(verdict, tmp_path):
    report = json.loads(rendered("json", verdict, tmp_path))

    SHAPE.validate(report)
    assert report["summary"]["suppressed"] == len(report["suppressed"]) == 1
    assert any(finding["fix"] for finding in report["findings"])


def test_the_shape_of_a_json_report_is_closed(verdict, tmp_path):
    report = json.loads(rendered("json", verdict, tmp_path))
    report["findings"][0]["colour"] = "red"

    assert not SHAPE.is_valid(report)


# -- sarif -----------------------------------------------------------------------------------------------


def test_sarif_is_valid_by_the_schema_of_the_standard(verdict, tmp_path):
    SARIF.validate(json.loads(rendered("sarif", verdict, tmp_path)))


def test_the_schema_of_the_standard_would_refuse_something_else(verdict, tmp_path):
    report = json.loads(rendered("sarif", verdict, tmp_path))
    report["runs"][0]["results"][0]["level"] = "severe"

    assert not SARIF.is_valid(report)


def test_sarif_counts_columns_in_code_points_and_names_rules_by_their_index(verdict, tmp_path):
    (run,) = json.loads(rendered("sarif", verdict, tmp_path))["runs"]

    assert run["columnKind"] == "unicodeCodePoints"
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [rules[result["ruleIndex"]] for result in run["results"]] == [r["ruleId"] for r in run["results"]]


def test_sarif_holds_suppressed_findings_with_their_reason(verdict, tmp_path):
    (run,) = json.loads(rendered("sarif", verdict, tmp_path))["runs"]

    (found,) = [result for result in run["results"] if "suppressions" in result]
    assert found["ruleId"] == "RR015"
    assert found["suppressions"][0]["justification"] == "only we read it (until 2027-01-31)"


def test_a_fix_in_sarif_replaces_what_its_edits_replace(verdict, tmp_path):
    (run,) = json.loads(rendered("sarif", verdict, tmp_path))["runs"]
    (fixed,) = [result for result in run["results"] if result["ruleId"] == "RR104"]

    (change,) = fixed["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"]["uri"] == "policy/endpoints.yaml"
    (replacement,) = change["replacements"]
    assert replacement["insertedContent"] == {"text": "openai"}
    region = replacement["deletedRegion"]
    line = POLICY["endpoints.yaml"].splitlines()[region["startLine"] - 1]
    assert line[region["startColumn"] - 1 : region["endColumn"] - 1] == "opnai"


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("routes/a b#c.yaml", "routes/a%20b%23c.yaml"),
        ("/work tree/a.yaml", "a.yaml"),
        ("/else where/a.yaml", "file:///else%20where/a.yaml"),
        ("routes/größe.yaml", "routes/gr%C3%B6%C3%9Fe.yaml"),
    ],
)
def test_paths_are_uris(verdict, path, uri):
    from route_run.lint.report.place import uri_of

    assert uri_of(path, Path("/work tree")) == uri


# -- github ----------------------------------------------------------------------------------------------

INJECTED = "x\n::error file=a,line=1::fake\r\n::stop-commands::%0A##[group]y"


def test_nothing_a_policy_says_becomes_a_workflow_command(verdict):
    finding = Finding(
        Code.TYPE, span(1, 1, 2, path=f"a,b:{INJECTED}.yaml"), INJECTED, help=INJECTED, effect=INJECTED,
        labels=(Label(span(1, 1, 2), INJECTED),),
    )  # fmt: skip
    for style in ("text", "github"):
        lines = rendered(style, Verdict(verdict.loaded, (finding,)), Path("/")).splitlines()
        commands = [line for line in lines if line.lstrip().startswith("::")]
        assert len(commands) == (style == "github")
        assert not any("##[" in line for line in lines)
        for command in commands:
            properties = command.split("::", 2)[1]
            assert re.fullmatch(r"error (\w+=[^,:]*,)*\w+=[^,:]*", properties)


def test_annotations_end_with_the_summary(verdict, tmp_path):
    lines = rendered("github", verdict, tmp_path).splitlines()

    assert len(lines) == len(verdict.findings) + 1
    assert lines[-1].startswith(f"{len(verdict.findings)} errors in 3 files")


# -- junit and gitlab ------------------------------------------------------------------------------------


def test_junit_is_well_formed_and_counts_what_it_holds(verdict, tmp_path):
    suites = ET.fromstring(rendered("junit", verdict, tmp_path).encode())

    assert int(suites.attrib["tests"]) == len(verdict.findings)
    assert {suite.attrib["name"] for suite in suites} == {f"policy/{name}" for name in POLICY}
    for suite in suites:
        assert int(suite.attrib["tests"]) == len(suite)
        assert int(suite.attrib["failures"]) == len(suite.findall("testcase/failure"))
    (clean,) = [suite for suite in suites if suite.attrib["name"] == "policy/sound.yaml"]
    assert [case.attrib["name"] for case in clean] == ["no findings"]


def test_what_only_informs_does_not_fail_in_junit(verdict):
    finding = Finding(Code.TYPE, span(1, 1, 2), "just so", Severity.INFO)
    suites = ET.fromstring(rendered("junit", Verdict(verdict.loaded, (finding,)), Path("/")))

    assert suites.attrib["failures"] == "0"
    assert suites.find("testsuite/testcase/system-out") is not None


def test_gitlab_has_the_fields_it_asks_for(verdict, tmp_path):
    entries = json.loads(rendered("gitlab", verdict, tmp_path))

    for entry in entries:
        assert set(entry) == {"description", "check_name", "fingerprint", "severity", "location"}
        assert entry["severity"] in {"info", "minor", "major", "critical", "blocker"}
        assert set(entry["location"]) == {"path", "lines"}
        assert not entry["location"]["path"].startswith(("/", "./"))
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)


# -- every format, whatever it is given ------------------------------------------------------------------

TEXTS = st.text(max_size=40)
SPANS = st.builds(
    lambda path, line, column, width: span(line, column, column + width, path or "a"),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=10),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 9),
)
FIXES = st.none() | st.builds(
    lambda title, where, text, is_safe: Fix(title, (Edit(where, text),), is_safe), TEXTS, SPANS, TEXTS, st.booleans()
)
FINDINGS = st.builds(
    lambda code, where, message, severity, labels, help_text, fix: Finding(
        code, where, message, severity, tuple(labels), help_text, fix=fix
    ),
    st.sampled_from(Code),
    SPANS,
    TEXTS,
    st.sampled_from(Severity),
    st.lists(st.builds(Label, SPANS, TEXTS), max_size=2),
    TEXTS,
    FIXES,
)
LOADED = loaded_from("version: 1\n")


@examples(60)
@given(st.lists(FINDINGS, max_size=3))
def test_whatever_findings_say_every_format_holds(findings):
    verdict = Verdict(LOADED, tuple(findings))

    SARIF.validate(json.loads(rendered("sarif", verdict, Path("/"))))
    SHAPE.validate(json.loads(rendered("json", verdict, Path("/"))))
    ET.fromstring(rendered("junit", verdict, Path("/")).encode("utf-8", "replace"))
    assert len(json.loads(rendered("gitlab", verdict, Path("/")))) == len(findings)
    assert rendered("github", verdict, Path("/")).count("\n") == len(findings) + 1
