"""Suppression that has expired

Why: An end date is a promise to come back. When it has passed, the finding counts again and the promise is named.

Bad:
    version: 1
    tags:
      release: {values: [2024-08-06]}  # route-run: ignore[RR015] because an importer needs it, until 2020-01-31

Good:
    version: 1
    tags:
      release: {values: [2024-08-06]}  # route-run: ignore[RR015] because an importer needs it, until 9999-12-31

Effect: it suppresses nothing any more.

Fix: Mend what it set aside, or give it a new date and the reason for it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
