"""The targets of an upstream as they are written: one after another, those of its groups in their place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from route_run.policy.model import BalanceGroup, Target, Upstream


class PlacedTarget(NamedTuple):
    """A target and the keys that lead to it in its upstream."""

    keys: tuple[str | int, ...]
    target: Target


def placed_targets(upstream: Upstream) -> Iterator[PlacedTarget]:
    """All targets of an upstream, in the order of the compiled ones."""
    for place, entry in enumerate(upstream.targets):
        if isinstance(entry, BalanceGroup):
            for inner, target in enumerate(entry.targets):
                yield PlacedTarget(("targets", place, "targets", inner), target)
        else:
            yield PlacedTarget(("targets", place), entry)
