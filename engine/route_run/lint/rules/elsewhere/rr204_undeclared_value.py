"""Value that its tag does not declare

Why: A tag with `values` is closed: requests with any other value are refused, so a match on one can never hold.

Bad:
    version: 1
    tags:
      desk: {values: [support, sales]}
    bounds:
      calm: {match: {tags: {desk: suport}}, parameters: {temperature: {max: 1}}}

Good:
    version: 1
    tags:
      desk: {values: [support, sales]}
    bounds:
      calm: {match: {tags: {desk: support}}, parameters: {temperature: {max: 1}}}

Effect: the match would never hold; the engine refuses to open the policy.

Fix: Write a declared value, or add this one to the tag's `values`.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
