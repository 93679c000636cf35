"""Anchor, alias or merge key

Why: Aliases make a value depend on a place far above it, merge keys do so silently, and a few lines of them can
unfold into gigabytes. Bounds are the way to say one thing for many routes.

Bad:
    version: 1
    tags:
      desk: &open {required: true}
      team: *open

Good:
    version: 1
    tags:
      desk: {required: true}
      team: {required: true}

Effect: the value is not unfolded, and the engine refuses to open the policy.

Fix: Write the value out.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
