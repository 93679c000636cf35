"""Default outside of its own range

Why: A default is what is sent when a caller says nothing; outside of the range beside it, it can never be sent.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      all: {match: {}, upstream: main, parameters: {temperature: {default: 1.5, max: 1}}}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      all: {match: {}, upstream: main, parameters: {temperature: {default: 0.5, max: 1}}}

Effect: every request without a value of its own would be refused; the engine refuses to open the policy.

Fix: Move the default into the range, or widen the range.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
