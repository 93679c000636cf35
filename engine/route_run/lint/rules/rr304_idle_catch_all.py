"""Catch-all with nothing left to catch

Why: a route with `match: {}` is a safety net. When the other routes take every request that the tags allow, the net
    catches nothing: either it is not needed, or one of the others matches more than its author had in mind. It does
    no harm today, and comes to life when a tag gets another value.

Bad:
    version: 1
    tags: {desk: {values: [support, sales], required: true}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}
      sales: {match: {tags: {desk: sales}}, upstream: main}
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}
      sales: {match: {tags: {desk: sales}}, upstream: main}
      everything-else: {match: {}, upstream: main}

Effect: no request goes to the catch-all.

Fix: remove the catch-all, or narrow the route that takes more than it should.
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
    """Routes with an empty match, when others take every request there can be."""
    for route in facts.table.matched:
        if not facts.is_catch_all(route) or facts.eligible.is_also_named(route):
            continue
        reach = facts.reached.of(route)
        if isinstance(reach, Taken):
            yield Finding(
                Code.IDLE_CATCH_ALL,
                facts.name_span("routes", route.name),
                f"nothing is left for the catch-all `{route.name}`: "
                f"{listed(taker.name for taker in reach.by)} {'takes' if len(reach.by) == 1 else 'together take'} "
                "every request that the tags allow",
                severity=SEVERITY,
                labels=tuple(
                    Label(facts.name_span("routes", taker.name), f"`{taker.name}` is here") for taker in reach.by
                ),
                help=f"remove `{route.name}`, or narrow the route that takes more than it should",
                effect=f"no request goes to `{route.name}` as long as the tags and the other routes stay as they are",
            )
