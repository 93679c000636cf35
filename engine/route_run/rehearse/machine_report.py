"""What a test run found, for machines: JSON, JUnit, and annotations of GitHub workflows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

from route_run.errors import Span
from route_run.rehearse.coverage_report import Suggest, percent
from route_run.rehearse.coverage_report import as_data as coverage_data
from route_run.rehearse.covered import Coverage, Gap
from route_run.rehearse.explore import Explored
from route_run.rehearse.explore_report import explored_data, mutated_data, script_of
from route_run.rehearse.judge import Judged, Row
from route_run.rehearse.mutate import Mutated
from route_run.rehearse.rehearsed import Rehearsed
from route_run.table import RoutingTable


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that one run of `route-run test` found; what was not asked for is None."""

    table: RoutingTable
    backend: str
    rehearsed: Sequence[Rehearsed]
    suggest: Suggest
    coverage: Coverage | None = None
    explored: Explored | None = None
    mutated: Mutated | None = None

    @property
    def failing(self) -> list[Rehearsed]:
        return [rehearsed for rehearsed in self.rehearsed if not rehearsed.holds]


def as_json(report: Report) -> str:
    """One JSON object; the same run gives the same text."""
    document: dict[str, Any] = {
        "version": 1,
        "summary": {"rehearsals": len(report.rehearsed), "failing": len(report.failing), "backend": report.backend},
        "rehearsals": [_rehearsal(rehearsed) for rehearsed in report.rehearsed],
    }
    if report.coverage is not None:
        document["coverage"] = coverage_data(report.coverage, report.suggest)
    if report.explored is not None:
        document["explored"] = explored_data(report.explored, report.table)
    if report.mutated is not None:
        document["mutated"] = mutated_data(report.mutated)
    return json.dumps(document, ensure_ascii=False, indent=2)


def _rehearsal(rehearsed: Rehearsed) -> dict[str, Any]:
    span = rehearsed.placed.span
    return {
        "name": rehearsed.placed.name,
        "path": span.path,
        "line": span.start.line,
        "holds": rehearsed.holds,
        "seconds": round(rehearsed.seconds, 6),
        "parts": [_part(judged) for judged in rehearsed.judged],
    }


def _part(judged: Judged) -> dict[str, Any]:
    rows = [
        {
            "what": row.label,
            "expected": row.expected or None,
            "actual": row.actual,
            "holds": row.holds,
            "line": row.span.start.line if row.span is not None else None,
        }
        for row in judged.rows
    ]
    return {"title": judged.title or None, "holds": judged.holds, "rows": rows}


# -- JUnit -------------------------------------------------------------------------------------------


def as_junit(report: Report) -> str:
    """Rehearsals, and the violations of an exploration, as test cases."""
    suites = ET.Element("testsuites", name="route-run test")
    by_file: dict[str, list[Rehearsed]] = {}
    for rehearsed in report.rehearsed:
        by_file.setdefault(rehearsed.placed.span.path, []).append(rehearsed)
    for path, members in by_file.items():
        failing = sum(not member.holds for member in members)
        suite = _suite(suites, path, len(members), failing)
        for member in members:
            _case(suite, member)
    if report.explored is not None:
        _explored_suite(suites, report)
    ET.indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(suites, encoding="unicode")


def _suite(suites: ET.Element, name: str, tests: int, failures: int) -> ET.Element:
    counts = {"tests": str(tests), "failures": str(failures), "errors": "0", "skipped": "0"}
    return ET.SubElement(suites, "testsuite", {"name": _xml(name), **counts})


def _case(suite: ET.Element, rehearsed: Rehearsed) -> None:
    span = rehearsed.placed.span
    case = ET.SubElement(
        suite,
        "testcase",
        {
            "name": _xml(rehearsed.placed.name),
            "classname": _xml(span.path),
            "file": _xml(span.path),
            "line": str(span.start.line),
            "time": f"{rehearsed.seconds:.3f}",
        },
    )
    if not rehearsed.holds:
        rows = rehearsed.failures
        failure = ET.SubElement(case, "failure", {"message": _xml(_words(rows[0])), "type": "rehearsal"})
        failure.text = _xml("\n".join(f"{row.span or span}: {_words(row)}" for row in rows))


def _explored_suite(suites: ET.Element, report: Report) -> None:
    explored = report.explored
    assert explored is not None
    broken = {violation.route for violation in explored.violations}
    suite = _suite(suites, "exploration", len(explored.worst), len(broken))
    for route in explored.worst:
        span = report.table.span("routes", route)
        case = ET.SubElement(
            suite, "testcase", {"name": _xml(f"route {route}"), "classname": "exploration", "file": _xml(span.path)}
        )
        for violation in explored.violations:
            if violation.route == route:
                message = f"{violation.promise}: {violation.words}"
                failure = ET.SubElement(case, "failure", {"message": _xml(message), "type": "violation"})
                failure.text = _xml("\n".join(script_of(violation).lines()))


def _xml(text: str) -> str:
    """A text without what XML 1.0 cannot hold."""
    return "".join(c if c in "\t\n" or (c.isprintable() and not "\ufffe" <= c <= "\uffff") else "·" for c in text)


# -- GitHub ------------------------------------------------------------------------------------------


def as_github(report: Report) -> str:
    """Workflow commands: errors where a rehearsal fails or a promise breaks, warnings where nothing is rehearsed."""
    return "\n".join(_annotations(report))


def _annotations(report: Report) -> Iterator[str]:
    for rehearsed in report.failing:
        for row in rehearsed.failures:
            yield _annotation("error", row.span or rehearsed.placed.span, rehearsed.placed.name, _words(row))
    if report.explored is not None:
        for violation in report.explored.violations:
            span = report.table.span("routes", violation.route)
            script = "\n".join(script_of(violation).lines())
            yield _annotation("error", span, violation.promise, f"{violation.words}\n{script}")
    if report.coverage is not None:
        for gap in report.coverage.gaps:
            yield _annotation("warning", gap.item.span, "not rehearsed", _gap_words(gap))
        share = percent(report.coverage.share)
        yield f"::notice title=coverage::{_escaped(f'{share} of the policy is rehearsed')}"
    if report.mutated is not None:
        for mutant in report.mutated.survivors:
            yield _annotation("warning", mutant.span, "nobody notices", mutant.words)


def _gap_words(gap: Gap) -> str:
    return f"{gap.item.words}: {gap.why}"


def _words(row: Row) -> str:
    return f"{row.label}: expected {row.expected or 'nothing'}, got {row.actual}"


def _annotation(level: str, span: Span, title: str, message: str) -> str:
    place = f"file={_property(span.path)},line={span.start.line},col={span.start.column}"
    return f"::{level} {place},title={_property(title)}::{_escaped(message)}"


def _escaped(text: str) -> str:
    """A text that cannot end its command or begin another."""
    shown = "".join(c if c.isprintable() or c == "\n" else "·" for c in text)
    return shown.replace("%", "%25").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
