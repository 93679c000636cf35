"""Target whose endpoint does not serve its model

Why: An endpoint says in `serves` which models it has. A target that asks it for another fails every time.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
      large: {context_window: 128000, max_output_tokens: 8192}
    upstreams:
      main: {targets: [{endpoint: main, model: large}]}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}, large: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
      large: {context_window: 128000, max_output_tokens: 8192}
    upstreams:
      main: {targets: [{endpoint: main, model: large}]}

Effect: every attempt at this target would fail; the engine refuses to open the policy.

Fix: Add the model to the endpoint's `serves`, or choose one that it serves.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
