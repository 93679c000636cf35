"""Pattern that seems to be covered by another

Why: When another pattern of the guard, which alone makes it fire, finds every example of this one too, this one may
be superfluous. Examples prove nothing about other texts, so this is a hint.

Bad:
    version: 1
    guards:
      names:
        patterns:
          - {id: any-zephyr, regex: 'zephyr', score: 1, must_match: ["the zephyr plan"]}
          - {id: zephyr-plan, regex: 'zephyr.{0,9}plan', score: 1, must_match: ["the zephyr plan", "zephyr: the plan"]}

Good:
    version: 1
    guards:
      names:
        patterns:
          - {id: any-zephyr, regex: 'zephyr', score: 1, must_match: ["the zephyr plan"]}

Effect: none on its examples: the guard fires without it too.

Fix: Remove it, or add an example that only this pattern finds.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.coverage import covering, same_expression, seeming_to_cover
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.HINT


def check(facts: Facts) -> Iterator[Finding]:
    """Within each guard: patterns whose examples, two or more, all make another one fire."""
    for guard in facts.guards:
        proved = {id(pattern) for pattern, _ in (*same_expression(guard), *covering(guard))}
        for pattern, other in seeming_to_cover(guard):
            if id(pattern) not in proved:
                yield Finding(
                    Code.SEEMS_COVERED,
                    pattern.span("id"),
                    f"{other.source} finds all examples of the pattern `{pattern.id}` too",
                    SEVERITY,
                    labels=(Label(other.span("id"), "the other pattern"),) if other.document is not None else (),
                    help="remove it, or add an example that only this pattern finds",
                )
