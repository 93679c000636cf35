r"""Pattern that nothing can match

Why: What a pattern demands can contradict itself: a start of the text after a letter (`a^b`), or a word boundary
between two letters (`foo\bbar`). Such a pattern is never found, whatever a prompt says.

Bad:
    version: 1
    guards:
      names: {patterns: [{id: zephyr, regex: 'project\bzephyr', score: 1}]}

Good:
    version: 1
    guards:
      names: {patterns: [{id: zephyr, regex: 'project\b.zephyr', score: 1}]}

Effect: the pattern is never found; what it should stop passes.

Fix: Remove the contradiction. `\b` stands between a word and what is no word; `^` and `$` only at the ends of the text
unless the pattern says `(?m)`.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every pattern whose demands contradict each other on every way through it."""
    for pattern in facts.patterns:
        if pattern.cannot_match:
            yield Finding(
                Code.NEVER_MATCHES,
                pattern.span("regex"),
                f"no text matches the pattern `{pattern.id}`: what it demands of a place contradicts itself",
                SEVERITY,
                help="look at `^`, `$`, `\\b` and `\\B` in the middle of it; `^` and `$` mean lines only after `(?m)`",
                effect="the pattern is never found; what it should stop passes",
            )
