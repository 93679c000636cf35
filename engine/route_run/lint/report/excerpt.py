"""Source lines for reports: what a person sees of a file, and what nobody ever sees.

Decides what is blotted out of a line: what a finding says is a secret, the value of a field that takes
secrets unless it is a reference, the user and password of a URL. Control characters of a file never reach
a terminal, and nothing of a file is taken for a command by what reads the log.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from route_run.ci import printable
from route_run.errors import Finding, Span
from route_run.lint.rule import rule_of

MAX_LINE_SHOWN = 160
Paint = Callable[[str, str], str]
"""Colours a text: (text, role), the roles being `error`, `warning`, `info`, `place` and `quiet`."""

SECRET_FIELDS = ("api_key", "client_secret", "hash_key", "secrets")
"""The fields of the language that take secrets; a test compares them with the schema."""

_FIELD = re.compile(rf"(?<![\w-])(?:{'|'.join(SECRET_FIELDS)})[\"']?\s*:\s*(?=(?P<value>\S.*))")
_HARMLESS = re.compile(r"[\"'\[\s,]*\$\{|\*+(?:[\s,}\]]|\Z)|[\[\]{}\"',\s|>&-]*(?:#.*)?\Z")
_USER_INFO = re.compile(r"//(?P<value>[^/\s@\"']+)@")
_ENDS_VALUE = re.compile(r"[,}\]]+(?:\s|\Z)|\s#")


def plain(text: str, role: str) -> str:
    """The paint that paints nothing."""
    return text


def secrets_in(findings: Iterable[Finding]) -> list[Span]:
    """The spans that findings say are secrets."""
    return [finding.span for finding in findings if rule_of(finding.code).is_secret]


class Excerpts:
    """Source lines, secrets blotted out."""

    def __init__(self, sources: Mapping[str, str], secrets: Iterable[Span]) -> None:
        self._sources = {path: text.splitlines() for path, text in sources.items()}
        self._secrets: dict[str, list[Span]] = {}
        for span in secrets:
            self._secrets.setdefault(span.path, []).append(span)

    def of(self, span: Span, mark: str, paint: Paint, role: str, label: str = "") -> Iterator[str]:
        """The first line of a span and the line that underlines it; nothing for a place without text."""
        line = self.line(span.path, span.start.line)
        if not line.strip():
            return
        start = span.start.column - 1
        end = span.end.column - 1 if span.end.line == span.start.line else len(line.rstrip())
        offset = max(0, start - MAX_LINE_SHOWN // 2) if len(line) > MAX_LINE_SHOWN else 0
        shown = printable(line[offset : offset + MAX_LINE_SHOWN])
        width = max(1, min(end, offset + MAX_LINE_SHOWN) - start)
        gutter = str(span.start.line)
        said = f" {printable(label)}" if label else ""
        yield paint(f"{gutter} | ", "quiet") + shown
        marks = paint(mark * width + said, role)
        yield paint(f"{' ' * len(gutter)} | ", "quiet") + " " * (start - offset) + marks

    def line(self, path: str, number: int) -> str:
        """A line of a file by its number from 1, as long as it is; empty when there is none."""
        lines = self._sources.get(path, [])
        if not 0 < number <= len(lines):
            return ""
        line = lines[number - 1]
        for secret in self._secrets.get(path, []):
            if secret.start.line <= number <= secret.end.line:
                first = secret.start.column - 1 if secret.start.line == number else 0
                last = secret.end.column - 1 if secret.end.line == number else len(line)
                line = _starred(line, first, last)
        return without_secrets(line)


def without_secrets(line: str) -> str:
    """A line with what looks like a secret by its field or its place in a URL starred out."""
    for found in _USER_INFO.finditer(line):
        line = _starred(line, *found.span("value"))
    for found in _FIELD.finditer(line):
        start = found.start("value")
        if not _HARMLESS.match(line, start):
            ending = _ENDS_VALUE.search(line, start)
            line = _starred(line, start, ending.start() if ending else len(line))
    return line


def _starred(line: str, first: int, last: int) -> str:
    return line[:first] + "*" * (min(last, len(line)) - first) + line[last:]
