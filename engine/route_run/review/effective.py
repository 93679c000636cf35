"""The values that hold for a request or a route, each with what set it and where that is written.

Decides the origin of values: the request, a route, a bound, an upstream, a model, a dialect, or the default of
the language. What the values do is decided in `flow`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from route_run.errors import Span
from route_run.flow.parameters import shown
from route_run.flow.plan import Plan
from route_run.policy import TRAITS, Origin, Parameter, Range, placed_targets
from route_run.policy.model import DEFAULT_FALLBACK
from route_run.table import Bound, Exceeded, Limit, Outside, Route, RoutingTable, Target

_SECTIONS: Mapping[type, tuple[str, str]] = {Route: ("routes", "route"), Bound: ("bounds", "bound")}
DEFAULT = "default"
"""The origin of what the policy does not say."""


@dataclass(frozen=True, slots=True)
class Source:
    """One thing that has a say in a value: what it says, and where it is written (None: nowhere)."""

    origin: str
    says: str
    span: Span | None = None

    def __str__(self) -> str:
        what = f"{self.says}: {self.origin}" if self.says else self.origin
        return f"{what}  ({self.span})" if self.span is not None else what

    def as_json(self) -> dict[str, Any]:
        return {"origin": self.origin, "says": self.says, "place": self.span and str(self.span)}


@dataclass(frozen=True, slots=True)
class Effective:
    """One value: ``of`` names the target it is for, if it is for one."""

    name: str
    value: str
    sources: tuple[Source, ...]
    of: str = ""

    def as_json(self) -> dict[str, Any]:
        sources = [source.as_json() for source in self.sources]
        return {"name": self.name, "of": self.of or None, "value": self.value, "sources": sources}


def effective(table: RoutingTable, plan: Plan) -> tuple[Effective, ...]:
    """The values that hold for the request of a plan; empty when no route was found for it."""
    if plan.route is None:
        return ()
    names = set(plan.bounds)
    bounds = [bound for bound in table.bounds if bound.name in names]
    return of_route(table, plan.route, bounds, plan)


def of_route(
    table: RoutingTable, route: Route, bounds: Sequence[Bound], plan: Plan | None = None
) -> tuple[Effective, ...]:
    """The values of a route under some bounds; with a plan also the parameters of its request."""
    values = _Values(table, route, bounds, plan)
    return (
        *values.parameters(),
        *values.ranges(),
        *values.guards(),
        *values.limits(),
        *values.answer(),
        *values.upstream(),
    )


def of_target(table: RoutingTable, target: Target) -> tuple[Effective, ...]:
    """What holds of a target, whatever the request: its name there, window, largest answer and price."""
    policy = table.policy
    served = policy.origin("endpoints", target.endpoint)
    model = policy.origin("models", target.model)
    of, named = str(target), f"model `{target.model}`"
    window = Source(named, "", model.key_span("context_window"))
    if target.context_window < policy.models[target.model].context_window:
        window = Source(f"dialect {target.dialect.value}", "")
    answer = Source(named, "", model.key_span("max_output_tokens"))
    if target.max_output_tokens < policy.models[target.model].max_output_tokens:
        answer = Source(f"dialect {target.dialect.value}", "")
    found = [
        Effective("context window", f"{target.context_window:,} tokens", (window,), of),
        Effective("largest answer", f"{target.max_output_tokens:,} tokens", (answer,), of),
    ]
    price = policy.endpoints[target.endpoint].serves[target.model].price
    if price is not None:
        source = Source(f"endpoint `{target.endpoint}`", "", served.key_span("serves", target.model, "price"))
    elif target.price is not None:
        source = Source(named, "", model.key_span("price"))
    else:
        source = Source(DEFAULT, "")
    return (*found, Effective("price", price_in_words(target), (source,), of))


def price_in_words(target: Target) -> str:
    """US dollars per million tokens, in and out; unknown is not free."""
    if target.price is None:
        return "unknown"
    return f"{target.price.input:g} in, {target.price.output:g} out USD per million tokens"


def in_words(limit: Limit) -> str:
    """What a limit allows, and what happens beyond it."""
    rates = ((limit.requests, " requests"), (limit.tokens, " tokens"), (limit.spend, ""))
    amounts = [f"{amount}{what}" for amount, what in rates if amount is not None]
    amounts += [f"{limit.concurrent} at once"] if limit.concurrent is not None else []
    beyond = {
        Exceeded.NEXT: "else the next target",
        Exceeded.WAIT: "else it waits"
        if limit.wait_at_most == float("inf")
        else f"else it waits up to {limit.wait_at_most:g} s",
        Exceeded.REJECT: "else it is refused",
    }
    return f"{', '.join(amounts)}, {beyond[limit.exceeded]}"


@dataclass(frozen=True, slots=True)
class _Values:
    table: RoutingTable
    route: Route
    bounds: Sequence[Bound]
    plan: Plan | None

    def parameters(self) -> Iterator[Effective]:
        """The parameters of the request of a plan, before any target."""
        if self.plan is None or self.plan.parameters is None:
            for parameter, rule in self.route.rules.items():
                if rule.default is not None:
                    yield Effective(f"{parameter.value} default", shown(rule.default), (self._default(parameter),))
            return
        for parameter, value in self.plan.parameters.items():
            notes = [r for r in self.plan.why if r.text.startswith(f"{parameter.value} clamped ")]
            is_default = any(r.text.startswith(f"{parameter.value} = ") for r in self.plan.why)
            given = self._default(parameter) if is_default else Source("the request", "")
            moved = [Source(r.subject, r.text.partition(" ")[2], self._span_of(r.subject, parameter)) for r in notes
                     if r.subject and "/" not in r.subject]  # fmt: skip
            yield Effective(parameter.value, shown(value), (given, *moved))

    def _default(self, parameter: Parameter) -> Source:
        span = self._route_origin.span("parameters", parameter.value, "default")
        return Source(f"route `{self.route.name}`", "", span)

    def ranges(self) -> Iterator[Effective]:
        """What may be given: ranges of the route and of the bounds, then what models and dialects leave of it."""
        named = {p for holder in self._holders for p in holder.rules}
        named |= set(self.plan.parameters if self.plan and self.plan.parameters else ())
        for parameter in (p for p in Parameter if p in named):
            sources = tuple(self._ruling(parameter))
            together = Range()
            for holder in self._holders:
                together &= holder.rules[parameter].range if parameter in holder.rules else Range()
            sources += tuple(self._by_targets(parameter))
            yield Effective(f"{parameter.value} range", str(together), sources or (Source(DEFAULT, ""),))

    def _ruling(self, parameter: Parameter) -> Iterator[Source]:
        for holder in self._holders:
            section, kind = _SECTIONS[type(holder)]
            rule = holder.rules.get(parameter)
            is_written = rule is not None and (rule.range != Range(1, None) or parameter is not Parameter.MAX_TOKENS)
            if rule is not None and is_written and rule.range != Range():
                how = "clamp" if rule.outside is Outside.CLAMP else "reject"
                span = self.table.policy.origin(section, holder.name).key_span("parameters", parameter.value)
                yield Source(f"{kind} `{holder.name}`", f"{rule.range}, else {how}", span)

    def _by_targets(self, parameter: Parameter) -> Iterator[Source]:
        seen: set[tuple[str, str]] = set()
        for target in self.route.upstream.targets:
            for source in _own_ranges(self.table, target, parameter):
                if (source.origin, source.says) not in seen:
                    seen.add((source.origin, source.says))
                    yield source

    def guards(self) -> Iterator[Effective]:
        """The guards that the bounds ask for."""
        asking: dict[str, list[Bound]] = {}
        for bound in self.bounds:
            for asked in bound.guards:
                asking.setdefault(asked, []).append(bound)
        for name, askers in sorted(asking.items()):
            scanner = self.table.scanners[name]
            does = f"route to `{scanner.destination}`" if scanner.destination else scanner.action.value
            origin = self.table.policy.origin("guards", name)
            guard = self.table.policy.guards[name]
            place = origin.span("threshold") if "threshold" in guard.written_fields else None
            set_by = Source(f"guard `{name}`" if place else DEFAULT, f"threshold {scanner.threshold:g}", place)
            by = [
                Source(f"bound `{b.name}`", "asked", self.table.policy.origin("bounds", b.name).key_span("guards"))
                for b in askers
            ]
            yield Effective(f"guard {name}", f"{does} at {scanner.threshold:g}", (set_by, *by))

    def limits(self) -> Iterator[Effective]:
        """What bounds allow, then targets, their endpoints and models: one that several targets share stands once."""
        for bound in self.bounds:
            place = self.table.policy.origin("bounds", bound.name)
            for limit, keys in self._of_bound(bound):
                source = Source(f"bound `{bound.name}`", "", place.key_span(*keys))
                whose = limit.owner.removeprefix(f"the bound `{bound.name}`").removeprefix(" ")
                yield Effective(f"limit {bound.name}", f"{whose}: {in_words(limit)}".removeprefix(": "), (source,))
        own = {limit.key: (limit, target) for target in self.route.upstream.targets for limit in target.limits}
        for limit, target in own.values():
            source = Source(limit.owner.removeprefix("the "), "", self._place_of(limit, target))
            yield Effective("limit", in_words(limit), (source,))

    def _place_of(self, limit: Limit, target: Target) -> Span:
        """Where a limit stands of a target, of its endpoint or of its model."""
        policy, upstream = self.table.policy, self.route.upstream.name
        if limit.key == f"endpoints.{target.endpoint}":
            return policy.origin("endpoints", target.endpoint).key_span("limits")
        if limit.key == f"models.{target.model}":
            return policy.origin("models", target.model).key_span("limits")
        number = self.route.upstream.targets.index(target)
        keys = tuple(placed_targets(policy.upstreams[upstream]))[number].keys
        return policy.origin("upstreams", upstream).key_span(*keys, "limits")

    def _of_bound(self, bound: Bound) -> Iterator[tuple[Limit, tuple[str, ...]]]:
        """The limits of a bound and where they stand: that of the request of a plan, else all."""
        quota = bound.quota
        if self.plan is not None:
            value = self.plan.attributes.value(quota.per) if quota.per is not None else None
            limit = quota.limit_for(self.plan.attributes)
            if limit is not None:
                yield limit, ("except", value) if value in quota.exceptions and value is not None else ("limits",)
            return
        if quota.limit is not None:
            whose = f"{quota.limit.owner} for each value of {quota.per}" if quota.per else quota.limit.owner
            yield replace(quota.limit, owner=whose), ("limits",)
        for value, limit in quota.exceptions.items():
            yield replace(limit, owner=f"{limit.owner} for {quota.per}={value}"), ("except", value)

    def answer(self) -> Iterator[Effective]:
        """When the answer is delivered, and how it is checked."""
        route = self.table.policy.routes[self.route.name]
        origin = self._route_origin
        if "deliver" in route.written_fields:
            source = Source(f"route `{self.route.name}`", "", origin.span("deliver"))
        else:
            source = Source(DEFAULT, "with `verify`" if route.verify else "without `verify`")
        yield Effective("deliver", self.route.deliver.value, (source,))
        if route.verify is not None:
            check = f"JSON by {route.verify.json_schema}" if route.verify.json_schema else "JSON"
            check += ", repaired once if need be" if self.route.repairs else ""
            yield Effective("verify", check, (Source(f"route `{self.route.name}`", "", origin.key_span("verify")),))

    def upstream(self) -> Iterator[Effective]:
        """Timeouts, exchanges, fallback and hedge of the upstream."""
        upstream = self.route.upstream
        written = self.table.policy.upstreams[upstream.name]
        origin = self.table.policy.origin("upstreams", upstream.name)
        named = f"upstream `{upstream.name}`"
        timeouts = upstream.timeouts
        for field in ("connect", "first_content", "idle", "byte_idle", "total"):
            is_written = field in timeouts.written_fields and "timeouts" in written.written_fields
            value = upstream.byte_idle if field == "byte_idle" else getattr(timeouts, field)
            yield _written(f"timeout {field}", f"{value:g} s", named, origin, ("timeouts", field), is_written)
        retry, backoff = written.retry.written_fields, written.retry.backoff.written_fields
        yield _written(
            "attempts per target", str(upstream.attempts), named, origin, ("retry", "attempts"), "attempts" in retry
        )
        waits = f"{upstream.backoff_first:g} s, at most {upstream.backoff_max:g} s"
        yield _written("backoff", waits, named, origin, ("retry", "backoff"), bool(backoff))
        kinds = written.fallback.when
        is_default = kinds == DEFAULT_FALLBACK
        words = f"the {len(kinds)} kinds of the default" if is_default else ", ".join(kinds) or "never"
        is_written = "when" in written.fallback.written_fields
        yield _written("falls back for", words, named, origin, ("fallback", "when"), is_written)
        after = "an answer that breaks off starts over if the caller allows it" if upstream.restarts else "interrupted"
        is_written = "after_content" in written.fallback.written_fields
        yield _written("after content", after, named, origin, ("fallback", "after_content"), is_written)
        if upstream.hedge_after is not None:
            words = f"the next target is asked too after {upstream.hedge_after:g} s"
            yield _written("hedge", words, named, origin, ("hedge", "after"), is_written=True)

    @property
    def _holders(self) -> Sequence[Route | Bound]:
        return (self.route, *self.bounds)

    @property
    def _route_origin(self) -> Origin:
        return self.table.policy.origin("routes", self.route.name)

    def _span_of(self, subject: str, parameter: Parameter) -> Span | None:
        """Where a rule stands that a note names as its source."""
        for holder in self._holders:
            section, kind = _SECTIONS[type(holder)]
            if f"{kind} `{holder.name}`" in subject:
                return self.table.policy.origin(section, holder.name).key_span("parameters", parameter.value)
        return None


def _written(name: str, value: str, named: str, origin: Origin, keys: tuple[str, ...], is_written: bool) -> Effective:
    source = Source(named, "", origin.span(*keys)) if is_written else Source(DEFAULT, "")
    return Effective(name, value, (source,))


def _own_ranges(table: RoutingTable, target: Target, parameter: Parameter) -> Iterator[Source]:
    """What the model and the dialect of a target allow for a parameter."""
    model = table.policy.models[target.model]
    origin = table.policy.origin("models", target.model)
    named = f"model `{target.model}`"
    if parameter in model.parameters:
        yield Source(named, str(model.parameters[parameter].range), origin.key_span("parameters", parameter.value))
    elif parameter is Parameter.MAX_TOKENS:
        yield Source(named, f"1 to {model.max_output_tokens}", origin.span("max_output_tokens"))
    fields = TRAITS[target.dialect].parameters
    own = Range(1, model.max_output_tokens) if parameter is Parameter.MAX_TOKENS else Range()
    if parameter in model.parameters:
        own = model.parameters[parameter].range
    if parameter not in fields:
        yield Source(f"dialect {target.dialect.value}", "no such field")
    elif own & fields[parameter] != own:  # what the model allows is all that counts where it is narrower
        yield Source(f"dialect {target.dialect.value}", str(fields[parameter]))
