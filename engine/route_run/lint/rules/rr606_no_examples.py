"""Pattern without an example

Why: A regular expression says how, not what for. An example of what it must find, and of what it must not, lets the
next reader change it without fear, and lint checks both on every run.

Bad:
    version: 1
    guards:
      names: {patterns: [{id: zephyr, regex: 'zephyr', score: 1}]}

Good:
    version: 1
    guards:
      names:
        patterns:
          - {id: zephyr, regex: 'zephyr', score: 1, must_match: ["the zephyr plan"], must_not_match: ["a light wind"]}

Effect: nobody knows whether the pattern still does what it was written for.

Fix: Add `must_match`, best with `must_not_match` beside it.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every pattern that is shown no text it must find."""
    for pattern in facts.patterns:
        if not pattern.must_match:
            yield Finding(
                Code.NO_EXAMPLES,
                pattern.span("id"),
                f"the pattern `{pattern.id}` has no example",
                SEVERITY,
                help="add `must_match` with a text it has to find, and `must_not_match` with one it has not",
            )
