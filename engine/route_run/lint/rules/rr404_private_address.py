"""URL that leads to a private address nobody allowed

Why: Private addresses, this machine included, are connected to only where the policy names their network, so that
a slip or a trick in a URL cannot reach what was never meant to be reached.

Bad:
    version: 1
    endpoints:
      local: {dialect: openai, base_url: "http://127.0.0.1:8080/v1", serves: {small: {}}}
    models:
      small: {context_window: 8192, max_output_tokens: 1024}

Good:
    version: 1
    endpoints:
      local: {dialect: openai, base_url: "http://127.0.0.1:8080/v1", allow_networks: [loopback], serves: {small: {}}}
    models:
      small: {context_window: 8192, max_output_tokens: 1024}

Effect: the engine refuses to connect: every attempt fails as `unusable`.

Fix: Name the network in `allow_networks` if the address is meant: `loopback` for this machine, else in CIDR notation.
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
    """Every URL whose address the egress guard would refuse, metadata apart; behind a proxy the proxy decides."""
    for link in facts.links:
        if link.denial is None or link.is_proxied or "metadata" in link.denial:
            continue
        spelt = "" if link.host.is_plain else f" (`{link.host.text}` spells {link.host.address})"
        yield Finding(
            Code.PRIVATE_ADDRESS,
            link.span,
            f"the `{link.field}` of the {link.owner} is not allowed: {link.denial}{spelt}",
            SEVERITY,
            help=f"if it is meant, write `allow_networks: [{_network(link)}]`",
            effect="the engine refuses to connect: every attempt fails",
        )


def _network(link: Link) -> str:
    address = getattr(link.host.address, "ipv4_mapped", None) or link.host.address
    if link.host.is_loopback or address is None:
        return "loopback"
    return f"{address}/32" if address.version == 4 else f'"{address}/128"'
