"""What a policy says that no single document can be blamed for by its schema: names, tags, ranges.

Decides which references hold. Every finding names the closed set of right answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain

from route_run.errors import Code, Finding, Fix, Span
from route_run.policy.condition import Condition
from route_run.policy.dialect import Parameter, Range
from route_run.policy.model import BalanceGroup, Guard, Limits, Match, ParameterBound, ParameterRule, RouteTo, Target
from route_run.policy.placed import placed_targets
from route_run.policy.policy import Origin, Policy
from route_run.text.nearest import listed, nearest, typo_of
from route_run.text.scalar import as_scalar

Findings = Iterator[Finding]

_LEFT_OUT = frozenset((Code.FILE_NAME, Code.SYMLINK, Code.NO_POLICY, Code.TOO_LARGE))
_MAY_BE_DEFINED = frozenset((Code.UNKNOWN_NAME, Code.UNDECLARED_TAG, Code.NO_WAY_IN))
"""What seems to be missing may stand in a file that was refused, or not read to its end."""


def check(policy: Policy) -> list[Finding]:
    """All findings about references, tags and ranges of a decoded policy."""
    checks: tuple[Callable[[Policy], Findings], ...] = (
        _check_upstreams,
        _check_endpoints,
        _check_models,
        _check_guards,
        _check_bounds,
        _check_routes,
        _check_webhooks,
    )
    findings = list(chain.from_iterable(check(policy) for check in checks))
    was_read_whole = policy.reading.is_complete and not any(f.code in _LEFT_OUT for f in policy.reading.findings)
    return findings if was_read_whole else [f for f in findings if f.code not in _MAY_BE_DEFINED]


def _check_upstreams(policy: Policy) -> Findings:
    for name, upstream in policy.upstreams.items():
        origin = policy.origin("upstreams", name)
        for index, entry in enumerate(upstream.targets):
            if isinstance(entry, BalanceGroup) and entry.hash_on is not None:
                yield from _tag_path(policy, entry.hash_on, origin.span("targets", index, "hash_on"))
        for keys, target in placed_targets(upstream):
            yield from _target(policy, origin, target, keys)


def _target(policy: Policy, origin: Origin, target: Target, keys: tuple[str | int, ...]) -> Findings:
    yield from _known(policy, "endpoints", target.endpoint, origin.span(*keys, "endpoint"))
    yield from _known(policy, "models", target.model, origin.span(*keys, "model"))
    endpoint = policy.endpoints.get(target.endpoint)
    if endpoint is not None and target.model in policy.names["models"] and target.model not in endpoint.serves:
        yield Finding(
            Code.NOT_SERVED,
            origin.span(*keys, "model"),
            f"endpoint `{target.endpoint}` does not serve the model `{target.model}`",
            help=f"it serves {listed(endpoint.serves)}; add the model to its `serves` or choose another",
        )


def _check_endpoints(policy: Policy) -> Findings:
    for name, endpoint in policy.endpoints.items():
        origin = policy.origin("endpoints", name)
        for model in endpoint.serves:
            yield from _known(policy, "models", model, origin.key_span("serves", model))
        for index, window in enumerate(endpoint.maintenance):
            if window.from_ >= window.to:
                yield Finding(
                    Code.OUT_OF_RANGE,
                    origin.span("maintenance", index, "to"),
                    "the window ends before it starts",
                    help="`to` comes after `from`",
                )


def _check_models(policy: Policy) -> Findings:
    for name, model in policy.models.items():
        for parameter, allowed in model.parameters.items():
            span = policy.origin("models", name).key_span("parameters", parameter.value)
            yield from _not_empty(parameter, allowed.range, span)


def _check_guards(policy: Policy) -> Findings:
    for name, guard in policy.guards.items():
        origin = policy.origin("guards", name)
        if not guard.packs and not guard.patterns:
            yield Finding(
                Code.MISSING_FIELD,
                origin.key_span(),
                f"the guard `{name}` has neither `packs` nor `patterns`; it could never fire",
                help="add `packs: [builtin/injection@1]` or patterns of its own",
            )
        if isinstance(guard.then, RouteTo):
            yield from _known(policy, "routes", guard.then.route, origin.span("then", "route"))
        yield from _pattern_ids(guard, origin)


def _pattern_ids(guard: Guard, origin: Origin) -> Findings:
    seen: set[str] = set()
    for index, pattern in enumerate(guard.patterns):
        if pattern.id in seen:
            yield Finding(
                Code.DEFINED_TWICE,
                origin.span("patterns", index, "id"),
                f"a second pattern has the id `{pattern.id}`",
                help="ids are unique within a guard",
            )
        seen.add(pattern.id)


def _check_bounds(policy: Policy) -> Findings:
    for name, bound in policy.bounds.items():
        origin = policy.origin("bounds", name)
        yield from _match(policy, bound.match, origin)
        for index, guard in enumerate(bound.guards):
            yield from _known(policy, "guards", guard, origin.span("guards", index))
        for parameter, rule in bound.parameters.items():
            yield from _parameter(parameter, rule, origin)
        if bound.per is not None:
            yield from _tag_path(policy, bound.per, origin.span("per"))
        yield from _exceptions(policy, bound.per, bound.except_, origin)


def _exceptions(policy: Policy, per: str | None, exceptions: Mapping[str, Limits], origin: Origin) -> Findings:
    if not exceptions:
        return
    if per is None:
        yield Finding(
            Code.MISSING_FIELD,
            origin.key_span("except"),
            "`except` names values of a tag, but the bound has no `per`",
            help="add `per: tags.NAME`",
        )
        return
    tag = per.removeprefix("tags.")
    for value in exceptions:
        yield from _value(policy, tag, value, origin.key_span("except", value))


def _check_routes(policy: Policy) -> Findings:
    destinations = {guard.then.route for guard in policy.guards.values() if isinstance(guard.then, RouteTo)}
    all_guards_read = policy.guards.keys() == policy.names["guards"]
    for name, route in policy.routes.items():
        origin = policy.origin("routes", name)
        yield from _known(policy, "upstreams", route.upstream, origin.span("upstream"))
        for parameter, rule in route.parameters.items():
            yield from _parameter(parameter, rule, origin)
        if route.deliver == "streamed" and route.verify is not None and route.verify.repair:
            yield Finding(
                Code.EXCLUSIVE,
                origin.span("verify", "repair"),
                f"the route `{name}` repairs answers that are delivered as they stream",
                help="remove `deliver: streamed`, so that answers are held until they pass, or `repair`",
                effect="the caller has the answer before its check fails; nothing is ever repaired",
            )
        if route.match is not None:
            yield from _match(policy, route.match, origin)
        elif not route.callable and name not in destinations and all_guards_read:
            yield Finding(
                Code.NO_WAY_IN,
                origin.key_span(),
                f"no request can come to the route `{name}`: it has no `match`, is not `callable`, "
                "and no guard sends requests to it",
                help="add `match: {}` for all requests, `callable: true`, or remove it",
            )


def _check_webhooks(policy: Policy) -> Findings:
    for name, webhook in policy.webhooks.items():
        yield from _match(policy, webhook.match, policy.origin("webhooks", name))


def _match(policy: Policy, match: Match, origin: Origin) -> Findings:
    for tag, condition in match.tags.items():
        if tag not in policy.names["tags"]:
            yield _undeclared_tag(policy, tag, origin.key_span("match", "tags", tag))
            continue
        yield from _values(policy, tag, condition, origin)


def _values(policy: Policy, tag: str, condition: Condition, origin: Origin) -> Findings:
    declared = policy.tags.get(tag)
    if declared is None or declared.values is None:
        return
    for atom, keys in zip(condition.atoms, _places(origin, ("match", "tags", tag)), strict=True):
        span = origin.span(*keys)
        if atom.is_prefix and not any(value.startswith(atom.text) for value in declared.values):
            yield _undeclared_value(tag, f"{atom.text}…", declared.values, span)
        elif not atom.is_prefix:
            yield from _value(policy, tag, atom.text, span)


def _places(origin: Origin, keys: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    """Where the atoms of a condition stand, in their order: the shape of it is that of `condition()`."""
    written = origin.document.data
    for key in (*origin.keys, *keys):
        written = written[key]  # type: ignore[index]  # the condition was decoded from there
    if isinstance(written, dict):
        if "not" in written:
            yield from _places(origin, (*keys, "not"))
        elif "prefix" in written:
            yield (*keys, "prefix")
    elif isinstance(written, list):
        for index in range(len(written)):
            yield from _places(origin, (*keys, index))
    else:
        yield keys


def _value(policy: Policy, tag: str, value: str, span: Span) -> Findings:
    declared = policy.tags.get(tag)
    if declared is not None and declared.values is not None and value not in declared.values:
        yield _undeclared_value(tag, value, declared.values, span)


def _undeclared_value(tag: str, value: str, values: tuple[str, ...], span: Span) -> Finding:
    similar = nearest(value, values)
    declared = f"declared: {listed(values)}"
    return Finding(
        Code.UNDECLARED_VALUE,
        span,
        f"`{value}` is not a declared value of the tag `{tag}`",
        help=f"did you mean `{similar}`? {declared}" if similar else declared,
        fix=_renaming(span, value, similar, values),
    )


def _renaming(span: Span, word: str, similar: str | None, known: Iterable[str], prefix: str = "") -> Fix | None:
    """A name that may be misspelt; safe where it can be nothing but a slip."""
    if similar is None or span.start.line != span.end.line:
        return None
    is_safe = typo_of(word, known, is_closed=False) == similar
    return Fix.writing(span, as_scalar(prefix + similar), is_safe=is_safe)


def _tag_path(policy: Policy, path: str, span: Span) -> Findings:
    tag = path.removeprefix("tags.")
    if tag not in policy.names["tags"]:
        yield _undeclared_tag(policy, tag, span, path.removesuffix(tag))


def _undeclared_tag(policy: Policy, tag: str, span: Span, prefix: str = "") -> Finding:
    known = policy.names["tags"]
    similar = nearest(tag, known)
    declared = f"declared: {listed(known)}" if known else "no tag is declared; add it to `tags`"
    return Finding(
        Code.UNDECLARED_TAG,
        span,
        f"the tag `{tag}` is not declared",
        help=f"did you mean `{similar}`? {declared}" if similar else declared,
        fix=_renaming(span, tag, similar, known, prefix),
    )


def _known(policy: Policy, section: str, name: str, span: Span) -> Findings:
    known = policy.names[section]
    if name in known:
        return
    similar = nearest(name, known)
    choice = f"known: {listed(known)}" if known else f"the policy has no `{section}`"
    yield Finding(
        Code.UNKNOWN_NAME,
        span,
        f"there is no {section.removesuffix('s')} `{name}`",
        help=f"did you mean `{similar}`? {choice}" if similar else choice,
        fix=_renaming(span, name, similar, known),
    )


def _parameter(parameter: Parameter, rule: ParameterBound, origin: Origin) -> Findings:
    span = origin.key_span("parameters", parameter.value)
    allowed = rule.range
    if parameter is Parameter.MAX_TOKENS:
        allowed &= Range(1, None)
    if allowed.is_empty:
        yield from _not_empty(parameter, allowed, span)
    elif isinstance(rule, ParameterRule) and isinstance(rule.default, int | float) and rule.default not in allowed:
        yield Finding(
            Code.DEFAULT_OUTSIDE,
            origin.span("parameters", parameter.value, "default"),
            f"the default of {parameter.value} is {rule.default}, outside of its own range ({allowed})",
            help="move the default into the range, or widen the range",
        )


def _not_empty(parameter: Parameter, allowed: Range, span: Span) -> Findings:
    if allowed.is_empty:
        yield Finding(
            Code.EMPTY_RANGE,
            span,
            f"no value of {parameter.value} fits: the range goes from {allowed.min} to {allowed.max}",
            help="`min` is at most `max`",
        )
