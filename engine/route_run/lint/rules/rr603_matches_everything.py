"""Pattern that every text matches

Why: A pattern that can be found in the empty text (`a*`, `(x|)`), or in any letter, adds its score to every request.
A guard with it stops everybody, or has lost its meaning.

Bad:
    version: 1
    guards:
      names: {patterns: [{id: zephyr, regex: '(project zephyr)?', score: 1}]}

Good:
    version: 1
    guards:
      names: {patterns: [{id: zephyr, regex: 'project zephyr', score: 1}]}

Effect: every request has this score; at the threshold every request is stopped.

Fix: Make the part that is looked for obligatory.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.everyday import EVERYDAY
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every pattern that is found in nothing at all between any two characters, or in every everyday text."""
    for pattern in facts.patterns:
        if pattern.probe.is_found_anywhere:
            what = "every text: nothing at all is enough for it"
        elif len(pattern.everyday) == len(EVERYDAY):
            what = f"all {len(EVERYDAY)} everyday texts that lint asks it about"
        else:
            continue
        yield Finding(
            Code.MATCHES_EVERYTHING,
            pattern.span("regex"),
            f"the pattern `{pattern.id}` matches {what}",
            SEVERITY,
            help="make the part that is looked for obligatory: no `?` or `*` around all of it, no empty branch",
            effect=f"every request has its score of {pattern.score:g}",
        )
