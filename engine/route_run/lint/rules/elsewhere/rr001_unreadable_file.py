"""File that cannot be read

Why: A policy is all of its files. One that is not there for reasons of permissions, or that is not UTF-8 text, may
hold the very bound that keeps a request in its region; going on without it would be guessing.

Bad:
    # file: policy.yaml as latin-1
    version: 1
    tags:
      desk: {description: für Kunden}

Good:
    version: 1
    tags:
      desk: {description: für Kunden}

Effect: nothing of the file is read, and the engine refuses to open the policy.

Fix: Save the file as UTF-8, or give the one who runs route-run the right to read it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
