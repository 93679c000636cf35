"""Counters or exceptions that no request uses

Why: with `per` a bound keeps a counter for each value of a tag, and `except` gives some values limits of their own.
    Where the match of the bound leaves only one value, there is one counter; an exception for a value that the
    match leaves out holds for nobody.

Bad:
    version: 1
    tags:
      tenant: {values: [acme, globex]}
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    bounds:
      fair: {match: {tags: {tenant: {not: globex}}}, per: tags.tenant, limits: {requests: 60/min},
        except: {globex: {requests: 600/min}}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    tags:
      tenant: {values: [acme, globex]}
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    bounds:
      fair: {match: {}, per: tags.tenant, limits: {requests: 60/min},
        except: {globex: {requests: 600/min}}}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: the limits do not divide requests as is written.

Fix: widen the match of the bound, or remove what never holds.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table import Bound, ValueSet

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Bounds with `per` whose match leaves one value of the tag, or not the one of an exception."""
    for bound in facts.table.bounds:
        tag = bound.quota.per
        if tag is None or (bound.quota.limit is None and not bound.quota.exceptions):
            continue
        left = bound.region.values.get(tag)
        if left is not None:
            yield from _one_counter(facts, bound, tag, left)
            yield from _exceptions(facts, bound, tag, left)


def _one_counter(facts: Facts, bound: Bound, tag: str, left: ValueSet) -> Iterator[Finding]:
    values = left.finite
    if values is None or len(values) != 1:
        return
    (value,) = values
    origin = facts.policy.origin("bounds", bound.name)
    which = "no request with the tag" if value is None else f"only requests with {tag}={value}"
    yield Finding(
        Code.IDLE_EXCEPTION,
        origin.span("per"),
        f"the bound `{bound.name}` counts by `{tag}`, but matches {which}: there is one counter",
        severity=SEVERITY,
        labels=(Label(origin.key_span("match"), "matches one value"),),
        help="remove `per`, or widen the match",
        effect="all requests of the bound share one limit",
    )


def _exceptions(facts: Facts, bound: Bound, tag: str, left: ValueSet) -> Iterator[Finding]:
    origin = facts.policy.origin("bounds", bound.name)
    for value in sorted(bound.quota.exceptions):
        if value not in left:
            yield Finding(
                Code.IDLE_EXCEPTION,
                origin.key_span("except", value),
                f"the exception for `{value}` never holds: the bound `{bound.name}` matches {tag} {left}",
                severity=SEVERITY,
                labels=(Label(origin.key_span("match"), "leaves it out"),),
                help="widen the match, or remove the exception",
                effect=f"requests with {tag}={value} are not held to these limits",
            )
