"""Route that no request reaches

Why: every request goes to exactly one route, the one of the highest precedence and among those the narrowest. When
    other routes take all the requests a route matches, nothing of what it says ever happens: its upstream is not
    asked, its parameters are not set, its answers are not verified. It is proved, not guessed: the matches of all
    routes are subtracted from this one, and nothing is left.

Bad:
    version: 1
    tags: {desk: {values: [support, sales]}, tier: {values: [gold, silver]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, precedence: 10, upstream: main}
      support-gold: {match: {tags: {desk: support, tier: gold}}, upstream: main}
      everything-else: {match: {}, upstream: main}

Good:
    version: 1
    tags: {desk: {values: [support, sales]}, tier: {values: [gold, silver]}}
    endpoints:
      main: {dialect: openai, base_url: "https://models.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams: {main: {targets: [{endpoint: main, model: m}]}}
    routes:
      support: {match: {tags: {desk: support}}, upstream: main}
      support-gold: {match: {tags: {desk: support, tier: gold}}, upstream: main}
      everything-else: {match: {}, upstream: main}

Effect: requests that were meant for this route are handled by others, under other parameters and targets.

Fix: give the route the precedence that frees it (the finding names the smallest), narrow the routes that take its
    requests, or remove it.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Fix, Label, Severity
from route_run.lint import words
from route_run.lint.amend import with_entry
from route_run.lint.facts import Facts
from route_run.lint.reached import Taken, region_of
from route_run.lint.rule import Confidence
from route_run.table import Route
from route_run.text.nearest import listed

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Routes that only their match leads to, when others take all of its requests."""
    for route in facts.table.matched:
        if facts.eligible.is_also_named(route) or facts.is_catch_all(route):
            continue
        reach = facts.reached.of(route)
        if isinstance(reach, Taken):
            yield _unreachable(facts, route, reach)


def _unreachable(facts: Facts, route: Route, taken: Taken) -> Finding:
    takers = sorted(taker.name for taker in taken.by)
    one = region_of(route).witness()
    winner = facts.table.route_for(one)
    goes = f"; a request with {words.request(one)}, for example, goes to `{winner.name}`" if winner is not None else ""
    help_, fix = _change(facts, route, taken)
    return Finding(
        Code.UNREACHABLE_ROUTE,
        facts.name_span("routes", route.name),
        f"no request reaches the route `{route.name}`: {listed(takers)} {_take(takers)} all that it matches{goes}",
        severity=SEVERITY,
        labels=tuple(Label(facts.name_span("routes", t.name), _place(t, route)) for t in taken.by),
        help=help_,
        effect=f"nothing that `{route.name}` says ever happens: not its upstream, not its parameters, not its checks",
        fix=fix,
    )


def _take(takers: list[str]) -> str:
    return "takes" if len(takers) == 1 else "together take"


def _place(taker: Route, route: Route) -> str:
    if taker.precedence != route.precedence:
        return f"`{taker.name}` wins by precedence {taker.precedence} over {route.precedence}"
    return f"`{taker.name}` wins because its match is narrower"


def _change(facts: Facts, route: Route, taken: Taken) -> tuple[str, Fix | None]:
    precedence = facts.reached.freeing_precedence(route, taken)
    if precedence is None:
        narrower = listed(taker.name for taker in taken.by)
        return f"remove `{route.name}`, or narrow {narrower} so that something is left for it", None
    edit = with_entry(facts.policy.origin("routes", route.name), "precedence", str(precedence))
    title = f"give `{route.name}` the precedence {precedence}"
    help_ = f"{title}: the smallest that frees it, and no other route is lost; or remove it"
    return help_, Fix(title, (edit,), is_safe=False) if edit is not None else None
