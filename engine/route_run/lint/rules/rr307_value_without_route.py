"""Tag value that no route serves

Why: the values of a closed tag are all that callers may say. A declared value that no route matches is accepted as a
    tag and then refused for want of a route: most often a route was forgotten when the value was added.

Bad:
    version: 1
    tags: {desk: {values: [support, sales], required: true}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales], required: true}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}
      sales: {match: {tags: {desk: sales}}, upstream: main}

Effect: every request with the value is refused, unless it calls a route by name.

Fix: add a route for the value, widen one, or remove the value.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Values of closed tags that no route with a match takes, whatever else the request says."""
    for tag, value in facts.unserved:
        declared = facts.policy.tags[tag].values or ()
        yield Finding(
            Code.VALUE_WITHOUT_ROUTE,
            facts.policy.origin("tags", tag).span("values", declared.index(value)),
            f"no route for {tag}={value}: no match takes a request with this value",
            severity=SEVERITY,
            help=f"add a route with `match: {{tags: {{{tag}: {value}}}}}`, a catch-all with `match: {{}}`, "
            "or remove the value",
            effect=f"every request with {tag}={value} is refused, unless it calls a route by name",
        )
