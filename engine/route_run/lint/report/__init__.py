"""Findings as reports: text for people, and the formats that machines read.

Decides nothing but which format is printed by which module; each is imported when it is asked for.
"""

from __future__ import annotations

import importlib
from pathlib import Path

from route_run.ci import printable
from route_run.lint.report.data import finding_as_json
from route_run.lint.report.excerpt import MAX_LINE_SHOWN
from route_run.lint.report.text import Paint, as_text, plain, summary
from route_run.lint.verdict import Verdict

FORMATS = ("text", "json", "sarif", "github", "junit", "gitlab")
"""The formats of a report, by name."""

__all__ = [
    "FORMATS",
    "MAX_LINE_SHOWN",
    "Paint",
    "as_text",
    "finding_as_json",
    "plain",
    "printable",
    "rendered",
    "summary",
]


def rendered(style: str, verdict: Verdict, root: Path, paint: Paint = plain) -> str:
    """A report in one of ``FORMATS``, with its last line break; paths below ``root`` are relative to it."""
    if style not in FORMATS:
        raise ValueError(f"no format: {style}")
    module = importlib.import_module(f"route_run.lint.report.{'data' if style == 'json' else style}")
    report: str = module.report(verdict, paint) if style == "text" else module.report(verdict, root)
    return report
