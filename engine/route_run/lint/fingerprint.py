"""Fingerprints of findings: what stays the same when lines move.

Decides what makes two findings of two runs the same one: the code, the file, the names that lead to the
place, the words quoted in the message and the offending text. No line number is in them, no order of
list entries, and nothing of a secret.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePath

from route_run.errors import Finding, Position, Span
from route_run.lint.rule import rule_of
from route_run.text import Document, Marks

_QUOTED = re.compile(r"`([^`]*)`")


def fingerprints(findings: Sequence[Finding], documents: Sequence[Document]) -> tuple[str, ...]:
    """A fingerprint of each finding, 32 hex digits; of equal ones the second and later are numbered."""
    by_path = {document.path: document for document in documents}
    seen: Counter[str] = Counter()
    found: list[str] = []
    for finding in findings:
        said = "\0".join(_identity(finding, by_path))
        seen[said] += 1
        numbered = said if seen[said] == 1 else f"{said}\0{seen[said]}"
        found.append(hashlib.sha256(numbered.encode("utf-8", "surrogatepass")).hexdigest()[:32])
    return tuple(found)


def _identity(finding: Finding, documents: Mapping[str, Document]) -> list[str]:
    document = documents.get(finding.span.path)
    quoted = _QUOTED.findall(finding.message)
    if document is None:
        return [finding.code.value, PurePath(finding.span.path).name, *quoted]
    offender = "" if rule_of(finding.code).is_secret else _offender(finding.span, document)
    return [finding.code.value, document.name, path_to(document, finding.span.start), offender, *quoted]


def _offender(span: Span, document: Document) -> str:
    if span.start.line != span.end.line:
        return ""  # a whole item: the names that lead to it are enough
    lines = document.text.splitlines()
    line = lines[span.start.line - 1] if span.start.line <= len(lines) else ""
    return " ".join(line[span.start.column - 1 : span.end.column - 1].split())


def path_to(document: Document, position: Position) -> str:
    """The names that lead to a position, such as ``routes.gold.match.tags``; `[]` stands for a list entry."""
    here = (position.line - 1, position.column - 1)
    node: Marks | tuple[int, int, int, int] = document.marks
    names: list[str] = []
    while isinstance(node, Marks):
        key = _child_at(node, here)
        if key is None:
            break
        names.append("[]" if isinstance(key, int) else key)
        node = node.items.get(key, (0, 0, 0, 0))
    return ".".join(names)


def _child_at(marks: Marks, here: tuple[int, int]) -> str | int | None:
    for key, item in marks.items.items():
        place = item.place if isinstance(item, Marks) else item
        start = marks.keys[key][:2] if isinstance(key, str) and key in marks.keys else place[:2]
        if start <= here <= place[2:]:
            return key
    return None
