"""What requests make of each other: breaker, limits, cooldowns, budgets, hedges, restarts, repairs, maintenance.

The rehearsals lie in `policies/sequences`; each holds, and says the very same on both event loops.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from route_run.rehearse.clock import Backend
from route_run.rehearse.machine_report import Report, as_json
from route_run.rehearse.play import play
from route_run.rehearse.rehearsed import rehearse_one
from route_run.table import load
from support.rehearsals import loaded_with, only, rehearsal

LOADED = load([Path(__file__).parent / "policies" / "sequences"])
ANYTHING = {"within": "1d"}


@pytest.mark.parametrize("placed", LOADED.rehearsals, ids=lambda placed: placed.name)
def test_it_holds_and_both_event_loops_say_the_same(placed):
    reports = []
    for backend in Backend:
        rehearsed = rehearse_one(LOADED, placed, backend)
        shown = [(row.label, row.expected, row.actual) for row in rehearsed.failures]
        assert shown == []
        reports.append(as_json(Report(LOADED.table, "any", [rehearsed], lambda gap: None)))
    assert reports[0] == reports[1]


@pytest.mark.parametrize("backend", Backend)
def test_an_overlapping_request_comes_after_all_that_are_made_at_once(tmp_path, backend):
    sequence = [
        {"request": {"prompt": "Hello"}, "repeat": 4, "together": True, "expect": ANYTHING},
        {"request": {"prompt": "Hello"}, "overlap": True, "repeat": 2, "together": True, "expect": ANYTHING},
        {"request": {"prompt": "Hello"}, "overlap": True, "expect": ANYTHING},
    ]
    loaded = loaded_with(tmp_path, [rehearsal(sequence=sequence)])
    runs = play(loaded, only(loaded).written, backend).runs
    assert [(run.scene, run.number) for run in runs] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 0), (1, 1), (2, 0)]
    assert len({run.began for run in runs}) == len(runs)
