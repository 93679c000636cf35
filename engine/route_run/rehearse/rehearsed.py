"""Rehearsals played and judged, one after the other."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from route_run.policy import PlacedRehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.judge import Judged, Row, judge
from route_run.rehearse.play import Played, play
from route_run.table import Loaded


@dataclass(frozen=True, slots=True)
class Rehearsed:
    """A rehearsal, what happened, and how that was judged."""

    placed: PlacedRehearsal
    played: Played
    judged: tuple[Judged, ...]

    @property
    def holds(self) -> bool:
        return all(part.holds for part in self.judged)

    @property
    def failures(self) -> tuple[Row, ...]:
        """Every row that does not hold."""
        return tuple(row for part in self.judged for row in part.rows if not row.holds)

    @property
    def seconds(self) -> float:
        """The virtual time it took."""
        return max((run.ended for run in self.played.runs if run.ended is not None), default=0.0)


def rehearse(loaded: Loaded, rehearsals: Sequence[PlacedRehearsal], backend: Backend) -> Iterator[Rehearsed]:
    """Play and judge rehearsals in their order; raises PolicyError when the engine refuses the policy."""
    with long_lived():
        for placed in rehearsals:
            yield rehearse_one(loaded, placed, backend)


def rehearse_one(loaded: Loaded, placed: PlacedRehearsal, backend: Backend) -> Rehearsed:
    """Play and judge one rehearsal."""
    played = play(loaded, placed.written, backend)
    return Rehearsed(placed, played, judge(placed, played))


@contextmanager
def long_lived() -> Iterator[None]:
    """What is in memory by now stays: the collector does not look through the policy after each event loop."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()
