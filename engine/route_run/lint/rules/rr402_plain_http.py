"""Plain http to another machine

Why: Prompts, answers and the credentials of an endpoint or webhook travel in clear text over `http://`. Within this
machine nobody listens; on any network in between somebody can.

Bad:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "http://hooks.example.com/ops", secrets: ["${WEBHOOK_SECRET}"]}

Good:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "https://hooks.example.com/ops", secrets: ["${WEBHOOK_SECRET}"]}

Effect: whoever is on the way can read and change what is sent.

Fix: Write `https://`, or let a server on this machine (`http://127.0.0.1`) carry it on.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every `http://` that is not a proxy and does not stay on this machine."""
    for link in facts.links:
        if link.scheme != "http" or link.field == "proxy" or link.host.is_loopback:
            continue
        carried = "prompts and answers" if link.field == "base_url" else "what is sent"
        carried = "the client's secret and its tokens" if link.field == "token_url" else carried
        with_credentials = ", credentials included" if link.sends_credentials and link.field != "token_url" else ""
        yield Finding(
            Code.PLAIN_HTTP,
            link.span,
            f"the `{link.field}` of the {link.owner} is plain http to another machine",
            SEVERITY,
            help="write `https://`",
            effect=f"whoever is on the way can read and change {carried}{with_credentials}",
        )
