"""Policy file with another ending than `.yaml`

Why: One ending for all leaves no doubt what belongs to a policy: a rule in a file that nothing reads looks as if it
held.

Bad:
    # file: policy.yaml
    version: 1

    # file: bounds.yml
    version: 1

Good:
    # file: policy.yaml
    version: 1

    # file: bounds.yaml
    version: 1

Effect: the file is not read: what it says does not hold; the engine refuses to open the policy.

Fix: Rename it to end in `.yaml`.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
