"""Field that this release does not enforce yet

Why: The language describes more than this release does. Reading such a field and doing nothing would be a promise
that nobody keeps.

Bad:
    # not shown by a policy: this release enforces every field of the language
    version: 1

Good:
    version: 1

Effect: lint passes, but the engine refuses to open the policy.

Fix: Remove it until the release that enforces it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
