"""Rehearsals of hedges, restarts and repairs: virtual time, two answers at once, text that becomes void."""

from __future__ import annotations

from route_run.flow.event import Restarted
from route_run.rehearse.invariants import broken_promises
from support.rehearsals import SMALL, loaded_with, played, rehearsal

LATE = {"first_content": "3s", "say": "late"}
HEDGED = SMALL.replace("timeouts:", "hedge: {after: 1s}\n    timeouts:", 1)
RESTARTING = SMALL.replace("timeouts:", "fallback: {after_content: restart}\n    timeouts:", 1)


def promises_broken(folder, policy, run):
    table = loaded_with(folder, [rehearsal()], policy).table
    return broken_promises(table, table.routes[run.record["route"]], run)


def test_a_hedge_that_answers_first_keeps_every_promise(tmp_path):
    run = played(tmp_path, policy=HEDGED, endpoints={"first": [LATE], "second": [{"say": "prompt"}]})
    assert (run.record["outcome"], run.text, run.took) == ("completed", "prompt", 1.0)
    assert [(a["number"], a["failure"]) for a in run.record["attempts"]] == [(1, "cancelled"), (2, None)]
    assert promises_broken(tmp_path, HEDGED, run) == []


def test_a_hedge_that_loses_keeps_every_promise(tmp_path):
    slower = {"first_content": "9s", "say": "later"}
    run = played(tmp_path, policy=HEDGED, endpoints={"first": [LATE], "second": [slower]})
    assert (run.record["outcome"], run.text, run.took) == ("completed", "late", 3.0)
    assert [(a["number"], a["failure"]) for a in run.record["attempts"]] == [(2, "cancelled"), (1, None)]
    assert not any(isinstance(event, Restarted) for _, event in run.events)
    assert promises_broken(tmp_path, HEDGED, run) == []


def test_what_becomes_void_is_not_the_text_of_a_run(tmp_path):
    broken = {"pieces": ["It ", "comes"], "between": "1s", "fault": "reset_mid"}
    request = {"prompt": "Hello", "allow_restart": True}
    endpoints = {"first": [broken], "second": [{"say": "whole"}]}
    run = played(tmp_path, policy=RESTARTING, request=request, endpoints=endpoints)
    assert [event.number for _, event in run.events if isinstance(event, Restarted)] == [2]
    assert (run.record["outcome"], run.text, run.record["restarts"]) == ("completed", "whole", 1)
    assert promises_broken(tmp_path, RESTARTING, run) == []
