"""What a rehearsal costs: the example of the README's first step, over and over, the ledger in memory."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from route_run.rehearse.clock import Backend
from route_run.rehearse.explore import explore
from route_run.rehearse.play import play
from route_run.rehearse.rehearsed import long_lived
from route_run.table import load

POLICY = Path(__file__).parents[2] / "routes"
BUDGETS = {Backend.TRIO: 300, Backend.ASYNCIO: 120}
"""Rehearsals a second of one core's CPU time."""


def measure(count: int, rounds: int) -> None:
    """Print rehearsals a second on both backends, and scripts of an exploration."""
    loaded = load([POLICY])
    placed = loaded.rehearsals[0]
    print(f"\nrehearsals a second of CPU, {rounds} rounds of {count}: {placed.name}")
    for backend, budget in BUDGETS.items():
        play(loaded, placed.written, backend)
        speeds = []
        with long_lived():
            for _ in range(rounds):
                began = time.process_time()
                for _ in range(count):
                    play(loaded, placed.written, backend)
                speeds.append(count / (time.process_time() - began))
        print(f"  {backend.value:<8} {statistics.median(speeds):6.0f} (at least {budget})")
    began = time.process_time()
    explored = explore(loaded, Backend.TRIO, 1, 60)
    took = time.process_time() - began
    print(f"  scripts of an exploration on trio: {explored.tried / took:6.0f} a second")
