"""What rehearsals said, for people: expected and actual side by side, with the line of each expectation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from route_run.rehearse.judge import Judged, Row, seconds
from route_run.rehearse.rehearsed import Rehearsed

_WIDEST = 46
_MARK = "≠"


class Line(NamedTuple):
    """A line of a report; ``role`` says how it is coloured: `good`, `error`, `warning`, `place`, `quiet` or nothing."""

    text: str
    role: str = ""


def as_lines(rehearsed: Rehearsed, *, verbose: bool) -> Iterator[Line]:
    """One rehearsal: a line, and its timelines where it fails."""
    if rehearsed.holds and not verbose:
        return
    if rehearsed.holds:
        yield Line(f"holds  {rehearsed.placed.name}  ({seconds(rehearsed.seconds)})", "good")
        return
    yield Line(f"FAILS  {rehearsed.placed.name}", "error")
    yield Line(f"  --> {rehearsed.placed.span}", "place")
    for judged in rehearsed.judged:
        if not judged.holds:
            yield from _timelines(judged)
    yield Line("")


def summary(played: Sequence[Rehearsed], backend: str) -> Line:
    """How many hold."""
    failing = sum(not rehearsed.holds for rehearsed in played)
    requests = sum(len(rehearsed.played.runs) for rehearsed in played)
    files = len({rehearsed.placed.span.path for rehearsed in played})
    virtual = seconds(sum(rehearsed.seconds for rehearsed in played))
    many = f"{counted(len(played), 'rehearsal')} in {counted(files, 'file')}"
    words = f"{failing} of them {'fails' if failing == 1 else 'fail'}" if failing else "all hold"
    if len(played) == 1:
        words = "it fails" if failing else "it holds"
    return Line(
        f"{many}: {words}  ({counted(requests, 'request')}, {virtual} of virtual time, {backend})",
        "error" if failing else "good",
    )


def counted(count: int, noun: str) -> str:
    """A number with its noun: `1 request`, `2 requests`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _timelines(judged: Judged) -> Iterator[Line]:
    if judged.title:
        yield Line(f"  {judged.title}")
    left = max(len(row.label) for row in judged.rows)
    middle = min(_WIDEST, max(len("expected"), *(len(row.expected) for row in judged.rows)))
    yield Line(f"      {'':{left}}  {'expected':{middle}}  actual", "quiet")
    for row in judged.rows:
        yield from _row(row, left, middle)


def _row(row: Row, left: int, middle: int) -> Iterator[Line]:
    expected = textwrap.wrap(row.expected, middle) or [""]
    actual = textwrap.wrap(row.actual, 100) or [""]
    place = f"  {row.span.path}:{row.span.start.line}" if row.span is not None and not row.holds else ""
    for number in range(max(len(expected), len(actual))):
        label = row.label if number == 0 else ""
        mark = _MARK if number == 0 and not row.holds else " "
        first = expected[number] if number < len(expected) else ""
        second = actual[number] if number < len(actual) else ""
        tail = place if number == 0 else ""
        text = f"    {mark} {label:{left}}  {first:{middle}}  {second}{tail}".rstrip()
        yield Line(text, "" if row.holds else "error")
