"""Rehearsal that uses up a limit which the policy does not have

Why: `quota` says how much of a limit is used already. Where there is no such limit there is nothing to use, and the
rehearsal shows what happens without it.

Bad:
    # file: policy.yaml
    version: 1
    tags: {tenant: {}}
    bounds:
      fair-share: {match: {}, per: tags.tenant, limits: {spend: 20 USD/day}}
    # file: shares.test.yaml
    version: 1
    rehearsals:
      - name: who has spent his share waits until midnight
        quota: {bounds: {fair-share: {per: {acme: {tokens: 0 left}}}}}
        request: {prompt: Hello, tags: {tenant: acme}}
        expect: {outcome: refused}

Good:
    # file: policy.yaml
    version: 1
    tags: {tenant: {}}
    bounds:
      fair-share: {match: {}, per: tags.tenant, limits: {spend: 20 USD/day}}
    # file: shares.test.yaml
    version: 1
    rehearsals:
      - name: who has spent his share waits until midnight
        quota: {bounds: {fair-share: {per: {acme: {spend: 0 USD left}}}}}
        request: {prompt: Hello, tags: {tenant: acme}}
        expect: {outcome: refused}

Effect: the rehearsal proves nothing about the limit that it names.

Fix: Name a part that the limit has. What a bound with `per` counts stands in `per`, below the value, or in `absent`.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
