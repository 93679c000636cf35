"""Fields that rule each other out

Why: Two fields that answer the same question leave open which answer holds.

Bad:
    version: 1
    endpoints:
      main:
        dialect: openai
        base_url: https://models.example.com/v1
        serves: {small: {}}
        auth: {api_key: "${KEY}", oauth2: {client_id: me, client_secret: "${SECRET}"}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}

Good:
    version: 1
    endpoints:
      main:
        dialect: openai
        base_url: https://models.example.com/v1
        serves: {small: {}}
        auth: {api_key: "${KEY}"}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}

Effect: the item is left out, and the engine refuses to open the policy.

Fix: Keep one of them.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
