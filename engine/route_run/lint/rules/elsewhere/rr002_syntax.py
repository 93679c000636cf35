"""Text that is not YAML

Why: Everything else rests on the file being readable. What stands before the mistake is still checked, so that one
bracket does not hide the rest.

Bad:
    version: 1
    tags:
      desk: {values: [support, sales}

Good:
    version: 1
    tags:
      desk: {values: [support, sales]}

Effect: nothing after this point of the file is read, and the engine refuses to open the policy.

Fix: Close brackets and quotes, indent with blanks, and put regular expressions in single quotes.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
