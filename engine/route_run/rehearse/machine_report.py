"""What a test run found, for machines: JSON, JUnit, and annotations of GitHub workflows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from route_run.ci import Case, Failure, Suite, command, document
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
    data: dict[str, Any] = {
        "version": 1,
        "summary": {"rehearsals": len(report.rehearsed), "failing": len(report.failing), "backend": report.backend},
        "rehearsals": [_rehearsal(rehearsed) for rehearsed in report.rehearsed],
    }
    if report.coverage is not None:
        data["coverage"] = coverage_data(report.coverage, report.suggest)
    if report.explored is not None:
        data["explored"] = explored_data(report.explored, report.table)
    if report.mutated is not None:
        data["mutated"] = mutated_data(report.mutated)
    return json.dumps(data, ensure_ascii=False, indent=2)


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
    by_file: dict[str, list[Rehearsed]] = {}
    for rehearsed in report.rehearsed:
        by_file.setdefault(rehearsed.placed.span.path, []).append(rehearsed)
    suites = [
        Suite(path, _counts(len(members), sum(not member.holds for member in members)), list(map(_case, members)))
        for path, members in by_file.items()
    ]
    if report.explored is not None:
        suites.append(_explored_suite(report.explored, report.table))
    return document("route-run test", {}, suites)


def _counts(tests: int, failures: int) -> dict[str, str]:
    return {"tests": str(tests), "failures": str(failures), "errors": "0", "skipped": "0"}


def _case(rehearsed: Rehearsed) -> Case:
    span = rehearsed.placed.span
    attributes = {
        "name": rehearsed.placed.name,
        "classname": span.path,
        "file": span.path,
        "line": str(span.start.line),
        "time": f"{rehearsed.seconds:.3f}",
    }
    if rehearsed.holds:
        return Case(attributes)
    rows = rehearsed.failures
    text = "\n".join(f"{row.span or span}: {_words(row)}" for row in rows)
    return Case(attributes, [Failure(_words(rows[0]), "rehearsal", text)])


def _explored_suite(explored: Explored, table: RoutingTable) -> Suite:
    broken = {violation.route for violation in explored.violations}
    cases = []
    for route in explored.worst:
        failures = [
            Failure(f"{found.promise}: {found.words}", "violation", "\n".join(script_of(found).lines()))
            for found in explored.violations
            if found.route == route
        ]
        path = table.span("routes", route).path
        cases.append(Case({"name": f"route {route}", "classname": "exploration", "file": path}, failures))
    return Suite("exploration", _counts(len(explored.worst), len(broken)), cases)


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
        yield command("notice", {"title": "coverage"}, f"{share} of the policy is rehearsed")
    if report.mutated is not None:
        for mutant in report.mutated.survivors:
            yield _annotation("warning", mutant.span, "nobody notices", mutant.words)


def _gap_words(gap: Gap) -> str:
    return f"{gap.item.words}: {gap.why}"


def _words(row: Row) -> str:
    return f"{row.label}: expected {row.expected or 'nothing'}, got {row.actual}"


def _annotation(level: str, span: Span, title: str, message: str) -> str:
    place = {"file": span.path, "line": str(span.start.line), "col": str(span.start.column)}
    return command(level, {**place, "title": title}, message)
