"""Pattern that another one makes useless

Why: A pattern whose every match another pattern of the guard finds too, where that other alone reaches the threshold,
changes no verdict. The same expression twice counts one hit as two.

Bad:
    version: 1
    guards:
      names:
        patterns:
          - {id: zephyr, regex: 'zephyr', score: 1}
          - {id: project-zephyr, regex: 'project zephyr', score: 1}

Good:
    version: 1
    guards:
      names:
        patterns:
          - {id: zephyr, regex: 'zephyr', score: 1}

Effect: the verdict is the same without it; or, for one written twice, its score counts twice.

Fix: Remove it, or lower the score of the wider pattern if only the narrower one should decide.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.coverage import covering, same_expression
from route_run.lint.facts import Facts
from route_run.lint.patterns import WrittenPattern
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Within each guard: equal expressions, and plain words that lie inside of what another pattern finds."""
    for guard in facts.guards:
        for pattern, other in same_expression(guard):
            yield _finding(
                pattern,
                other,
                f"is the same expression as {other.source} in the guard `{guard.name}`",
                "its score counts twice",
            )
        for pattern, other in covering(guard):
            what = f"finds nothing that {other.source} does not find, which alone makes the guard `{guard.name}` fire"
            yield _finding(pattern, other, what, "the verdict is the same without it")


def _finding(pattern: WrittenPattern, other: WrittenPattern, what: str, effect: str) -> Finding:
    return Finding(
        Code.ADDS_NOTHING,
        pattern.span("regex"),
        f"the pattern `{pattern.id}` {what}",
        SEVERITY,
        labels=(Label(other.span("regex"), "the other pattern"),) if other.document is not None else (),
        help="remove it, or lower the other's score if only this one should decide",
        effect=effect,
    )
