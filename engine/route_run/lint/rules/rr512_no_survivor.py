"""No target left when one endpoint is down

Why: a list of targets on several endpoints is meant to survive the loss of one. Bounds thin it out: for some requests
    only one endpoint may be left, for all of a route only one vendor.

Bad:
    version: 1
    tags: {residency: {values: [eu, us]}}
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    bounds:
      eu-stays-in-eu: {match: {tags: {residency: eu}}, targets: {region: [eu]}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    tags: {residency: {values: [eu, us]}}
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}, labels: {region: eu}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    bounds:
      eu-stays-in-eu: {match: {tags: {residency: eu}}, targets: {region: [eu]}}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: when that endpoint is down or in maintenance, such requests fail.

Fix: add a target on another endpoint that the bounds allow.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint import words
from route_run.lint.eligible import Kind, Never, Stranded
from route_run.lint.facts import Facts
from route_run.lint.limited import usable
from route_run.lint.rule import Confidence
from route_run.table import Route
from route_run.text.nearest import listed

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
VENDOR = "vendor"
REGION = "region"


def check(facts: Facts) -> Iterator[Finding]:
    """Routes over several endpoints of which bounds leave one endpoint, or one vendor, and no other."""
    reported: set[tuple[str, str]] = set()
    for _, route in sorted(facts.table.routes.items()):
        left = sorted({route.upstream.targets[number].endpoint for number in usable(facts, route)})
        if not left or any(isinstance(found, Stranded) for found in facts.stranded(route)):
            continue  # worse has been said
        found = next(_endpoint(facts, route, left, reported), None) or next(_vendor(facts, route), None)
        if found is None:
            found = next(_spare(facts, route, left, reported), None)
        if found is not None:
            yield found


def _endpoint(facts: Facts, route: Route, left: list[str], reported: set[tuple[str, str]]) -> Iterator[Finding]:
    """Requests for which bounds leave one of several endpoints."""
    if len(left) < 2:
        return  # of one endpoint there is nothing to lose; what keeps the others out has been said
    taken = [contradiction.region for contradiction in facts.contradictions]
    for endpoint in left:
        if (route.upstream.name, endpoint) in reported:
            continue  # one example is enough; what mends it mends them all
        for found in facts.eligible.stranded(route, taken, without=endpoint):
            if isinstance(found, Stranded):
                reported.add((route.upstream.name, endpoint))
                yield Finding(
                    Code.NO_SURVIVOR,
                    facts.policy.origin("routes", route.name).span("upstream"),
                    f"only the endpoint `{endpoint}` is left of the upstream `{route.upstream.name}` for a request of "
                    f"the route `{route.name}` with {words.request(found.witness)}",
                    severity=SEVERITY,
                    labels=facts.bound_labels(found.obstacles),
                    help="add a target on another endpoint that the bounds allow",
                    effect=f"when `{endpoint}` is down or in maintenance, such requests fail",
                )


def _vendor(facts: Facts, route: Route) -> Iterator[Finding]:
    """All requests of a route for which one of several vendors is left."""
    targets = route.upstream.targets
    left = {targets[number].labels.get(VENDOR) for number in usable(facts, route)}
    named = {target.labels.get(VENDOR) for target in targets}
    fates = facts.eligible.fates(route)
    is_by_bounds = any(o.kind is Kind.LABEL for fate in fates if isinstance(fate, Never) for o in fate.obstacles)
    if is_by_bounds and len(left) == 1 and len(named) > 1 and None not in named:
        vendor = left.pop()
        yield Finding(
            Code.NO_SURVIVOR,
            facts.policy.origin("routes", route.name).span("upstream"),
            f"only the vendor `{vendor}` is left of the upstream `{route.upstream.name}` for every "
            f"request of the route `{route.name}`",
            severity=SEVERITY,
            help="add a target of another vendor that can take these requests",
            effect=f"when `{vendor}` is down, all requests of `{route.name}` fail",
        )


def _spare(facts: Facts, route: Route, left: list[str], reported: set[tuple[str, str]]) -> Iterator[Finding]:
    """An upstream of one target, although another endpoint in use serves the same model."""
    targets = route.upstream.targets
    if len(targets) > 1:
        return
    used = {target.endpoint for other in facts.table.routes.values() for target in other.upstream.targets}
    spare = sorted(
        name
        for name, endpoint in facts.policy.endpoints.items()
        if name in used and name not in left and targets[0].model in endpoint.serves
        if endpoint.labels.get(REGION) == targets[0].labels.get(REGION)
    )
    if spare and (route.upstream.name, left[0]) not in reported:
        reported.add((route.upstream.name, left[0]))
        yield Finding(
            Code.NO_SURVIVOR,
            facts.policy.origin("upstreams", route.upstream.name).key_span("targets"),
            f"the upstream `{route.upstream.name}` has one target, and {listed(spare)} could stand in: "
            "it serves the same model",
            severity=Severity.INFO,
            help=f"add `{{endpoint: {spare[0]}, model: {targets[0].model}}}` where the bounds allow it",
            effect=f"when `{left[0]}` is down or in maintenance, its requests fail",
        )
