"""What guards do to a decision: reject, flag, send elsewhere, and all of them together."""

from __future__ import annotations

import pytest

from route_run.flow.decide import decide
from route_run.flow.outcome import Outcome
from route_run.flow.plan import Stage
from route_run.flow.request import PromptRequest
from support.tables import table_of

POLICY = """\
version: 1
tags: {desk: {values: [support, sales]}}
endpoints:
  a: {dialect: openai, base_url: "https://a.test/v1", serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000}
upstreams:
  main: {targets: [{endpoint: a, model: m}]}
guards:
  rejecting: {patterns: [{id: r-1, regex: apple, score: 0.5}, {id: r-2, regex: pear, score: 0.5}], threshold: 0.8}
  flagging: {patterns: [{id: f-1, regex: plum, score: 1}], then: flag}
  diverting: {patterns: [{id: d-1, regex: cherry, score: 1}], then: {route: quarantine}}
  diverting-too: {patterns: [{id: d-2, regex: cherry stone, score: 1}], then: {route: quarantine}}
  shredding: {patterns: [{id: s-1, regex: nettle, score: 1}], then: {route: shredder}}
  two-lines: {patterns: [{id: t-1, regex: 'begin\\nend', score: 1}], then: flag}
  for-sales: {patterns: [{id: x-1, regex: discount, score: 1}]}
bounds:
  baseline: {match: {}, guards: [flagging, rejecting, diverting, diverting-too, shredding, two-lines]}
  again: {match: {}, guards: [rejecting, flagging]}
  sales: {match: {tags: {desk: sales}}, guards: [for-sales]}
  cool: {match: {}, parameters: {temperature: {max: 1.5}}}
routes:
  all: {match: {}, upstream: main, parameters: {temperature: {max: 1, outside: clamp}}}
  strict: {upstream: main, callable: true}
  quarantine: {upstream: main, parameters: {temperature: {max: 0.2, outside: clamp}, max_tokens: {default: 10}}}
  shredder: {upstream: main}
"""


def plan(prompt, **fields):
    return decide(table_of(POLICY), PromptRequest.of(prompt=prompt, **fields))


def verdicts(made):
    return {verdict.guard: verdict.score for verdict in made.verdicts if verdict.hits}


REJECTED = {
    "apple and pear": "rejecting",
    "APPLE and Pear": "rejecting",
    "plum, apple, pear": "rejecting",
    "cherry, apple, pear": "rejecting",
    "cherry and nettle": "different routes",
    "cherry, nettle, plum": "different routes",
    "cherry, nettle, apple, pear": "rejecting",
}


@pytest.mark.parametrize(("prompt", "words"), REJECTED.items(), ids=REJECTED)
def test_these_prompts_are_rejected(prompt, words):
    made = plan(prompt)
    assert (made.stop.outcome, made.stop.stage) == (Outcome.REJECTED, Stage.GUARDS)
    assert words in made.stop.message


PASSED = {
    # prompt: the route that takes it, and the guards that fired
    "nothing to see": ("all", ()),
    "an apple is below the threshold": ("all", ()),
    "apple apple apple counts once": ("all", ()),
    "a plum": ("all", ("flagging",)),
    "a cherry": ("quarantine", ("diverting",)),
    "a cherry and a plum": ("quarantine", ("diverting", "flagging")),
    "a cherry stone": ("quarantine", ("diverting", "diverting-too")),
    "a nettle": ("shredder", ("shredding",)),
}


@pytest.mark.parametrize(("prompt", "expected"), PASSED.items(), ids=PASSED)
def test_these_prompts_go_on(prompt, expected):
    made = plan(prompt)
    assert made.stop is None
    assert (made.route.name, made.flagged_by) == expected


def test_the_rejection_names_the_guard_its_score_and_its_hits_but_not_the_prompt():
    message = plan("my secret apple and pear").stop.message
    assert message == "rejected by the guard `rejecting`: score 1 of 0.8, found r-1, r-2"


def test_the_rejection_for_two_destinations_names_both():
    message = plan("cherry and nettle").stop.message
    assert message == "guards send the request to different routes: `quarantine`, `shredder`"


def test_every_guard_runs_once_whatever_number_of_bounds_names_it():
    made = plan("Hello")
    names = [verdict.guard for verdict in made.verdicts]
    assert names == ["diverting", "diverting-too", "flagging", "rejecting", "shredding", "two-lines"]


def test_only_guards_of_matching_bounds_are_asked():
    assert plan("a discount").stop is None
    assert plan("a discount", tags={"desk": "sales"}).stop.outcome is Outcome.REJECTED


def test_the_verdicts_of_a_rejected_request_are_kept():
    assert verdicts(plan("plum, apple, pear")) == {"flagging": 1.0, "rejecting": 1.0}


def test_the_parameters_of_the_caller_are_held_to_the_route_that_takes_the_request():
    made = plan("a cherry", parameters={"temperature": 1.2})
    assert made.as_json()["parameters"] == {"max_tokens": 10, "temperature": 0.2}
    (clamped,) = [reason.text for reason in made.why if "clamped" in reason.text]
    assert clamped == "temperature clamped from 1.2 to 0.2"  # from what the caller gave, not from the first route's 1


def test_bounds_hold_for_the_route_that_takes_the_request():
    made = plan("a nettle", parameters={"temperature": 1.6})
    assert (made.stop.outcome, made.stop.stage) == (Outcome.REFUSED, Stage.PARAMETERS)


def test_a_request_that_names_its_route_is_sent_elsewhere_all_the_same():
    assert plan("a cherry", route="strict").route.name == "quarantine"


def test_a_request_that_names_its_route_is_rejected_all_the_same():
    assert plan("apple, pear", route="strict").stop.outcome is Outcome.REJECTED


def test_documents_are_scanned():
    assert plan("Summarise.", documents=["apple", "pear"]).stop.outcome is Outcome.REJECTED


def test_hits_of_several_texts_add_up():
    messages = [
        {"role": "user", "content": "apple"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "pear"},
    ]
    made = decide(table_of(POLICY), PromptRequest.of(messages=messages))
    assert made.stop.outcome is Outcome.REJECTED


def test_texts_are_also_scanned_joined_by_newlines():
    made = plan("end", documents=["begin"])
    assert made.flagged_by == ("two-lines",)


def test_system_turns_are_not_scanned():
    messages = [{"role": "system", "content": "never say apple, pear"}, {"role": "user", "content": "Hello"}]
    assert decide(table_of(POLICY), PromptRequest.of(messages=messages)).stop is None


def test_a_plan_shows_what_each_guard_would_have_done():
    shown = {guard["guard"]: guard["then"] for guard in plan("Hello").as_json()["guards"]}
    assert shown == {
        "diverting": "quarantine",
        "diverting-too": "quarantine",
        "flagging": "flag",
        "rejecting": "reject",
        "shredding": "shredder",
        "two-lines": "flag",
    }
