"""Requests of a route that bounds leave without a target

Why: a route can work for most of its requests and refuse the rest: those under a bound that rules out every target of
    its upstream. Each part looks right by itself; only together they refuse.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}, residency: {values: [eu, us]}}
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      us-1: {dialect: openai, base_url: "https://us.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main: {targets: [{endpoint: eu-1, model: m}]}
      american: {targets: [{endpoint: us-1, model: m}]}
    bounds:
      eu-stays-in-eu: {match: {tags: {residency: {not: us}}}, targets: {region: [eu]}}
    routes:
      sales: {match: {tags: {desk: sales}}, upstream: american}
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}, residency: {values: [eu, us]}}
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      us-1: {dialect: openai, base_url: "https://us.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main: {targets: [{endpoint: eu-1, model: m}]}
      american: {targets: [{endpoint: us-1, model: m}]}
    bounds:
      eu-stays-in-eu: {match: {tags: {residency: {not: us}}}, targets: {region: [eu]}}
    routes:
      american-sales: {match: {tags: {desk: sales, residency: us}}, upstream: american}
      everything-else: {match: {}, upstream: main}

Effect: those requests are refused.

Fix: give the upstream a target that the bound allows, or narrow the route to the requests it can serve.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.eligible import Never, Stranded, Way
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Route
from route_run.text.nearest import listed

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Routes that come by a match or a guard and have no target for some request, where they have one for others."""
    for _, route in sorted(facts.table.routes.items()):
        if all(isinstance(fate, Never) for fate in facts.eligible.fates(route)):
            continue  # another rule says so, of all its requests
        found = next((one for one in facts.stranded(route) if isinstance(one, Stranded)), None)
        if found is not None:
            yield _stranded(facts, route, found)


def _stranded(facts: Facts, route: Route, found: Stranded) -> Finding:
    upstream = route.upstream
    bounds = sorted({o.bound.name for o in found.obstacles if o.bound is not None})
    sent = f" when the guard `{found.entry.source}` sends it there" if found.entry.way is Way.GUARD else ""
    places = tuple(
        Label(facts.target_span(upstream.name, number), f"{target}: {obstacle.why}")
        for number, (target, obstacle) in enumerate(zip(upstream.targets, found.obstacles, strict=True))
    )
    return Finding(
        Code.STRANDED_REQUESTS,
        facts.policy.origin("routes", route.name).span("upstream"),
        f"the route `{route.name}` has no target for a request with {words.request(found.witness)}{sent}: "
        f"{listed(bounds)} {'rules' if len(bounds) == 1 else 'together rule'} out all of `{upstream.name}`",
        severity=SEVERITY,
        labels=(*places, *facts.bound_labels(found.obstacles)),
        help=f"add a target that {listed(bounds)} {'allows' if len(bounds) == 1 else 'allow'}, "
        "or narrow the route to the requests that its targets may take",
        effect="such requests are refused",
    )
