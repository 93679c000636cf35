"""Second document in one file

Why: Most readers of YAML read the first document of a file and pass over the others.

Bad:
    version: 1
    ---
    version: 1

Good:
    # file: first.yaml
    version: 1

    # file: second.yaml
    version: 1

Effect: the second document is not read, and the engine refuses to open the policy.

Fix: Move it into a file of its own.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
