"""Finding the regions that a request may be in without asking them all.

A region that allows only a few values in some dimension is filed under those values; a lookup asks
the files of the request's own values and the regions that are filed nowhere. Entries are numbers:
positions in the list that the index was built from.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from route_run.table.attributes import Attributes
from route_run.table.match import Region

_MOST_VALUES = 64
"""A region with more values than this in a dimension is not filed under them."""


@dataclass(frozen=True, slots=True)
class Pins:
    """Which entries allow which values, by dimension; and which leave a dimension open."""

    filed: Mapping[str, Mapping[str | None, Sequence[int]]]
    open: Mapping[str, Sequence[int]]

    @classmethod
    def of(cls, regions: Sequence[Region]) -> Pins:
        pinned = [pins_of(region) for region in regions]
        dimensions = sorted({dimension for pins in pinned for dimension in pins})
        filed: dict[str, dict[str | None, list[int]]] = {d: defaultdict(list) for d in dimensions}
        unpinned: dict[str, list[int]] = {d: [] for d in dimensions}
        for entry, pins in enumerate(pinned):
            for dimension in dimensions:
                if dimension not in pins:
                    unpinned[dimension].append(entry)
                for value in pins.get(dimension, ()):
                    filed[dimension][value].append(entry)
        return cls(filed, unpinned)

    def near(self, region: Region) -> Sequence[int] | None:
        """Entries that may share a request with a region, by its most telling dimension; None: all of them."""
        pins = {dimension: values for dimension, values in pins_of(region).items() if dimension in self.open}
        if not pins:
            return None
        best = min(pins, key=lambda d: len(self.open[d]) + sum(len(self.filed[d].get(v, ())) for v in pins[d]))
        return sorted({*self.open[best], *(e for v in pins[best] for e in self.filed[best].get(v, ()))})


def pins_of(region: Region) -> dict[str, frozenset[str | None]]:
    """The dimensions in which a region allows only a few values."""
    found = ((dimension, allowed.finite) for dimension, allowed in region.values.items())
    return {d: values for d, values in found if values is not None and len(values) <= _MOST_VALUES}


@dataclass(frozen=True, slots=True)
class Index:
    """Entries by the value that files them; each list in the order of the entries."""

    files: Mapping[str, Mapping[str | None, Sequence[int]]] = field(default_factory=dict)
    rest: Sequence[int] = ()

    @classmethod
    def of(cls, regions: Sequence[Region]) -> Index:
        pins = Pins.of(regions)
        files: dict[str, dict[str | None, list[int]]] = {}
        rest: list[int] = []
        for entry, region in enumerate(regions):
            choices = pins_of(region)
            if not choices:
                rest.append(entry)
                continue
            chosen = min(choices, key=lambda d: (max(len(pins.filed[d][v]) for v in choices[d]), d))
            for value in choices[chosen]:
                files.setdefault(chosen, {}).setdefault(value, []).append(entry)
        return cls(files, tuple(rest))

    def candidates(self, request: Attributes) -> Iterator[Sequence[int]]:
        """Lists of entries that the request may be in; together they hold every one it is in."""
        for dimension, values in self.files.items():
            if found := values.get(request.value(dimension)):
                yield found
        if self.rest:
            yield self.rest
