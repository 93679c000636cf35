"""Text of prompts and answers that is kept for ever

Why: `capture: full` keeps what people wrote. Without `retention` it is never removed, and every law on personal data
asks how long.

Bad:
    version: 1
    ledger: {capture: full}

Good:
    version: 1
    ledger: {capture: full, retention: 30d}

Effect: the text of every prompt and answer stays in the ledger until somebody removes it by hand.

Fix: Add `retention`, or keep no text: `capture: none`.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every ledger that captures text and never forgets."""
    for document in facts.documents:
        ledger = document.data.get("ledger") if isinstance(document.data, dict) else None
        if isinstance(ledger, dict) and ledger.get("capture") == "full" and ledger.get("retention") is None:
            yield Finding(
                Code.KEPT_FOR_EVER,
                document.span_of(("ledger", "capture")),
                "the text of prompts and answers is kept for ever",
                SEVERITY,
                help="add `retention: 30d`, or keep no text with `capture: none`",
                effect="what people wrote stays in the ledger until somebody removes it by hand",
            )
