"""Playing: sequences, repetitions, moments, the virtual deadline; the same on both backends, every time."""

from __future__ import annotations

from pathlib import Path

import pytest

from route_run.errors import PolicyError
from route_run.rehearse.clock import Backend
from route_run.rehearse.machine_report import Report, as_json
from route_run.rehearse.play import play
from route_run.rehearse.rehearsed import rehearse
from route_run.table import load
from support.rehearsals import SMALL, failing, judged, loaded_with, only, played, rehearsal

ROUTES = Path(__file__).parents[2] / "routes"
ANYTHING = {"within": "1d"}


def runs_of(folder, backend=Backend.TRIO, policy=SMALL, **fields):
    loaded = loaded_with(folder, [rehearsal(**fields)], policy)
    return play(loaded, only(loaded).written, backend)


def test_the_example_policy_gives_the_same_report_on_both_backends_and_twice():
    loaded = load([ROUTES])
    reports = []
    for backend in (Backend.TRIO, Backend.ASYNCIO, Backend.TRIO):
        done = list(rehearse(loaded, loaded.rehearsals, backend))
        reports.append(as_json(Report(loaded.table, "any", done, lambda gap: None)))
    assert reports[0] == reports[1] == reports[2]


def test_records_are_the_same_on_both_backends(tmp_path):
    sequence = [
        {"request": {"prompt": "Hello"}, "repeat": 10, "together": True, "expect": ANYTHING},
        {"request": {"prompt": "Again"}, "overlap": True, "after": "1s", "expect": ANYTHING},
    ]
    acts = {"first": [{"status": 500, "times": 3}, {"fault": "stall"}, {"first_content": "700ms"}]}
    found = []
    for number, backend in enumerate(Backend):
        done = runs_of(tmp_path / str(number), backend, sequence=sequence, endpoints=acts)
        found.append([dict(run.record) for run in done.runs])
    for one, other in zip(*found, strict=True):
        moments = {"started_at", "ended_at", "git_revision", "attempts"}
        assert {k: v for k, v in one.items() if k not in moments} == {
            k: v for k, v in other.items() if k not in moments
        }
        assert [a["failure"] for a in one["attempts"]] == [a["failure"] for a in other["attempts"]]
        assert one["started_at"] == pytest.approx(other["started_at"], abs=1e-6)


def test_a_sequence_goes_on_when_the_one_before_has_ended(tmp_path):
    sequence = [
        {"request": {"prompt": "Hello"}, "expect": ANYTHING},
        {"after": "10s", "request": {"prompt": "Hello"}, "expect": ANYTHING},
    ]
    first, second = runs_of(tmp_path, sequence=sequence, endpoints={"first": [{"first_content": "3s"}]}).runs
    assert (first.began, second.began) == (pytest.approx(0, abs=1e-4), pytest.approx(13, abs=1e-4))


def test_an_overlapping_request_begins_while_the_one_before_runs(tmp_path):
    sequence = [
        {"request": {"prompt": "Hello"}, "expect": ANYTHING},
        {"after": "1s", "overlap": True, "request": {"prompt": "Hello"}, "expect": ANYTHING},
    ]
    first, second = runs_of(tmp_path, sequence=sequence, endpoints={"first": [{"first_content": "3s"}]}).runs
    assert second.began == pytest.approx(1, abs=1e-4)
    assert second.began < first.ended


@pytest.mark.parametrize("backend", Backend)
def test_requests_that_are_made_at_once_take_acts_in_their_order(tmp_path, backend):
    sequence = [{"request": {"prompt": "Hello"}, "repeat": 5, "together": True, "expect": ANYTHING}]
    acts = {"first": [{"say": "a"}, {"say": "b"}, {"say": "c"}]}
    done = runs_of(tmp_path, backend, sequence=sequence, endpoints=acts)
    assert [run.text for run in done.runs] == ["a", "b", "c", "c", "c"]
    assert done.exchanges == {"first": 5}


def test_an_outage_ends_at_its_time_however_often_it_was_met(tmp_path):
    sequence = [
        {"request": {"prompt": "Hello"}, "repeat": 2, "expect": ANYTHING},
        {"after": "30s", "request": {"prompt": "Hello"}, "expect": ANYTHING},
    ]
    done = runs_of(tmp_path, sequence=sequence, endpoints={"first": [{"fault": "refuse", "until": "30s"}, {}]})
    assert [len(run.record["attempts"]) for run in done.runs] == [2, 2, 1]


def test_a_rehearsal_begins_at_its_time_of_day(tmp_path):
    run = played(tmp_path, at="2026-12-01T22:30:00+01:00")
    assert run.record["started_at"] == 1796160600.0


def test_the_seed_decides_the_jitter(tmp_path):
    policy = SMALL.replace("timeouts:", "retry: {attempts: 2}\n    timeouts:")
    took = [
        played(tmp_path / str(n), policy=policy, seed=seed, endpoints={"first": [{"status": 500}, {}]}).took
        for n, seed in enumerate((1, 1, 2))
    ]
    assert took[0] == took[1] != took[2]


@pytest.mark.parametrize("streams", [True, False])
def test_a_caller_who_gives_up_is_recorded_with_his_plan(tmp_path, streams):
    request = {"prompt": "Hello", "stream": streams, "give_up_after": "3s"}
    run = played(tmp_path, request=request, endpoints={"first": [{"fault": "stall_before_content"}]})
    assert (run.record["outcome"], run.took) == ("cancelled", pytest.approx(3.0))
    assert run.plan is not None
    assert [planned.target.endpoint for planned in run.plan.eligible] == ["first", "second"]


@pytest.mark.parametrize("backend", Backend)
def test_a_rehearsal_that_never_ends_is_cut_and_fails(tmp_path, backend):
    policy = SMALL.replace("first_content: 5s, idle: 4s, total: 30s", "first_content: 90d, total: 90d")
    rehearsed = judged(tmp_path, policy, backend, endpoints={"first": [{"fault": "stall"}]}, cut_after="2h")
    assert set(failing(rehearsed)) == {"end"}
    assert rehearsed.failures[-1].actual == "cut: it had not ended"
    assert rehearsed.failures[-1].span.start.line == 11


def test_a_cut_names_the_requests_that_were_not_made(tmp_path):
    policy = SMALL.replace("first_content: 5s, idle: 4s, total: 30s", "first_content: 90d, total: 90d")
    sequence = [{"request": {"prompt": "Hello"}, "repeat": 3, "expect": {"outcome": "completed"}}]
    rehearsed = judged(tmp_path, policy, sequence=sequence, endpoints={"first": [{"fault": "stall"}]})
    assert "requests" in failing(rehearsed)


def test_a_policy_that_the_engine_refuses_is_not_rehearsed(tmp_path):
    policy = SMALL.replace("  all: {match: {},", "  all: {match: {}, limits: {requests: 5/min},")
    loaded = loaded_with(tmp_path, [rehearsal()], policy)
    with pytest.raises(PolicyError, match="not enforced"):
        list(rehearse(loaded, loaded.rehearsals, Backend.TRIO))


def test_no_reference_is_read(tmp_path, monkeypatch):
    monkeypatch.setenv("HOOK", "https://told.test/hook")
    run = played(tmp_path, down=["first", "second"])
    assert run.record["simulated"] is True
    assert [told["event"] for told in run.record["webhooks"]] == ["failed", "fell_back"]


def test_costs_are_those_of_the_policy(tmp_path):
    run = played(tmp_path, endpoints={"first": [{"usage": {"prompt": 1000, "completion": 500}}]})
    assert run.record["cost_usd"] == "0.002"
