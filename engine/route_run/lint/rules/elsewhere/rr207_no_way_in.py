"""Route that no request can come to

Why: A route is reached by its `match`, by its name when it is `callable`, or by a guard that sends requests to it.
This one has none of the three.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      all: {upstream: main}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      all: {match: {}, upstream: main}

Effect: the route would never be used; the engine refuses to open the policy.

Fix: Add `match: {}` for all requests, `callable: true`, or remove the route.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
