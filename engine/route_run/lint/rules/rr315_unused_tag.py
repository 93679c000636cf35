"""Tag that nothing looks at

Why: a declared tag is recorded with each request, and the values of a closed one are checked. But when no match, no
    counter and no balance looks at it, it decides nothing: a condition may be missing, or the tag outlived its use.

Bad:
    version: 1
    tags: {tier: {values: [gold, silver]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {tier: {values: [gold, silver]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      everything-else: {match: {}, upstream: main}
      gold: {match: {tags: {tier: gold}}, upstream: main}

Effect: the tag is recorded and decides nothing.

Fix: match it where it was meant to matter, or remove it. An open tag that is there to be recorded may stay.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy import Policy
from route_run.policy.model import BalanceGroup

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.HINT


def check(facts: Facts) -> Iterator[Finding]:
    """Closed or required tags that no match names; an open one is often there for the record alone."""
    if not facts.is_whole or not facts.policy.routes:
        return
    used = set(_used(facts.policy))
    for name, tag in sorted(facts.policy.tags.items()):
        if name not in used and (tag.values is not None or tag.required):
            yield Finding(
                Code.UNUSED_TAG,
                facts.name_span("tags", name),
                f"the tag `{name}` decides nothing: no match, no `per` and no `hash_on` names it",
                severity=SEVERITY,
                help="match it where it was meant to matter, or remove it",
                effect="it is checked and recorded, and changes no decision",
            )


def _used(policy: Policy) -> Iterator[str]:
    for section in (policy.routes, policy.bounds, policy.webhooks):
        for item in section.values():
            yield from item.match.tags if item.match is not None else ()
    for bound in policy.bounds.values():
        yield (bound.per or "").removeprefix("tags.")
    for upstream in policy.upstreams.values():
        for entry in upstream.targets:
            if isinstance(entry, BalanceGroup):
                yield (entry.hash_on or "").removeprefix("tags.")
