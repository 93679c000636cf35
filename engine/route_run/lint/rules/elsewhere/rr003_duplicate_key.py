"""Key that stands twice in one mapping

Why: YAML readers keep the last of two equal keys and say nothing. In a policy the lost one may be a bound or a
route.

Bad:
    version: 1
    tags:
      desk: {values: [support]}
      desk: {values: [sales]}

Good:
    version: 1
    tags:
      desk: {values: [support, sales]}

Effect: one of the two would silently not hold; the engine refuses to open the policy.

Fix: Remove or rename one of them.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
