"""Match that no request can satisfy

Why: Conditions hold together. These rule each other out, so a route or webhook never hears of a request and a bound
never holds.

Bad:
    version: 1
    bounds:
      long: {match: {prompt_tokens: {min: 2000, max: 1000}}, parameters: {temperature: {max: 1}}}

Good:
    version: 1
    bounds:
      long: {match: {prompt_tokens: {min: 1000, max: 2000}}, parameters: {temperature: {max: 1}}}

Effect: it would never hold; the engine refuses to open the policy.

Fix: Widen the condition, or remove the item.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
