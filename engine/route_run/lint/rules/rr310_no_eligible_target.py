"""Route without any target for its requests

Why: before a request is sent, every target of the route's upstream is asked whether it may take it: its labels
    against the bounds, its model against what the request needs and how large it is, whether its endpoint is drained.
    When that rules out every target for every request of the route, the route can only refuse.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      us-1: {dialect: openai, base_url: "https://us.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main: {targets: [{endpoint: eu-1, model: m}]}
      american: {targets: [{endpoint: us-1, model: m}]}
    bounds:
      sales-stays-in-eu: {match: {tags: {desk: sales}}, targets: {region: [eu]}}
    routes:
      sales: {match: {tags: {desk: sales}}, upstream: american}
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      us-1: {dialect: openai, base_url: "https://us.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main: {targets: [{endpoint: eu-1, model: m}]}
      american: {targets: [{endpoint: us-1, model: m}]}
    bounds:
      sales-stays-in-eu: {match: {tags: {desk: sales}}, targets: {region: [eu]}}
    routes:
      sales: {match: {tags: {desk: sales}}, upstream: main}
      everything-else: {match: {}, upstream: american}

Effect: every request of the route is refused, whatever it says.

Fix: give the upstream a target that the bounds and the match allow, or send the route to another upstream.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.eligible import Never
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Route

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Routes of which no request can be sent to any target, by whatever way it comes."""
    for _, route in sorted(facts.table.routes.items()):
        fates = facts.eligible.fates(route)
        never = [fate for fate in fates if isinstance(fate, Never) and fate.obstacles]
        if len(never) == len(fates):
            yield _refused(facts, route, never)


def _refused(facts: Facts, route: Route, never: list[Never]) -> Finding:
    upstream = route.upstream
    reasons = [
        f"{target}: {' and '.join(dict.fromkeys(o.why for o in fate.obstacles))}"
        for target, fate in zip(upstream.targets, never, strict=True)
    ]
    places = tuple(Label(facts.target_span(upstream.name, number), reason) for number, reason in enumerate(reasons))
    obstacles = [obstacle for fate in never for obstacle in fate.obstacles]
    return Finding(
        Code.NO_ELIGIBLE_TARGET,
        facts.policy.origin("routes", route.name).span("upstream"),
        f"no target of the upstream `{upstream.name}` can take any request of the route `{route.name}`, "
        f"for example one with {words.request(facts.example_of(route))}",
        severity=SEVERITY,
        labels=(*places, *facts.bound_labels(obstacles)),
        help="add a target that can, choose another upstream, or change what stands in the way",
        effect=f"every request of `{route.name}` is refused",
    )
