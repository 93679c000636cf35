"""File that a document names and that cannot be used

Why: A check of answers or a certificate that is not there checks nothing. Files are named by their path inside the
policy folder.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      all: {match: {}, upstream: main, verify: {json_schema: answer.schema.json}}

Good:
    # file: policy.yaml
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      all: {match: {}, upstream: main, verify: {json_schema: answer.schema.json}}

    # file: answer.schema.json
    {"type": "object", "examples": [{}]}

Effect: the item is left out, and the engine refuses to open the policy.

Fix: Put the file into the policy folder, or correct its name or content.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
