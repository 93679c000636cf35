"""Rule that crashed

Why: A defect in one rule must not silence the others: the crash is reported in the place of what the rule would
have found.

Bad:
    # not shown by a policy: this is a defect of route-run itself
    version: 1

Good:
    version: 1

Effect: what the rule would find is not known; all other rules have been checked.

Fix: Report it to the maintainers of route-run, with the line that the message names.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
