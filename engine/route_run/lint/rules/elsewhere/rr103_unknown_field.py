"""Field that does not exist

Why: A misspelt field that is passed over is a rule that does not hold while everybody believes that it does.

Bad:
    version: 1
    tags:
      desk: {requird: true}

Good:
    version: 1
    tags:
      desk: {required: true}

Effect: what the field is meant to say would not hold; the engine refuses to open the policy.

Fix: Write the name of a field that exists, or remove it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
