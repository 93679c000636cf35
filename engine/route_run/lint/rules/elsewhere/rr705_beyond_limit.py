"""Rehearsal that uses more of a limit than it holds

Why: A limit never lets anyone use more than it holds, and no more than that can be left of it. A rehearsal that says so
was written for another limit.

Bad:
    # file: policy.yaml
    version: 1
    endpoints:
      local: {dialect: openai, base_url: 'https://models.test/v1', serves: {small: {}}, limits: {requests: 60/min}}
    models: {small: {context_window: 8192, max_output_tokens: 1024}}
    # file: busy.test.yaml
    version: 1
    rehearsals:
      - name: a busy endpoint is left out
        quota: {endpoints: {local: {requests: 600 used}}}
        request: {prompt: Hello}
        expect: {outcome: refused}

Good:
    # file: policy.yaml
    version: 1
    endpoints:
      local: {dialect: openai, base_url: 'https://models.test/v1', serves: {small: {}}, limits: {requests: 60/min}}
    models: {small: {context_window: 8192, max_output_tokens: 1024}}
    # file: busy.test.yaml
    version: 1
    rehearsals:
      - name: a busy endpoint is left out
        quota: {endpoints: {local: {requests: 0 left}}}
        request: {prompt: Hello}
        expect: {outcome: refused}

Effect: the rehearsal begins where the engine never is.

Fix: Write an amount that the limit holds; `0 left` uses all of it, however large it is.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
