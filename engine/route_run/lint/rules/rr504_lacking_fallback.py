"""Target that lacks what its route needs

Why: a route that matches only requests with `needs` (tools, images, JSON) sends each of them to a target that can do
    it. A target whose model or dialect cannot is skipped for every one of them.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192, capabilities: [tools]}
      small: {context_window: 128000, max_output_tokens: 8192}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}}
    routes:
      agents: {match: {needs: {tools: true}}, upstream: main}
      everything-else: {match: {needs: {tools: false}}, upstream: main}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192, capabilities: [tools]}
      small: {context_window: 128000, max_output_tokens: 8192, capabilities: [tools]}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}}
    routes:
      agents: {match: {needs: {tools: true}}, upstream: main}
      everything-else: {match: {needs: {tools: false}}, upstream: main}

Effect: the target never takes a request of that route; when the others fail, the route fails.

Fix: choose a model that can, or send the route to an upstream of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.eligible import Kind, Never, Obstacle
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Route

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Targets that lack what every request of a route needs, where another target has it."""
    for name, routes in sorted(facts.routes_of.items()):
        for number in range(len(routes[0].upstream.targets)):
            lacking = [(route, fate.obstacles) for route in routes if (fate := _never(facts, route, number))]
            if lacking:
                yield _lacking(facts, name, number, lacking)


def _never(facts: Facts, route: Route, number: int) -> Never | None:
    fates = facts.eligible.fates(route)
    fate = fates[number]
    if not isinstance(fate, Never) or all(isinstance(other, Never) for other in fates):
        return None
    is_for_needs = any(obstacle.kind is Kind.NEED for obstacle in fate.obstacles)
    return fate if is_for_needs and all(o.kind is not Kind.DRAINED for o in fate.obstacles) else None


def _lacking(facts: Facts, upstream: str, number: int, lacking: list[tuple[Route, tuple[Obstacle, ...]]]) -> Finding:
    target = lacking[0][0].upstream.targets[number]
    names = [route.name for route, _ in lacking]
    reasons = dict.fromkeys(o.why for _, obstacles in lacking for o in obstacles)
    return Finding(
        Code.LACKING_FALLBACK,
        facts.target_span(upstream, number),
        f"{target} never takes a request of {words.routes(names)}: {'; '.join(reasons)}",
        severity=SEVERITY,
        labels=tuple(
            Label(facts.policy.origin("routes", name).key_span("match"), f"`{name}` takes only such requests")
            for name in names[:3]
        ),
        help="choose a model that can, or send the route to an upstream of its own",
        effect="it is no fallback for them: when the other targets fail, the request fails",
    )
