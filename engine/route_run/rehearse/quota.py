"""What a rehearsal says is used up, as the engine counts it.

Decides which counters are meant and how much of each is used; what that does to a request is the engine's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from route_run.flow.limits import Used
from route_run.policy.rehearsal import LimitQuota, QuotaScript
from route_run.policy.units import Amount, Rate
from route_run.table import Limit, RoutingTable


def used_already(table: RoutingTable, quota: QuotaScript | None) -> list[tuple[Limit, Used]]:
    """Every limit of which something is used; one that no request is held to has no counter and is left out."""
    if quota is None:
        return []
    return [(limit, used_of(limit, amounts)) for limit, amounts in _limits(table, quota)]


def used_of(limit: Limit, quota: LimitQuota) -> Used:
    """The amounts as what is used of a limit."""
    used = {part: _used(limit, part, amount) for part, amount in quota.amounts.items()}
    return Used(
        requests=float(used.get("requests", 0)),
        tokens=float(used.get("tokens", 0)),
        spent=used.get("spend", Decimal(0)),
        live=int(used.get("concurrent", 0)),
    )


def _used(limit: Limit, part: str, amount: Amount) -> Decimal:
    written = getattr(limit, part)
    if written is None:
        return Decimal(0)  # a changed policy may have lost it
    whole = written if isinstance(written, int) else written.count if isinstance(written, Rate) else written.usd
    return amount.of(Decimal(str(whole)))


def _limits(table: RoutingTable, quota: QuotaScript) -> Iterator[tuple[Limit, LimitQuota]]:
    targets = _limits_of_targets(table)
    for section, quotas in (("endpoints", quota.endpoints), ("models", quota.models)):
        for name, amounts in quotas.items():
            if (limit := targets.get(f"{section}.{name}")) is not None:
                yield limit, amounts
    for name, of_upstream in quota.upstreams.items():
        for who, amounts in of_upstream.items():
            yield from ((limit, amounts) for limit in _own_limits(table, name, who))
    quotas_of_bounds = {bound.name: bound.quota for bound in table.bounds}
    for name, of_bound in quota.bounds.items():
        if (held := quotas_of_bounds.get(name)) is None:
            continue
        if held.per is None:
            yield from ((limit, of_bound) for limit in (held.limit,) if limit is not None)
            continue
        values: list[tuple[str | None, LimitQuota]] = list(of_bound.per.items())
        values += [(None, of_bound.absent)] if of_bound.absent is not None else []
        for value, amounts in values:
            if (limit := held.limit_of(value)) is not None:
                yield limit, amounts


def _limits_of_targets(table: RoutingTable) -> Mapping[str, Limit]:
    """The limits of endpoints, models and targets that some route uses, by their counters."""
    upstreams = {route.upstream.name: route.upstream for route in table.routes.values()}
    return {
        limit.key: limit for upstream in upstreams.values() for target in upstream.targets for limit in target.limits
    }


def _own_limits(table: RoutingTable, upstream: str, who: str) -> Iterator[Limit]:
    """The limits that the targets of this name have of their own in an upstream."""
    found = next((r.upstream for r in table.routes.values() if r.upstream.name == upstream), None)
    for target in found.targets if found is not None else ():
        if str(target) == who:
            yield from (limit for limit in target.limits if limit.key.startswith(f"upstreams.{upstream}."))
