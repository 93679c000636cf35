"""Findings as JSON: the stable shape that `route-run schema findings` describes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from route_run.errors import Finding, Fix, Span
from route_run.lint.report.text import counts, effect_of
from route_run.lint.rule import rule_of
from route_run.lint.verdict import Verdict


def report(verdict: Verdict, root: Path) -> str:
    """Findings and their counts as one JSON object; paths are those a person gave."""
    found = zip(verdict.findings, verdict.fingerprints, strict=True)
    document = {
        "version": 1,
        "summary": {
            **counts(verdict.findings),
            "files": verdict.files,
            "suppressed": len(verdict.suppressed),
            "baseline": verdict.known,
            "not_shown": verdict.unseen,
            "valid": verdict.loaded.is_valid,
        },
        "findings": [{**finding_as_json(finding), "fingerprint": print_} for finding, print_ in found],
        "suppressed": [
            {**finding_as_json(entry.finding), "reason": entry.by.reason, "until": _day(entry.by.until)}
            for entry in verdict.suppressed
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=2) + "\n"


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """One finding as JSON data; lines and columns count from 1, columns in code points."""
    rule = rule_of(finding.code)
    return {
        "code": finding.code.value,
        "rule": rule.slug,
        "severity": finding.severity.value,
        "confidence": rule.confidence.value,
        "message": finding.message,
        **_span_as_json(finding.span),
        "help": finding.help or None,
        "effect": effect_of(finding) or None,
        "fix": None if finding.fix is None else _fix_as_json(finding.fix),
        "related": [{"message": label.text, **_span_as_json(label.span)} for label in finding.labels],
    }


def _fix_as_json(fix: Fix) -> dict[str, Any]:
    edits = [{**_span_as_json(edit.span), "text": edit.text} for edit in fix.edits]
    return {"title": fix.title, "safe": fix.is_safe, "edits": edits}


def _span_as_json(span: Span) -> dict[str, Any]:
    return {
        "path": span.path,
        "line": span.start.line,
        "column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
    }


def _day(day: Any) -> str | None:
    return None if day is None else str(day.isoformat())
