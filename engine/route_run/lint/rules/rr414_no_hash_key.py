"""Ledger that keeps neither text nor hashes

Why: A keyed hash shows later that a certain prompt was, or was not, sent, without keeping the prompt. Without
`hash_key` no hash is kept, and the ledger cannot answer.

Bad:
    version: 1
    ledger: {capture: none, retention: 400d}

Good:
    version: 1
    ledger: {capture: none, retention: 400d, hash_key: "${LEDGER_HASH_KEY}"}

Effect: records cannot be linked to a prompt that somebody presents later.

Fix: Add `hash_key` with a reference to a long random key.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every ledger that is written down without a key, unless it keeps the text itself."""
    for document in facts.documents:
        ledger = document.data.get("ledger") if isinstance(document.data, dict) else None
        if not isinstance(ledger, dict) or facts.found_within(document.span_of(("ledger",))):
            continue
        if ledger.get("capture", "none") == "none" and "hash_key" not in ledger:
            yield Finding(
                Code.NO_HASH_KEY,
                document.span_of_key(("ledger",)),
                "the ledger keeps no hash of prompts and answers",
                SEVERITY,
                help='add `hash_key: "${LEDGER_HASH_KEY}"`',
                effect="records cannot be linked to a prompt that somebody presents later",
            )
