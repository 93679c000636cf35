"""Reachability: every verdict agrees with brute force over all requests, every witness is one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.decide import decide
from route_run.flow.plan import Stage
from route_run.flow.request import PromptRequest
from route_run.lint.check import lint
from route_run.lint.eligible import Stranded
from route_run.lint.reached import Taken
from route_run.lint.rule import rules
from route_run.policy import Capability
from route_run.table.cover import Open
from support import matches
from support.linted import (
    REQUESTS,
    beats,
    edited,
    facts_of,
    linted,
    members,
    named,
    policy_of,
    ranked_routes,
    small_matches,
)
from support.policies import BASE
from support.properties import examples
from support.reading import loaded_from

RULES = [rule for rule in rules() if rule.code.value.startswith("RR3") and rule.check is not None]
LABELS = st.sampled_from([{"region": ["eu"]}, {"region": ["us"]}, {"vendor": ["one"]}, {"vendor": ["two"]}])
TOOLS = [{"name": "lookup", "parameters": {"type": "object"}}]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code.value)
def test_the_bad_example_has_this_finding_alone_and_the_good_one_has_none(rule):
    found = linted(dict(rule.bad))
    assert {finding.code for finding in found} == {rule.code}
    assert {finding.severity for finding in found} == {rule.severity}
    assert all(finding.help and finding.effect for finding in found)
    assert linted(dict(rule.good)) == []


# -- routes --------------------------------------------------------------------------------------------


def landing(routes):
    """Which requests land on which route, by brute force."""
    found = {number: set() for number in range(len(routes))}
    for number in range(len(REQUESTS)):
        matching = [n for n, (match, _) in enumerate(routes) if number in members(match)]
        winners = [n for n in matching if all(n == m or beats(routes[n], routes[m]) for m in matching)]
        for winner in winners:
            found[winner].add(number)
    return found


@examples(30)
@given(ranked_routes())
def test_routes_are_called_unreachable_exactly_when_no_request_lands_on_them(routes):
    findings = named(lint(policy_of(routes)), "RR301", "RR304")
    said = {finding.message.split("`")[1] for finding in findings}
    assert said == {f"r{n}" for n, requests in landing(routes).items() if not requests}
    for finding in findings:
        is_catch_all = routes[int(finding.message.split("`")[1][1:])][0] in ({}, {"tags": {}})
        assert finding.code.value == ("RR304" if is_catch_all else "RR301")


@examples(30)
@given(ranked_routes())
def test_every_route_lands_its_witness_or_is_taken_by_just_the_routes_that_are_named(routes):
    facts = facts_of(policy_of(routes))
    for route in facts.table.matched:
        reach = facts.reached.of(route)
        if isinstance(reach, Open):
            assert facts.table.route_for(reach.witness) is route
            continue
        assert isinstance(reach, Taken)
        own = members(routes[int(route.name[1:])][0])
        taking = [members(routes[int(taker.name[1:])][0]) for taker in reach.by]
        assert own <= frozenset().union(*taking)
        for n in range(len(taking)):
            assert not own <= frozenset().union(*taking[:n], *taking[n + 1 :])


@examples(25)
@given(ranked_routes())
def test_the_proposed_precedence_frees_the_route_and_costs_no_other(routes):
    loaded = policy_of(routes)
    text = next(document.text for document in loaded.reading.documents if document.name == "policy.yaml")
    base = next(document.text for document in loaded.reading.documents if document.name == "base.yaml")
    before = {f.message.split("`")[1] for f in named(lint(loaded), "RR301", "RR304")}
    for finding in named(lint(loaded), "RR301"):
        if finding.fix is not None:
            assert not finding.fix.is_safe
            after = loaded_from({"base.yaml": base, "policy.yaml": edited(text, finding.fix.edits)})
            assert after.is_valid
            lost = {f.message.split("`")[1] for f in named(lint(after), "RR301", "RR304")}
            assert lost < before
            assert finding.message.split("`")[1] not in lost


@examples(30)
@given(ranked_routes())
def test_precedences_called_needless_can_all_go_without_changing_a_decision(routes):
    loaded = policy_of(routes)
    needless = {finding.message.split("`")[1] for finding in named(lint(loaded), "RR306")}
    without = [(match, 0 if f"r{n}" in needless else precedence) for n, (match, precedence) in enumerate(routes)]
    after = policy_of(without)
    assert after.is_valid
    for request in REQUESTS:
        old, new = loaded.table.route_for(request), after.table.route_for(request)
        assert (old and old.name) == (new and new.name)


@examples(30)
@given(ranked_routes())
def test_requests_without_a_route_are_reported_exactly_when_there_are_any(routes):
    loaded = policy_of(routes)
    facts = facts_of(loaded)
    unmatched = [request for request in REQUESTS if loaded.table.route_for(request) is None]
    findings = named(lint(loaded), "RR307", "RR308")
    assert bool(findings) == bool(unmatched)
    for tag, value in facts.unserved:
        assert all(request in unmatched for request in REQUESTS if request.tags.get(tag) == value)
    if isinstance(facts.left_by_all, Open):
        assert not any(matches.holds(match, facts.left_by_all.witness) for match, _ in routes)


def test_two_routes_that_cannot_be_ranked_are_not_also_called_unreachable():
    findings = linted(BASE + "routes: {a: {match: {}, upstream: main}, b: {match: {}, upstream: main}}\n")
    assert "RR302" in {finding.code.value for finding in findings}
    assert named(findings, "RR301", "RR304", "RR305") == []


def test_a_route_left_out_for_a_fault_makes_nothing_else_unused_or_unserved():
    text = BASE + "tags: {t: {values: [x]}}\nroutes: {a: {match: {tags: {t: x}}, upstream: main, precedence: high}}\n"
    assert named(linted(text), "RR307", "RR308", "RR313", "RR314", "RR315") == []


# -- targets -------------------------------------------------------------------------------------------


def asked(request):
    """A request as a caller makes it, of the same size as the attributes say."""
    tools = {"tools": TOOLS} if Capability.TOOLS in request.needs else {}
    return PromptRequest.of(prompt="x" * 3 * (request.prompt_tokens - 4), tags=dict(request.tags), **tools)


def has_no_target(table, request):
    """Whether a request of just these tags comes to a route and finds no eligible target there."""
    plan = decide(table, asked(request))
    return plan.route is not None and plan.stop is not None and plan.stop.stage is Stage.ELIGIBILITY


@examples(25)
@given(ranked_routes(), st.lists(st.tuples(small_matches(), LABELS), max_size=3))
def test_routes_without_a_target_are_reported_exactly_when_a_request_is_refused(routes, bounds):
    loaded = policy_of(routes, [(match, labels) for match, labels in bounds if members(match)])
    assert loaded.is_valid
    findings, table = lint(loaded), loaded.table
    by_tags = [r for r in REQUESTS if not r.needs and r.prompt_tokens < 2000]
    refused = {number for number, r in enumerate(by_tags) if has_no_target(table, r)}
    dead = {finding.message.split("`")[3] for finding in named(findings, "RR310")}
    stranding = dead | {finding.message.split("`")[1] for finding in named(findings, "RR312")}
    lands = {number: route.name for number, r in enumerate(by_tags) if (route := table.route_for(r)) is not None}
    for name in dead:
        assert all(number in refused for number, route in lands.items() if route == name)
    if not named(findings, "RR311"):
        for number in refused:
            assert lands[number] in stranding


@examples(25)
@given(ranked_routes(), st.lists(st.tuples(small_matches(), LABELS), min_size=1, max_size=3))
def test_the_request_that_shows_a_route_without_a_target_is_refused(routes, bounds):
    loaded = policy_of(routes, [(match, labels) for match, labels in bounds if members(match)])
    facts = facts_of(loaded)
    for route in facts.table.routes.values():
        for found in facts.stranded(route):
            assert isinstance(found, Stranded)
            assert facts.table.route_for(found.witness) is route
            assert has_no_target(loaded.table, found.witness)
    for contradiction in facts.contradictions:
        held = {bound.name for bound in loaded.table.bounds_for(contradiction.region.witness())}
        assert {bound.name for bound in contradiction.bounds} <= held


EU_ONLY = """\
version: 1
endpoints:
  here: {dialect: openai, base_url: "https://here.example/v1", serves: {m: {}}, labels: {region: eu}%s}
  there: {dialect: openai, base_url: "https://there.example/v1", serves: {m: {}}, labels: {region: us}}
