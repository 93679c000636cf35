"""Network that allows far more than one place

Why: `allow_networks` opens the egress guard. A network as wide as `10.0.0.0/8` or `0.0.0.0/0` opens it to every
private machine, so that one changed name or one confused server is enough to reach them all.

Bad:
    version: 1
    webhooks:
      ops:
        match: {}
        events: [failed]
        url: https://hooks.corp.example.com/ops
        allow_networks: [0.0.0.0/0]
        secrets: ["${WEBHOOK_SECRET}"]

Good:
    version: 1
    webhooks:
      ops:
        match: {}
        events: [failed]
        url: https://hooks.corp.example.com/ops
        allow_networks: [10.20.30.0/24]
        secrets: ["${WEBHOOK_SECRET}"]

Effect: every machine of that network can be reached through this URL.

Fix: Name the network of the server, best its one address: `10.20.30.40/32`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.schema.formats import network

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED

NARROW_ENOUGH = {4: 16, 6: 48}
"""Prefix lengths that one site has: what is shorter spans several."""


def check(facts: Facts) -> Iterator[Finding]:
    """Every named network that is wider than one site."""
    for text in facts.texts:
        if text.is_key or len(text.keys) != 4 or text.keys[2] != "allow_networks":
            continue
        if text.content == "loopback" or network(text.content) is not None:
            continue
        named = ipaddress.ip_network(text.content)
        if named.prefixlen >= NARROW_ENOUGH[named.version]:
            continue
        everything = (
            "every address there is" if named.prefixlen == 0 else f"2^{named.max_prefixlen - named.prefixlen} addresses"
        )
        yield Finding(
            Code.WIDE_NETWORK,
            text.span,
            f"`{text.content}` allows {everything}",
            SEVERITY,
            help=f"name the server's own network, /{NARROW_ENOUGH[named.version]} or narrower",
            effect="every private machine of that network can be reached through this URL",
        )
