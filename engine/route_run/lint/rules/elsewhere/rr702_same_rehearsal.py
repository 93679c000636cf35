"""Rehearsal with a name that is taken

Why: A failure is told by the name of its rehearsal. Two of one name cannot be told apart.

Bad:
    # file: policy.yaml
    version: 1
    # file: desks.test.yaml
    version: 1
    rehearsals:
      - {name: hello, request: {prompt: Hello}, expect: {outcome: refused}}
      - {name: hello, request: {prompt: Good morning}, expect: {outcome: refused}}

Good:
    # file: policy.yaml
    version: 1
    # file: desks.test.yaml
    version: 1
    rehearsals:
      - {name: hello, request: {prompt: Hello}, expect: {outcome: refused}}
      - {name: good morning, request: {prompt: Good morning}, expect: {outcome: refused}}

Effect: reports name two rehearsals alike.

Fix: Say in the name what is different.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
