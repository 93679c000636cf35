"""Findings as text for people and as JSON for machines.

Decides what a person sees of a mistake: place, source line, the offender underlined, the right answers,
the effect. Literal secrets are blotted out wherever their line is shown; control characters of a file
never reach a terminal.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from route_run.errors import Code, Finding, Severity, Span

MAX_LINE_SHOWN = 160
Paint = Callable[[str, str], str]
"""Colours a text: (text, role), the roles being `error`, `warning`, `info`, `place` and `quiet`."""


def plain(text: str, role: str) -> str:
    """The paint that paints nothing."""
    return text


def as_text(findings: Sequence[Finding], sources: Mapping[str, str], paint: Paint = plain) -> str:
    """Findings in full, each with its source line, in the order given."""
    excerpts = _Excerpts(findings, sources)
    return "\n\n".join("\n".join(_lines(finding, excerpts, paint)) for finding in findings)


def as_json(findings: Sequence[Finding], files: int) -> str:
    """Findings and their counts as one JSON object."""
    document = {
        "version": 1,
        "summary": {**_counts(findings), "files": files},
        "findings": [finding_as_json(finding) for finding in findings],
    }
    return json.dumps(document, ensure_ascii=False, indent=2)


def finding_as_json(finding: Finding) -> dict[str, Any]:
    """One finding as JSON data; lines and columns count from 1, columns in code points."""
    return {
        "code": finding.code.value,
        "severity": finding.severity.value,
        "message": finding.message,
        **_span_as_json(finding.span),
        "help": finding.help or None,
        "effect": finding.effect or None,
        "related": [{"message": label.text, **_span_as_json(label.span)} for label in finding.labels],
    }


def summary(findings: Sequence[Finding], files: int) -> str:
    """How many findings of which weight, in one line."""
    counted = [
        f"{count} {severity}{'' if count == 1 else 's'}"
        for severity, count in _counts(findings).items()
        if count and severity != "info"
    ]
    in_files = f"{files} file{'' if files == 1 else 's'}"
    return f"{', '.join(counted) or 'no findings'} in {in_files}"


def _counts(findings: Sequence[Finding]) -> dict[str, int]:
    counted = Counter(finding.severity for finding in findings)
    return {severity.value: counted[severity] for severity in Severity}


def _span_as_json(span: Span) -> dict[str, Any]:
    return {
        "path": span.path,
        "line": span.start.line,
        "column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
    }


def _lines(finding: Finding, excerpts: _Excerpts, paint: Paint) -> Iterator[str]:
    severity = finding.severity.value
    yield f"{paint(f'{severity}[{finding.code.value}]', severity)} {printable(finding.message)}"
    yield f"  {paint('-->', 'quiet')} {paint(printable(str(finding.span)), 'place')}"
    yield from excerpts.of(finding.span, "^", paint, severity)
    for label in finding.labels:
        yield f"  {paint('-->', 'quiet')} {paint(printable(str(label.span)), 'place')} {printable(label.text)}"
        yield from excerpts.of(label.span, "-", paint, "quiet")
    for name, text in (("help", finding.help), ("effect", finding.effect)):
        if text:
            yield f"  {paint(f'= {name}:', 'quiet')} {printable(text)}"


class _Excerpts:
    """Source lines for reports, secrets blotted out."""

    def __init__(self, findings: Iterable[Finding], sources: Mapping[str, str]) -> None:
        self._sources = {path: text.splitlines() for path, text in sources.items()}
        self._secrets = [f.span for f in findings if f.code is Code.LITERAL_SECRET]

    def of(self, span: Span, mark: str, paint: Paint, role: str) -> Iterator[str]:
        lines = self._sources.get(span.path, [])
        if not 0 < span.start.line <= len(lines) or not lines[span.start.line - 1].strip():
            return
        line = self._blotted(span.path, span.start.line, lines[span.start.line - 1])
        start = span.start.column - 1
        end = span.end.column - 1 if span.end.line == span.start.line else len(line)
        offset = max(0, start - MAX_LINE_SHOWN // 2) if len(line) > MAX_LINE_SHOWN else 0
        shown = printable(line[offset : offset + MAX_LINE_SHOWN])
        width = max(1, min(end, offset + MAX_LINE_SHOWN) - start)
        gutter = str(span.start.line)
        yield paint(f"{gutter} | ", "quiet") + shown
        yield paint(f"{' ' * len(gutter)} | ", "quiet") + " " * (start - offset) + paint(mark * width, role)

    def _blotted(self, path: str, number: int, line: str) -> str:
        for secret in self._secrets:
            if secret.path == path and secret.start.line <= number <= secret.end.line:
                first = secret.start.column - 1 if secret.start.line == number else 0
                last = secret.end.column - 1 if secret.end.line == number else len(line)
                line = line[:first] + "*" * (last - first) + line[last:]
        return line


def printable(text: str) -> str:
    """A text without anything a terminal would act on: control and direction characters as a dot."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "·" for c in text)
