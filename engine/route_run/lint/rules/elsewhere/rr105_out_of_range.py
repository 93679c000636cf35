"""Value outside of its limits

Why: Limits on numbers, lengths and lists keep a policy within what the engine can honour.

Bad:
    version: 1
    models:
      small: {context_window: 0, max_output_tokens: 4096}

Good:
    version: 1
    models:
      small: {context_window: 32000, max_output_tokens: 4096}

Effect: the item is left out, and the engine refuses to open the policy.

Fix: Choose a value within the limits that the message names.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
