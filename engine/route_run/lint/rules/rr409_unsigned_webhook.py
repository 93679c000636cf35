"""Webhook without a signature

Why: A receiver can only know that a message is ours, is whole and is not an old one sent again by its signature. An
API key proves nothing once somebody has seen it.

Bad:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "${WEBHOOK_URL}"}

Good:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "${WEBHOOK_URL}", secrets: ["${WEBHOOK_SECRET}"]}

Effect: whoever knows the address can send made-up events, and old ones again.

Fix: Add `secrets` with one reference, and let the receiver verify as Standard Webhooks say.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.text import Kind

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every webhook whose `secrets` are absent or empty."""
    for document in facts.documents:
        webhooks = document.data.get("webhooks") if isinstance(document.data, dict) else None
        if document.kind is not Kind.POLICY or not isinstance(webhooks, dict):
            continue
        for name, webhook in webhooks.items():
            if isinstance(webhook, dict) and not webhook.get("secrets") and not _is_misspelt(webhook):
                yield Finding(
                    Code.UNSIGNED_WEBHOOK,
                    document.span_of_key(("webhooks", name)),
                    f"the webhook `{name}` is not signed",
                    SEVERITY,
                    help='add `secrets: ["${WEBHOOK_SECRET}"]`',
                    effect="whoever knows the address can send made-up events, and old ones again",
                )


def _is_misspelt(webhook: Mapping[str, object]) -> bool:
    """`secret: …` has a finding that names the right field."""
    return any(key.startswith("secre") for key in webhook if key != "secrets")
