"""Findings as JUnit's XML: a suite for each file, a case for each finding, one that passes for a clean file.

Decides what fails: errors and warnings are failures, what only informs is output of a case that passes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from route_run.errors import Finding, Severity
from route_run.lint.report.excerpt import printable
from route_run.lint.report.place import shown_path
from route_run.lint.report.text import effect_of
from route_run.lint.verdict import Verdict

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


def report(verdict: Verdict, root: Path) -> str:
    """The whole document."""
    from xml.etree import ElementTree as ET

    by_path: dict[str, list[Finding]] = {document.path: [] for document in verdict.loaded.reading.documents}
    for finding in verdict.findings:
        by_path.setdefault(finding.span.path, []).append(finding)
    suites = ET.Element("testsuites", {"name": "route-run lint", **_counts(verdict.findings)})
    for path, findings in sorted(by_path.items()):
        _suite(suites, printable(shown_path(path, root)), findings)
    ET.indent(suites)
    text: str = ET.tostring(suites, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _suite(suites: Element, name: str, findings: Sequence[Finding]) -> None:
    from xml.etree.ElementTree import SubElement

    counted = _counts(findings) if findings else {"tests": "1", "failures": "0"}
    suite = SubElement(suites, "testsuite", {"name": name, **counted})
    if not findings:
        SubElement(suite, "testcase", name="no findings", classname=name)
    for finding in findings:
        span = finding.span
        title = f"{finding.code.value} {span.start.line}:{span.start.column}"
        case = SubElement(suite, "testcase", name=title, classname=name, file=name, line=str(span.start.line))
        if finding.severity is Severity.INFO:
            SubElement(case, "system-out").text = _body(finding)
        else:
            message, kind = printable(finding.message), finding.severity.value
            SubElement(case, "failure", message=message, type=kind).text = _body(finding)


def _counts(findings: Sequence[Finding]) -> dict[str, str]:
    failures = sum(finding.severity is not Severity.INFO for finding in findings)
    return {"tests": str(len(findings)), "failures": str(failures)}


def _body(finding: Finding) -> str:
    parts = [str(finding.span), finding.message]
    parts += [f"help: {finding.help}"] if finding.help else []
    return "\n".join(map(printable, [*parts, f"effect: {effect_of(finding)}"]))
