"""Guard that sends requests where they are already

Why: a guard with `then: {route: …}` takes suspicious requests out of their route. When every request it checks is on
    its way to that very route, it sends them in a circle: guards are asked once, so nothing happens at all.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    guards:
      injection: {packs: ["builtin/injection@1"], then: {route: quarantine}}
    bounds:
      support-is-checked: {match: {tags: {desk: support}}, guards: [injection]}
    routes:
      quarantine: {match: {tags: {desk: support}}, upstream: main}
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    guards:
      injection: {packs: ["builtin/injection@1"], then: {route: quarantine}}
    bounds:
      support-is-checked: {match: {tags: {desk: support}}, guards: [injection]}
    routes:
      quarantine: {upstream: main}
      everything-else: {match: {}, upstream: main}

Effect: a prompt that sets off the guard is handled as if it had not.

Fix: send to another route, or let the guard reject or flag.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import RouteTo
from route_run.table.cover import Open

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Guards all of whose requests land on their destination by its match, and on no other route."""
    if not facts.is_whole:
        return
    for name, guard in sorted(facts.policy.guards.items()):
        if isinstance(guard.then, RouteTo) and _only_in_a_circle(facts, name, guard.then.route):
            yield _loop(facts, name, guard.then.route)


def _only_in_a_circle(facts: Facts, guard: str, destination: str) -> bool:
    route = facts.table.routes[destination]
    checked = [bound.region for bound in facts.table.bounds if guard in bound.guards]
    if route.region is None or not checked or any(r.callable for r in facts.table.routes.values() if r is not route):
        return False
    others = [other for region in checked for other in facts.reached.near(region) if other is not route]
    return all(region <= route.region for region in checked) and not any(
        isinstance(facts.reached.landing(other, shared), Open)
        for other in others
        for region in checked
        if other.region is not None and (shared := other.region & region) is not None
    )


def _loop(facts: Facts, guard: str, destination: str) -> Finding:
    return Finding(
        Code.REROUTE_LOOP,
        facts.policy.origin("guards", guard).span("then", "route"),
        f"the guard `{guard}` sends requests where they are already: all that it checks go to `{destination}` anyway",
        severity=SEVERITY,
        labels=(Label(facts.name_span("routes", destination), "the route matches all of them"),),
        help="send them to a route of its own, or write `then: reject` or `then: flag`",
        effect="a prompt that sets off the guard is handled as if it had not",
    )
