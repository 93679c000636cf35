"""Name that seems to lead to a private address

Why: Some names lead to the inside by their very make: `10.0.0.7.nip.io`, `localtest.me`, a single word, `….internal`.
Lint resolves no name, so this is a hint: the engine checks every address before it connects.

Bad:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "https://hooks.corp.internal/ops", secrets: ["${WEBHOOK_SECRET}"]}

Good:
    version: 1
    webhooks:
      ops:
        match: {}
        events: [failed]
        url: https://hooks.corp.internal/ops
        allow_networks: [10.20.0.0/16]
        secrets: ["${WEBHOOK_SECRET}"]

Effect: if the name leads to a private address, the engine refuses to connect.

Fix: Name the network in `allow_networks` if a private address is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.HINT


def check(facts: Facts) -> Iterator[Finding]:
    """Every name with such a make where no private network is allowed at all."""
    for link in facts.links:
        if link.host.hint and not link.allowed and not link.is_proxied:
            yield Finding(
                Code.INSIDE_NAME,
                link.span,
                f"the host `{link.host.text}` of the {link.owner} {link.host.hint}",
                SEVERITY,
                help="name the private network in `allow_networks` if that is meant",
                effect="the engine refuses to connect to private addresses that are not allowed",
            )
