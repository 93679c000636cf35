"""Key that is not text

Why: Every name of a policy is text. `{{` of a template starts a mapping inside of a mapping, and a bare number or
`null` is another value to every other reader.

Bad:
    version: 1
    tags:
      2024: {}

Good:
    version: 1
    tags:
      "2024": {}

Effect: the name would depend on the reader; the engine refuses to open the policy.

Fix: Quote the key; policies have no templates.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
