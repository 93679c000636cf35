"""Rehearsal of a request that no caller could make

Why: The engine refuses malformed requests before the policy is asked. A rehearsal of one says nothing about the policy.

Bad:
    # file: policy.yaml
    version: 1
    # file: blank.test.yaml
    version: 1
    rehearsals:
      - {name: blank, request: {prompt: " "}, expect: {outcome: refused}}

Good:
    # file: policy.yaml
    version: 1
    # file: blank.test.yaml
    version: 1
    rehearsals:
      - {name: blank, request: {prompt: Hello}, expect: {outcome: refused}}

Effect: `route-run test` cannot play it.

Fix: Correct the request; the finding says which part of it is wrong.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every request of a rehearsal, made as a caller makes one."""
    if facts.loaded.rehearsals:
        from route_run.rehearse.request import check_requests  # a policy without rehearsals should not pay for it

        yield from check_requests(facts.loaded.rehearsals)
