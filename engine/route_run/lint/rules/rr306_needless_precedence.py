"""Precedence that changes nothing

Why: the narrower match wins by itself. A precedence that no decision depends on misleads whoever reads it, and one
    day it wins over a route that should have won over this one.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, precedence: 10, upstream: main}
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
      everything-else: {match: {}, upstream: main}

Effect: none today; every decision is the same without it.

Fix: remove the precedence.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from route_run.errors import Code, Finding, Fix, Severity
from route_run.lint.amend import without_entry
from route_run.lint.facts import Facts
from route_run.lint.reached import region_of
from route_run.lint.rule import Confidence
from route_run.table import Relation, Route

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Precedences that could all be left out together without changing which route wins over which."""
    if not facts.is_whole:
        return
    precedences = {route.name: route.precedence for route in facts.table.matched}
    for route in sorted(facts.table.matched, key=lambda route: route.name):
        if precedences[route.name] and facts.effort.left and _is_needless(facts, route, precedences):
            precedences[route.name] = 0
            yield _needless(facts, route)


def _is_needless(facts: Facts, route: Route, precedences: Mapping[str, int]) -> bool:
    own = precedences[route.name]
    for other in facts.reached.near(region_of(route), last_first=own > 0):
        if other is not route:
            relation = region_of(route).relation(region_of(other))
            theirs = precedences[other.name]
            if _wins(own, theirs, relation) is not _wins(0, theirs, relation):
                return False
    return True


def _wins(own: int, theirs: int, relation: Relation) -> bool | None:
    """Whether the first of two overlapping routes wins; None when they cannot be ranked."""
    if own != theirs:
        return own > theirs
    return {Relation.INSIDE: True, Relation.AROUND: False}.get(relation)


def _needless(facts: Facts, route: Route) -> Finding:
    origin = facts.policy.origin("routes", route.name)
    edit = without_entry(origin, "precedence")
    return Finding(
        Code.NEEDLESS_PRECEDENCE,
        origin.key_span("precedence"),
        f"the precedence of the route `{route.name}` changes nothing: without it the same routes win",
        severity=SEVERITY,
        help="remove it; the narrower match wins by itself",
        effect="none today; it wins over routes that are added later",
        fix=Fix("remove the precedence", (edit,), is_safe=True) if edit is not None else None,
    )
