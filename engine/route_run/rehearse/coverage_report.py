"""Coverage for people: the lines of the policy with what was exercised on them, and how to close each gap."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from route_run.rehearse.covered import Coverage, Gap, Item
from route_run.rehearse.report import Line
from route_run.rehearse.suggest import Suggestion

_WIDEST = 100


Suggest = Callable[[Gap], Suggestion | None]
"""Makes the rehearsal that closes a gap, where there is a request for it."""


def as_lines(coverage: Coverage, sources: Mapping[str, str], suggest: Suggest) -> Iterator[Line]:
    """The painted lines of every file that has something to exercise, then the gaps, then the share."""
    for path, items in groupby(coverage.items, key=lambda item: item.span.path):
        yield Line(path, "place")
        yield from _painted(list(items), sources.get(path, "").splitlines())
    if coverage.gaps:
        yield Line("")
    for gap in coverage.gaps:
        yield from _gap(gap, suggest(gap))
    covered = sum(item.is_covered for item in coverage.items)
    role = "good" if not coverage.gaps else "warning"
    yield Line(f"{percent(coverage.share)} of the policy is rehearsed ({covered} of {len(coverage.items)})", role)


def percent(share: float) -> str:
    """A share as a percentage that says 100 only where it is whole."""
    shown = int(share * 1000) / 10
    return f"{shown:g} %"


def _painted(items: Sequence[Item], lines: Sequence[str]) -> Iterator[Line]:
    for number, on_line in groupby(items, key=lambda item: item.span.start.line):
        found = list(on_line)
        missed = [item for item in found if not item.is_covered]
        text = lines[number - 1] if 0 < number <= len(lines) else ""
        shown = text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
        times = "" if missed else f"{min(item.count for item in found)}×"
        yield Line(f"{number:>5} {times:>5} {'-' if missed else '+'} {shown}", "error" if missed else "good")


def _gap(gap: Gap, suggested: Suggestion | None) -> Iterator[Line]:
    yield Line(f"not rehearsed: {gap.item.words}", "warning")
    yield Line(f"  --> {gap.item.span}", "place")
    yield Line(f"  why: {gap.why}")
    if suggested is not None:
        yield Line("  start from:")
        for text in suggested.lines():
            yield Line(f"    {text}")
    yield Line("")


def as_data(coverage: Coverage, suggest: Suggest) -> dict[str, Any]:
    """Coverage as JSON data."""
    return {
        "share": round(coverage.share, 6),
        "items": [
            {
                "what": item.what.value,
                "name": item.words,
                "path": item.span.path,
                "line": item.span.start.line,
                "column": item.span.start.column,
                "count": item.count,
            }
            for item in coverage.items
        ],
        "gaps": [
            {
                "what": gap.item.what.value,
                "name": gap.item.words,
                "path": gap.item.span.path,
                "line": gap.item.span.start.line,
                "column": gap.item.span.start.column,
                "why": gap.why,
                "rehearsal": suggested.as_data() if suggested is not None else None,
            }
            for gap in coverage.gaps
            for suggested in (suggest(gap),)
        ],
    }
