"""Item that nothing uses

Why: an endpoint that no upstream names, an upstream that no route names, a model that nobody serves or asks, a guard
    that no bound attaches, a pack that no guard loads: each was written for a purpose and serves none. A guard that
    is attached nowhere is the worst of them, because it looks like protection.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
      spare: {dialect: openai, base_url: "https://spare.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
      spare: {dialect: openai, base_url: "https://spare.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}, {endpoint: spare, model: m}]}}
    routes:
      everything-else: {match: {}, upstream: main}

Effect: the item does nothing; a guard that no bound attaches checks no prompt.

Fix: use it where it was meant to be used, or remove it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy import Policy, placed_targets
from route_run.policy.model import Target

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY


def check(facts: Facts) -> Iterator[Finding]:
    """Items without a user, in a policy of which nothing was left out and that has routes."""
    policy = facts.policy
    if not facts.is_whole or not policy.routes:
        return
    targets = list(_targets(policy))
    served = {model for endpoint in policy.endpoints.values() for model in endpoint.serves}
    yield from _unused(
        facts,
        "upstreams",
        {route.upstream for route in policy.routes.values()},
        "no route sends requests to it",
        "name it as the `upstream` of a route, or remove it",
        "it never takes a request",
    )
    yield from _unused(
        facts,
        "endpoints",
        {target.endpoint for target in targets},
        "no upstream has a target with it",
        "add a target with it to an upstream, or remove it",
        "no request is ever sent there",
    )
    yield from _unused(
        facts,
        "models",
        served | {target.model for target in targets},
        "no endpoint serves it",
        "name it in the `serves` of an endpoint, or remove it",
        "no request is ever answered by it",
    )
    yield from _unused(
        facts,
        "guards",
        {guard for bound in policy.bounds.values() for guard in bound.guards},
        "no bound attaches it",
        "name it in the `guards` of a bound; with `match: {}` it checks every prompt",
        "it checks no prompt",
    )
    yield from _unused_packs(facts)


def _targets(policy: Policy) -> Iterator[Target]:
    for upstream in policy.upstreams.values():
        yield from (placed.target for placed in placed_targets(upstream))


def _unused(facts: Facts, section: str, used: Iterable[str], why: str, help_: str, effect: str) -> Iterator[Finding]:
    for name in sorted(getattr(facts.policy, section).keys() - set(used)):
        yield Finding(
            Code.UNUSED_ITEM,
            facts.name_span(section, name),
            f"the {section.removesuffix('s')} `{name}` is never used: {why}",
            severity=SEVERITY,
            help=help_,
            effect=effect,
        )


def _unused_packs(facts: Facts) -> Iterator[Finding]:
    used = {pack for guard in facts.policy.guards.values() for pack in guard.packs}
    for name in sorted(facts.policy.packs.keys() - used):
        yield Finding(
            Code.UNUSED_ITEM,
            facts.policy.origin("packs", name).span(),
            f"the pattern pack `{name}` is never used: no guard loads it",
            severity=SEVERITY,
            help=f"add `{name}` to the `packs` of a guard, or remove the file",
            effect="its patterns look at no prompt",
        )
