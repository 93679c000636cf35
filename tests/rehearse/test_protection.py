"""Limits, hedges, restarts, repairs and breakers under coverage and mutation; targets that are balanced, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from route_run.policy.rehearsal import Rehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.coverage import measure
from route_run.rehearse.mutate import mutants_of, mutate
from route_run.rehearse.play import play
from route_run.rehearse.rehearsed import rehearse_one
from route_run.rehearse.suggest import suggestion
from route_run.table import load
from support.rehearsals import loaded_with, rehearsal

SEQUENCES = load([Path(__file__).parent / "policies" / "sequences"])
PROTECTED = """\
version: 1
tags: {tenant: {}, desk: {values: [support, sales]}}
endpoints:
  first:
    dialect: openai
    base_url: https://first.test/v1
    serves: {m: {}}
    limits: {requests: 60/min, tokens: 5k/min, concurrent: 2, when_exceeded: wait, wait_at_most: 1s}
    breaker: {consecutive: 2}
    retry_budget: {floor: 1}
    maintenance: [{from: "2026-12-01T22:00:00+01:00", to: "2026-12-01T23:00:00+01:00"}]
  second: {dialect: openai, base_url: 'https://second.test/v1', serves: {m: {}}}
  third: {dialect: openai, base_url: 'https://third.test/v1', serves: {n: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}, capabilities: [json]}
  n:
    context_window: 10000
    max_output_tokens: 1000
    price: {input: 1, output: 2}
    capabilities: [json]
    limits: {spend: 1.5 USD/day}
upstreams:
  main:
    targets:
      - balance: weighted
        targets: [{endpoint: first, model: m, weight: 2}, {endpoint: second, model: m, limits: {requests: 6/min}}]
      - {endpoint: third, model: n}
    hedge: {after: 1s}
    fallback: {after_content: restart}
bounds:
  everyone: {match: {}, limits: {requests: 100/min}}
  fair-share:
    match: {}
    per: tags.tenant
    limits: {spend: 20 USD/day}
    except: {acme: {requests: 600/min, when_exceeded: next}}
  desks: {match: {tags: {desk: {present: true}}}, per: tags.desk, limits: {concurrent: 5}}
routes:
  rest: {match: {}, upstream: main}
  sorted: {callable: true, upstream: main, verify: {format: json, repair: 1}}
