"""YAML tag

Why: Tags such as `!env` mean something to one program and nothing to the next; some loaders run code for them.

Bad:
    version: 1
    tags:
      desk: {description: !env DESK}

Good:
    version: 1
    tags:
      desk: {description: who asks}

Effect: the value is not used, and the engine refuses to open the policy.

Fix: Write the value plainly; `${NAME}` refers to the environment where the field takes references.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
