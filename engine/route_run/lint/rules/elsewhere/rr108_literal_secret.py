"""Secret written into the policy

Why: A policy lives in git, and git forgets nothing. Secrets are referred to, and read when the engine opens.

Bad:
    version: 1
    ledger: {hash_key: 4711-correct-horse-battery-staple}

Good:
    version: 1
    ledger: {hash_key: "${LEDGER_HASH_KEY}"}

Effect: the secret would be in git for ever; treat a real one as leaked and replace it.

Fix: Write `${NAME}` or `${file:/run/secrets/name}` and put the secret there.
"""

from route_run.errors import Severity
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED
IS_SECRET = True
