"""Match that never decides

Why: a route can be reached by name (`callable`) or by a guard, and by its match. When other routes take every request
    that it matches, the match is dead text: whoever reads it believes that requests come this way.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}, tier: {values: [gold, silver]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, precedence: 10, upstream: main}
      support-gold: {match: {tags: {desk: support, tier: gold}}, callable: true, upstream: main}
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}, tier: {values: [gold, silver]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}
      support-gold: {match: {tags: {desk: support, tier: gold}}, callable: true, upstream: main}
      everything-else: {match: {}, upstream: main}

Effect: the route takes only the requests that name it or that a guard sends to it.

Fix: remove the match, or give the route the precedence that frees it.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.reached import Taken
from route_run.lint.rule import Confidence
from route_run.text.nearest import listed

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Routes that requests can be sent to by name or by a guard, when others take all that they match."""
    for route in facts.table.matched:
        if not facts.eligible.is_also_named(route):
            continue
        reach = facts.reached.of(route)
        if not isinstance(reach, Taken):
            continue
        precedence = facts.reached.freeing_precedence(route, reach)
        freed = f", or give the route the precedence {precedence}" if precedence is not None else ""
        yield Finding(
            Code.IDLE_MATCH,
            facts.policy.origin("routes", route.name).key_span("match"),
            f"the match of the route `{route.name}` never decides: {listed(t.name for t in reach.by)} "
            f"{'takes' if len(reach.by) == 1 else 'together take'} all of its requests",
            severity=SEVERITY,
            labels=tuple(Label(facts.name_span("routes", t.name), f"`{t.name}` is here") for t in reach.by),
            help=f"remove the match{freed}",
            effect=f"`{route.name}` takes only requests that name it or that a guard sends to it",
        )
