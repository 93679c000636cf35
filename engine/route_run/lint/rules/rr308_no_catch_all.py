"""Requests that no route takes

Why: a request that matches no route is refused. That may be meant: a policy can let in only what it names. When it is
    not, a route with `match: {}` takes what the others leave; being the widest, it loses to all of them.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      any-desk: {match: {tags: {desk: [support, sales]}}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      any-desk: {match: {tags: {desk: [support, sales]}}, upstream: main}
      everything-else: {match: {}, upstream: main}

Effect: requests that match no route are refused.

Fix: add a catch-all, or leave it so when it is meant.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint import words
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.table.cover import Open

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """One request that matches nothing, where values without any route are not the reason."""
    left = facts.left_by_all
    if not isinstance(left, Open):
        return
    first = min(facts.name_span("routes", route.name) for route in facts.table.matched)
    yield Finding(
        Code.NO_CATCH_ALL,
        first,
        f"some requests match no route: for example one with {words.request(left.witness)}",
        severity=SEVERITY,
        help="add a route with `match: {}` if such requests are to be answered; it loses to every narrower one",
        effect="requests that match no route are refused",
    )
