"""Exploration of policies with limits, hedges, restarts, repairs and maintenance, of streams and plain answers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from route_run.policy.rehearsal import Rehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.explore import explore
from route_run.rehearse.explore_report import explored_lines, script_of
from route_run.rehearse.invariants import A_HEALTHY_TARGET_ANSWERS, broken_promises
from route_run.rehearse.play import play
from route_run.table import load
from support.policies import write_policy
from support.rehearsals import SMALL, played

ONE_ROUTE = SMALL.replace("  support: {match: {tags: {desk: support}}, upstream: main}\n", "")
HEDGED = ONE_ROUTE.replace("timeouts:", "hedge: {after: 1s}\n    timeouts:", 1)
RESTARTING = ONE_ROUTE.replace("timeouts:", "fallback: {after_content: restart}\n    timeouts:", 1)
REPAIRED = ONE_ROUTE.replace(
    "rest: {match: {}, upstream: main}", "rest: {match: {}, upstream: main, verify: {format: json, repair: 1}}"
)


def limited(limits, policy=ONE_ROUTE, where="serves: {m: {}}, labels: {region: eu}"):
    assert where in policy
    return policy.replace(where, f"{where}, limits: {limits}")


LIMITED = limited("{requests: 60/min, concurrent: 2}").replace(
    "  eu: {match:",
    "  share: {match: {}, limits: {spend: 5 USD/day}}\n  eu: {match:",
)
MAINTAINED = ONE_ROUTE.replace(
    "serves: {m: {}}, labels: {region: eu}",
    "serves: {m: {}}, labels: {region: eu}, "
    'maintenance: [{from: "2026-12-01T22:00:00+01:00", to: "2026-12-01T23:00:00+01:00"}]',
)


def explored(folder, policy, depth=1, backend=Backend.TRIO):
    loaded = load([write_policy(folder / "policy", policy)])
    assert loaded.is_valid, loaded.findings
    return loaded, explore(loaded, backend, depth, 60.0)


SOUND = {
    "hedge": HEDGED,
    "hedge that is balanced": HEDGED.replace(
        "[{endpoint: first, model: m}, {endpoint: second, model: m}]",
        "[{balance: weighted, targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]}]",
    ),
    "restart": RESTARTING,
    "repair": REPAIRED,
    "limits": LIMITED,
    "limits that are waited for": limited("{requests: 60/min, when_exceeded: wait, wait_at_most: 2s}"),
    "limits that refuse": limited("{tokens: 1500/min, when_exceeded: reject}"),
    "a limit of the model that both share": ONE_ROUTE.replace(
        "price: {input: 1, output: 2}", "price: {input: 1, output: 2}, limits: {tokens: 1500/min}"
    ),
    "maintenance": MAINTAINED,
    "all of it": LIMITED.replace(
        "timeouts:", "hedge: {after: 1s}\n    fallback: {after_content: restart}\n    timeouts:"
    ),
}


@pytest.mark.parametrize("policy", SOUND.values(), ids=SOUND)
def test_a_sound_policy_keeps_every_promise(tmp_path, policy):
    _, result = explored(tmp_path, policy)
    assert [(v.promise, v.words, v.request, v.endpoints, v.also) for v in result.violations] == []
    assert result.tried + result.pruned == result.total


def test_a_hedge_keeps_every_promise_when_both_fail_in_turn(tmp_path):
    _, result = explored(tmp_path, HEDGED, depth=2)
    assert result.violations == []
    # a slow answer and a hedge that fails, or both are paid for: 6 tokens and an answer of 1,000, three times
    assert result.worst["rest"].spend == Decimal("0.006018")


def test_a_caller_who_can_discard_is_asked_for_where_answers_start_over(tmp_path):
    ways = {RESTARTING: 3, ONE_ROUTE: 2, HEDGED: 2}
    lists_of_targets = 2
    for number, (policy, count) in enumerate(ways.items()):
        _, result = explored(tmp_path / str(number), policy, depth=0)
        assert result.requests == count * lists_of_targets


@pytest.mark.parametrize(
    ("policy", "may_discard", "is_broken"),
    [(RESTARTING, True, True), (RESTARTING, False, False), (ONE_ROUTE, True, False)],
)
def test_an_answer_that_should_have_started_over_is_seen(tmp_path, policy, may_discard, is_broken):
    request = {"prompt": "Hello", "allow_restart": may_discard}
    broken = promises_broken(tmp_path, policy, request=request, outcome="interrupted")
    assert (A_HEALTHY_TARGET_ANSWERS in broken) is is_broken


def test_a_limit_that_is_used_up_and_a_failure_are_tried_together(tmp_path):
    # room in 27 s, then a silence of 5 s: the total of 30 s is over before the second is asked
    loaded, result = explored(tmp_path, limited("{requests: 133/h, when_exceeded: wait}"))
    assert result.violations == []
    assert result.worst["rest"].by["first_content"] == "no requests left of the endpoint first"
    loaded, result = explored(tmp_path / "deeper", limited("{requests: 133/h, when_exceeded: wait}"), depth=2)
    (violation,) = result.violations
    assert (violation.promise, violation.also) == (
        A_HEALTHY_TARGET_ANSWERS,
        {"quota": {"endpoints": {"first": {"requests": "0 left"}}}},
    )
    lines = [line.text for line in explored_lines(result, loaded.table)]
    assert any('quota: {endpoints: {first: {requests: "0 left"}}}' in line for line in lines)
    (run,) = play(loaded, Rehearsal.decode(script_of(violation).as_data()), Backend.TRIO).runs
    assert run.record["outcome"] == "failed"


CIRCUMSTANCES = {
    "no requests left of the endpoint first": ("second", {"quota": {"endpoints": {"first": {"requests": "0 left"}}}}),
    "no concurrent left of the endpoint first": (
        "second",
        {"quota": {"endpoints": {"first": {"concurrent": "0 left"}}}},
    ),
    "no spend left of the bound share": (None, {"quota": {"bounds": {"share": {"spend": "0 USD left"}}}}),
}


def test_every_limit_of_a_plan_is_a_circumstance(tmp_path):
    from route_run.rehearse.circumstances import circumstances
    from route_run.rehearse.witness import Witnesses

    loaded, _ = explored(tmp_path, LIMITED, depth=0)
    fields = {"prompt": "Hello"}
    found = {c.words: c.also for c in circumstances(Witnesses(loaded.table).plan(fields))}
    assert found == {words: also for words, (_, also) in CIRCUMSTANCES.items()}
    for endpoint, also in CIRCUMSTANCES.values():
        written = {"name": "x", **also, "request": fields, "expect": {"within": "1d"}}
        (run,) = play(loaded, Rehearsal.decode(written), Backend.TRIO).runs
        assert run.record["endpoint"] == endpoint


def test_a_window_of_maintenance_is_a_circumstance(tmp_path):
    from route_run.rehearse.circumstances import circumstances
    from route_run.rehearse.witness import Witnesses

    loaded, _ = explored(tmp_path, MAINTAINED, depth=0)
    (found,) = circumstances(Witnesses(loaded.table).plan({"prompt": "Hello"}))
    assert (found.words, found.also) == ("first in maintenance", {"at": "2026-12-01T21:00:00+00:00"})


def test_all_is_the_same_on_both_backends(tmp_path):
    one, other = (explored(tmp_path / b.value, SOUND["all of it"], backend=b)[1] for b in Backend)
    assert (one.tried, one.total, one.violations) == (other.tried, other.total, other.violations)
    assert one.worst == other.worst


# -- what limits may hold back -------------------------------------------------------------------------


def promises_broken(folder, policy, outcome="failed", request=None):
    """What is said of a run that ended at the first target, and of which the second was never asked."""
    run = played(folder, policy=policy, request=request or {"prompt": "Hello"})
    loaded = load([write_policy(folder / "again", policy)])
    record = next(entry.body for entry in run.noted.entries if entry.kind.value == "record")
    record["outcome"] = outcome
    record["attempts"][-1].update(failure="unavailable", cause="refused")
    return [broken.promise for broken in broken_promises(loaded.table, loaded.table.routes["rest"], run)]


SECOND = "serves: {m: {}}, labels: {region: us}"
MAY_BE_FULL = {
    "no limit": (ONE_ROUTE, False),
    "a limit with room": (limited("{requests: 60/min, concurrent: 1, tokens: 2k/min}", where=SECOND), False),
    "a bound's limit: the request has its seat": (LIMITED, False),
    "a limit that the first has used": (
        ONE_ROUTE.replace("price: {input: 1, output: 2}", "price: {input: 1, output: 2}, limits: {tokens: 1500/min}"),
        True,
    ),
    "a limit that refuses": (limited("{requests: 60/min, when_exceeded: reject}", where=SECOND), True),
}


@pytest.mark.parametrize(("policy", "is_left_aside"), MAY_BE_FULL.values(), ids=MAY_BE_FULL)
def test_only_what_a_limit_may_have_held_back_is_left_aside(tmp_path, policy, is_left_aside):
    assert (A_HEALTHY_TARGET_ANSWERS in promises_broken(tmp_path, policy)) is not is_left_aside
