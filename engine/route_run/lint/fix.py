"""Fixes as edits of texts: comments, order and layout of a file survive, because only spans are touched.

Decides which fixes can be made together: all edits of a fix or none, the first in the order of places wins
where two overlap, and the others get their turn on the text that results. Ends at a fixed point or after
``MOST_ROUNDS``; a file that could be read stays one that can be read.
"""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from route_run.errors import Edit, Finding, Fix, Position, Span
from route_run.lint.verdict import Verdict
from route_run.table import Agreement, Loaded, agreement

MOST_ROUNDS = 10
Judge = Callable[[Mapping[Path, bytes]], Verdict]
"""Loads and judges the policy, with these contents in the place of what some files hold."""


@dataclass(frozen=True, slots=True)
class Change:
    """One file before and after."""

    path: Path
    before: bytes
    after: bytes


@dataclass(frozen=True, slots=True)
class Mended:
    """What fixing led to. ``verdict`` is about the policy as mended; nothing has been written yet.

    ``agreement`` compares the decisions of the policy before and after, None when it was invalid before
    or is invalid now, so that there is nothing to compare.
    """

    verdict: Verdict
    changes: tuple[Change, ...]
    edits: int
    was_valid: bool
    agreement: Agreement | None
    secrets_before: tuple[Span, ...] = ()

    def summary(self) -> str:
        """What was done and what it means for decisions, in one line."""
        files = f" in {len(self.changes)} file{'' if len(self.changes) == 1 else 's'}" if self.changes else ""
        return f"{self.edits} edit{'' if self.edits == 1 else 's'}{files}, {self._decisions()}"

    def _decisions(self) -> str:
        if not self.changes:
            return "nothing changed"
        if not self.was_valid:
            now = "it is valid now" if self.verdict.loaded.is_valid else "it still is"
            return f"the policy was invalid before ({now}), so there are no decisions to compare"
        if self.agreement is None:
            return "the policy is invalid now, so there are no decisions to compare"
        if self.agreement.is_proved:
            return "0 decisions changed (the compiled policies are equal)"
        count, asked = len(self.agreement.changed), self.agreement.asked
        rest = "" if self.agreement.is_complete else ", there are more"
        first = f", the first: {self.agreement.changed[0]}" if count else ""
        return f"{count} of {asked} compared decisions changed, one for every match{rest}{first}"


def mend(
    judge: Judge, wanted: Callable[[Finding], bool], typed: Mapping[Path, bytes] | None = None, *, unsafe: bool = False
) -> Mended:
    """Make the fixes of all wanted findings until there are no more; ``unsafe`` those that need a look, too.

    ``typed`` are documents that the judge knows and no file holds.
    """
    contents: dict[Path, bytes] = {}
    originals: dict[Path, bytes] = {}
    first = verdict = judge(contents)
    edits = 0
    for _ in range(MOST_ROUNDS):
        fixes = [f.fix for f in verdict.findings if f.fix is not None and (f.fix.is_safe or unsafe) and wanted(f)]
        rewritten, count = apply(verdict.sources, fixes)
        fresh = {Path(path): text for path, text in rewritten.items()}
        if not fresh:
            break
        for path in fresh:
            if path not in originals:
                originals[path] = typed[path] if typed and path in typed else path.read_bytes()
        attempt = {**contents, **{path: _encoded(text, originals[path]) for path, text in fresh.items()}}
        judged = judge(attempt)
        if _unread(judged.loaded) - _unread(verdict.loaded):
            break  # a file that could be read has to stay one: a fix was wrong about the text around it
        contents, verdict, edits = attempt, judged, edits + count
    changes = tuple(Change(path, originals[path], contents[path]) for path in sorted(contents))
    compared = _compared(first.loaded, verdict.loaded)
    return Mended(verdict, changes, edits, first.loaded.is_valid, compared, first.secrets)


def _unread(loaded: Loaded) -> set[str]:
    return {document.path for document in loaded.reading.documents if not document.complete}


def _compared(before: Loaded, after: Loaded) -> Agreement | None:
    return agreement(before.table, after.table) if before.is_valid and after.is_valid else None


def _encoded(text: str, original: bytes) -> bytes:
    mark = codecs.BOM_UTF8 if original.startswith(codecs.BOM_UTF8) else b""
    return mark + text.encode("utf-8")


# -- edits ---------------------------------------------------------------------------------------------


def apply(texts: Mapping[str, str], fixes: Iterable[Fix]) -> tuple[dict[str, str], int]:
    """The texts that fixes change, by path, and how many edits were made.

    A fix whose edits overlap with those of one before it, or reach outside of the texts, is left out.
    """
    taken: dict[str, list[tuple[int, int, str]]] = {}
    for fix in fixes:
        placed = [(edit.span.path, *_offsets(edit, texts)) for edit in fix.edits]
        if all(start >= 0 and _is_free(taken.get(path, ()), start, end) for path, start, end, _ in placed):
            for path, start, end, text in placed:
                taken.setdefault(path, []).append((start, end, text))
    changed = {path: _spliced(texts[path], edits) for path, edits in taken.items()}
    return {path: text for path, text in changed.items() if text != texts[path]}, sum(map(len, taken.values()))


def _offsets(edit: Edit, texts: Mapping[str, str]) -> tuple[int, int, str]:
    """Where an edit starts and ends in its text; (-1, -1) when it lies outside."""
    lines = texts.get(edit.span.path, "").splitlines(keepends=True)
    start, end = _offset(lines, edit.span.start), _offset(lines, edit.span.end)
    return (start, end, edit.text) if 0 <= start <= end else (-1, -1, "")


def _offset(lines: Sequence[str], position: Position) -> int:
    before, column = position.line - 1, position.column - 1
    if before == len(lines) and column == 0:
        return sum(map(len, lines))  # the end of the text, where its last line has a break
    if before >= len(lines) or column > len(lines[before]):
        return -1
    return sum(map(len, lines[:before])) + column


def _is_free(taken: Iterable[tuple[int, int, str]], start: int, end: int) -> bool:
    """Whether a stretch touches none that is taken; two insertions at one place would have no order."""
    return all(end < first or start > last or _only_meet(start, end, first, last) for first, last, _ in taken)


def _only_meet(start: int, end: int, first: int, last: int) -> bool:
    return (end == first or start == last) and start != end and first != last


def _spliced(text: str, edits: Iterable[tuple[int, int, str]]) -> str:
    for start, end, replacement in sorted(edits, reverse=True):
        text = text[:start] + replacement + text[end:]
    return text
