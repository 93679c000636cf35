"""Rehearsal that names what the policy does not have

Why: A rehearsal that expects an endpoint, route or tag under a wrong name tests nothing: what it says can never happen.

Bad:
    # file: policy.yaml
    version: 1
    tags: {desk: {values: [support, sales]}}
    # file: desks.test.yaml
    version: 1
    rehearsals:
      - name: support goes on
        request: {prompt: Hello, tags: {desk: suport}}
        expect: {outcome: completed}

Good:
    # file: policy.yaml
    version: 1
    tags: {desk: {values: [support, sales]}}
    # file: desks.test.yaml
    version: 1
    rehearsals:
      - name: support goes on
        request: {prompt: Hello, tags: {desk: support}}
        expect: {outcome: completed}

Effect: the rehearsal cannot be played, or proves something about another request.

Fix: Write the name that the policy has. A rehearsal that expects `outcome: refused` may ask for what is not there.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
