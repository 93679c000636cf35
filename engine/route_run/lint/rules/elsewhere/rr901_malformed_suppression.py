"""Suppression that is not understood or gives no reason

Why: A finding is set aside by a person for a reason, and the reason is what the next one needs. A misspelt
suppression that is passed over looks as if it worked.

Bad:
    version: 1
    tags:
      release: {values: [2024-08-06]}  # route-run: ignore[RR015]

Good:
    version: 1
    tags:
      release: {values: [2024-08-06]}  # route-run: ignore[RR015] because only we read it

Effect: it suppresses nothing.

Fix: Write `# route-run: ignore[RR301] because <reason>`, with `, until 2027-01-31` at the end where it is to
expire.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
