"""What rehearsals say is used of limits: the limits have to be those of the policy, the amounts within them.

Decides which amounts hold. What they do to a counter is not known here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal

from route_run.errors import Code, Finding
from route_run.policy.model import Bound, Limits
from route_run.policy.placed import placed_targets
from route_run.policy.policy import Policy
from route_run.policy.rehearsal import PARTS, BoundQuota, LimitQuota, PlacedRehearsal
from route_run.policy.units import Rate, Spend
from route_run.text.nearest import listed, nearest

Findings = Iterator[Finding]
Keys = tuple[str | int, ...]


def check_quota(policy: Policy, placed: PlacedRehearsal) -> Findings:
    """All findings about the `quota` of a rehearsal."""
    if placed.written.quota is not None:
        yield from _Quota(policy, placed).findings()


class _Quota:
    def __init__(self, policy: Policy, placed: PlacedRehearsal) -> None:
        self._policy = policy
        self._origin = placed.origin
        assert placed.written.quota is not None
        self._written = placed.written.quota

    def findings(self) -> Findings:
        for name, quota in self._written.endpoints.items():
            endpoint = self._policy.endpoints.get(name)
            yield from self._known("endpoints", name)
            if endpoint is not None:
                yield from self._held(quota, endpoint.limits, f"the endpoint `{name}`", ("quota", "endpoints", name))
        for name, quota in self._written.models.items():
            model = self._policy.models.get(name)
            yield from self._known("models", name)
            if model is not None:
                yield from self._held(quota, model.limits, f"the model `{name}`", ("quota", "models", name))
        for name, targets in self._written.upstreams.items():
            yield from self._known("upstreams", name)
            if name in self._policy.upstreams:
                yield from self._upstream(name, targets)
        for name, quota in self._written.bounds.items():
            yield from self._known("bounds", name)
            if name in self._policy.bounds:
                yield from self._bound(name, quota)

    def _known(self, section: str, name: str) -> Findings:
        known = self._policy.names[section]
        if name not in known:
            yield self._unknown(f"there is no {section[:-1]} `{name}`", name, known, ("quota", section, name))

    def _upstream(self, name: str, quotas: Mapping[str, LimitQuota]) -> Findings:
        targets = {
            f"{target.endpoint}/{target.model}": target for _, target in placed_targets(self._policy.upstreams[name])
        }
        for who, quota in quotas.items():
            keys = ("quota", "upstreams", name, who)
            if who in targets:
                yield from self._held(quota, targets[who].limits, f"the target {who} of `{name}`", keys)
            else:
                yield self._unknown(f"the upstream `{name}` has no target `{who}`", who, targets, keys)

    def _bound(self, name: str, quota: BoundQuota) -> Findings:
        bound, keys = self._policy.bounds[name], ("quota", "bounds", name)
        if bound.per is None:
            for field in ("per", "absent"):
                if field in quota.written_fields:
                    words = f"the bound `{name}` has no `per`: it has one counter for all"
                    yield self._no_limit(words, "write the amounts right below its name", (*keys, field))
            yield from self._held(quota, bound.limits, f"the bound `{name}`", keys)
            return
        for part in quota.amounts:
            words = f"the bound `{name}` counts per {bound.per}: its {part} are those of one value"
            yield self._no_limit(words, "write them in `per`, below the value, or in `absent`", (*keys, part))
        tag = bound.per.removeprefix("tags.")
        if quota.absent is not None:
            yield from self._held(quota.absent, bound.limits, f"the bound `{name}`", (*keys, "absent"))
        for value, of_value in quota.per.items():
            yield from self._value(name, bound, tag, value)
            limits = bound.except_.get(value, bound.limits)
            yield from self._held(of_value, limits, f"the bound `{name}` for {tag}={value}", (*keys, "per", value))

    def _value(self, name: str, bound: Bound, tag: str, value: str) -> Findings:
        declared = self._policy.tags.get(tag)
        if declared is not None and declared.values is not None and value not in declared.values:
            message = f"`{value}` is not a declared value of the tag `{tag}`, by which the bound `{name}` counts"
            yield self._unknown(message, value, declared.values, ("quota", "bounds", name, "per", value))

    def _held(self, quota: LimitQuota, limits: Limits | None, owner: str, keys: Keys) -> Findings:
        """That every amount is of a part which the limit has, and not more than it holds."""
        parts = [part for part in PARTS if limits is not None and getattr(limits, part) is not None]
        for part, amount in quota.amounts.items():
            if part not in parts:
                choice = f"it limits {listed(parts)}" if parts else "it has no limits"
                yield self._no_limit(f"{owner} has no limit of {part}", choice, (*keys, part))
                continue
            holds, shown = _whole(getattr(limits, part))
            if amount.value > holds:
                yield Finding(
                    Code.BEYOND_LIMIT,
                    self._origin.span(*keys, part),
                    f"{owner} allows {shown} {part}: no more than that can be used or left",
                    help=f"from 0 to {holds.normalize():f}; `0 left` uses all of it",
                )

    def _no_limit(self, message: str, help_: str, keys: Keys) -> Finding:
        return Finding(Code.NO_SUCH_LIMIT, self._origin.key_span(*keys), message, help=help_)

    def _unknown(self, message: str, name: str, known: Iterable[str], keys: Keys) -> Finding:
        similar = nearest(name, known)
        choice = f"known: {listed(known)}" if known else "the policy has none"
        words = f"did you mean `{similar}`? {choice}" if similar else choice
        return Finding(Code.UNKNOWN_IN_REHEARSAL, self._origin.key_span(*keys), message, help=words)


def _whole(limit: Rate | Spend | int) -> tuple[Decimal, str]:
    """What a part of a limit holds, and the words for it."""
    match limit:
        case Rate(count):
            return Decimal(str(max(1.0, count) if count else 0.0)), str(limit)
        case Spend(usd):
            return usd, str(limit)
        case int():
            return Decimal(limit), str(limit)
