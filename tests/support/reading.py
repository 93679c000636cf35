"""Reading texts without folders, and looking at what findings point to."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from route_run import schema
from route_run.errors import Finding, Span
from route_run.lint.report import as_text
from route_run.table import Loaded, load
from route_run.text import Document, Kind, Limits, parse
from support.policies import write_policy

DEFAULT_LIMITS = Limits()


def read(
    source: str | bytes, kind: Kind = Kind.POLICY, limits: Limits = DEFAULT_LIMITS, path: str = "policy.yaml"
) -> tuple[Document, list[Finding]]:
    """Parse one text as a file of that name."""
    content = source.encode() if isinstance(source, str) else source
    return parse(content, path=path, name=path, folder=Path(), kind=kind, limits=limits)


def checked(source: str | bytes, kind: Kind = Kind.POLICY) -> list[Finding]:
    """What reading one text and its schema find, in the order of their places."""
    document, findings = read(source, kind)
    return sorted([*findings, *schema.check(document)], key=lambda finding: finding.order)


def loaded_from(files: str | dict[str, str]) -> Loaded:
    """A policy loaded from texts, for properties: they cannot use the fixture."""
    with tempfile.TemporaryDirectory() as folder:
        return load([write_policy(Path(folder) / "policy", files)])


def fragment(text: str, span: Span) -> str:
    """The stretch of a text that a span covers; columns count code points."""
    lines = text.splitlines(keepends=True)
    first, last = span.start.line - 1, span.end.line - 1
    if first == last:
        return lines[first][span.start.column - 1 : span.end.column - 1] if first < len(lines) else ""
    tail = lines[last][: span.end.column - 1] if last < len(lines) else ""
    return "".join([lines[first][span.start.column - 1 :], *lines[first + 1 : last], tail])


def place(finding: Finding) -> str:
    """Code, line and column of a finding: `RR004 1:4`."""
    return f"{finding.code.value} {finding.span.start.line}:{finding.span.start.column}"


def places(findings: Iterable[Finding]) -> list[str]:
    """Code, line and column of findings."""
    return [place(finding) for finding in findings]


def codes(findings: Iterable[Finding]) -> list[str]:
    """The codes of findings."""
    return [finding.code.value for finding in findings]


def report(loaded: Loaded, root: Path) -> str:
    """The text report of a loaded policy, its paths relative to the folder it was read from."""
    return as_text(loaded.findings, loaded.sources).replace(f"{root}/", "")
