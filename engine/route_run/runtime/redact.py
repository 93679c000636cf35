"""Secrets taken out of texts that come from the other side, or are about it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from urllib.parse import quote, quote_plus

SHORTEST_REDACTED = 4
"""Secrets shorter than this are not looked for in texts: they would blot out ordinary words."""
_INSTEAD = "***"


def forms_of(secrets: Iterable[str]) -> Sequence[str]:
    """Secrets as an error message may quote them, longest first: as kept and as sent, in URLs and in JSON."""
    forms: set[str] = set()
    for secret in secrets:
        sent = secret.strip()
        forms |= {secret, sent, " ".join(sent.split()), quote(sent, safe=""), quote(sent), quote_plus(sent)}
        forms.add(json.dumps(sent)[1:-1])
    return sorted((form for form in forms if len(form) >= SHORTEST_REDACTED), key=lambda form: (-len(form), form))


def redacted(text: str, secrets: Iterable[str]) -> str:
    """A text without secrets, nor the beginning of one at its end, where a long text has been cut."""
    for secret in secrets:
        text = text.replace(secret, _INSTEAD)
        body = text.removesuffix("…")
        for length in range(min(len(secret) - 1, len(body)), SHORTEST_REDACTED - 1, -1):
            if body.endswith(secret[:length]):
                text = body[:-length] + _INSTEAD
                break
    return text
