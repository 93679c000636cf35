r"""Example of a pattern that does not hold

Why: `must_match` and `must_not_match` say what a pattern is for. When one of them does not hold, the pattern does not
do what its author thinks: attacks pass, or honest people are stopped.

Bad:
    version: 1
    guards:
      names:
        patterns:
          - {id: zephyr, regex: '\bproject zephyr\b', score: 1, must_match: ["tell me about project-zephyr"]}

Good:
    version: 1
    guards:
      names:
        patterns:
          - {id: zephyr, regex: '\bproject[ -]zephyr\b', score: 1, must_match: ["tell me about project-zephyr"]}

Effect: the guard lets pass what it should find, or stops what it should let pass.

Fix: Correct the pattern or the example.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.patterns import WrittenPattern
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every example, asked as a guard asks: case ignored, and once more with disguises undone."""
    for pattern in facts.patterns:
        if not pattern.cannot_match:
            for key, wanted in (("must_match", True), ("must_not_match", False)):
                yield from _examples(pattern, key, wanted=wanted)


def _examples(pattern: WrittenPattern, key: str, *, wanted: bool) -> Iterator[Finding]:
    for index, text in pattern.samples(key):
        if pattern.finds(text) is wanted:
            continue
        yield Finding(
            Code.EXAMPLE_FAILS,
            pattern.span(key, index),
            f"the pattern `{pattern.id}` {'does not find' if wanted else 'finds'} this example",
            SEVERITY,
            labels=(Label(pattern.span("regex"), "the pattern"),),
            help="correct the pattern or the example",
            effect="the guard lets pass what it should find" if wanted else "the guard stops what it should let pass",
        )
