"""Bounds that leave no endpoint

Why: all bounds that match a request hold together. When no endpoint of the policy has the labels that they ask for
    together, no route whatever can answer the request. One bound can be enough, when no endpoint has its labels.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}, residency: {values: [eu, us]}}
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      eu-2: {dialect: openai, base_url: "https://eu-2.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      us-1: {dialect: openai, base_url: "https://us.example.net/v1", serves: {m: {}}, labels: {region: us}}
      us-2: {dialect: openai, base_url: "https://us-2.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets:
          - {endpoint: eu-1, model: m}
          - {endpoint: eu-2, model: m}
          - {endpoint: us-1, model: m}
          - {endpoint: us-2, model: m}
    bounds:
      eu-stays-in-eu: {match: {tags: {residency: eu}}, targets: {region: [eu]}}
      sales-goes-to-us: {match: {tags: {desk: sales}}, targets: {region: [us]}}
    routes:
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}, residency: {values: [eu, us]}}
    endpoints:
      eu-1: {dialect: openai, base_url: "https://eu.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      eu-2: {dialect: openai, base_url: "https://eu-2.example.com/v1", serves: {m: {}}, labels: {region: eu}}
      us-1: {dialect: openai, base_url: "https://us.example.net/v1", serves: {m: {}}, labels: {region: us}}
      us-2: {dialect: openai, base_url: "https://us-2.example.net/v1", serves: {m: {}}, labels: {region: us}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets:
          - {endpoint: eu-1, model: m}
          - {endpoint: eu-2, model: m}
          - {endpoint: us-1, model: m}
          - {endpoint: us-2, model: m}
    bounds:
      eu-stays-in-eu: {match: {tags: {residency: eu}}, targets: {region: [eu]}}
      sales-goes-to-us: {match: {tags: {desk: sales, residency: {not: eu}}}, targets: {region: [us]}}
    routes:
      everything-else: {match: {}, upstream: main}

Effect: every request under these bounds is refused.

Fix: narrow the match of one bound, or allow a label value that an endpoint has.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint import words
from route_run.lint.contradiction import Contradiction
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Bound
from route_run.text.nearest import listed, nearest

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Sets of bounds for which no endpoint has the labels, with a request under all of them."""
    for contradiction in facts.contradictions:
        yield _contradiction(facts, contradiction)


def _contradiction(facts: Facts, contradiction: Contradiction) -> Finding:
    first, *others = contradiction.bounds
    names = listed(bound.name for bound in contradiction.bounds)
    is_one = not others
    return Finding(
        Code.CONTRADICTING_BOUNDS,
        facts.policy.origin("bounds", first.name).key_span("targets"),
        f"{'the bound' if is_one else 'the bounds'} {names} {'leaves' if is_one else 'together leave'} no endpoint "
        f"for a request with {words.request(contradiction.region.witness())}",
        severity=SEVERITY,
        labels=facts.allowing(others),
        help="; ".join([*_right_answers(facts, contradiction.bounds), _way_out(is_one)]),
        effect="such requests are refused, whatever their route",
    )


def _way_out(is_one: bool) -> str:
    return "allow a value that an endpoint has" if is_one else "narrow one match until no request is under both"


def _right_answers(facts: Facts, bounds: tuple[Bound, ...]) -> Iterator[str]:
    for label in sorted({label for bound in bounds for label in bound.labels}):
        endpoints = facts.policy.endpoints.values()
        known = {endpoint.labels[label] for endpoint in endpoints if label in endpoint.labels}
        asked = {value for bound in bounds for value in bound.labels.get(label, ())}
        for value in sorted(asked - known):
            similar = nearest(value, known)
            yield f"no endpoint has the {label} `{value}`" + (f"; a similar one exists: `{similar}`" if similar else "")
        yield f"endpoints have the {label} {listed(known)}" if known else f"no endpoint has a label `{label}`"
