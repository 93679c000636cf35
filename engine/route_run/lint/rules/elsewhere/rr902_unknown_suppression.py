"""Suppression of a code that does not exist

Why: A suppression of a misspelt code suppresses nothing and would stay for ever.

Bad:
    version: 1
    tags:
      release: {values: [2024-08-06]}  # route-run: ignore[RR051] because only we read it

Good:
    version: 1
    tags:
      release: {values: [2024-08-06]}  # route-run: ignore[RR015] because only we read it

Effect: it suppresses nothing.

Fix: Write the code as the finding shows it; `route-run rule` lists all of them.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
