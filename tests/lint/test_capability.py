"""Capability, parameters, limits, times: what a chain of targets cannot do for its routes, and what is fine."""

from __future__ import annotations

import pytest

from route_run.flow.classify import classify
from route_run.flow.failure import Cause, Failure
from route_run.flow.machine import Course, Send, Step, start, step
from route_run.lint.rule import rules
from route_run.policy.model import DEFAULT_FALLBACK
from support import design_example
from support.linted import linted, named

RULES = [rule for rule in rules() if rule.code.value.startswith("RR5") and rule.check is not None]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code.value)
def test_the_bad_example_has_this_finding_alone_and_the_good_one_has_none(rule):
    found = linted(dict(rule.bad))
    assert {finding.code for finding in found} == {rule.code}
    assert {finding.severity for finding in found} == {rule.severity}
    assert all(finding.help and finding.effect for finding in found)
    assert linted(dict(rule.good)) == []


CHAIN = """\
version: 1
tags: {{desk: {{values: [support, sales]}}}}
endpoints:
  first: {{dialect: openai, base_url: "https://first.example", serves: {{big: {{}}}}{first}}}
  second: {{dialect: {dialect}, base_url: "https://second.example", serves: {{small: {{}}}}{second}}}
models:
  big: {{context_window: 100000, max_output_tokens: 4000{big}}}
  small: {{context_window: {window}, max_output_tokens: {output}{small}}}
upstreams:
  main:
    targets: [{{endpoint: first, model: big}}, {{endpoint: second, model: small}}]
    {upstream}
{more}
routes:
  support: {{match: {{tags: {{desk: support}}}}, upstream: main}}
  everything-else: {{match: {{{match}}}, upstream: main, parameters: {{{parameters}}}}}
"""
DEFAULTS = {
    "dialect": "openai", "window": 100000, "output": 4000, "match": "",
    "first": "", "second": "", "big": "", "small": "", "upstream": "", "more": "", "parameters": "",
}  # fmt: skip


def said(*codes, **changes):
    return [finding.message for finding in named(linted(CHAIN.format(**{**DEFAULTS, **changes})), *codes)]


def codes_of(**changes):
    return sorted({finding.code.value for finding in linted(CHAIN.format(**{**DEFAULTS, **changes}))})


def test_a_chain_of_equals_has_no_finding():
    assert codes_of() == []


@pytest.mark.parametrize(
    ("changes", "codes"),
    [
        pytest.param({"window": 8000}, ["RR503"], id="smaller window"),
        pytest.param({"window": 200000}, [], id="larger window"),
        pytest.param({"output": 1000}, ["RR503"], id="smaller output"),
        pytest.param({"big": ", capabilities: [tools]"}, ["RR505"], id="tools lost"),
        pytest.param({"small": ", capabilities: [tools]"}, [], id="tools gained"),
        pytest.param(
            {"big": ", capabilities: [tools]", "small": ", capabilities: [tools]", "dialect": "cognigy"},
            ["RR505"],
            id="a dialect that cannot carry tools",
        ),
        pytest.param(
            {"parameters": "seed: {default: 7}", "dialect": "anthropic"}, ["RR506"], id="no field in the dialect"
        ),
        pytest.param(
            {"parameters": "seed: {default: 7, outside: clamp}", "dialect": "anthropic"}, [], id="left out by clamp"
        ),
        pytest.param(
            {"parameters": "temperature: {min: 1.2, max: 2}", "dialect": "anthropic"}, ["RR506"], id="ranges apart"
        ),
        pytest.param(
            {"parameters": "temperature: {max: 2}", "dialect": "anthropic"}, [], id="ranges that meet"
        ),
        pytest.param(
            {"more": "bounds: {b: {match: {tags: {desk: sales}}, parameters: {temperature: {min: 1}}}}",
             "parameters": "temperature: {max: 0.5}"},
            ["RR507"],
            id="route and bound apart for some requests",
        ),
        pytest.param(
            {"more": "bounds: {b: {match: {tags: {desk: support}}, parameters: {temperature: {min: 1}}}}",
             "parameters": "temperature: {max: 0.5}"},
            [],
            id="route and bound apart for requests of another route",
        ),
        pytest.param(
            {"more": "bounds: {b: {match: {tags: {desk: sales}}, parameters: {temperature: {max: 0.5}}}}",
             "parameters": "temperature: {default: 0.7}"},
            ["RR508"],
            id="default refused for some requests",
        ),
        pytest.param({"parameters": "max_tokens: {default: 3000}", "output": 2000, "match": "tags: {desk: sales}"},
            ["RR308", "RR503", "RR506"], id="a default of max_tokens that one target refuses"),
        pytest.param(
            {
                "first": ", labels: {vendor: v}",
                "second": ", labels: {vendor: w}",
                "more": "bounds: {b: {match: {tags: {desk: sales}}, targets: {vendor: [v]}}}",
                "match": "tags: {desk: sales}",
            },
            ["RR308", "RR512"],
            id="one vendor left of two for a route",
        ),
        pytest.param({"first": ", labels: {region: eu}"}, ["RR509"], id="a region, then none"),
        pytest.param({"second": ", labels: {region: eu}"}, [], id="the first without a region"),
        pytest.param({"first": ", limits: {tokens: 5k/min}"}, [], id="a limit above one answer"),
        pytest.param(
            {"first": ", limits: {tokens: 5k/min}", "match": "tags: {desk: sales}, prompt_tokens: {max: 2000}"},
            ["RR308", "RR510"],
            id="a limit below what the match lets in",
        ),
        pytest.param(
            {"second": ", labels: {vendor: v}", "first": ", labels: {vendor: v}"}, ["RR511"], id="one vendor"
        ),
        pytest.param({"more": "bounds: {b: {match: {}, limits: {spend: 5 USD/day}}}"}, ["RR514"], id="no price, spend"),
        pytest.param({"upstream": "timeouts: {first_content: 20s, total: 24s}"}, ["RR515"], id="no time to connect"),
        pytest.param({"upstream": "timeouts: {first_content: 20s, total: 25s}"}, [], id="time to connect"),
        pytest.param(
            {"upstream": "timeouts: {first_content: 10s, total: 24s}\n    retry: {attempts: 2}"},
            ["RR515"],
            id="no time after a retry",
        ),
        pytest.param(
            {"upstream": "timeouts: {first_content: 30s, total: 30s}\n    fallback: {when: [unavailable]}"},
            [],
            id="timeouts do not fall back",
        ),
        pytest.param(
            {"match": "tags: {desk: sales}, prompt_tokens: {max: 200000}"},
            ["RR308", "RR518"],
            id="larger than any window",
        ),
    ],
)  # fmt: skip
def test_each_change_of_a_sound_chain_has_just_its_finding(changes, codes):
    assert codes_of(**changes) == codes


