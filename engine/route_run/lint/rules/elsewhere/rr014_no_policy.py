"""Policy folder without a policy

Why: An empty or missing folder is a typing error or a failed checkout far more often than it is meant.

Bad:
    # file: README.md
    The policy will come here.

Good:
    version: 1

Effect: there is nothing to route by; the engine refuses to open the policy.

Fix: Name the right folder; `route-run init` writes a starter policy.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
