"""Value outside of a closed set

Why: Where a field has a fixed set of values, any other is a mistake that only shows when it matters.

Bad:
    version: 1
    ledger: {capture: all}

Good:
    version: 1
    ledger: {capture: full}

Effect: the item is left out, and the engine refuses to open the policy.

Fix: Choose one of the values that the message lists.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
