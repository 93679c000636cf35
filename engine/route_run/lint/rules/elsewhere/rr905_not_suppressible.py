"""Suppression of what makes the policy invalid

Why: The engine refuses an invalid policy whatever its comments say. Lint must not call sound what will not start.

Bad:
    version: 1
    ledger: {retention: 400}  # route-run: ignore[RR107] because it has always been days

Good:
    version: 1
    ledger: {retention: 400d}

Effect: it suppresses nothing: the finding stays, and the engine refuses to open the policy.

Fix: Mend the finding and remove the suppression.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
