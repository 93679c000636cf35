"""Name that nothing defines

Why: Routes, upstreams, guards and targets refer to each other by name. A name that leads nowhere is a typing error
or something removed too early.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      all: {match: {}, upstream: mian}

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

Effect: what refers to it is left out, and the engine refuses to open the policy.

Fix: Write a name that exists, or define it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
