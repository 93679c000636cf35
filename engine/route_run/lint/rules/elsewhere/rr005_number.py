"""Number that cannot be held exactly

Why: Numbers of more than 18 digits lose digits on their way, and NaN and infinity pass every comparison with a
limit.

Bad:
    version: 1
    models:
      small: {context_window: 32000, max_output_tokens: 4096, parameters: {temperature: {max: .inf}}}

Good:
    version: 1
    models:
      small: {context_window: 32000, max_output_tokens: 4096, parameters: {temperature: {max: 2}}}

Effect: a limit made of it would hold back nothing; the engine refuses to open the policy.

Fix: Write a finite number; quote it if it is a name.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