models: {m: {context_window: 10000, max_output_tokens: 1000}}
upstreams:
  main: {targets: [{endpoint: here, model: m}]}
  other: {targets: [{endpoint: there, model: m}]}
guards: {g: {packs: [builtin/injection@1], then: {route: quarantine}}}
bounds:
  all: {match: {}, guards: [g]}
  eu: {match: {}, targets: {region: [%s]}}
routes:
  everything-else: {match: {}, upstream: main}
  quarantine: {upstream: %s}
"""


@pytest.mark.parametrize(
    ("drained", "region", "upstream", "dead"),
    [
        ("", "eu", "main", []),
        ("", "eu", "other", ["quarantine"]),
        (", drain: true", "eu", "main", ["everything-else", "quarantine"]),
    ],
)
def test_a_guards_destination_and_drained_endpoints_count(drained, region, upstream, dead):
    found = named(linted(EU_ONLY % (drained, region, upstream)), "RR310")
    assert sorted(finding.message.split("`")[3] for finding in found) == dead


def test_a_bound_with_a_label_that_no_endpoint_has_names_the_similar_one():
    (finding,) = named(linted(EU_ONLY % ("", "euu", "main")), "RR311")
    assert "the bound `eu` leaves no endpoint" in finding.message
    assert "no endpoint has the region `euu`; a similar one exists: `eu`" in finding.help
    assert "endpoints have the region `eu`, `us`" in finding.help
