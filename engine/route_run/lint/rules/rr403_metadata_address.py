"""URL that leads to a cloud's metadata service

Why: The metadata service of a cloud gives out the machine's own credentials to whoever asks from the inside. A URL
that leads there is the classic way to steal them, however it is spelt.

Bad:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "https://0xA9FEA9FE/latest", secrets: ["${WEBHOOK_SECRET}"]}

Good:
    version: 1
    webhooks:
      ops: {match: {}, events: [failed], url: "https://hooks.example.com/ops", secrets: ["${WEBHOOK_SECRET}"]}

Effect: the engine refuses to connect; anything less careful would hand out the machine's credentials.

Fix: Write the address that is meant. Where a machine's own metadata service is really meant, name its one address
in `allow_networks`.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.destinations import Link
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every URL whose host is, or spells, a metadata service that `allow_networks` does not name by itself."""
    for link in facts.links:
        if what := _metadata(link):
            yield Finding(
                Code.METADATA_ADDRESS,
                link.span,
                f"the `{link.field}` of the {link.owner} leads to {what}",
                SEVERITY,
                help="write the address that is meant",
                effect="the engine refuses to connect; the metadata service gives out the machine's credentials",
            )


def _metadata(link: Link) -> str:
    if link.host.is_metadata_name:
        return f"`{link.host.text}`, the name of a cloud's metadata service"
    if link.denial is None or "metadata" not in link.denial:
        return ""
    spelt = "" if link.host.is_plain else f", which `{link.host.text}` spells"
    return f"{link.host.address}, a cloud's metadata address{spelt}"
