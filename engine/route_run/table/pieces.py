"""What is left of a region without another, and regions put together again.

Decides both exactly. The pieces of a difference are disjoint, and each is a product like any region.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from route_run.policy import Capability
from route_run.table.attributes import MODEL, smallest_prompt
from route_run.table.match import Region
from route_run.table.values import ValueSet

_EVERYTHING = ValueSet.everything()
_NEEDS = tuple(Capability)
_FEW = 8


def all_requests() -> Region:
    """Every request there can be."""
    return Region({}, (smallest_prompt(frozenset()), None), {})


def without(region: Region, other: Region) -> Iterator[Region]:
    """The requests of a region that are not in another, as disjoint regions."""
    if (region & other) is None:
        yield region
        return
    left = region
    for dimension, allowed in other.values.items():
        yield from _some(left, values={dimension: ~allowed})
        inside = _only(left, values={dimension: allowed})
        if inside is None:
            return
        left = inside
    for need, wanted in other.needs.items():
        yield from _some(left, needs={need: not wanted})
        inside = _only(left, needs={need: wanted})
        if inside is None:
            return
        left = inside
    low, high = other.tokens
    yield from _some(left, tokens=(0, low - 1))
    if high is not None:
        yield from _some(left, tokens=(high + 1, None))


def overlap(one: Region, other: Region) -> bool:
    """Whether two regions that are not empty share a request; quick where a dimension allows few values."""
    if any(one.needs.get(need, wanted) is not wanted for need, wanted in other.needs.items()):
        return False
    both = frozenset(n for needs in (one.needs, other.needs) for n, wanted in needs.items() if wanted)
    low = max(one.tokens[0], other.tokens[0], smallest_prompt(both))
    if any(high is not None and high < low for high in (one.tokens[1], other.tokens[1])):
        return False
    return all(_meet(allowed, other.values[d]) for d, allowed in one.values.items() if d in other.values)


def split(region: Region, other: Region) -> list[Region]:
    """A region as what is in another (first, when there is any) and the disjoint pieces of what is not."""
    inside = region & other
    return ([inside] if inside is not None else []) + list(without(region, other))


def merged(regions: Iterable[Region], most: int = 50_000) -> list[Region]:
    """The same requests in fewer regions, wherever two that differ in one dimension are one product.

    The regions have to be disjoint. More than ``most`` are returned as they are.
    """
    found = list(regions)
    if len(found) > most:
        return found
    while True:
        before = len(found)
        for dimension in sorted({d for region in found for d in region.values}):
            found = _merged_by_value(found, dimension)
        for need in _NEEDS:
            found = _merged_by_need(found, need)
        found = _merged_by_tokens(found)
        if len(found) == before:
            return found


def _meet(one: ValueSet, other: ValueSet) -> bool:
    if one is other:
        return True
    for few, many in ((one, other), (other, one)):
        if not few.rest and not few.prefixes and len(few.exact) <= _FEW:
            return (few.absent and many.absent) or any(inside and text in many for text, inside in few.exact)
    return not (one & other).is_empty


def _only(
    region: Region,
    values: dict[str, ValueSet] | None = None,
    tokens: tuple[int, int | None] = (0, None),
    needs: dict[Capability, bool] | None = None,
) -> Region | None:
    return region & Region(values or {}, tokens, needs or {})


def _some(
    region: Region,
    values: dict[str, ValueSet] | None = None,
    tokens: tuple[int, int | None] = (0, None),
    needs: dict[Capability, bool] | None = None,
) -> Iterator[Region]:
    found = _only(region, values, tokens, needs)
    if found is not None:
        yield found


def _merged_by_value(regions: Sequence[Region], dimension: str) -> list[Region]:
    groups: dict[Hashable, list[Region]] = {}
    for region in regions:
        others = frozenset((d, v) for d, v in region.values.items() if d != dimension and not v.is_everything)
        groups.setdefault((others, region.tokens, frozenset(region.needs.items())), []).append(region)
    return [_united_values(group, dimension) for group in groups.values()]


def _united_values(group: Sequence[Region], dimension: str) -> Region:
    if len(group) == 1:
        return group[0]
    sets = [region.values.get(dimension, _EVERYTHING) for region in group]
    while len(sets) > 1:  # by halves: each value is then carried only a few times
        sets = [one | other for one, other in zip_longest(sets[::2], sets[1::2], fillvalue=ValueSet.nothing())]
    (together,) = sets
    values = {d: v for d, v in group[0].values.items() if d != dimension}
    if not together.is_everything:
        values[dimension] = together
    return replace(group[0], values=values)


def _merged_by_need(regions: Sequence[Region], need: Capability) -> list[Region]:
    groups: dict[Hashable, dict[bool | None, Region]] = {}
    kept: list[Region] = []
    for region in regions:
        others = frozenset((n, w) for n, w in region.needs.items() if n is not need)
        # an image makes a request larger: what starts at the smallest prompt of either side starts there
        low, high = region.tokens
        starts_low = low <= smallest_prompt(frozenset(n for n, wanted in region.needs.items() if wanted))
        start = None if starts_low else low
        sides = groups.setdefault((_values_key(region), start, high, others), {})
        if region.needs.get(need) in sides:
            kept.append(region)
        else:
            sides[region.needs.get(need)] = region
    for sides in groups.values():
        if True in sides and False in sides:
            one = sides[False]
            kept.append(Region(one.values, one.tokens, {n: w for n, w in one.needs.items() if n is not need}))
            kept += [sides[None]] if None in sides else []
        else:
            kept += sides.values()
    return kept


def _merged_by_tokens(regions: Sequence[Region]) -> list[Region]:
    groups: dict[Hashable, list[Region]] = {}
    for region in regions:
        groups.setdefault((_values_key(region), frozenset(region.needs.items())), []).append(region)
    found: list[Region] = []
    for group in groups.values():
        ordered = sorted(group, key=lambda region: region.tokens[0])
        last = ordered[0]
        for region in ordered[1:]:
            high = last.tokens[1]
            if high is not None and region.tokens[0] <= high + 1:
                last = replace(last, tokens=(last.tokens[0], region.tokens[1]))
            else:
                found.append(last)
                last = region
        found.append(last)
    return found


def _values_key(region: Region) -> Hashable:
    return frozenset((d, v) for d, v in region.values.items() if not v.is_everything)


def in_words(region: Region, domains: dict[str, ValueSet]) -> str:
    """A region for people; what the domains of the tags say anyway is left out."""
    parts: list[str] = []
    for dimension, allowed in sorted(region.values.items()):
        domain = domains.get(dimension, _EVERYTHING)
        if domain <= allowed:
            continue
        parts.append(f"{dimension if dimension != MODEL else 'requested model'}: {_values_in_words(allowed, domain)}")
    low, high = region.tokens
    if low > smallest_prompt(frozenset(n for n, wanted in region.needs.items() if wanted)):
        parts.append(f"at least {low:,} prompt tokens" if high is None else f"{low:,} to {high:,} prompt tokens")
    elif high is not None:
        parts.append(f"at most {high:,} prompt tokens")
    asked = [need.value for need, wanted in region.needs.items() if wanted]
    parts += [f"needs {' and '.join(sorted(asked))}"] if asked else []
    spared = [need.value for need, wanted in region.needs.items() if not wanted]
    if len(spared) == len(_NEEDS):
        parts.append("needs text only")
    elif spared:
        parts.append(f"needs no {' and no '.join(sorted(spared))}")
    return ", ".join(parts) or "all requests"


def _values_in_words(allowed: ValueSet, domain: ValueSet) -> str:
    within = allowed & domain
    inside, outside = within.finite, (domain & ~allowed).finite
    if inside is not None and (outside is None or len(inside) <= len(outside) + 1):
        return _listed(inside)
    if outside is not None:
        return f"anything but {_listed(outside)}"
    return str(within)


def _listed(values: Iterable[str | None], most: int = 6) -> str:
    named = list(values)
    texts = sorted(value for value in named if value is not None)
    shown = texts[:most] + ([f"{len(texts) - most} more"] if len(texts) > most else [])
    return " or ".join(shown + (["absent"] if None in named else [])) or "nothing"
