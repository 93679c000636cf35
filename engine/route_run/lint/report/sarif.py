"""Findings as SARIF 2.1.0, the format that code scanning reads.

Decides how findings map onto it: columns count code points, fingerprints hold no line number, suppressed
findings are there and marked as such, and fixes are given as replacements.
Source: OASIS, Static Analysis Results Interchange Format 2.1.0; sections in the docstrings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from route_run.ci import printable
from route_run.errors import Code, Edit, Finding, Fix, Severity, Span
from route_run.lint.fingerprint import fingerprints
from route_run.lint.page import example_text
from route_run.lint.report.place import uri_of
from route_run.lint.report.text import effect_of
from route_run.lint.rule import Confidence, Rule, rule_of
from route_run.lint.suppression import Suppressed
from route_run.lint.verdict import Verdict

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "routeRun/v1"
_PRECISION = {Confidence.PROVED: "very-high", Confidence.LIKELY: "high", Confidence.HINT: "medium"}
_LEVEL = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def report(verdict: Verdict, root: Path) -> str:
    """One run with its results, the suppressed ones after the others."""
    from route_run import __version__

    set_aside = [entry.finding for entry in verdict.suppressed]
    codes = sorted({finding.code for finding in (*verdict.findings, *set_aside)}, key=lambda code: code.value)
    index = {code: number for number, code in enumerate(codes)}
    results = [
        _result(finding, print_, index, root)
        for finding, print_ in zip(verdict.findings, verdict.fingerprints, strict=True)
    ]
    prints = fingerprints(set_aside, verdict.loaded.reading.documents)
    results += [
        {**_result(entry.finding, print_, index, root), "suppressions": [_suppression(entry, root)]}
        for entry, print_ in zip(verdict.suppressed, prints, strict=True)
    ]
    run = {
        "tool": {
            "driver": {
                "name": "route-run",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule_of(code)) for code in codes],
            }
        },
        "invocations": [{"executionSuccessful": True}],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, ensure_ascii=False, indent=2) + "\n"


def _rule(rule: Rule) -> dict[str, Any]:
    """A reportingDescriptor (section 3.49)."""
    why, effect, fix = (" ".join(text.split()) for text in (rule.why, rule.effect, rule.fix))
    bad, good = (f"```yaml\n{example_text(files)}```" for files in (rule.bad_files, rule.good_files))
    shown = f"{why}\n\n**Bad**\n\n{bad}\n\n**Good**\n\n{good}\n\n**Effect**: {effect}\n\n**Fix**: {fix}"
    return {
        "id": rule.code.value,
        "name": "".join(word.capitalize() for word in rule.slug.split("-")),
        "shortDescription": {"text": rule.title},
        "fullDescription": {"text": why},
        "help": {"text": f"{why}\n\nEffect: {effect}\n\nFix: {fix}", "markdown": shown},
        "defaultConfiguration": {"level": _LEVEL[rule.severity]},
        "properties": {"precision": _PRECISION[rule.confidence], "tags": [rule.slug]},
    }


def _result(finding: Finding, fingerprint: str, index: Mapping[Code, int], root: Path) -> dict[str, Any]:
    """A result (section 3.27)."""
    result: dict[str, Any] = {
        "ruleId": finding.code.value,
        "ruleIndex": index[finding.code],
        "level": _LEVEL[finding.severity],
        "message": {"text": _message(finding)},
        "locations": [{"physicalLocation": _location(finding.span, root)}],
        "partialFingerprints": {FINGERPRINT: fingerprint},
    }
    if finding.labels:
        result["relatedLocations"] = [
            {"id": number, "physicalLocation": _location(label.span, root), "message": {"text": _clean(label.text)}}
            for number, label in enumerate(finding.labels)
        ]
    if finding.fix is not None:
        result["fixes"] = [_fix(finding.fix, root)]
    return result


def _message(finding: Finding) -> str:
    """Message strings are plain text in which brackets may form links (section 3.11.6): they are escaped."""
    parts = [finding.message, f"help: {finding.help}" if finding.help else "", f"effect: {effect_of(finding)}"]
    return "\n".join(_clean(part) for part in parts if part)


def _clean(text: str) -> str:
    return printable(text).replace("\\", "\\\\").replace("[", "\\[").replace("]", "\\]")


def _location(span: Span, root: Path) -> dict[str, Any]:
    return {"artifactLocation": _artifact(span.path, root), "region": _region(span)}


def _artifact(path: str, root: Path) -> dict[str, Any]:
    uri = uri_of(path, root)
    return {"uri": uri} if uri.startswith("file:") else {"uri": uri, "uriBaseId": "%SRCROOT%"}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.start.line,
        "startColumn": span.start.column,
        "endLine": span.end.line,
        "endColumn": span.end.column,
    }


def _fix(fix: Fix, root: Path) -> dict[str, Any]:
    """A fix (section 3.55), its edits by file."""
    by_path: dict[str, list[Edit]] = {}
    for edit in fix.edits:
        by_path.setdefault(edit.span.path, []).append(edit)
    safety = "safe" if fix.is_safe else "unsafe"
    return {
        "description": {"text": f"{_clean(fix.title)} ({safety})"},
        "artifactChanges": [
            {"artifactLocation": _artifact(path, root), "replacements": _replacements(edits)}
            for path, edits in sorted(by_path.items())
        ],
    }


def _replacements(edits: Sequence[Edit]) -> list[dict[str, Any]]:
    return [{"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}} for edit in edits]


def _suppression(entry: Suppressed, root: Path) -> dict[str, Any]:
    """A suppression (section 3.35)."""
    until = f" (until {entry.by.until})" if entry.by.until is not None else ""
    location = {"physicalLocation": _location(entry.by.span, root)}
    return {"kind": "inSource", "justification": printable(entry.by.reason) + until, "location": location}
