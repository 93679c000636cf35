"""Document that is not a mapping

Why: A document says which sections it holds by their names. An empty file is most often one that was lost on the
way.

Bad:
    - version: 1

Good:
    version: 1

Effect: nothing of it is read, and the engine refuses to open the policy.

Fix: Start the file with `version: 1`, or remove it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
