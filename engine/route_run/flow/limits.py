"""Limits: whether there is room for an attempt, what it takes, and what it gives back.

Decides from counters and two times that come in as arguments: seconds of a clock that never goes back
for rates, seconds since 1970 for calendar periods. A rate is a bucket that holds its count and runs out
evenly: after a pause the whole count is there at once. An attempt reserves the estimated prompt and the
longest answer when it starts and settles with what it used; what nobody reports stays reserved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from route_run.flow.request import ParameterValue
from route_run.policy import Parameter
from route_run.policy.units import Rate, Spend
from route_run.table import Exceeded, Limit, Target

_HAIR = 1e-9
"""Less than this over a limit is a rounding error."""
_PER_TOKEN = Decimal(1_000_000)


class Need(NamedTuple):
    """What an attempt may take: tokens of prompt and answer together; ``cost`` None without a price."""

    tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Used:
    """What is used of a limit: of its rates what has not run out yet, dollars of this period, attempts under way.

    ``reserved`` are tokens of attempts under way; they begin to run out when it is known how many were used.
    ``spent`` includes what is reserved.
    """

    requests: float = 0.0
    tokens: float = 0.0
    reserved: int = 0
    spent: Decimal = Decimal(0)
    live: int = 0

    def as_json(self) -> dict[str, Any]:
        """Only what is used at all."""
        spent = format(self.spent.normalize(), "f") if self.spent else None
        shown = {
            "requests": self.requests,
            "tokens": self.tokens,
            "reserved_tokens": self.reserved,
            "spent_usd": spent,
            "concurrent": self.live,
        }
        return {key: value for key, value in shown.items() if value}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Used:
        """The inverse of ``as_json``."""
        spent = Decimal(data.get("spent_usd", 0))
        reserved = data.get("reserved_tokens", 0)
        return cls(data.get("requests", 0.0), data.get("tokens", 0.0), reserved, spent, data.get("concurrent", 0))


NOTHING = Used()


@dataclass(frozen=True, slots=True)
class Counter:
    """What is used, as of ``at``; ``period`` is the calendar period that ``used.spent`` belongs to."""

    used: Used = NOTHING
    at: float = 0.0
    period: str = ""


FRESH = Counter()


class Lack(NamedTuple):
    """What there is no room for: ``wait`` is in seconds, None where nobody can say, infinite where it is for ever."""

    words: str
    wait: float | None


def need_of(target: Target, parameters: Mapping[Parameter, ParameterValue], prompt_tokens: int) -> Need:
    """The most that an attempt can take: the estimated prompt and the longest answer."""
    asked = parameters.get(Parameter.MAX_TOKENS, target.max_output_tokens)
    answer = asked if isinstance(asked, int) else target.max_output_tokens
    cost = None
    if (price := target.price) is not None:
        cost = (Decimal(str(price.input)) * prompt_tokens + Decimal(str(price.output)) * answer) / _PER_TOKEN
    return Need(prompt_tokens + answer, cost)


def lacks(limit: Limit, used: Used, need: Need, at: float) -> Lack | None:
    """The first thing a limit has no room for; the longest wait decides where there are several."""
    found = list(_lacks(limit, used, need, at))
    if not found:
        return None
    # nobody can say when an attempt ends: such a wait is looked at again whenever one does
    return max(found, key=lambda lack: -1.0 if lack.wait is None else lack.wait)


def _lacks(limit: Limit, used: Used, need: Need, at: float) -> Iterator[Lack]:
    if limit.concurrent is not None and used.live >= limit.concurrent:
        yield Lack(f"{limit.owner} allows {limit.concurrent} at once", None)
    if limit.requests is not None:
        yield from _over(limit, limit.requests, used.requests, 0, 1, "requests")
    if limit.tokens is not None:
        yield from _over(limit, limit.tokens, used.tokens, used.reserved, need.tokens, "tokens")
    if limit.spend is not None:
        yield from _overspent(limit, limit.spend, used, need, at)


def _over(limit: Limit, rate: Rate, used: float, reserved: int, wanted: int, what: str) -> Iterator[Lack]:
    holds = max(1.0, rate.count) if rate.count else 0.0
    shown = f"{limit.owner} allows {rate} {what}"
    if wanted > holds:
        yield Lack(f"{shown}, and this request may take {wanted:,}", float("inf"))
    elif (over := used + reserved + wanted - holds) > _HAIR:
        wait = over / rate.count * rate.seconds
        # what is reserved does not run out before its attempt has ended
        yield Lack(f"{shown}; room in {wait:.3g} s", wait) if over <= used + _HAIR else Lack(shown, None)


def _overspent(limit: Limit, spend: Spend, used: Used, need: Need, at: float) -> Iterator[Lack]:
    shown = f"{limit.owner} allows {spend}"
    if need.cost is None:
        yield Lack(f"{shown}, and the model has no price", float("inf"))
    elif need.cost > spend.usd:
        yield Lack(f"{shown}, and this request may cost {_dollars(need.cost)}", float("inf"))
    elif used.spent + need.cost > spend.usd:
        wait = _period_end(spend.period, at) - at
        yield Lack(f"{shown}, {_dollars(used.spent)} are spent or reserved; room in {wait:.3g} s", wait)


def is_too_long(limit: Limit, lack: Lack, total: float) -> bool:
    """Whether there is no use in waiting for room; ``total`` is how long the request may take."""
    return limit.exceeded is not Exceeded.WAIT or (lack.wait or 0.0) > min(limit.wait_at_most, total)


# -- counters ------------------------------------------------------------------------------------------


def now_used(counter: Counter, limit: Limit, now: float, at: float) -> Counter:
    """The counter as it stands now: rates have run out a little, a new period begins at nothing."""
    used, passed = counter.used, max(0.0, now - counter.at)
    period = _period(limit.spend.period, at) if limit.spend is not None else ""
    if used == NOTHING:
        return Counter(NOTHING, now, period)
    return Counter(
        Used(
            requests=_run_out(used.requests, limit.requests, passed),
            tokens=_run_out(used.tokens, limit.tokens, passed),
            reserved=used.reserved,
            spent=used.spent if period == counter.period else Decimal(0),
            live=used.live,
        ),
        now,
        period,
    )


def is_fresh(counter: Counter) -> bool:
    """Whether nothing is used any more, so that it need not be kept."""
    return counter.used == NOTHING


def taken(counter: Counter, limit: Limit, need: Need, *, counts: bool) -> Counter:
    """The counter after an attempt has reserved what it may need; ``counts`` False leaves out the request itself."""
    used = counter.used
    return replace(
        counter,
        used=Used(
            requests=used.requests + 1 if counts and limit.requests is not None else used.requests,
            tokens=used.tokens,
            reserved=used.reserved + need.tokens if limit.tokens is not None else 0,
            spent=used.spent + need.cost if limit.spend is not None and need.cost is not None else used.spent,
            live=used.live + 1 if counts else used.live,
        ),
    )


def settled(counter: Counter, limit: Limit, need: Need, used: Need, period: str) -> Counter:
    """The counter after an attempt used ``used`` of the ``need`` that it had reserved in a calendar period."""
    held = counter.used
    tokens, reserved, spent = held.tokens, held.reserved, held.spent
    if limit.tokens is not None:
        tokens, reserved = tokens + used.tokens, reserved - need.tokens
    if limit.spend is not None and need.cost is not None and used.cost is not None:
        spent += used.cost - need.cost if counter.period == period else 0
    return replace(counter, used=replace(held, tokens=tokens, reserved=reserved, spent=spent))


def left(counter: Counter, *, was_sent: bool) -> Counter:
    """The counter after what counted as a request has left; one that was not sent was none."""
    used = counter.used
    requests = used.requests if was_sent else max(0.0, used.requests - 1)
    return replace(counter, used=replace(used, requests=requests, live=used.live - 1))


def _run_out(used: float, rate: Rate | None, passed: float) -> float:
    return max(0.0, used - passed * rate.count / rate.seconds) if rate is not None and used else 0.0


def _period(unit: str, at: float) -> str:
    """The name of the calendar period in UTC that a moment lies in."""
    moment = datetime.fromtimestamp(at, UTC)
    return moment.strftime({"h": "%Y-%m-%dT%H", "day": "%Y-%m-%d", "month": "%Y-%m"}[unit])


def _period_end(unit: str, at: float) -> float:
    moment = datetime.fromtimestamp(at, UTC).replace(minute=0, second=0, microsecond=0)
    if unit == "h":
        return (moment + timedelta(hours=1)).timestamp()
    midnight = moment.replace(hour=0)
    if unit == "day":
        return (midnight + timedelta(days=1)).timestamp()
    return (midnight.replace(day=1) + timedelta(days=32)).replace(day=1).timestamp()


def _dollars(cost: Decimal) -> str:
    return f"{cost.normalize():f} USD"
