"""A policy to a routing table: references resolved, matches ranked, guards compiled; or findings.

Decides what only the whole policy can tell: whether two routes can be ranked, whether a match can be
satisfied, whether ranges leave anything over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from route_run.errors import Code, Finding, Label, Span
from route_run.guard import OutputCheck, compile_guards, compile_output_checks
from route_run.policy import TRAITS, Parameter, Policy, Range, placed_targets
from route_run.policy import model as written
from route_run.table.attributes import MODEL
from route_run.table.index import Index
from route_run.table.limit import Exceeded, Quota, limit_of
from route_run.table.match import Region, Relation, Vocabulary, as_written
from route_run.table.order import Conflict, ranked
from route_run.table.table import (
    Balance,
    Bound,
    Deliver,
    Group,
    Hook,
    Maintenance,
    Outside,
    Route,
    RoutingTable,
    Rule,
    Target,
    Upstream,
)

_MATCHING = ("routes", "bounds", "webhooks")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A table of all that could be compiled, whole only when no finding is an error."""

    table: RoutingTable
    findings: tuple[Finding, ...]


def compile_policy(policy: Policy) -> Compiled:
    """Compile whatever of a policy could be decoded; what is left out has its finding."""
    vocabulary = Vocabulary.of(policy.tags)
    scanners, guard_findings = compile_guards(policy)
    checks, schema_findings = compile_output_checks(policy)
    regions, empty = _regions(policy, vocabulary)
    routes = _routes(policy, regions, checks)
    bounds = _bounds(policy, regions)
    hooks = _hooks(policy, regions)
    matched = [route for route in routes.values() if route.region is not None]
    ranks, conflicts = ranked([_region(route) for route in matched], [route.precedence for route in matched])
    in_order = [route for _, route in sorted(zip(ranks, matched, strict=True), key=lambda pair: pair[0])]
    table = RoutingTable(
        policy=policy,
        vocabulary=vocabulary,
        routes=routes,
        matched=in_order,
        bounds=bounds,
        hooks=hooks,
        scanners=scanners,
        route_index=Index.of([_condition(route) for route in in_order]),
        bound_index=Index.of([bound.condition for bound in bounds]),
        hook_index=Index.of([hook.condition for hook in hooks]),
    )
    ambiguous = [_ambiguous(policy, matched, conflict) for conflict in conflicts]
    everything = vocabulary.region(written.Match())
    closed = list(_closed_ranges(policy, routes, bounds, everything))
    return Compiled(table, (*guard_findings, *schema_findings, *empty, *ambiguous, *closed))


def _region(route: Route) -> Region:
    assert route.region is not None
    return route.region


def _condition(route: Route) -> Region:
    assert route.condition is not None
    return route.condition


# -- matches -----------------------------------------------------------------------------------------


def _regions(policy: Policy, vocabulary: Vocabulary) -> tuple[dict[tuple[str, str], Region], list[Finding]]:
    """The region of every written match, and a finding for each that no request can be in."""
    regions: dict[tuple[str, str], Region] = {}
    findings: list[Finding] = []
    for section in _MATCHING:
        for name, item in getattr(policy, section).items():
            if item.match is None:
                continue
            region = vocabulary.region(item.match)
            if region.is_empty:
                findings.append(_empty(policy, section, name, region))
            else:
                regions[section, name] = region
    return regions, findings


def _empty(policy: Policy, section: str, name: str, region: Region) -> Finding:
    origin = policy.origin(section, name)
    low, high = region.tokens
    for dimension, allowed in region.values.items():
        if allowed.is_empty:
            keys = ("requested_model",) if dimension == MODEL else ("tags", dimension)
            what = "requested model" if dimension == MODEL else f"value of the tag `{dimension}`"
            reason = f"no {what} satisfies this condition"
            return _no_request(origin.key_span("match", *keys), section, name, reason)
    reason = f"the smallest prompt with these needs has {low} tokens, the largest allowed {high}"
    return _no_request(origin.key_span("match", "prompt_tokens"), section, name, reason)


def _no_request(span: Span, section: str, name: str, reason: str) -> Finding:
    return Finding(
        Code.EMPTY_MATCH,
        span,
        f"no request can match the {section.removesuffix('s')} `{name}`: {reason}",
        help="widen the condition, or remove it",
    )


