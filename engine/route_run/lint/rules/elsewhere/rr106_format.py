"""Text that does not have the form of its field

Why: URLs, networks, moments and names have a form. A URL with a password in it, or a moment without its offset, is
understood differently by whoever reads it.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}

Effect: the item is left out, and the engine refuses to open the policy.

Fix: Write it in the form that the message shows.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
