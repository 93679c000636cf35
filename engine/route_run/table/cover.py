"""Whether regions together hold every request of another region; if not, a request that is left over.

Decides by exact subtraction: what a region holds of a cell is taken away, what is left falls into
smaller cells, until nothing is left or a cell meets no region at all. Regions that hold a cell in all
dimensions but one are taken away at once, so a long list of single values costs one pass. The number
of cells is bounded; beyond the bound the answer is that nothing was proved.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from route_run.policy import Capability
from route_run.table.attributes import Attributes, smallest_prompt
from route_run.table.match import Region
from route_run.table.values import ValueSet

CELLS = 500
"""How many cells one question may open before its answer is that nothing was proved."""
COMPARISONS = 200_000
"""How many comparisons of a cell with a region one question may make."""
_MOST_TO_THIN_OUT = 24
_EVERYTHING = ValueSet.everything()


class _Axis(Enum):
    TOKENS = "prompt tokens"


_Dimension = str | Capability | _Axis


@dataclass(frozen=True, slots=True)
class Covered:
    """Every request is held; ``by`` are the positions of regions that hold them together."""

    by: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Open:
    """A request that none of the regions holds."""

    witness: Attributes


@dataclass(frozen=True, slots=True)
class NotProved:
    """The bound on cells or comparisons came first."""


Answer = Covered | Open | NotProved


@dataclass(slots=True)
class Effort:
    """What all questions about one policy may cost together, in comparisons."""

    left: int


def cover(region: Region, others: Sequence[Region], *, cells: int = CELLS, effort: Effort | None = None) -> Answer:
    """Whether ``others`` together hold every request of a region; a region without requests is covered by none."""
    start = _cell(region.values, region.tokens, region.needs)
    allowed = min(COMPARISONS, effort.left) if effort is not None else COMPARISONS
    stack: list[tuple[Region, Sequence[int]]] = [] if start is None else [(start, range(len(others)))]
    used: set[int] = set()
    opened = compared = 0
    while stack:
        cell, near = stack.pop()
        opened, compared = opened + 1, compared + len(near)
        if opened > cells or compared > allowed:
            _spend(effort, compared)
            return NotProved()
        meeting = [(entry, loose) for entry in near if (loose := _loose(cell, others[entry])) is not None]
        if not meeting:
            _spend(effort, compared)
            return Open(cell.witness())
        taken, left = _taken_away(cell, meeting, others)
        used |= taken
        stack += [(piece, [entry for entry, _ in meeting if entry not in taken]) for piece in left]
    _spend(effort, compared)
    return Covered(tuple(sorted(used)))


def thinned_out(region: Region, others: Sequence[Region], covered: Covered, effort: Effort | None = None) -> Covered:
    """The same answer by fewer regions: none of them can be left out, unless there are very many."""
    kept = list(covered.by)
    for entry in reversed(covered.by if len(kept) <= _MOST_TO_THIN_OUT else ()):
        fewer = [other for other in kept if other != entry]
        if isinstance(cover(region, [others[other] for other in fewer], effort=effort), Covered):
            kept = fewer
    return Covered(tuple(kept))


def _spend(effort: Effort | None, comparisons: int) -> None:
    if effort is not None:
        effort.left = max(0, effort.left - comparisons)


# -- one cell ------------------------------------------------------------------------------------------


def _cell(
    values: Mapping[str, ValueSet], tokens: tuple[int, int | None], needs: Mapping[Capability, bool]
) -> Region | None:
    """A region in which sizes and needs agree; None when it holds no request."""
    low, high = max(tokens[0], smallest_prompt(frozenset(n for n, wanted in needs.items() if wanted))), tokens[1]
    if (high is not None and low > high) or any(allowed.is_empty for allowed in values.values()):
        return None
    too_small = {
        need: False
        for need in Capability
        if need not in needs and high is not None and high < smallest_prompt(frozenset({need}))
    }
    return Region(values, (low, high), {**needs, **too_small})


def _loose(cell: Region, other: Region) -> tuple[_Dimension, ...] | None:
    """The dimensions in which a region does not hold all of a cell; None when they share no request."""
    loose: list[_Dimension] = []
    for need, wanted in other.needs.items():
        asked = cell.needs.get(need)
        if asked is None:
            loose.append(need)
        elif asked is not wanted:
            return None
    for dimension, allowed in other.values.items():
        own = cell.values.get(dimension, _EVERYTHING)
        if own is allowed:
            continue
        shared = own & allowed
        if shared.is_empty:
            return None
        if shared != own:
            loose.append(dimension)
    (low, high), (other_low, other_high) = cell.tokens, other.tokens
    wanted_needs = frozenset(need for need, wanted in {**cell.needs, **other.needs}.items() if wanted)
    ends = [end for end in (high, other_high) if end is not None]
    if ends and max(low, other_low, smallest_prompt(wanted_needs)) > min(ends):
        return None
    if low < other_low or (other_high is not None and (high is None or high > other_high)):
        loose.append(_Axis.TOKENS)
    return tuple(loose)


def _taken_away(
    cell: Region, meeting: Sequence[tuple[int, tuple[_Dimension, ...]]], others: Sequence[Region]
) -> tuple[set[int], list[Region]]:
    """Regions that take something away from a cell, and what they leave of it."""
    alone: dict[_Dimension, list[int]] = {}
    for entry, loose in meeting:
        if not loose:
            return {entry}, []
        if len(loose) == 1:
            alone.setdefault(loose[0], []).append(entry)
    if alone:
        dimension = max(alone, key=lambda d: len(alone[d]))
        entries = alone[dimension]
        return set(entries), list(_outside(cell, dimension, [others[entry] for entry in entries]))
    entry, loose = min(meeting, key=lambda pair: len(pair[1]))
    left: list[Region] = []
    inside: Region | None = cell
    for dimension in loose:
        if inside is None:
            break
        left += _outside(inside, dimension, [others[entry]])
        inside = _inside(inside, dimension, others[entry])
    return {entry}, left


def _outside(cell: Region, dimension: _Dimension, others: Sequence[Region]) -> Iterator[Region]:
    """What is left of a cell when the stretches of some regions in one dimension are cut out of it."""
    if isinstance(dimension, _Axis):
        for tokens in _gaps(cell.tokens, sorted((other.tokens for other in others), key=lambda pair: pair[0])):
            yield from _some(_cell(cell.values, tokens, cell.needs))
    elif isinstance(dimension, Capability):
        wanted = {other.needs[dimension] for other in others}
        for left in {True, False} - wanted:
            yield from _some(_cell(cell.values, cell.tokens, {**cell.needs, dimension: left}))
    else:
        own = cell.values.get(dimension, _EVERYTHING)
        rest = own & ~ValueSet.any_of(other.values[dimension] for other in others)
        yield from _some(_cell({**cell.values, dimension: rest}, cell.tokens, cell.needs))


def _inside(cell: Region, dimension: _Dimension, other: Region) -> Region | None:
    """The part of a cell that a region holds in one dimension."""
    if isinstance(dimension, _Axis):
        ends = [end for end in (cell.tokens[1], other.tokens[1]) if end is not None]
        tokens = (max(cell.tokens[0], other.tokens[0]), min(ends, default=None))
        return _cell(cell.values, tokens, cell.needs)
    if isinstance(dimension, Capability):
        return _cell(cell.values, cell.tokens, {**cell.needs, dimension: other.needs[dimension]})
    shared = cell.values.get(dimension, _EVERYTHING) & other.values[dimension]
    return _cell({**cell.values, dimension: shared}, cell.tokens, cell.needs)


def _gaps(
    tokens: tuple[int, int | None], stretches: Iterable[tuple[int, int | None]]
) -> Iterator[tuple[int, int | None]]:
    low, high = tokens
    for start, end in stretches:
        if start > low:
            yield low, start - 1 if high is None else min(high, start - 1)
        if end is None or (high is not None and end >= high):
            return
        low = max(low, end + 1)
    yield low, high


def _some(cell: Region | None) -> Iterator[Region]:
    if cell is not None:
        yield cell
