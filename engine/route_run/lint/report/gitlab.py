"""Findings as GitLab's code quality report.

Source: GitLab's documentation, "Code Quality report format": description, check_name, fingerprint,
severity, location.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from route_run.ci import printable
from route_run.errors import Finding, Severity
from route_run.lint.report.place import shown_path
from route_run.lint.verdict import Verdict

_SEVERITY = {Severity.ERROR: "critical", Severity.WARNING: "minor", Severity.INFO: "info"}


def report(verdict: Verdict, root: Path) -> str:
    """A JSON list with an entry for each finding."""
    found = zip(verdict.findings, verdict.fingerprints, strict=True)
    entries = [_entry(finding, print_, root) for finding, print_ in found]
    return json.dumps(entries, ensure_ascii=False, indent=2) + "\n"


def _entry(finding: Finding, fingerprint: str, root: Path) -> dict[str, Any]:
    help_text = f"; {finding.help}" if finding.help else ""
    return {
        "description": printable(f"{finding.code.value} {finding.message}{help_text}"),
        "check_name": finding.code.value,
        "fingerprint": fingerprint,
        "severity": _SEVERITY[finding.severity],
        "location": {
            "path": shown_path(finding.span.path, root).removeprefix("./"),
            "lines": {"begin": finding.span.start.line, "end": finding.span.end.line},
        },
    }
