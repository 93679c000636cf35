"""Value of the wrong kind

Why: Each field takes one kind of value. Text is never read as a number nor a number as text, because `1.10` and
`1.1` are two versions and one number.

Bad:
    version: 1
    tags:
      desk: {required: "yes"}

Good:
    version: 1
    tags:
      desk: {required: true}

Effect: the item is left out, and the engine refuses to open the policy.

Fix: Write a value of the kind that the message names.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
