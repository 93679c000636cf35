"""Findings as JUnit's XML: a suite for each file, a case for each finding, one that passes for a clean file.

Decides what fails: errors and warnings are failures, what only informs is output of a case that passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from route_run.ci import Case, Failure, Suite, document, printable
from route_run.errors import Finding, Severity
from route_run.lint.report.place import shown_path
from route_run.lint.report.text import effect_of
from route_run.lint.verdict import Verdict


def report(verdict: Verdict, root: Path) -> str:
    """The whole document."""
    by_path: dict[str, list[Finding]] = {read.path: [] for read in verdict.loaded.reading.documents}
    for finding in verdict.findings:
        by_path.setdefault(finding.span.path, []).append(finding)
    suites = [_suite(printable(shown_path(path, root)), findings) for path, findings in sorted(by_path.items())]
    return document("route-run lint", _counts(verdict.findings), suites) + "\n"


def _suite(name: str, findings: Sequence[Finding]) -> Suite:
    if findings:
        return Suite(name, _counts(findings), [_case(name, finding) for finding in findings])
    return Suite(name, {"tests": "1", "failures": "0"}, [Case({"name": "no findings", "classname": name})])


def _case(name: str, finding: Finding) -> Case:
    start = finding.span.start
    title = f"{finding.code.value} {start.line}:{start.column}"
    attributes = {"name": title, "classname": name, "file": name, "line": str(start.line)}
    if finding.severity is Severity.INFO:
        return Case(attributes, output=_body(finding))
    return Case(attributes, [Failure(printable(finding.message), finding.severity.value, _body(finding))])


def _counts(findings: Sequence[Finding]) -> dict[str, str]:
    failures = sum(finding.severity is not Severity.INFO for finding in findings)
    return {"tests": str(len(findings)), "failures": str(failures)}


def _body(finding: Finding) -> str:
    parts = [str(finding.span), finding.message]
    parts += [f"help: {finding.help}"] if finding.help else []
    return "\n".join(map(printable, [*parts, f"effect: {effect_of(finding)}"]))
