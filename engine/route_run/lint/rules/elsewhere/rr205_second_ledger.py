"""Second `ledger` in one policy

Why: What is kept of requests is one decision for the whole policy.

Bad:
    # file: first.yaml
    version: 1
    ledger: {capture: none}

    # file: second.yaml
    version: 1
    ledger: {capture: full}

Good:
    # file: first.yaml
    version: 1
    ledger: {capture: none}

    # file: second.yaml
    version: 1

Effect: nobody could tell which one holds; the engine refuses to open the policy.

Fix: Keep one of them.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
