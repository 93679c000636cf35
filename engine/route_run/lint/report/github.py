"""Findings as workflow commands of GitHub Actions, which become annotations."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from route_run.ci import command, printable
from route_run.errors import Finding, Severity
from route_run.lint.report.place import shown_path
from route_run.lint.report.text import effect_of, summary_of
from route_run.lint.rule import rule_of
from route_run.lint.verdict import Verdict

_COMMAND = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def report(verdict: Verdict, root: Path) -> str:
    """One command a finding, and the summary: annotations are shown for the first ten of a step only."""
    lines = [_command(finding, root) for finding in verdict.findings]
    return "\n".join([*lines, summary_of(verdict)]) + "\n"


def _command(finding: Finding, root: Path) -> str:
    span = finding.span
    properties = {
        "file": shown_path(span.path, root),
        "line": str(span.start.line),
        "endLine": str(span.end.line),
        "title": f"{finding.code.value} {rule_of(finding.code).slug}",
    }
    if span.start.line == span.end.line:  # columns are shown on one line only
        properties |= {"col": str(span.start.column), "endColumn": str(span.end.column)}
    return command(_COMMAND[finding.severity], properties, "\n".join(_message(finding)))


def _message(finding: Finding) -> Iterator[str]:
    yield printable(finding.message)
    if finding.help:
        yield f"help: {printable(finding.help)}"
    yield f"effect: {printable(effect_of(finding))}"
