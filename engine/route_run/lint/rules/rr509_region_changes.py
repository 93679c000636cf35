"""Region that changes down the list

Why: when the first target fails, the request goes to the next, wherever that is. A list that leaves the region of its
    first target while no bound says anything about regions sends prompts to another region the first time something
    fails.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}, labels: {region: eu}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {big: {}}, labels: {region: us}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: big}]}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}, labels: {region: eu}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {big: {}}, labels: {region: us}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: big}]}}
    bounds:
      everything-in-either: {match: {}, targets: {region: [eu, us]}}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: prompts leave their region when the targets before fail.

Fix: write a bound that forbids it, or one that allows it, so that it is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.facts import Facts
from route_run.lint.limited import usable
from route_run.lint.rule import Confidence
from route_run.table import Route

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY
REGION = "region"
"""The label that says where an endpoint is."""


def check(facts: Facts) -> Iterator[Finding]:
    """Targets in another region than the first, where no bound on regions touches a request of the route."""
    if not facts.is_whole:
        return
    for name, routes in sorted(facts.routes_of.items()):
        targets = routes[0].upstream.targets
        home = targets[0].labels.get(REGION)
        free = [route for route in routes if home is not None and not _is_bound(facts, route)]
        for number, target in enumerate(targets):
            moved = [route for route in free if number in set(usable(facts, route))]
            if moved and target.labels.get(REGION) != home:
                yield _moved(facts, name, number, str(home), moved)


def _is_bound(facts: Facts, route: Route) -> bool:
    return any(
        REGION in bound.labels
        for entry in facts.eligible.entries(route)
        for bound in facts.eligible.bounds_near(entry.region)
    )


def _moved(facts: Facts, upstream: str, number: int, home: str, routes: list[Route]) -> Finding:
    target = routes[0].upstream.targets[number]
    there = target.labels.get(REGION)
    where = f"is in the region `{there}`" if there is not None else "says nothing about its region"
    return Finding(
        Code.REGION_CHANGES,
        facts.target_span(upstream, number, "endpoint"),
        f"{target} {where}, the first target is in `{home}`, and no bound says whether requests of "
        f"{words.routes(route.name for route in routes)} may leave it",
        severity=SEVERITY,
        labels=(Label(facts.target_span(upstream, 0, "endpoint"), f"starts in `{home}`"),),
        help=f"write a bound with `targets: {{{REGION}: [{home}]}}` to forbid it, or with every region to allow it",
        effect="when the targets before it fail, the prompt goes there",
    )
