"""Name that is defined twice

Why: All documents are one policy and their order never matters, so there is no last one that could win.

Bad:
    # file: first.yaml
    version: 1
    tags:
      desk: {values: [support]}

    # file: second.yaml
    version: 1
    tags:
      desk: {values: [sales]}

Good:
    # file: first.yaml
    version: 1
    tags:
      desk: {values: [support]}

    # file: second.yaml
    version: 1
    tags:
      team: {values: [sales]}

Effect: one of the two would not hold; the engine refuses to open the policy.

Fix: Rename or remove one of them.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