def _ambiguous(policy: Policy, matched: list[Route], conflict: Conflict) -> Finding:
    first, second = matched[conflict.first].name, matched[conflict.second].name
    spans = sorted((policy.origin("routes", name).key_span(), name) for name in (first, second))
    (other_span, other), (span, name) = spans
    same = conflict.relation is Relation.EQUAL
    how = "match the very same requests" if same else "share requests, and neither is narrower"
    return Finding(
        Code.AMBIGUOUS_ROUTES,
        span,
        f"routes `{name}` and `{other}` {how}; both match: {conflict.witness}",
        labels=(Label(other_span, f"`{other}` is here"),),
        help=f"give one a higher `precedence`, or narrow `{name}` until it lies inside `{other}` or apart from it",
    )


# -- routes, bounds, webhooks --------------------------------------------------------------------------


def _routes(
    policy: Policy, regions: Mapping[tuple[str, str], Region], checks: Mapping[str, OutputCheck]
) -> dict[str, Route]:
    upstreams = {name: _upstream(policy, name) for name in policy.upstreams}
    routes: dict[str, Route] = {}
    for name, route in policy.routes.items():
        upstream = upstreams.get(route.upstream)
        is_checked = route.verify is None or name in checks
        if upstream is None or not is_checked:
            continue  # there is a finding for it
        deliver = route.deliver or ("verified" if route.verify else "streamed")
        routes[name] = Route(
            name=name,
            region=regions.get(("routes", name)),
            condition=None if route.match is None else as_written(route.match),
            precedence=route.precedence,
            callable=route.callable,
            upstream=upstream,
            rules={p: _rule(f"route `{name}`", p, rule) for p, rule in route.parameters.items()},
            output_check=checks.get(name),
            deliver=Deliver(deliver),
            repairs=route.verify.repair if route.verify else 0,
        )
    return routes


def _upstream(policy: Policy, name: str) -> Upstream | None:
    upstream = policy.upstreams[name]
    targets = [_target(policy, target, _counter(name, keys)) for keys, target in placed_targets(upstream)]
    if None in targets:
        return None  # there is a finding for it
    return Upstream(
        name=name,
        targets=tuple(target for target in targets if target is not None),
        groups=tuple(_groups(upstream)),
        fallback_kinds=frozenset(upstream.fallback.when),
        attempts=upstream.retry.attempts,
        backoff_first=upstream.retry.backoff.first,
        backoff_max=upstream.retry.backoff.max,
        hedge_after=upstream.hedge.after if upstream.hedge is not None else None,
        timeouts=upstream.timeouts,
        restarts=upstream.fallback.after_content == "restart",
    )


def _counter(upstream: str, keys: Sequence[str | int]) -> str:
    """The name of the counter of a target's own limits."""
    steps = "".join(f"[{key}]" if isinstance(key, int) else f".{key}" for key in keys)
    return f"upstreams.{upstream}{steps}"


def _groups(upstream: written.Upstream) -> Iterator[Group]:
    first = 0
    for entry in upstream.targets:
        if isinstance(entry, written.BalanceGroup):
            hash_on = None if entry.hash_on is None else entry.hash_on.removeprefix("tags.")
            yield Group(first, Balance(entry.balance), hash_on, tuple(target.weight for target in entry.targets))
        first += len(entry.targets) if isinstance(entry, written.BalanceGroup) else 1


def _target(policy: Policy, target: written.Target, place: str) -> Target | None:
    endpoint, model = policy.endpoints.get(target.endpoint), policy.models.get(target.model)
    if endpoint is None or model is None or target.model not in endpoint.serves:
        return None
    served = endpoint.serves[target.model]
    traits = TRAITS[endpoint.dialect]
    ranges = {p: allowed.range for p, allowed in model.parameters.items()}
    ranges[Parameter.MAX_TOKENS] = Range(1, model.max_output_tokens)
    for parameter, allowed in traits.parameters.items():
        ranges[parameter] = ranges.get(parameter, Range()) & allowed
    largest = traits.largest_context
    limits = (
        limit_of(target.limits, place, f"the target {target.endpoint}/{target.model}", Exceeded.NEXT),
        limit_of(endpoint.limits, f"endpoints.{target.endpoint}", f"the endpoint `{target.endpoint}`", Exceeded.NEXT),
        limit_of(model.limits, f"models.{target.model}", f"the model `{target.model}`", Exceeded.NEXT),
    )
    return Target(
        endpoint=target.endpoint,
        model=target.model,
        sent_as=served.as_ or target.model,
        dialect=endpoint.dialect,
        labels=endpoint.labels,
        drained=endpoint.drain,
        maintenance=tuple(_maintenance(window) for window in endpoint.maintenance),
        context_window=model.context_window if largest is None else min(model.context_window, largest),
        max_output_tokens=int(ranges[Parameter.MAX_TOKENS].max or model.max_output_tokens),
        capabilities=model.capabilities,
        traits=traits,
        ranges=ranges,
        price=served.price or model.price,
        limits=tuple(limit for limit in limits if limit is not None),
    )


