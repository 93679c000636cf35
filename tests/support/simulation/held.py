"""What may hold a target back in a world: what its attempts came to, and the limits of the policy.

This is not the engine's judgement made again: it says what must have happened before a target may be left
alone at all, and when it must be. Both leave room for what only the engine knows, as the dice of a wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from route_run.flow.failure import Action, Health, Kind
from route_run.flow.record import Attempt
from support.simulation.evidence import attempts_of, moments_of
from support.simulation.scenario import EVERYBODY, Shape
from support.simulation.world import STORING, Told, World

_WHOLE = frozenset({Kind.BAD_REQUEST, Kind.TOO_LONG, Kind.CONTENT_REFUSED, Kind.INVALID_OUTPUT})
"""Kinds of failure that say that the endpoint is well."""


@dataclass(frozen=True)
class Ended:
    """An attempt at an endpoint and when it was over, by the loop's clock."""

    caller: int
    attempt: Attempt
    at: float

    @property
    def is_bad(self) -> bool:
        """Whether it counts for a breaker, or opens it."""
        verdict = self.attempt.verdict
        # a token that is refused for the first time says nothing of its endpoint
        if verdict is None or verdict.action is Action.REFRESH:
            return False
        return verdict.kind not in _WHOLE and verdict.health in (Health.COUNT, Health.OPEN)

    @property
    def is_good(self) -> bool:
        verdict = self.attempt.verdict
        return verdict is None or verdict.kind in _WHOLE

    @property
    def asked(self) -> float:
        """Seconds for which its endpoint asked to be left alone."""
        verdict, failure = self.attempt.verdict, self.attempt.failure
        cools = verdict is not None and verdict.health in (Health.COOL, Health.QUOTA)
        return (failure.retry_after or 0.0) if cools and failure is not None else 0.0


def ended_at(world: World, endpoint: str) -> list[Ended]:
    """The attempts at an endpoint that anybody was told of, in the order of their ends."""
    found = [
        Ended(told.caller.number, attempt, moments_of(world, attempt)[1])
        for told in world.told
        for attempt in attempts_of(told)
        if attempt.endpoint == endpoint
    ]
    return sorted(found, key=lambda ended: ended.at)


def may_be_held_back(world: World, endpoint: str, told: Told) -> bool:
    """Whether there is anything for which a target could be left alone by this request."""
    shape = world.scenario.shape
    rejects = any(limits.exceeded == "reject" for limits in shape.limits.values())
    if endpoint in shape.limits or EVERYBODY in shape.limits or rejects:
        return True
    before = [ended for ended in ended_at(world, endpoint) if ended.at <= told.ended + STORING]
    if any(_cools(ended.attempt) for ended in before) or _is_unseen(world, endpoint):
        return True
    return sum(ended.is_bad for ended in before) >= shape.breaker.consecutive


def _cools(attempt: Attempt) -> bool:
    verdict = attempt.verdict
    is_out = verdict is not None and verdict.health in (Health.COOL, Health.QUOTA, Health.OPEN)
    # a token that is refused again is a login that does not work
    return is_out or (verdict is not None and verdict.action is Action.REFRESH)


def _is_unseen(world: World, endpoint: str) -> bool:
    """Whether somebody met a fault and was not told how that ended: who has left, or was refused by the ledger."""
    untold = [told.caller.number for told in world.told if told.result is None]
    if untold and any(fetch.kind for fetch in world.fetches if fetch.endpoint == endpoint):
        return True
    shape = world.scenario.shape
    shortest = min(shape.first_content, shape.idle, shape.byte_idle or shape.idle)
    return any(
        exchange.kind is not None or exchange.is_refused_token or exchange.script.waits >= shortest
        for exchange in world.exchanges_at(endpoint)
        if exchange.caller in untold
    )


def has_no_trouble(world: World, endpoint: str) -> bool:
    """Whether nothing could hold this target back at any time."""
    if any(ended.is_bad for ended in ended_at(world, endpoint)):
        return False
    faults = any(exchange.kind or exchange.is_refused_token for exchange in world.exchanges_at(endpoint))
    fetches = any(fetch.kind for fetch in world.fetches if fetch.endpoint == endpoint)
    return not faults and not fetches and not {endpoint, EVERYBODY} & set(world.scenario.shape.limits)


def rests(world: World, shape: Shape) -> Iterator[tuple[str, float, float, str]]:
    """When an endpoint must not be asked, by whomever: its name, from, until, why."""
    for name in shape.names:
        ended = ended_at(world, name)
        for each in ended:
            if each.asked:
                yield name, each.at, each.at + min(each.asked, 900.0), f"caller {each.caller} was told to wait"
        others = [other for other in shape.names if other != name]
        is_known = not any(one.is_good for one in ended) and not _is_unseen(world, name)
        if not is_known or not any(has_no_trouble(world, other) for other in others):
            continue
        bad = [one for one in ended if one.is_bad]
        if len(bad) >= shape.breaker.consecutive:
            opened = bad[shape.breaker.consecutive - 1].at
            yield name, opened, opened + shape.breaker.open, f"{shape.breaker.consecutive} attempts failed in a row"
