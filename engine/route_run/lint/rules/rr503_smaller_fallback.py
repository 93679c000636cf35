"""Fallback that is smaller than what it stands in for

Why: a fallback takes over when the targets before it fail. One with a smaller context window is skipped for the
    larger prompts, and one with fewer output tokens cuts longer answers short: the fallback is there for some
    requests only, and nobody finds out before the day it is needed.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192}
      small: {context_window: 8000, max_output_tokens: 1024}
    upstreams: {main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {big: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {small: {}}}
    models:
      big: {context_window: 128000, max_output_tokens: 8192}
      small: {context_window: 8000, max_output_tokens: 1024}
    upstreams:
      main: {targets: [{endpoint: first, model: big}, {endpoint: second, model: small}]}
      long: {targets: [{endpoint: first, model: big}]}
    routes:
      everything-else:
        match: {prompt_tokens: {max: 6000}}
        upstream: main
        parameters: {max_tokens: {default: 512, max: 1024}}
      long: {match: {}, upstream: long}

Effect: larger prompts have no fallback here, or longer answers end early.

Fix: choose a larger model, hold the route to what the fallback can take (`prompt_tokens`, `max_tokens`), or accept
    it.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint import words
from route_run.lint.facts import Facts
from route_run.lint.limited import usable
from route_run.lint.rule import Confidence
from route_run.lint.sizes import largest_fitting, usual_answer
from route_run.policy import Parameter
from route_run.table import Outside, Route, Rule, Target

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY


def check(facts: Facts) -> Iterator[Finding]:
    """Targets with a smaller window or output than one before them, where a route may send more."""
    for name, routes in sorted(facts.routes_of.items()):
        targets = routes[0].upstream.targets
        for number, target in enumerate(targets):
            before = facts.before(name, number)
            if before:
                yield from _smaller(facts, name, number, [targets[n] for n in before], target)


def _smaller(facts: Facts, upstream: str, number: int, before: list[Target], target: Target) -> Iterator[Finding]:
    asking = [route for route in facts.routes_of[upstream] if number in set(usable(facts, route))]
    widest = max(before, key=lambda other: other.context_window)
    longest = max(before, key=lambda other: other.max_output_tokens)
    too_wide = [route for route in asking if _sends_more(route, widest, target)]
    too_long = [route for route in asking if _answers_more(route, longest, target)]
    less: list[str] = []
    effects: list[str] = []
    if too_wide:
        fitting = min(largest_fitting(route, target) for route in too_wide)
        less.append(f"its context window is {target.context_window} against {widest.context_window} of {widest}")
        effects.append(f"prompts of more than {max(0, fitting)} tokens skip it")
    if too_long:
        most = f"{target.max_output_tokens} against {longest.max_output_tokens} of {longest}"
        less.append(f"it answers with at most {most}")
        effects.append(f"answers end at {target.max_output_tokens} tokens, and requests that ask for more skip it")
    if less:
        affected = sorted({route.name for route in (*too_wide, *too_long)})
        yield Finding(
            Code.SMALLER_FALLBACK,
            facts.target_span(upstream, number, "model"),
            f"{target} is smaller than what it stands in for: {' and '.join(less)}",
            severity=SEVERITY,
            labels=(Label(facts.name_span("models", target.model), f"`{target.model}` is declared here"),),
            help=f"choose a larger model, or hold {words.routes(affected)} to what it can take with "
            "`prompt_tokens: {max: …}` and a default and `max` of max_tokens",
            effect=f"when the targets before it fail: {'; '.join(effects)}",
        )


def _sends_more(route: Route, widest: Target, target: Target) -> bool:
    high = route.region.tokens[1] if route.region is not None and not route.callable else None
    return target.context_window < widest.context_window and (high is None or high > largest_fitting(route, target))


def _answers_more(route: Route, longest: Target, target: Target) -> bool:
    """Whether a route's usual answer, or the largest it says it allows, is more than a target gives."""
    rule = route.rules.get(Parameter.MAX_TOKENS)
    largest = usual_answer(route, longest)
    if largest > target.max_output_tokens and _refuses_to_move(rule):
        return False  # such a default is not sent there at all: another finding
    if rule is not None and rule.range.max is not None:
        largest = max(largest if rule.default is not None else 0, min(int(rule.range.max), longest.max_output_tokens))
    return largest > target.max_output_tokens


def _refuses_to_move(rule: Rule | None) -> bool:
    return rule is not None and rule.default is not None and rule.outside is Outside.REJECT