"""
GAPS = {
    "limit of requests of the endpoint first is reached",
    "limit of tokens of the endpoint first is reached",
    "limit of concurrent of the endpoint first is reached",
    "limit of spend of the model n is reached",
    "limit of requests of the target second/m of main is reached",
    "limit of requests of the bound everyone is reached",
    "limit of spend of the bound fair-share is reached",
    "limit of requests of the bound fair-share for acme is reached",
    "limit of concurrent of the bound desks is reached",
    "hedge of main",
    "an answer of main starts over",
    "an answer of sorted is repaired",
    "breaker of first opens",
    "route sorted",
    "bound desks",
    "target first/m of main",
    "target third/n of main",
    "fallback to third/n in main",
    "every target of main fails",
}


def covered(folder, rehearsals):
    loaded = loaded_with(folder, rehearsals, PROTECTED)
    return loaded, measure(loaded.table, [play(loaded, p.written, Backend.TRIO) for p in loaded.rehearsals])


def also_of(gap):
    return {"quota": gap.quota} if gap.quota else {}


def test_whatever_protects_is_a_gap_until_it_is_rehearsed(tmp_path):
    _, coverage = covered(tmp_path, [rehearsal()])
    found = {gap.item.words for gap in coverage.gaps}
    asked_first = {"target first/m of main", "target second/m of main"}  # the seed decides which of them
    assert found - asked_first == GAPS - asked_first
    assert len(found & asked_first) == 1


def test_a_gap_stands_where_its_part_is_written(tmp_path):
    loaded, coverage = covered(tmp_path, [rehearsal()])
    lines = loaded.reading.documents[1].text.splitlines()
    starts = {gap.item.words: gap.item.span.start for gap in coverage.gaps}
    words = {name: lines[start.line - 1][start.column - 1 :] for name, start in starts.items()}
    assert words["limit of tokens of the endpoint first is reached"].startswith("tokens: 5k/min")
    assert words["limit of requests of the target second/m of main is reached"].startswith("requests: 6/min")
    assert words["limit of requests of the bound fair-share for acme is reached"].startswith("requests: 600/min")
    assert words["target third/n of main"].startswith("{endpoint: third")
    assert words["an answer of main starts over"].startswith("after_content: restart")


def test_the_request_of_every_gap_closes_it_but_that_of_a_breaker(tmp_path):
    loaded, coverage = covered(tmp_path, [rehearsal()])
    for gap in coverage.gaps:
        if gap.item.words == "breaker of first opens":
            assert gap.why == "in no rehearsal a request comes after 2 failures of first in a row"
            continue
        assert gap.witness is not None, gap.item.words
        suggested = suggestion(loaded, "closes it", gap.witness, gap.acts, Backend.TRIO, also_of(gap))
        again = measure(loaded.table, [play(loaded, Rehearsal.decode(suggested.as_data()), Backend.TRIO)])
        assert gap.item.words not in {left.item.words for left in again.gaps}


def test_what_is_suggested_holds_when_it_is_pasted(tmp_path):
    import yaml

    loaded, coverage = covered(tmp_path / "a", [rehearsal()])
    pasted = []
    for gap in coverage.gaps:
        if gap.witness is not None:
            lines = suggestion(loaded, gap.item.words, gap.witness, gap.acts, Backend.TRIO, also_of(gap)).lines()
            pasted += yaml.safe_load("\n".join(lines))
    again = loaded_with(tmp_path / "b", pasted, PROTECTED)
    assert [p.name for p in again.rehearsals if not rehearse_one(again, p, Backend.TRIO).holds] == []


@pytest.fixture(scope="module")
def of_sequences():
    return measure(SEQUENCES.table, [play(SEQUENCES, p.written, Backend.TRIO) for p in SEQUENCES.rehearsals])


@pytest.mark.parametrize(
    "words",
    [
        "hedge of hedged",
        "an answer of restarted starts over",
        "an answer of repaired is repaired",
        "limit of requests of the endpoint scarce is reached",
        "limit of requests of the endpoint patient is reached",
        "limit of concurrent of the endpoint narrow is reached",
        "limit of requests of the bound fair-share for acme is reached",
        "limit of spend of the bound purse is reached",
    ],
)
def test_a_sequence_that_gets_there_closes_it(of_sequences, words):
    assert words in {item.words for item in of_sequences.items if item.is_covered}
    assert "limit of requests of the bound fair-share is reached" in {gap.item.words for gap in of_sequences.gaps}


def test_a_breaker_that_opened_is_covered(tmp_path):
    scene = {"request": {"prompt": "Hello"}, "expect": {"within": "1d"}}
    failing = rehearsal(sequence=[{**scene, "repeat": 9}], endpoints={"first": [{"status": 500}]})
    _, coverage = covered(tmp_path, [failing])
    assert "breaker of first opens" not in {gap.item.words for gap in coverage.gaps}


CHANGES = {
    "first: ten times the requests": "600/min",
    "first: ten times the tokens": "50k/min",
    "first: ten times the concurrent": 20,
    "first: as usual where there is no room, not `wait`": None,
    "first: the usual breaker": None,
    "first: the usual retry budget": None,
    "first: no maintenance": None,
    "n: ten times the spend": "15.0 USD/day",
    "main: drop the target (first/m, second/m)": None,
    "main: drop the target second/m": None,
    "main: ask third/n before (first/m, second/m)": None,
    "second/m: ten times the requests": "60/min",
    "main: no hedge": None,
    "main: no `after_content` of the fallback": None,
    "everyone: ten times the requests": "1000/min",
    "fair-share for acme: ten times the requests": "6000/min",
    "fair-share for acme: as usual where there is no room, not `next`": None,
    "desks: one share for all": None,
    "sorted: no repair": None,
}


def test_changes_of_what_protects_are_tried_and_leave_the_policy_valid(tmp_path):
    loaded = loaded_with(tmp_path, [rehearsal()], PROTECTED)
    assert set(CHANGES) <= {mutant.words for mutant in mutants_of(loaded)}
    result = mutate(loaded, Backend.TRIO, 60)
    survivors = {mutant.words for mutant in result.survivors}
    # what is never met is not noticed; the rest of the changes leaves a policy that can be played
    assert set(CHANGES) - survivors == set()


@pytest.mark.parametrize(("words", "value"), CHANGES.items(), ids=CHANGES)
def test_a_change_does_what_it_says(tmp_path, words, value):
    import copy

    loaded = loaded_with(tmp_path, [rehearsal()], PROTECTED)
    (mutant,) = [mutant for mutant in mutants_of(loaded) if mutant.words == words]
    data = copy.deepcopy(mutant.document.data)
    mutant.change(data)
    assert data != mutant.document.data
    assert value is None or repr(value) in repr(data)


def test_the_sequences_notice_changes_of_what_protects():
    result = mutate(SEQUENCES, Backend.TRIO, 60)
    assert {mutant.words for mutant in result.survivors} == {"fair-share: ten times the requests"}
