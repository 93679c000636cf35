"""Capability that is lost down the list

Why: requests may need tools, images or a structured answer. When the first target can do it and a later one cannot,
    such a request skips the later one: its chain of fallbacks is shorter than it looks.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192, capabilities: [tools]}
      small: {context_window: 128000, max_output_tokens: 8192}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192, capabilities: [tools]}
      small: {context_window: 128000, max_output_tokens: 8192, capabilities: [tools]}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: requests that need the capability have fewer fallbacks than others.

Fix: choose a model that can, or say with `needs` in the match that the route does not take such requests.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.facts import Facts
from route_run.lint.limited import usable
from route_run.lint.rule import Confidence
from route_run.policy import Capability
from route_run.table import Route, Target
from route_run.text.nearest import listed

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.HINT


def check(facts: Facts) -> Iterator[Finding]:
    """Targets that cannot do what all targets before them can, where a route leaves the need open."""
    for name, routes in sorted(facts.routes_of.items()):
        targets = routes[0].upstream.targets
        for number, target in enumerate(targets):
            before = [targets[n] for n in facts.before(name, number)]
            lost = [c for c in Capability if before and all(_has(t, c) for t in before) and not _has(target, c)]
            open_routes = [
                route
                for route in routes
                if any(_is_open(route, c) for c in lost) and number in set(usable(facts, route))
            ]
            if open_routes:
                yield _lost(facts, name, number, lost, open_routes)


def _has(target: Target, capability: Capability) -> bool:
    return capability in target.capabilities and capability in target.traits.carries


def _is_open(route: Route, capability: Capability) -> bool:
    return route.region is None or route.callable or capability not in route.region.needs


def _lost(facts: Facts, upstream: str, number: int, lost: list[Capability], routes: list[Route]) -> Finding:
    target = routes[0].upstream.targets[number]
    what = listed(capability.value for capability in lost)
    return Finding(
        Code.CAPABILITY_LOST,
        facts.target_span(upstream, number, "model"),
        f"{target} has no {what}, which every target before it has",
        severity=SEVERITY,
        labels=(Label(facts.name_span("models", target.model), f"`{target.model}` is declared here"),),
        help="choose a model that has it, or exclude such requests by `needs` from "
        f"{words.routes(route.name for route in routes)}",
        effect=f"a request that needs {what} skips it, and has one fallback less",
    )
