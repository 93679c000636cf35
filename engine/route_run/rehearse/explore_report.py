"""Exploration and mutation for people and machines."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from route_run.rehearse.explore import Explored, Violation, Worst
from route_run.rehearse.judge import seconds
from route_run.rehearse.mutate import Mutated
from route_run.rehearse.report import Line, counted
from route_run.rehearse.suggest import Suggestion
from route_run.table import RoutingTable


def script_of(violation: Violation) -> Suggestion:
    """A violation as a rehearsal that fails until it is mended."""
    name = f"{violation.route}: {violation.promise}"
    return Suggestion(name, violation.request, violation.endpoints, {"outcome": "completed"}, violation.also)


def explored_lines(explored: Explored, table: RoutingTable) -> Iterator[Line]:
    """The violations with their scripts, the worst case of each route, and how much was tried."""
    for violation in explored.violations:
        yield Line(f"VIOLATION  route {violation.route}: {violation.promise}", "error")
        yield Line(f"  --> {table.span('routes', violation.route)}", "place")
        yield Line(f"  {violation.words}")
        yield Line("  paste this to rehearse it:")
        for text in script_of(violation).lines():
            yield Line(f"    {text}")
        yield Line("")
    yield from _worst_cases(explored)
    for route, why in explored.unreached:
        yield Line(f"not explored: route {route}: {why}", "warning")
    yield _tried(explored)


def _tried(explored: Explored) -> Line:
    found = counted(len(explored.violations), "violation")
    words = f"explored {counted(explored.requests, 'request')}: tried {explored.tried:,} of {explored.total:,} scripts"
    if explored.pruned:
        words += f", {explored.pruned:,} more could change nothing"
    if explored.is_cut:
        words += ", the budget is over"
    return Line(f"{words}: {found}", "error" if explored.violations else "good")


def _worst_cases(explored: Explored) -> Iterator[Line]:
    rows = [("worst case", "first content", "total", "attempts", "spend at most", "longest with")]
    for name, worst in explored.worst.items():
        rows += [(name, *_cells(worst)), (f"{name} (plain)", *_cells(explored.worst_plain[name]))]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for number, row in enumerate(rows):
        text = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        yield Line(text, "" if number else "quiet")
    yield Line("")


def _cells(worst: Worst) -> tuple[str, str, str, str, str]:
    return (
        "–" if worst.first_content is None else seconds(worst.first_content),
        seconds(worst.total),
        str(worst.attempts),
        "not known" if worst.spend is None else f"{worst.spend.normalize():f} USD",
        worst.by.get("total", "–"),
    )


def explored_data(explored: Explored, table: RoutingTable) -> dict[str, Any]:
    """Exploration as JSON data; times in seconds."""
    return {
        "depth": explored.depth,
        "requests": explored.requests,
        "tried": explored.tried,
        "pruned": explored.pruned,
        "total": explored.total,
        "is_cut": explored.is_cut,
        "not_explored": [{"route": route, "why": why} for route, why in explored.unreached],
        "violations": [
            {
                "route": violation.route,
                "promise": violation.promise,
                "message": violation.words,
                "path": table.span("routes", violation.route).path,
                "line": table.span("routes", violation.route).start.line,
                "rehearsal": script_of(violation).as_data(),
            }
            for violation in explored.violations
        ],
        "worst": {name: _worst_data(worst) for name, worst in explored.worst.items()},
        "worst_plain": {name: _worst_data(worst) for name, worst in explored.worst_plain.items()},
    }


def _worst_data(worst: Worst) -> dict[str, Any]:
    return {
        "first_content": None if worst.first_content is None else round(worst.first_content, 6),
        "total": round(worst.total, 6),
        "attempts": worst.attempts,
        "spend_usd": None if worst.spend is None else f"{worst.spend.normalize():f}",
        "by": worst.by,
    }


def mutated_lines(mutated: Mutated) -> Iterator[Line]:
    """The changes that nobody noticed."""
    for mutant in mutated.survivors:
        yield Line(f"nobody notices: {mutant.words}", "warning")
        yield Line(f"  --> {mutant.span}", "place")
    if mutated.survivors:
        yield Line("")
    noticed = mutated.tried - len(mutated.survivors)
    words = f"{noticed} of {mutated.tried} changes of the policy are noticed"
    if mutated.invalid:
        words += f", {mutated.invalid} of them because the policy is invalid then"
    if mutated.is_cut:
        words += f"; {mutated.total - mutated.tried} were not tried, the budget is over"
    yield Line(words, "warning" if mutated.survivors else "good")


def mutated_data(mutated: Mutated) -> dict[str, Any]:
    """Mutation as JSON data."""
    return {
        "tried": mutated.tried,
        "total": mutated.total,
        "invalid": mutated.invalid,
        "is_cut": mutated.is_cut,
        "survivors": [
            {"change": mutant.words, "path": mutant.span.path, "line": mutant.span.start.line}
            for mutant in mutated.survivors
        ],
    }
