"""Credentials in the path of a URL

Why: Paths and queries end up in the logs of servers and proxies on the way, and in git here. A key belongs in a
header, taken from a reference.

Bad:
    version: 1
    endpoints:
      cloud:
        dialect: openai
        base_url: https://models.example.com/v1
        path: /chat/completions?api_key=4711-correct-horse
        serves: {small: {}}
    models:
      small: {context_window: 8192, max_output_tokens: 1024}

Good:
    version: 1
    endpoints:
      cloud:
        dialect: openai
        base_url: https://models.example.com/v1
        auth: {api_key: "${CLOUD_API_KEY}", header: api-key}
        serves: {small: {}}
    models:
      small: {context_window: 8192, max_output_tokens: 1024}

Effect: the secret is in git, and in the logs of every server on the way.

Fix: Move it into `auth`, as a reference.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.LIKELY
IS_SECRET = True

_CREDENTIAL = re.compile(
    r"[?&;]((?:[a-z]+[-_])*(?:key|token|secret|password|passwd|pwd|sig|signature|auth|apikey|subscriptionkey|code))=[^&]+",
    re.IGNORECASE,
)


def check(facts: Facts) -> Iterator[Finding]:
    """Every path whose query names something like a key or password and gives it a value."""
    for text in facts.texts:
        if text.is_key or text.field not in ("path", "token_path") or facts.found_within(text.span):
            continue
        if (found := _CREDENTIAL.search(text.content)) is not None:
            yield Finding(
                Code.CREDENTIALS_IN_PATH,
                text.span,
                f"the path carries `{found[1]}` with a value",
                SEVERITY,
                help='write `auth: {api_key: "${NAME}", header: NAME-OF-THE-HEADER}`',
                effect="the secret is in git, and in the logs of every server on the way",
            )
