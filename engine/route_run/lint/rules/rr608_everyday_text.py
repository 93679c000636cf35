r"""Pattern that everyday text matches

Why: A pattern that fires on what people ask every day stops honest people, and then it is switched off. Lint asks
every pattern about a set of ordinary sentences in several languages.

Bad:
    version: 1
    guards:
      names: {patterns: [{id: parcel, regex: 'parcel|order', score: 1}]}

Good:
    version: 1
    guards:
      names: {patterns: [{id: parcel, regex: '\bparcel bomb\b', score: 1}]}

Effect: ordinary requests are stopped, or bear this score.

Fix: Ask for more words around it, or give it a score below the threshold so that it counts only together with others.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.everyday import EVERYDAY
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY


def check(facts: Facts) -> Iterator[Finding]:
    """Every pattern that alone makes a guard fire and that an everyday text matches."""
    told: set[int] = set()
    for guard in facts.guards:
        for pattern in guard.members:
            if pattern.document is None or pattern.score < guard.threshold or id(pattern) in told:
                continue
            if not pattern.everyday or pattern.probe.is_found_anywhere or len(pattern.everyday) == len(EVERYDAY):
                continue
            told.add(id(pattern))
            others = len(pattern.everyday) - 1
            more = f" and {others} more everyday text{'s' if others > 1 else ''}" if others else ""
            yield Finding(
                Code.EVERYDAY_TEXT,
                pattern.span("regex"),
                f"the pattern `{pattern.id}` finds “{pattern.everyday[0]}”{more}",
                SEVERITY,
                help="ask for more words around it, or give it a score below the threshold",
                effect=f"the guard `{guard.name}` stops ordinary requests",
            )
