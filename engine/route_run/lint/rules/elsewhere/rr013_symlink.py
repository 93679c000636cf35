"""Symbolic link in a policy folder

Why: What git shows in review has to be all that is read. A link brings in what nobody reviewed.

Bad:
    # file: policy.yaml
    version: 1

    # link: more.yaml to policy.yaml

Good:
    # file: policy.yaml
    version: 1

    # file: more.yaml
    version: 1

Effect: the link is not followed, and the engine refuses to open the policy.

Fix: Put the file itself into the folder, or name its folder as a second policy folder.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
