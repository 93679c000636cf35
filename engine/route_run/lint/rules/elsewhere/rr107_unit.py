"""Number without its unit

Why: `timeout: 10` is ten seconds to one reader and ten milliseconds to the next. Units are written.

Bad:
    version: 1
    ledger: {retention: 400}

Good:
    version: 1
    ledger: {retention: 400d}

Effect: nobody can tell what is meant; the engine refuses to open the policy.

Fix: Write the unit: `250ms`, `5s`, `400d`, `600/min`, `10%`, `20 USD/day`.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