def test_the_smaller_fallback_is_fine_for_routes_that_never_send_more():
    held = {
        "match": "tags: {desk: sales}, prompt_tokens: {max: 3000}",
        "parameters": "max_tokens: {default: 500, max: 1000}",
    }
    (message,) = said("RR503", window=8000, output=1000, **held)
    assert "its context window is 8000 against 100000 of first/big" in message
    found = named(linted(CHAIN.format(**{**DEFAULTS, **held, "window": 8000, "output": 1000})), "RR503")
    assert "`support`" in found[0].help
    assert "`everything-else`" not in found[0].help


def test_a_default_that_is_refused_is_not_also_called_a_smaller_answer():
    changes = {"parameters": "max_tokens: {default: 3000}", "output": 2000}
    found = named(linted(CHAIN.format(**{**DEFAULTS, **changes})), "RR503")
    assert "`everything-else`" not in found[0].help


def test_maintenance_of_all_names_the_hours_that_overlap_in_one_zone():
    windows = ', maintenance: [{{from: "2027-01-09T{0}", to: "2027-01-09T{1}"}}]'
    first = windows.format("20:00:00Z", "22:00:00Z")
    second = windows.format("22:30:00+01:00", "23:30:00+01:00")
    (message,) = said("RR513", first=first, second=second)
    assert "from 2027-01-09 21:30 UTC to 2027-01-09 22:00 UTC" in message
    assert said("RR513", first=first, second=windows.format("22:00:00Z", "23:00:00Z")) == []


def test_a_model_that_is_free_has_a_price():
    free = ", price: {input: 0, output: 0}"
    budget = "bounds: {b: {match: {}, limits: {spend: 5 USD/day}}}"
    assert said("RR514", big=free, small=free, more=budget) == []


def test_the_worst_case_counts_every_exchange_that_a_request_may_make():
    price = ", price: {input: 10, output: 10}"
    budget = "bounds: {b: {match: {}, limits: {spend: 1.50 USD/day}}}"
    (message,) = said("RR516", big=price, small=price, more=budget)
    assert "can cost 2.00 USD: 2 exchanges" in message
    (message,) = said("RR516", big=price, small=price, more=budget, upstream="retry: {attempts: 2}")
    assert "can cost 3.00 USD: 3 exchanges" in message


@pytest.mark.parametrize("attempts", [2, 3, 10])
def test_more_than_two_attempts_at_a_target_are_never_made(attempts):
    course = Course(2, attempts, frozenset(DEFAULT_FALLBACK), 0.0, 0.0, 1000.0)
    state, move = start(course)
    sent: list[int] = []
    while isinstance(move, Send):
        sent.append(move.target)
        failure = Failure(Cause.STATUS, "broken", 500)
        state, move = step(state, Step(failure, classify(failure), False, 0.0, 0.0))
    assert sent == [0, 0, 1]


def test_what_the_design_shows_has_one_finding_and_that_one_is_meant():
    assert [finding.code.value for finding in linted(design_example.FILES)] == ["RR503"]
