"""Field that this release does not enforce yet

Why: the language may say more than a release does: a field can be agreed on before the engine acts on it. Reading
    such a field and doing nothing would be a promise that nobody keeps, so it is refused until it is kept. This
    release enforces every field of the language; the example shows one as an earlier release saw it.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: main, model: m}]
        fallback: {after_content: restart} # in a release that does not restart answers yet
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: main, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: lint passes, but the engine refuses to open the policy.

Fix: remove it until the release that enforces it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
