"""Text that looks like a date

Why: A bare `2024-08-06` is text here, but a date to readers of YAML 1.1, which may write it back in another form.

Bad:
    version: 1
    tags:
      release: {values: [2024-08-06]}

Good:
    version: 1
    tags:
      release: {values: ["2024-08-06"]}

Effect: route-run reads it as text; another program that reads the file may not.

Fix: Quote it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
