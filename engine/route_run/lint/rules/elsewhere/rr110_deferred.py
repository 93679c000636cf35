"""Field that this release does not enforce yet

Why: The language describes more than this release does. Reading such a field and doing nothing would be a promise
that nobody keeps.

Bad:
    version: 1
    models:
      small: {context_window: 32000, max_output_tokens: 4096, limits: {requests: 600/min}}

Good:
    version: 1
    models:
      small: {context_window: 32000, max_output_tokens: 4096}

Effect: lint passes, but the engine refuses to open the policy.

Fix: Remove it until the release that enforces it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
