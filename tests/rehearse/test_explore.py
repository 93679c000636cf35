"""Exploration finds what is wrong with seeded broken policies, and with an engine that would break its promises."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from itertools import count

import pytest

from route_run.flow.event import Text
from route_run.flow.failure import Kind
from route_run.policy.rehearsal import Act, Rehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.explore import explore
from route_run.rehearse.explore_report import explored_lines, script_of
from route_run.rehearse.faults import faults_of
from route_run.rehearse.invariants import PROMISES, broken_promises
from route_run.rehearse.play import play
from support.rehearsals import SMALL, played


def explored(folder, policy=SMALL, depth=1, backend=Backend.TRIO, budget=60.0):
    loaded = _loaded(folder, policy)
    return loaded, explore(loaded, backend, depth, budget)


def _loaded(folder, policy):
    from route_run.table import load
    from support.policies import write_policy

    loaded = load([write_policy(folder / "policy", policy)])
    assert loaded.is_valid
    return loaded


def found(result):
    return {(violation.route, violation.promise) for violation in result.violations}


def test_a_good_policy_keeps_every_promise(tmp_path):
    _, result = explored(tmp_path, depth=2)
    assert result.violations == []
    assert result.tried + result.pruned == result.total
    assert result.requests == 4


def test_all_is_the_same_on_both_backends(tmp_path):
    one, other = (explored(tmp_path / b.value, backend=b)[1] for b in Backend)
    assert (one.tried, one.total) == (other.tried, other.total)
    assert one.worst == other.worst


BROKEN = {
    "a kind of failure that does not fall back": (
        SMALL.replace("    timeouts:", "    fallback: {when: [timeout]}\n    timeouts:"),
        {("support", "a healthy target answers"), ("rest", "a healthy target answers")},
    ),
    "a total that is over before the second target": (
        SMALL.replace("first_content: 5s, idle: 4s, total: 30s", "first_content: 30s, idle: 30s, total: 30s"),
        {("support", "a healthy target answers"), ("rest", "a healthy target answers")},
    ),
}


@pytest.mark.parametrize(("policy", "violations"), BROKEN.values(), ids=BROKEN)
def test_a_broken_policy_is_found_out(tmp_path, policy, violations):
    _, result = explored(tmp_path, policy)
    assert found(result) == violations


def test_the_script_of_a_violation_is_the_shortest_and_shows_it_again(tmp_path):
    loaded, result = explored(tmp_path, BROKEN["a total that is over before the second target"][0], depth=1)
    violation = result.violations[0]
    assert violation.endpoints == {"first": [{"fault": "stall"}, {}]}
    assert "because the total time was over" in violation.words
    script = Rehearsal.decode(script_of(violation).as_data())
    (run,) = play(loaded, script, Backend.TRIO).runs
    assert run.record["outcome"] == "failed"


def test_the_worst_case_is_computed_by_hand(tmp_path):
    _, result = explored(tmp_path, depth=2)
    worst = result.worst["rest"]
    # the first stalls for 5 s, the second asks to wait for 2 s, with a jitter of up to a tenth; or both stall
    assert 7.0 <= worst.first_content <= 7.2
    assert worst.total == 10.0
    # a stale connection is made anew, beside the two targets
    assert worst.attempts == 3
    # 6 tokens and an answer of 1,000 at 1 and 2 USD per million, paid three times
    assert worst.spend == Decimal("0.006018")


def test_a_budget_that_is_over_says_so(tmp_path):
    loaded = _loaded(tmp_path, SMALL)
    ticks = count()
    result = explore(loaded, Backend.TRIO, 2, 20, clock=lambda: float(next(ticks)))
    assert result.is_cut
    assert 0 < result.tried < 20 < result.total
    assert "the budget is over" in list(explored_lines(result, loaded.table))[-1].text


def test_there_is_a_fault_for_every_kind_of_failure(tmp_path):
    policy = SMALL.replace(
        "rest: {match: {}, upstream: main}", "rest: {match: {}, upstream: main, verify: {format: json}}"
    )
    loaded = _loaded(tmp_path, policy)
    faults = list(faults_of(loaded.table, loaded.table.routes["rest"], "first"))
    assert {fault.kind for fault in faults} == set(Kind) - {Kind.CANCELLED, Kind.INTERNAL}


@pytest.mark.parametrize("dialect", ["openai", "cognigy", "anthropic"])
def test_a_fault_is_of_its_kind_in_every_dialect(tmp_path, dialect):
    policy = SMALL.replace("dialect: openai", f"dialect: {dialect}").replace(
        "rest: {match: {}, upstream: main}", "rest: {match: {}, upstream: main, verify: {format: json}}"
    )
    loaded = _loaded(tmp_path, policy)
    for fault in faults_of(loaded.table, loaded.table.routes["rest"], "first"):
        written = {
            "name": "x",
            "request": {"prompt": "a"},
            "endpoints": {"first": [fault.written]},
            "expect": {"within": "1d"},
        }
        (run,) = play(loaded, Rehearsal.decode(written), Backend.TRIO).runs
        assert run.record["attempts"][0]["failure"] == fault.kind.value, fault


# -- each promise can be broken: runs are doctored, because the engine keeps them all -------------------


def doctored(folder, change, policy=SMALL, **fields):
    """The promises that a run breaks once something of it was changed."""
    run = played(folder, policy=policy, **fields)
    loaded = _loaded(folder / "again", policy)
    route = loaded.table.routes[run.record["route"]]
    assert broken_promises(loaded.table, route, run) == []
    change(run)
    return [broken.promise for broken in broken_promises(loaded.table, route, run)]


def _two_records(run):
    run.noted.entries.append(run.noted.entries[-1])


def _no_record(run):
    run.noted.entries = [entry for entry in run.noted.entries if entry.kind.value != "record"]


def _mixed(run):
    place = next(n for n, (_, event) in enumerate(run.events) if isinstance(event, Text))
    run.events.insert(place + 1, (run.events[place][0], Text("", 7)))


def _twice_finished(run):
    run.events.append(run.events[-1])


def _cut_answer(run):
    name, wanted, _ = run.noted.asked[-1]
    run.noted.asked[-1] = (name, wanted, Act(fault="truncate"))


def _left_open(run):
    run.noted.open_now = 1


def _not_in_the_ledger(run):
    run.noted.asked.append(run.noted.asked[-1])


def _too_slow(run):
    run.ended = run.began + 31


def _record_of(run):
    return next(entry.body for entry in run.noted.entries if entry.kind.value == "record")


def _not_asked(run):
    _record_of(run)["outcome"] = "failed"
    _record_of(run)["attempts"][-1].update(failure="unavailable", cause="refused")


def _too_many(run):
    record = _record_of(run)
    starts = [entry for entry in run.noted.entries if entry.kind.value == "attempt"]
    run.noted.entries[:0] = starts * 3
    run.noted.asked += run.noted.asked * 3
    record["attempts"] += record["attempts"] * 3


def _half_a_tool_call(run):
    finished = run.events[-1][1]
    call = type("Call", (), {"name": "find", "arguments": '{"id": '})
    run.events[-1] = (run.events[-1][0], replace(finished, result=replace(finished.result, tool_calls=(call,))))


def _elsewhere(run):
    _, wanted, act = run.noted.asked[-1]
    run.noted.asked[-1] = ("second", wanted, act)
    _record_of(run)["attempts"][-1]["endpoint"] = "second"


DOCTORED = {
    "exactly one record": (_two_records, {}),
    "a delivered byte belongs to one attempt": (_mixed, {}),
    "exactly one terminal event": (_twice_finished, {}),
    "success only after the provider's own end": (_cut_answer, {}),
    "one exchange at a time": (_left_open, {}),
    "tool calls are whole": (_half_a_tool_call, {}),
    "the ledger knows every exchange": (_not_in_the_ledger, {}),
    "a healthy target answers": (_not_asked, {}),
    "the total holds": (_too_slow, {}),
    "attempts are bounded": (_too_many, {}),
    "bounds hold on every fallback": (_elsewhere, {"request": {"prompt": "Hello", "tags": {"home": "eu"}}}),
}


def test_every_promise_is_doctored():
    assert set(DOCTORED) == {"exactly one record", *PROMISES}


@pytest.mark.parametrize(("promise", "row"), DOCTORED.items(), ids=DOCTORED)
def test_a_broken_promise_is_seen(tmp_path, promise, row):
    change, fields = row
    assert promise in doctored(tmp_path, change, **fields)


def test_a_run_without_a_record_is_seen(tmp_path):
    assert doctored(tmp_path, _no_record) == ["exactly one record"]


def test_a_route_that_a_guard_sends_to_is_explored_too(tmp_path):
    policy = SMALL.replace("then: reject", "then: {route: quarantine}").replace(
        "  rest: {match: {}, upstream: main}", "  rest: {match: {}, upstream: main}\n  quarantine: {upstream: main}"
    )
    _, result = explored(tmp_path, policy, depth=0)
    assert (result.unreached, result.worst["quarantine"].attempts) == ([], 3)


def test_a_route_that_nothing_can_reach_is_named(tmp_path):
    policy = SMALL.replace("  rest: {match: {}, upstream: main}", "  rest: {match: {}, upstream: main, precedence: 5}")
    _, result = explored(tmp_path, policy, depth=0)
    assert result.unreached == [("support", "no request comes to it")]
