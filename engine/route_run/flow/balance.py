"""Balance groups: the order of targets that have equal rank.

Decides from the seed of the request, the value that it hashes on and a snapshot; equal arguments give the
same order. A hash is weighted rendezvous: changing one weight moves only requests that come to or leave
the target whose weight it is.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b

from route_run.flow.snapshot import UNKNOWN, TargetState
from route_run.table import Attributes, Balance, Group, Target

HALF_LIFE = 60.0
"""Seconds after which a measured time counts for half: a target that was slow once is tried again."""
NEW_COUNTS = 0.3
"""How much of an average the newest time makes."""

_64_BITS = (1 << 64) - 1


def in_order(
    targets: Sequence[Target],
    groups: Sequence[Group],
    request: Attributes,
    states: Mapping[str, TargetState],
    cost: Callable[[Target], Decimal | None],
    seed: int,
) -> tuple[Target, ...]:
    """The targets of an upstream with each group put into an order for this request."""
    ordered = list(targets)
    for group in groups:
        members = ordered[group.first : group.first + len(group.weights)]
        ranked = _ranked(group, members, states, cost, seed)
        value = request.value(group.hash_on) if group.hash_on is not None else None
        if value is not None:
            ranked = _hashed(group, members, ranked, value)
        ordered[group.first : group.first + len(group.weights)] = [members[index] for index in ranked]
    return tuple(ordered)


def _ranked(
    group: Group,
    members: Sequence[Target],
    states: Mapping[str, TargetState],
    cost: Callable[[Target], Decimal | None],
    seed: int,
) -> list[int]:
    """The places of the members within their group, in the order in which they are to be asked."""
    dice = [_unit(_mixed(seed + place + 1)) for place in range(group.first, group.first + len(members))]
    places = range(len(members))
    match group.balance:
        case Balance.WEIGHTED:
            return sorted(places, key=lambda place: _draw(dice[place], group.weights[place]))
        case Balance.FASTEST:
            times = [_state(states, member).first_content or 0.0 for member in members]
            return _best_of_two(sorted(places, key=lambda place: dice[place]), times, seed)
        case Balance.LEAST_BUSY:
            return sorted(places, key=lambda place: (_state(states, members[place]).live, dice[place]))
        case Balance.CHEAPEST:
            costs = [cost(member) for member in members]
            return sorted(places, key=lambda place: (costs[place] is None, costs[place] or 0, place))


def _best_of_two(shuffled: list[int], times: Sequence[float], seed: int) -> list[int]:
    """Again and again the faster of two random ones: the fastest gets much, and never everything at once."""
    ranked: list[int] = []
    while len(shuffled) > 1:
        first, second = shuffled[0], shuffled[1]
        better = first if times[first] <= times[second] else second
        ranked.append(better)
        shuffled.remove(better)
        turn = _mixed(seed ^ len(shuffled)) % len(shuffled)
        shuffled = shuffled[turn:] + shuffled[:turn]
    return ranked + shuffled


def _hashed(group: Group, members: Sequence[Target], ranked: list[int], value: str) -> list[int]:
    """The target of the value first; behind it the others, of a weighted group in the order of the hash too."""
    units = [_unit(_hash(value, str(member))) for member in members]
    by_hash = sorted(range(len(members)), key=lambda place: _draw(units[place], group.weights[place]))
    if group.balance is Balance.WEIGHTED:
        return by_hash
    return [by_hash[0], *(place for place in ranked if place != by_hash[0])]


def averaged(before: float, measured: float) -> float:
    """The average after one more measured time, in seconds; 0 is none before."""
    return measured if not before else before + NEW_COUNTS * (measured - before)


def aged(average: float, seconds: float) -> float:
    """What an average is worth so many seconds after it was measured."""
    return average * math.exp2(-seconds / HALF_LIFE)


def _state(states: Mapping[str, TargetState], target: Target) -> TargetState:
    return states.get(str(target), UNKNOWN)


def _draw(unit: float, weight: int) -> float:
    """An exponential draw: the smallest of several is each one's with the share of its weight."""
    return -math.log(unit) / weight


def _unit(bits: int) -> float:
    """64 bits as a number in (0, 1]."""
    return ((bits >> 11) + 1) / (1 << 53)


def _hash(value: str, target: str) -> int:
    digest = blake2b(f"{target}\0{value}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big")


def _mixed(number: int) -> int:
    """64 bits that look random, of any number (the finalizer of SplitMix64)."""
    bits = (number * 0x9E3779B97F4A7C15) & _64_BITS
    bits = ((bits ^ bits >> 30) * 0xBF58476D1CE4E5B9) & _64_BITS
    bits = ((bits ^ bits >> 27) * 0x94D049BB133111EB) & _64_BITS
    return bits ^ bits >> 31
