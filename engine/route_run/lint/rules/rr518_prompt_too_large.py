"""Route that lets in prompts no target can take

Why: a prompt and the answer that is reserved for it have to fit into the context window of a target. A route whose
    match names a size that no target of its upstream can take promises more than it can keep.

Bad:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}, large: {}}}
    models:
      small: {context_window: 8000, max_output_tokens: 1000}
      large: {context_window: 128000, max_output_tokens: 1000}
    upstreams:
      short: {targets: [{endpoint: main, model: small}]}
      long: {targets: [{endpoint: main, model: large}]}
    routes:
      short: {match: {prompt_tokens: {max: 16000}}, upstream: short}
      everything-else: {match: {}, upstream: long}

Good:
    version: 1
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {small: {}, large: {}}}
    models:
      small: {context_window: 8000, max_output_tokens: 1000}
      large: {context_window: 128000, max_output_tokens: 1000}
    upstreams:
      short: {targets: [{endpoint: main, model: small}]}
      long: {targets: [{endpoint: main, model: large}]}
    routes:
      short: {match: {prompt_tokens: {max: 7000}}, upstream: short}
      everything-else: {match: {}, upstream: long}

Effect: the largest prompts that the match lets in are refused.

Fix: lower `prompt_tokens` in the match, choose a model with a larger window, or give max_tokens a smaller default.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.limited import usable
from route_run.lint.rule import Confidence
from route_run.lint.sizes import largest_fitting, usual_answer
from route_run.table import Route

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Routes whose match names a size above what the largest of their targets takes with the usual answer."""
    for route in facts.table.matched:
        targets = [route.upstream.targets[number] for number in usable(facts, route)]
        if route.region is None or not targets:
            continue
        low, high = route.region.tokens
        largest = max(targets, key=lambda target: largest_fitting(route, target))
        fitting = largest_fitting(route, largest)
        if low > fitting or (high is not None and high > fitting):
            sent = low if low > fitting else high
            yield _too_large(facts, route, str(largest), usual_answer(route, largest), fitting, sent or low)


def _too_large(facts: Facts, route: Route, target: str, answer: int, fitting: int, sent: int) -> Finding:
    assert route.region is not None
    is_all = route.region.tokens[0] > fitting
    what = "only prompts" if is_all else "prompts"
    return Finding(
        Code.PROMPT_TOO_LARGE,
        facts.policy.origin("routes", route.name).key_span("match", "prompt_tokens"),
        f"the route `{route.name}` lets in {what} of {sent} tokens, but no target of `{route.upstream.name}` takes "
        f"more than {max(0, fitting)} beside an answer of {answer}",
        severity=SEVERITY,
        labels=(Label(facts.policy.origin("routes", route.name).span("upstream"), f"the largest is {target}"),),
        help=f"match `prompt_tokens: {{max: {max(0, fitting)}}}`, choose a larger window, "
        "or a smaller default of max_tokens",
        effect=f"a request with a prompt of {sent} tokens is refused unless it sets a smaller max_tokens itself",
    )
