"""Field that has to be there

Why: What a required field says has no default that would be right for everybody: where an endpoint is, how large a
model's window is.

Bad:
    version: 1
    models:
      small: {context_window: 32000}

Good:
    version: 1
    models:
      small: {context_window: 32000, max_output_tokens: 4096}

Effect: the item is left out, and the engine refuses to open the policy.

Fix: Add the field; `route-run schema policy` describes it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
