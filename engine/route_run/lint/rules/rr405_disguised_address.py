"""Address that is not spelt as people spell it

Why: Resolvers take `2130706433`, `0x7f.1` and `0177.0.0.1` for 127.0.0.1. Such a spelling hides from a reviewer
where a URL leads; nobody needs it.

Bad:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "https://134744072/ops", secrets: ["${WEBHOOK_SECRET}"]}

Good:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "https://8.8.8.8/ops", secrets: ["${WEBHOOK_SECRET}"]}

Effect: a reviewer does not see where requests go, and other programs may read the address otherwise.

Fix: Write the address with four decimal numbers, or a name.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every odd spelling of an address that may be connected to; the others have findings of their own."""
    for link in facts.links:
        if link.host.address is None or link.host.is_plain or (link.denial is not None and not link.is_proxied):
            continue
        yield Finding(
            Code.DISGUISED_ADDRESS,
            link.span,
            f"the host `{link.host.text}` of the {link.owner} spells the address {link.host.address}",
            SEVERITY,
            help=f"write `{link.host.address}`",
            effect="a reviewer does not see where requests go",
        )
