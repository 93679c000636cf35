"""Target that can never be chosen

Why: a target that the bounds rule out for every request of every route that uses it looks like a fallback and is
    none. The day the other targets fail, nothing is left.

Bad:
    version: 1
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      us-1: {dialect: openai, base_url: "https://us.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main: {targets: [{endpoint: eu-1, model: m}, {endpoint: us-1, model: m}]}
    bounds:
      all-in-eu: {match: {}, targets: {region: [eu]}}
    routes:
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      eu-2: {dialect: openai, base_url: "https://eu.example.net/v1", serves: {m: {}}, labels: {region: eu}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main: {targets: [{endpoint: eu-1, model: m}, {endpoint: eu-2, model: m}]}
    bounds:
      all-in-eu: {match: {}, targets: {region: [eu]}}
    routes:
      everything-else: {match: {}, upstream: main}

Effect: the target is never asked, and the upstream has one fallback less than it seems to have.

Fix: remove the target, replace it by one that the bounds allow, or change the bound.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.eligible import Kind, Never, Obstacle
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Route, Upstream
from route_run.text.nearest import listed

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
_SAID_ELSEWHERE = frozenset({Kind.DRAINED, Kind.NEED, Kind.WINDOW, Kind.PARAMETER})


def check(facts: Facts) -> Iterator[Finding]:
    """Targets that bounds keep from all routes of their upstream, where other targets do serve one."""
    if not facts.is_whole:
        return
    for name, routes in sorted(facts.routes_of.items()):
        upstream = routes[0].upstream
        serving = [route for route in routes if not all(isinstance(f, Never) for f in facts.eligible.fates(route))]
        if not serving:
            continue
        for number in range(len(upstream.targets)):
            yield from _ruled_out(facts, upstream, number, serving)
        yield from _behind(facts, name, upstream)


def _ruled_out(facts: Facts, upstream: Upstream, number: int, routes: list[Route]) -> Iterator[Finding]:
    obstacles: list[Obstacle] = []
    for route in routes:
        fate = facts.eligible.fates(route)[number]
        if not isinstance(fate, Never) or all(o.kind in _SAID_ELSEWHERE for o in fate.obstacles):
            return
        obstacles += fate.obstacles
    reasons = dict.fromkeys(obstacle.why for obstacle in obstacles)
    yield Finding(
        Code.TARGET_NEVER_CHOSEN,
        facts.target_span(upstream.name, number),
        f"the target {upstream.targets[number]} can never be chosen: {'; '.join(list(reasons)[:3])}",
        severity=SEVERITY,
        labels=facts.bound_labels(obstacles),
        help="remove the target, put one in its place that the bounds allow, or narrow the bound",
        effect=f"the upstream `{upstream.name}` has one target less than it seems to have",
    )


def _behind(facts: Facts, name: str, upstream: Upstream) -> Iterator[Finding]:
    """Targets behind one that takes the same requests, in an upstream that never falls back."""
    if upstream.fallback_kinds or len(upstream.targets) < 2:
        return
    routes = facts.routes_of[name]
    for number in range(1, len(upstream.targets)):
        if all(_is_in_front(facts, route, number) for route in routes):
            yield Finding(
                Code.TARGET_NEVER_CHOSEN,
                facts.target_span(name, number),
                f"the target {upstream.targets[number]} can never be chosen: `fallback.when` lists no failure, "
                f"and {upstream.targets[0]} takes the same requests",
                severity=SEVERITY,
                help=f"list the kinds of failure that fall back, such as {listed(('unavailable', 'timeout'))}, "
                "or remove the target",
                effect=f"when {upstream.targets[0]} fails the request fails",
            )


def _is_in_front(facts: Facts, route: Route, number: int) -> bool:
    """Whether the first target surely takes every request that another one would."""
    first, other = route.upstream.targets[0], route.upstream.targets[number]
    is_alike = first.ranges == other.ranges and first.traits == other.traits
    is_as_large = first.context_window >= other.context_window and first.capabilities >= other.capabilities
    bounds = [o.bound for o in facts.eligible.obstacles(route, number) if o.bound is not None]
    own = [o for o in facts.eligible.obstacles(route, 0) if o.bound is not None]
    return is_alike and is_as_large and not first.drained and all(obstacle.bound in bounds for obstacle in own)
