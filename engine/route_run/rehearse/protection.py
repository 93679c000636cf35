"""What protects endpoints, budgets and callers, as far as rehearsals exercise it.

Decides what of it counts: each part of a limit, hedges, restarts, repairs, and breakers that are written. Windows
of maintenance do not: they come and go, and a policy should not lose its coverage with every one of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from route_run.errors import Span
from route_run.flow.breaker import Phase
from route_run.flow.limits import NOTHING, every_lack, need_of
from route_run.policy import placed_targets
from route_run.policy.model import Limits
from route_run.policy.rehearsal import PARTS
from route_run.rehearse.covered import Gap, Item, Key, What
from route_run.rehearse.play import Run
from route_run.rehearse.upstreams import rehearsed_upstreams, routes_to
from route_run.rehearse.witness import Witnesses
from route_run.table import Deliver, Route, RoutingTable, Upstream

_BAD_ANSWER = {"say": "this is not what was asked for"}


def items(table: RoutingTable) -> Iterator[tuple[Key, str, Span]]:
    """Everything that protects, with its words and its place."""
    yield from _limits(table)
    for name, upstream in rehearsed_upstreams(table).items():
        if upstream.hedge_after is not None:
            yield (What.HEDGE, name, ""), f"hedge of {name}", table.policy.origin("upstreams", name).key_span("hedge")
        if upstream.restarts:
            span = table.policy.origin("upstreams", name).key_span("fallback", "after_content")
            yield (What.RESTART, name, ""), f"an answer of {name} starts over", span
    for name, route in table.routes.items():
        if route.repairs:
            span = table.policy.origin("routes", name).key_span("verify", "repair")
            yield (What.REPAIR, name, ""), f"an answer of {name} is repaired", span
    for name in dict.fromkeys(target.endpoint for u in rehearsed_upstreams(table).values() for target in u.targets):
        if "breaker" in table.policy.endpoints[name].written_fields:
            span = table.policy.origin("endpoints", name).key_span("breaker")
            yield (What.BREAKER, name, ""), f"breaker of {name} opens", span


def _limits(table: RoutingTable) -> Iterator[tuple[Key, str, Span]]:
    """Each part of each limit; the name of one is that of its counter."""
    policy = table.policy
    used: dict[tuple[str, str], None] = {}
    for upstream in rehearsed_upstreams(table).values():
        for target in upstream.targets:
            used |= {("endpoints", target.endpoint): None, ("models", target.model): None}
    for section, name in used:
        limits = policy.endpoints[name].limits if section == "endpoints" else policy.models[name].limits
        yield from _parts(table, section, name, ("limits",), limits, f"{section}.{name}", f"{section[:-1]} {name}")
    for name, upstream in rehearsed_upstreams(table).items():
        placed = placed_targets(table.policy.upstreams[name])
        for (keys, written), target in zip(placed, upstream.targets, strict=True):
            own = next((limit.key for limit in target.limits if limit.key.startswith("upstreams.")), "")
            yield from _parts(
                table, "upstreams", name, (*keys, "limits"), written.limits, own, f"target {target} of {name}"
            )
    for bound in table.bounds:
        of_bound = policy.bounds[bound.name]
        key = f"bounds.{bound.name}"
        yield from _parts(table, "bounds", bound.name, ("limits",), of_bound.limits, key, f"bound {bound.name}")
        for value, limits in of_bound.except_.items():
            words = f"bound {bound.name} for {value}"
            yield from _parts(table, "bounds", bound.name, ("except", value), limits, f"{key}={value}", words)


def _parts(
    table: RoutingTable,
    section: str,
    name: str,
    keys: tuple[str | int, ...],
    limits: Limits | None,
    key: str,
    words: str,
) -> Iterator[tuple[Key, str, Span]]:
    for part in PARTS if limits is not None else ():
        if getattr(limits, part) is not None:
            span = table.policy.origin(section, name).key_span(*keys, part)
            yield (What.LIMIT, key, part), f"limit of {part} of the {words} is reached", span


class Protection:
    """What of it a run exercises, and how to exercise what none does."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._witnesses = Witnesses(table)
        self._limits = {name for (what, name, _), _, _ in items(table) if what is What.LIMIT}

    def exercised(self, run: Run) -> Iterator[Key]:
        """What a run exercises."""
        plan, record = run.plan, run.record
        if plan is None or plan.route is None:
            return
        yield from self._reached(run)
        for name, state in plan.snapshot.targets.items():
            if state.breaker is not Phase.CLOSED:
                yield What.BREAKER, name.partition("/")[0], ""
        if record is None:
            return
        upstream = plan.route.upstream
        if upstream.hedge_after is not None and _overlap(record["attempts"]):
            yield What.HEDGE, upstream.name, ""
        if record["restarts"]:
            yield What.RESTART, upstream.name, ""
        if any(attempt["repair"] for attempt in record["attempts"]):
            yield What.REPAIR, plan.route.name, ""

    def _reached(self, run: Run) -> Iterator[Key]:
        """The parts of limits that had no room when the request was planned."""
        plan = run.plan
        assert plan is not None
        for planned in plan.targets if self._limits else ():
            need = need_of(planned.target, planned.parameters, plan.attributes.prompt_tokens)
            for limit in (*plan.limits, *planned.target.limits):
                used = plan.snapshot.limits.get(limit.key, NOTHING)
                for lack in every_lack(limit, used, need, plan.snapshot.at):
                    yield What.LIMIT, limit.key if limit.key in self._limits else limit.group, lack.part

    # -- what did not --------------------------------------------------------------------------------

    def gap(self, item: Item, key: Key) -> Gap:
        """Why it is a gap, and a request that would close it."""
        what, name, part = key
        match what:
            case What.LIMIT:
                return self._limit(item, name, part)
            case What.HEDGE:
                return self._hedge(item, rehearsed_upstreams(self._table)[name])
            case What.RESTART:
                return self._restart(item, rehearsed_upstreams(self._table)[name])
            case What.REPAIR:
                return self._repair(item, self._table.routes[name])
            case _:
                rules = self._table.policy.endpoints[name].breaker
                why = f"in no rehearsal a request comes after {rules.consecutive} failures of {name} in a row"
                return Gap(item, why)

    def _limit(self, item: Item, key: str, part: str) -> Gap:
        amount = {part: "0 USD left" if part == "spend" else "0 left"}
        found = self._under_bound(key, amount) if key.startswith("bounds.") else self._with_target(key, amount)
        if found is None:
            return Gap(item, "no request found is held to it")
        witness, quota = found
        return Gap(item, "no rehearsal's request finds it used up", witness, quota=quota)

    def _under_bound(self, key: str, amount: Mapping[str, str]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        name, _, value = key.removeprefix("bounds.").partition("=")
        bound = next(bound for bound in self._table.bounds if bound.name == name)
        witness = self._witnesses.for_region(bound.region)
        if witness is None:
            return None
        per = bound.quota.per
        if per is not None and value:
            witness = {**witness, "tags": {**witness.get("tags", {}), per: value}}
        limit = next((own for own in self._witnesses.plan(witness).limits if key in (own.key, own.group)), None)
        if limit is None:
            return None
        of_value = witness.get("tags", {}).get(per)
        quota = amount if per is None else {"absent": amount} if of_value is None else {"per": {of_value: amount}}
        return witness, {"bounds": {name: quota}}

    def _with_target(self, key: str, amount: Mapping[str, str]) -> tuple[Mapping[str, Any], Mapping[str, Any]] | None:
        section, _, rest = key.partition(".")
        for upstream in rehearsed_upstreams(self._table).values():
            held = [target for target in upstream.targets if any(limit.key == key for limit in target.limits)]
            for route in routes_to(self._table, upstream) if held else ():
                witness = self._witnesses.sent_to(route)
                if witness is not None:
                    of_target = {upstream.name: {str(held[0]): amount}}
                    return witness, {section: of_target if section == "upstreams" else {rest: amount}}
        return None

    def _hedge(self, item: Item, upstream: Upstream) -> Gap:
        after = upstream.hedge_after or 0.0
        slow = {"first_content": f"{after * 2000 + 1:.0f}ms"}
        why = "no rehearsal lets an answer be so long in coming that the next is asked as well"
        return self._with_all(item, upstream, routes_to(self._table, upstream), slow, why)

    def _restart(self, item: Item, upstream: Upstream) -> Gap:
        streaming = [route for route in routes_to(self._table, upstream) if route.deliver is Deliver.STREAMED]
        why = "no rehearsal lets an answer break off for a caller who can discard it (`allow_restart`)"
        gap = self._with_all(item, upstream, streaming, {"fault": "reset_mid"}, why)
        return Gap(item, gap.why, gap.witness and {**gap.witness, "allow_restart": True}, gap.acts)

    def _repair(self, item: Item, route: Route) -> Gap:
        why = "no rehearsal lets an endpoint give an answer that does not pass"
        return self._with_all(item, route.upstream, [route], _BAD_ANSWER, why)

    def _with_all(
        self, item: Item, upstream: Upstream, routes: Sequence[Route], act: Mapping[str, Any], why: str
    ) -> Gap:
        """A request with as many targets as there can be, at all of which the same happens."""
        found = [fields for route in routes if (fields := self._witnesses.sent_to(route)) is not None]
        if not found:
            return Gap(item, why)
        witness = max(found, key=lambda fields: len(self._witnesses.plan(fields).eligible))
        endpoints = dict.fromkeys(target.endpoint for target in upstream.targets)
        return Gap(item, why, witness, {endpoint: [act] for endpoint in endpoints})


def _overlap(attempts: Sequence[Mapping[str, Any]]) -> bool:
    """Whether one began while another was under way."""
    began = sorted((a["started_at"], a["started_at"] + a["latency_ms"] / 1000) for a in attempts)
    return any(later[0] < earlier[1] - 1e-6 for earlier, later in pairwise(began))
