"""Tag that is not declared

Why: Only declared tags can be matched: a misspelt one would match no request, or with `not` every request.

Bad:
    version: 1
    tags:
      desk: {values: [support]}
    bounds:
      calm: {match: {tags: {dsek: support}}, parameters: {temperature: {max: 1}}}

Good:
    version: 1
    tags:
      desk: {values: [support]}
    bounds:
      calm: {match: {tags: {desk: support}}, parameters: {temperature: {max: 1}}}

Effect: the match would never hold, or always; the engine refuses to open the policy.

Fix: Declare the tag in `tags`, or write the one that is meant.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