def _maintenance(window: written.Window) -> Maintenance:
    reason = f" ({window.why})" if window.why else ""
    words = f"in maintenance until {window.to.isoformat()}{reason}"
    return Maintenance(window.from_.timestamp(), window.to.timestamp(), words)


def _rule(source: str, parameter: Parameter, rule: written.ParameterBound) -> Rule:
    allowed = rule.range & Range(1, None) if parameter is Parameter.MAX_TOKENS else rule.range
    default = rule.default if isinstance(rule, written.ParameterRule) else None
    return Rule(source, allowed, Outside(rule.outside), tuple(default) if isinstance(default, list) else default)


def _bounds(policy: Policy, regions: Mapping[tuple[str, str], Region]) -> list[Bound]:
    return [
        Bound(
            name=name,
            region=regions["bounds", name],
            condition=as_written(bound.match),
            guards=bound.guards,
            labels={label: frozenset(values) for label, values in bound.targets.items()},
            rules={p: _rule(f"bound `{name}`", p, rule) for p, rule in bound.parameters.items()},
            quota=_quota(name, bound),
        )
        for name, bound in sorted(policy.bounds.items())
        if ("bounds", name) in regions
    ]


def _quota(name: str, bound: written.Bound) -> Quota:
    key, owner = f"bounds.{name}", f"the bound `{name}`"
    exceptions = {value: limit_of(limits, key, owner, Exceeded.REJECT) for value, limits in bound.except_.items()}
    return Quota(
        limit=limit_of(bound.limits, key, owner, Exceeded.REJECT),
        per=None if bound.per is None else bound.per.removeprefix("tags."),
        exceptions={value: limit for value, limit in exceptions.items() if limit is not None},
    )


def _hooks(policy: Policy, regions: Mapping[tuple[str, str], Region]) -> list[Hook]:
    return [
        Hook(name, as_written(webhook.match), frozenset(webhook.events))
        for name, webhook in sorted(policy.webhooks.items())
        if ("webhooks", name) in regions
    ]


# -- ranges ------------------------------------------------------------------------------------------


def _closed_ranges(
    policy: Policy, routes: Mapping[str, Route], bounds: list[Bound], everything: Region
) -> Iterator[Finding]:
    """Parameters for which a route and the bounds around all of its requests leave no value."""
    restricting = [bound for bound in bounds if bound.rules]
    for route in routes.values():
        around = [bound for bound in restricting if (route.region or everything) <= bound.region]
        for parameter in {p for bound in around for p in bound.rules} if around else ():
            yield from _closed(policy, route, parameter, around)


def _closed(policy: Policy, route: Route, parameter: Parameter, around: list[Bound]) -> Iterator[Finding]:
    own = route.rules.get(parameter)
    left = own.range if own is not None else Range()
    labels: list[Label] = []
    for bound in around:
        if parameter not in bound.rules:
            continue
        origin = policy.origin("bounds", bound.name)
        labels.append(
            Label(
                origin.key_span("parameters", parameter.value),
                f"bound `{bound.name}` asks for {bound.rules[parameter].range}",
            )
        )
        left &= bound.rules[parameter].range
    if not left.is_empty or (own is not None and own.range.is_empty):
        return
    origin = policy.origin("routes", route.name)
    span = origin.key_span("parameters", parameter.value) if own is not None else origin.key_span()
    yield Finding(
        Code.EMPTY_RANGE,
        span,
        f"no value of {parameter.value} is left for the route `{route.name}`: its range and its bounds do not meet",
        labels=tuple(labels),
        help="widen one of the ranges",
    )
