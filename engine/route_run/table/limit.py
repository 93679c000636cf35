"""Limits as decisions use them: what may be used, who says so, and which counter it is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum

from route_run.policy import model as written
from route_run.policy.units import Rate, Spend
from route_run.table.attributes import Attributes


class Exceeded(Enum):
    """What happens to a request that a limit has no room for."""

    NEXT = "next"
    WAIT = "wait"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class Limit:
    """What may be used by those who share the counter ``key``.

    ``owner`` names who says so, ``group`` the limit of which this is the one of a tag's value;
    ``wait_at_most`` is in seconds.
    """

    key: str
    owner: str
    exceeded: Exceeded
    requests: Rate | None = None
    tokens: Rate | None = None
    spend: Spend | None = None
    concurrent: int | None = None
    wait_at_most: float = float("inf")
    group: str = ""


@dataclass(frozen=True, slots=True)
class Quota:
    """The limits of a bound: one for all, or one for each value of the tag ``per``."""

    limit: Limit | None
    per: str | None
    exceptions: Mapping[str, Limit]

    def limit_for(self, request: Attributes) -> Limit | None:
        """The limit that a request is held to; its counter is the one of its value, absence being one value."""
        return self.limit if self.per is None else self.limit_of(request.value(self.per))

    def limit_of(self, value: str | None) -> Limit | None:
        """The limit of those with a value of the tag ``per``; None is of those without one."""
        limit = self.limit if value is None else self.exceptions.get(value, self.limit)
        if limit is None:
            return None
        who = f"{self.per}={value}" if value is not None else f"no {self.per}"
        key = limit.key if value is None else f"{limit.key}={value}"
        return replace(limit, key=key, owner=f"{limit.owner} for {who}", group=limit.key)


def limit_of(limits: written.Limits | None, key: str, owner: str, default: Exceeded) -> Limit | None:
    """What is written, as decisions use it."""
    if limits is None or (limits.requests, limits.tokens, limits.spend, limits.concurrent) == (None,) * 4:
        return None
    return Limit(
        key=key,
        owner=owner,
        exceeded=Exceeded(limits.when_exceeded) if limits.when_exceeded else default,
        requests=limits.requests,
        tokens=limits.tokens,
        spend=limits.spend,
        concurrent=limits.concurrent,
        wait_at_most=float("inf") if limits.wait_at_most is None else limits.wait_at_most,
    )
