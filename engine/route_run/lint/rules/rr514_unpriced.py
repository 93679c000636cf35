"""Model without a price where the price decides

Why: `balance: cheapest` and limits on `spend` need to know what a model costs. A model without a price cannot be
    compared, and what it uses is not counted: no price is not a price of zero.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets:
        - balance: cheapest
          targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096, price: {input: 0.5, output: 1.5}}}
    upstreams:
      main:
        targets:
        - balance: cheapest
          targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes: {everything-else: {match: {}, upstream: main}}

Effect: the target cannot be compared by cost, and its spending is not counted by the limit.

Fix: write the `price` of the model, or of the model at that endpoint (`serves: {MODEL: {price: …}}`).
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.limited import limited
from route_run.lint.rule import Confidence
from route_run.policy.model import BalanceGroup
from route_run.text.nearest import listed

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED
_HELP = "write its `price`, in US dollars per million tokens: {input: …, output: …}; 0 is a price"


def check(facts: Facts) -> Iterator[Finding]:
    """Targets without a price in groups that ask for the cheapest, and under limits on spend."""
    for name, routes in sorted(facts.routes_of.items()):
        written = facts.policy.upstreams[name].targets
        for number, (keys, target) in enumerate(zip(facts.target_keys[name], routes[0].upstream.targets, strict=True)):
            group = written[int(keys[1])]
            if isinstance(group, BalanceGroup) and group.balance == "cheapest" and target.price is None:
                span = facts.policy.origin("upstreams", name).span("targets", int(keys[1]), "balance")
                yield Finding(
                    Code.UNPRICED,
                    facts.target_span(name, number, "model"),
                    f"{target} has no price, but its group asks for the cheapest",
                    severity=SEVERITY,
                    labels=(Label(span, "decides by price"), _declared(facts, target.model)),
                    help=_HELP,
                    effect="what it costs cannot be compared with the others",
                )
    yield from _spent(facts)


def _spent(facts: Facts) -> Iterator[Finding]:
    for limit in limited(facts):
        if limit.limits.spend is None:
            continue
        targets = [c.route.upstream.targets[number] for c in limit.counted for number in c.targets]
        unpriced = sorted({str(target) for target in targets if target.price is None})
        models = sorted({target.model for target in targets if target.price is None})
        if unpriced:
            yield Finding(
                Code.UNPRICED,
                limit.span("spend"),
                f"{limit.whose} limits spend, but {listed(unpriced, most=4)} {'has' if len(unpriced) == 1 else 'have'} "
                "no price",
                severity=SEVERITY,
                labels=tuple(_declared(facts, model) for model in models[:3]),
                help=_HELP,
                effect="what is spent there is not counted, and the limit does not hold",
            )


def _declared(facts: Facts, model: str) -> Label:
    return Label(facts.name_span("models", model), f"`{model}` has no price")
