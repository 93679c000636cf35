"""Suppression that suppresses nothing

Why: What it set aside is gone. Left behind it would silence the next mistake of that kind on its line.

Bad:
    version: 1
    tags:
      release: {values: ["2024-08-06"]}  # route-run: ignore[RR015] because only we read it

Good:
    version: 1
    tags:
      release: {values: ["2024-08-06"]}

Effect: nothing today; it would hide a finding tomorrow.

Fix: Remove it, or the code that it does not need.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
