"""Reference to a secret in a field that is no secret

Why: Values of secret fields are never shown. A URL or a client id is: it stands in errors, logs and records. A
reference whose name says key, secret or password is most likely in the wrong field.

Bad:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "${WEBHOOK_SECRET}", secrets: ["${WEBHOOK_URL}"]}

Good:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "${WEBHOOK_URL}", secrets: ["${WEBHOOK_SECRET}"]}

Effect: the secret can be seen in messages and logs, and the request does not arrive.

Fix: Refer to the secret in the field that takes it; rename the variable if it holds none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.reference import is_reference

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.HINT

_PLAIN_FIELDS = frozenset({"base_url", "url", "token_url", "proxy", "client_id"})
_SECRET_NAME = re.compile(r"(?:^|[_/.-])(?:secret|password|passwd|token|api_?key|key|credentials?)\Z", re.IGNORECASE)


def check(facts: Facts) -> Iterator[Finding]:
    """Every reference with such a name in a URL or client id."""
    for text in facts.texts:
        if text.is_key or text.field not in _PLAIN_FIELDS or not is_reference(text.content):
            continue
        name = text.content[2:-1]
        if _SECRET_NAME.search(name):
            yield Finding(
                Code.SECRET_IN_PLAIN_FIELD,
                text.span,
                f"`{text.content}` sounds like a secret, but `{text.field}` is shown in messages and logs",
                SEVERITY,
                help="refer to the secret in the field that takes it, or rename the variable",
                effect="the secret can be seen, and the request does not arrive",
            )
