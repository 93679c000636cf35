"""Guard that can never fire

Why: A guard fires when the scores of its hits reach its threshold. When all its patterns together do not, it never
does, whatever a prompt says.

Bad:
    version: 1
    guards:
      names: {patterns: [{id: zephyr, regex: 'zephyr', score: 0.3}], threshold: 0.9}

Good:
    version: 1
    guards:
      names: {patterns: [{id: zephyr, regex: 'zephyr', score: 1}], threshold: 0.9}

Effect: the guard never fires; it only looks as if it protected anything.

Fix: Lower the threshold, or raise the scores.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every guard whose patterns, each counted once, stay below its threshold."""
    for guard in facts.guards:
        if not guard.is_whole or not guard.members:
            continue
        most = min(1.0, round(sum(p.score for p in guard.members), 6))
        if most < guard.threshold:
            yield Finding(
                Code.OUT_OF_REACH,
                guard.span("threshold"),
                f"the guard `{guard.name}` can never fire: its scores add up to {most:g} at most, "
                f"its threshold is {guard.threshold:g}",
                SEVERITY,
                help=f"lower the threshold to {most:g} or less, or raise the scores"
                if most
                else "correct its patterns",
                effect="the guard never fires; it only looks as if it protected anything",
            )
