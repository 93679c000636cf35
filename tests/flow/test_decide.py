"""The decision as a whole: the order of judgement, tags, the choice of a route, purity, secrecy."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.decide import decide
from route_run.flow.outcome import Outcome
from route_run.flow.plan import Stage
from route_run.flow.request import PromptRequest
from route_run.flow.snapshot import Snapshot
from support.tables import table_of

POLICY = """\
version: 1
tags:
  desk: {values: [support, billing, sales], required: true}
  tier: {values: [gold, silver]}
  tenant: {}
endpoints:
  a: {dialect: openai, base_url: "https://a.test/v1", serves: {m: {}}}
  b: {dialect: openai, base_url: "https://b.test/v1", serves: {m: {as: m-2026}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, capabilities: [json]}
upstreams:
  main: {targets: [{endpoint: a, model: m}, {endpoint: b, model: m}]}
guards:
  secrets: {patterns: [{id: codename, regex: zephyr, score: 1}]}
bounds:
  baseline: {match: {}, guards: [secrets], parameters: {temperature: {max: 1}}}
  gold: {match: {tags: {tier: gold}}, parameters: {temperature: {max: 0.5}}}
routes:
  support: {match: {tags: {desk: support}}, upstream: main}
  support-gold: {match: {tags: {desk: support, tier: gold}}, upstream: main}
  support-urgent: {match: {tags: {desk: support, tenant: acme}}, upstream: main, precedence: 5}
  sales-small: {match: {tags: {desk: sales}, prompt_tokens: {max: 100}}, upstream: main}
  drafts: {upstream: main, callable: true, precedence: 1, match: {tags: {desk: sales}, requested_model: drafts}}
  night: {upstream: main, callable: true}
"""


def plan(prompt="Hello", policy=POLICY, seed=0, snapshot=Snapshot(), **fields):
    return decide(table_of(policy), PromptRequest.of(prompt=prompt, **fields), snapshot, seed)


def stopped(made):
    assert made.stop is not None
    return made.stop.outcome, made.stop.stage


# -- the first stop is the outcome -------------------------------------------------------------------

TOOLS = {"tools": [{"name": "f"}]}  # no model of the policy has tools
HOT = {"parameters": {"temperature": 5}}  # no bound allows that
LEAK = "What is Zephyr?"  # the guard rejects it

ORDER = {
    "everything-wrong": (
        {"prompt": LEAK, "tags": {"desk": "support-x"}, **HOT, **TOOLS},
        (Outcome.REFUSED, Stage.TAGS),
    ),
    "tags-mended": (
        {"prompt": LEAK, "tags": {"desk": "billing"}, **HOT, **TOOLS},
        (Outcome.REFUSED, Stage.ROUTE),
    ),
    "route-mended": (
        {"prompt": LEAK, "tags": {"desk": "support"}, **HOT, **TOOLS},
        (Outcome.REJECTED, Stage.GUARDS),
    ),
    "prompt-mended": (
        {"prompt": "Hello", "tags": {"desk": "support"}, **HOT, **TOOLS},
        (Outcome.REFUSED, Stage.PARAMETERS),
    ),
    "parameters-mended": (
        {"prompt": "Hello", "tags": {"desk": "support"}, **TOOLS},
        (Outcome.REFUSED, Stage.ELIGIBILITY),
    ),
}


@pytest.mark.parametrize(("fields", "expected"), ORDER.values(), ids=ORDER)
def test_the_first_step_that_stops_decides_the_outcome(fields, expected):
    assert stopped(plan(**fields)) == expected


def test_a_request_with_nothing_wrong_is_not_stopped():
    made = plan(tags={"desk": "support"})
    assert made.stop is None
    assert [str(planned.target) for planned in made.eligible] == ["a/m", "b/m"]


def test_reasons_come_in_the_order_of_judgement():
    made = plan(tags={"desk": "support", "unknown": "x"}, parameters={"temperature": 0.5}, **TOOLS)
    order = list(Stage)
    stages = [order.index(reason.stage) for reason in made.why]
    assert stages == sorted(stages)
    assert {reason.stage for reason in made.why} >= {Stage.TAGS, Stage.ROUTE, Stage.BOUNDS, Stage.ELIGIBILITY}


def test_the_stop_is_the_last_reason():
    made = plan(tags={"desk": "support"}, **HOT)
    assert (made.why[-1].stage, made.why[-1].text) == (made.stop.stage, made.stop.message)


def test_a_stopped_plan_tells_what_was_decided_before():
    made = plan(prompt=LEAK, tags={"desk": "support"})
    assert made.route.name == "support"
    assert made.bounds == ("baseline",)
    assert made.targets == ()
    assert made.parameters is None


# -- tags --------------------------------------------------------------------------------------------

TAGS = {
    "required-and-absent": ({}, "the tag `desk` is required"),
    "not-a-value": ({"desk": "hr"}, "`hr` is not a value of the tag `desk`"),
    "nearly-a-value": ({"desk": "suport"}, "did you mean `support`?"),
    "says-what-is-declared": ({"desk": "hr"}, "declared: `billing`, `sales`, `support`"),
    "optional-but-wrong": ({"desk": "support", "tier": "bronze"}, "`bronze` is not a value of the tag `tier`"),
    "case-counts": ({"desk": "Support"}, "`Support` is not a value of the tag `desk`"),
    "empty-is-a-value": ({"desk": ""}, "is not a value of the tag `desk`"),
}


@pytest.mark.parametrize(("tags", "words"), TAGS.values(), ids=TAGS)
def test_a_wrong_tag_is_refused_in_words(tags, words):
    made = plan(tags=tags)
    assert stopped(made) == (Outcome.REFUSED, Stage.TAGS)
    assert words in made.stop.message


def test_an_open_tag_takes_any_text():
    assert plan(tags={"desk": "support", "tenant": "anything at all"}).stop is None


def test_an_undeclared_tag_is_recorded_and_matches_nothing():
    made = plan(tags={"desk": "support", "region": "eu", "colour": "red"})
    assert made.stop is None
    assert made.attributes.undeclared == ("colour", "region")
    assert "region" not in made.attributes.tags
    assert "eu" not in json.dumps(made.as_json())


def test_a_named_route_does_not_excuse_a_wrong_tag():
    assert stopped(plan(route="night", tags={"desk": "hr"})) == (Outcome.REFUSED, Stage.TAGS)


# -- the route ---------------------------------------------------------------------------------------

ROUTES = {
    "only-match": ({"tags": {"desk": "support"}}, "support"),
    "narrowest": ({"tags": {"desk": "support", "tier": "gold"}}, "support-gold"),
    "precedence-before-narrowness": ({"tags": {"desk": "support", "tier": "gold", "tenant": "acme"}}, "support-urgent"),
    "requested-model": ({"tags": {"desk": "sales"}, "requested_model": "drafts", "prompt": "a" * 900}, "drafts"),
    "by-name": ({"tags": {"desk": "billing"}, "route": "night"}, "night"),
    "by-name-though-another-matches": ({"tags": {"desk": "support"}, "route": "night"}, "night"),
    "by-name-though-its-match-fails": ({"tags": {"desk": "support"}, "route": "drafts"}, "drafts"),
}


@pytest.mark.parametrize(("fields", "name"), ROUTES.values(), ids=ROUTES)
def test_the_route_that_decides(fields, name):
    assert plan(**fields).route.name == name


def test_bounds_hold_for_a_route_called_by_name():
    made = plan(route="night", tags={"desk": "billing", "tier": "gold"}, parameters={"temperature": 0.9})
    assert made.bounds == ("baseline", "gold")
    assert stopped(made) == (Outcome.REFUSED, Stage.PARAMETERS)
    assert "bound `gold`" in made.stop.message


NO_ROUTE = {
    "nothing-matches": ({"tags": {"desk": "billing"}}, "no route matches"),
    "nearest-first": (
        {"tags": {"desk": "sales"}, "prompt": "a" * 900},
        "`sales-small` needs at most 100 prompt tokens",
    ),
    "unknown-name": ({"tags": {"desk": "sales"}, "route": "nigth"}, "there is no route `nigth`"),
    "not-callable": ({"tags": {"desk": "sales"}, "route": "support"}, "the route `support` is not callable"),
    "callable-names-are-told": ({"tags": {"desk": "sales"}, "route": "x"}, "callable: `drafts`, `night`"),
}


@pytest.mark.parametrize(("fields", "words"), NO_ROUTE.values(), ids=NO_ROUTE)
def test_a_request_without_a_route_is_refused_in_words(fields, words):
    made = plan(**fields)
    assert stopped(made) == (Outcome.REFUSED, Stage.ROUTE)
    assert words in made.stop.message
    assert made.route is None


# -- what a plan says --------------------------------------------------------------------------------


def test_a_plan_shows_targets_under_the_names_they_are_sent_as():
    written = plan(tags={"desk": "support"}).as_json()
    assert [(t["endpoint"], t["model"], t["sent_as"]) for t in written["targets"]] == [
        ("a", "m", "m"),
        ("b", "m", "m-2026"),
    ]


def test_a_plan_names_the_policy_the_seed_and_the_time():
    written = plan(tags={"desk": "support"}, seed=7, snapshot=Snapshot(at=1_795_423_852.25)).as_json()
    assert written["policy"] == table_of(POLICY).digest
    assert (written["seed"], written["at"]) == (7, 1_795_423_852.25)


REQUESTS = st.fixed_dictionaries(
    {
        "prompt": st.sampled_from(["Hello", LEAK, "a" * 900, "ünï🙂"]),
        "tags": st.dictionaries(
            st.sampled_from(["desk", "tier", "tenant", "colour"]),
            st.sampled_from(["support", "sales", "gold", "acme", "x"]),
        ),
    },
    optional={
        "route": st.sampled_from(["night", "drafts", "nowhere"]),
        "requested_model": st.sampled_from(["m", "drafts"]),
        "documents": st.lists(st.text(st.characters(codec="utf-8"), max_size=5), max_size=2),
        "parameters": st.fixed_dictionaries(
            {}, optional={"temperature": st.floats(0, 2), "max_tokens": st.integers(0, 3000), "seed": st.integers(0, 9)}
        ),
        "response_format": st.just({"type": "json"}),
        "tools": st.just([{"name": "f"}]),
    },
)


def as_bytes(made) -> bytes:
    return json.dumps(made.as_json(), ensure_ascii=False).encode()


@given(REQUESTS, REQUESTS, st.integers(0, 2**63 - 1))
def test_the_same_arguments_give_the_same_plan_byte_for_byte(fields, other, seed):
    table, request = table_of(POLICY), PromptRequest.of(**fields)
    first = as_bytes(decide(table, request, Snapshot(at=1.5), seed))
    decide(table, PromptRequest.of(**other), Snapshot(at=2.5), seed + 1)
    assert as_bytes(decide(table, PromptRequest.of(**fields), Snapshot(at=1.5), seed)) == first


@given(REQUESTS)
def test_deciding_changes_nothing_of_its_arguments(fields):
    table, request = table_of(POLICY), PromptRequest.of(**fields)
    before = request.model_dump_json(), repr(table.routes), repr(table.bounds), table.digest
    decide(table, request)
    assert (request.model_dump_json(), repr(table.routes), repr(table.bounds), table.digest) == before


@given(REQUESTS)
def test_every_plan_stops_or_has_a_target(fields):
    made = decide(table_of(POLICY), PromptRequest.of(**fields))
    assert (made.stop is None) == bool(made.eligible)


CANARIED = {
    "prompt": {"prompt": "the canary sings"},
    "rejected-prompt": {"prompt": "the canary of Zephyr"},
    "document": {"prompt": "a", "documents": ["a canary in a document"]},
    "tool": {"prompt": "a", "tools": [{"name": "f", "description": "canary", "parameters": {"canary": 1}}]},
    "schema": {"prompt": "a", "response_format": {"type": "json_schema", "json_schema": {"title": "canary"}}},
    "too-long": {"prompt": "canary " * 9000},
    "hot": {"prompt": "canary", "parameters": {"temperature": 9}},
}


@pytest.mark.parametrize("fields", CANARIED.values(), ids=CANARIED)
def test_no_text_of_a_request_is_in_its_plan(fields):
    made = plan(tags={"desk": "support"}, **fields)
    assert "canary" not in json.dumps(made.as_json())


def test_no_text_of_any_turn_is_in_a_plan():
    messages = [
        {"role": "system", "content": "canary rules"},
        {"role": "user", "content": [{"type": "text", "text": "canary"}]},
        {
            "role": "assistant",
            "content": "canary",
            "tool_calls": [{"id": "canary", "name": "canary", "arguments": '{"canary":1}'}],
        },
        {"role": "tool", "tool_call_id": "canary", "content": "canary"},
    ]
    request = PromptRequest.of(messages=messages, tags={"desk": "support"})
    assert "canary" not in json.dumps(decide(table_of(POLICY), request).as_json())
