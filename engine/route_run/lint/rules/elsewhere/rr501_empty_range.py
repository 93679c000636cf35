"""Range that leaves no value

Why: The ranges of a route and of every bound around it hold together. Where they do not meet, every request is
refused.

Bad:
    version: 1
    bounds:
      calm: {match: {}, parameters: {temperature: {min: 1, max: 0.5}}}

Good:
    version: 1
    bounds:
      calm: {match: {}, parameters: {temperature: {min: 0.5, max: 1}}}

Effect: every request that it holds for would be refused; the engine refuses to open the policy.

Fix: Widen one of the ranges that the message names.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
