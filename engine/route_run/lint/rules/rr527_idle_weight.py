"""Weight that nothing asks for

Why: weights divide requests among the targets of a group with `balance: weighted`, or with `hash_on`. In a plain
    list the order decides, and the other ways to balance go by what they measure: a weight there changes nothing.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m, weight: 9}, {endpoint: second, model: m, weight: 1}]
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets:
          - balance: weighted
            targets: [{endpoint: first, model: m, weight: 9}, {endpoint: second, model: m, weight: 1}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: requests are not divided as is written: the first target gets them all.

Fix: put the targets into a group with `balance: weighted`, or remove the weights.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import BalanceGroup, Target

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams with a weight outside of groups that go by weights; one finding for each group or list."""
    for name, upstream in sorted(facts.policy.upstreams.items()):
        listed = [(("targets", n), target) for n, target in enumerate(upstream.targets) if isinstance(target, Target)]
        yield from _idle(facts, name, listed, "in a plain list the first target is asked first")
        for number, group in enumerate(upstream.targets):
            if isinstance(group, BalanceGroup) and group.balance != "weighted" and group.hash_on is None:
                inside = [(("targets", number, "targets", n), target) for n, target in enumerate(group.targets)]
                yield from _idle(facts, name, inside, f"`balance: {group.balance}` does not go by weights")


def _idle(
    facts: Facts, upstream: str, targets: Sequence[tuple[tuple[str | int, ...], Target]], why: str
) -> Iterator[Finding]:
    weighted = [keys for keys, target in targets if "weight" in target.written_fields]
    if weighted:
        yield Finding(
            Code.IDLE_WEIGHT,
            facts.policy.origin("upstreams", upstream).span(*weighted[0], "weight"),
            f"the weights in the upstream `{upstream}` change nothing: {why}",
            severity=SEVERITY,
            help="put the targets into a group: `- {balance: weighted, targets: […]}`, or remove the weights",
            effect="requests are not divided as is written",
        )
