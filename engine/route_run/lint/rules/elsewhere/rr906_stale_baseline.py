"""Baseline that lists findings which are gone

Why: A baseline holds what was there when lint was introduced. It may only shrink: an entry that nothing needs any
more would hide the same mistake when it comes back.

Bad:
    # not shown by a policy: it is about the file given with --baseline
    version: 1

Good:
    version: 1

Effect: nothing today; it would hide a finding tomorrow.

Fix: Run `route-run lint --baseline FILE --update-baseline` and commit the file.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
