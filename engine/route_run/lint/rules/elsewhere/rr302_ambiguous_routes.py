"""Two routes that share requests, and neither is narrower

Why: Exactly one route decides. Higher precedence comes first, then the narrower match; where neither settles it,
the order of lines would have to, and a merge in git could change behaviour.

Bad:
    version: 1
    tags:
      desk: {values: [support, sales]}
      tier: {values: [gold, silver]}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}
      gold: {match: {tags: {tier: gold}}, upstream: main}

Good:
    version: 1
    tags:
      desk: {values: [support, sales]}
      tier: {values: [gold, silver]}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}}}
    models:
      small: {context_window: 32000, max_output_tokens: 4096}
    upstreams:
      main: {targets: [{endpoint: main, model: small}]}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}
      gold: {match: {tags: {tier: gold}}, precedence: 1, upstream: main}

Effect: nobody could tell which route gets the requests of both; the engine refuses to open the policy.

Fix: Give one a higher `precedence`, or narrow one until it lies inside of the other or apart from it.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
