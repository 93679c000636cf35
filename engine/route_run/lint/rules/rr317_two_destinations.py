"""Guards that send the same requests to different routes

Why: a prompt can set off several guards. When two of them name different routes there is no telling which of them is
    right, so the request is rejected. Where that is not meant, one of the guards should reject by itself, or both
    should name the same route.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    guards:
      injection: {packs: ["builtin/injection@1"], then: {route: quarantine}}
      strict: {packs: ["builtin/injection@1"], threshold: 0.5, then: {route: review}}
    bounds:
      baseline: {match: {}, guards: [injection, strict]}
    routes:
      quarantine: {upstream: main}
      review: {upstream: main}
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    guards:
      injection: {packs: ["builtin/injection@1"], then: {route: quarantine}}
      strict: {packs: ["builtin/injection@1"], threshold: 0.5, then: {route: quarantine}}
    bounds:
      baseline: {match: {}, guards: [injection, strict]}
    routes:
      quarantine: {upstream: main}
      everything-else: {match: {}, upstream: main}

Effect: a prompt that sets off both guards is rejected and goes to neither route.

Fix: let both name one route, or let one of them reject.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import RouteTo
from route_run.table import Attributes

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED
_MOST_GUARDS = 60


def check(facts: Facts) -> Iterator[Finding]:
    """Pairs of guards with different destinations that check some request together."""
    rerouting = [
        (name, guard.then.route)
        for name, guard in sorted(facts.policy.guards.items())
        if isinstance(guard.then, RouteTo) and name in facts.table.scanners
    ][:_MOST_GUARDS]
    for (one, there), (other, elsewhere) in combinations(rerouting, 2):
        if there != elsewhere and (witness := _shared(facts, one, other)) is not None:
            yield Finding(
                Code.TWO_DESTINATIONS,
                facts.policy.origin("guards", other).span("then", "route"),
                f"the guards `{one}` and `{other}` send the same requests to different routes, `{there}` and "
                f"`{elsewhere}`: both check, for example, one with {words.request(witness)}",
                severity=SEVERITY,
                labels=(Label(facts.policy.origin("guards", one).span("then", "route"), f"`{one}` sends here"),),
                help="name one route in both, or let one of them reject",
                effect="a prompt that sets off both is rejected and goes to neither",
            )


def _shared(facts: Facts, one: str, other: str) -> Attributes | None:
    """A request that both guards check."""
    mine = [bound.region for bound in facts.table.bounds if one in bound.guards]
    theirs = [bound.region for bound in facts.table.bounds if other in bound.guards]
    both = (shared for a in mine for b in theirs if (shared := a & b) is not None)
    found = next(both, None)
    return found.witness() if found is not None else None
