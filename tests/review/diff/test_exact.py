"""A request is decided otherwise if and only if it lies in a region that the difference reports.

Decided by the engine itself, request by request, over a small space: every tag value, sizes around every
threshold, needs, given parameters, prompts that guards find nothing, something or much in.
"""

from __future__ import annotations

import itertools
import json
import random
from contextlib import suppress
from copy import deepcopy
from functools import lru_cache

import pytest

from route_run.errors import PolicyError
from route_run.flow.decide import attributes_of, decide
from route_run.flow.request import Message, PromptRequest
from route_run.review.diff import difference
from support.tables import table_of

POLICY = {
    "version": 1,
    "tags": {"desk": {"values": ["a", "b"]}, "tier": {"values": ["g", "s"]}},
    "endpoints": {
        name: {
            "dialect": "openai",
            "base_url": "https://x.test/v1",
            "serves": {"m": {}, "n": {}},
            "labels": {"region": r},
        }
        for name, r in (("one", "eu"), ("two", "us"), ("three", "eu"))
    },
    "models": {
        "m": {"context_window": 1000, "max_output_tokens": 100, "capabilities": ["tools"]},
        "n": {"context_window": 3000, "max_output_tokens": 100},
    },
    "upstreams": {
        "x": {"targets": [{"endpoint": "one", "model": "m"}, {"endpoint": "two", "model": "n"}]},
        "y": {"targets": [{"endpoint": "three", "model": "n"}]},
    },
    "guards": {
        "g": {
            "patterns": [
                {"id": "first", "regex": "zephyr", "score": 0.6},
                {"id": "second", "regex": "mistral", "score": 0.6},
            ],
            "threshold": 0.5,
        }
    },
    "bounds": {"all": {"match": {}, "guards": ["g"]}},
    "routes": {
        "rest": {"match": {}, "upstream": "x", "precedence": -9},
        "a": {"match": {"tags": {"desk": "a"}}, "upstream": "y"},
    },
}
MATCHES = [
    {}, {"tags": {"desk": "a"}}, {"tags": {"desk": {"not": "a"}}}, {"tags": {"tier": ["g", "s"]}},
    {"tags": {"desk": "b", "tier": "g"}}, {"prompt_tokens": {"max": 900}}, {"prompt_tokens": {"min": 899}},
    {"needs": {"tools": True}}, {"tags": {"tier": {"not": "g"}}, "needs": {"tools": False}},
]  # fmt: skip
TARGETS = [{"endpoint": e, "model": m} for e in ("one", "two", "three") for m in ("m", "n")]
RULES = [{}, {"max": 0.3}, {"max": 0.7}, {"max": 0.3, "outside": "clamp"}, {"max": 0.7, "outside": "clamp"}]
GIVEN = [None, 0.1, 0.5, 0.9]
PROMPTS = ["", "zephyr ", "zephyr mistral "]


def changed(policy, draw):
    """The policy after one to three changes of the kinds that people make."""
    while True:
        after = deepcopy(policy)
        for _ in range(draw.randint(1, 3)):
            draw.choice(CHANGES)(after, draw)
        with suppress(PolicyError):
            table_of(json.dumps(after))
            return after


def _route(policy, draw):
    rule = draw.choice(RULES) | draw.choice([{}, {"default": 0.2}, {"default": 0.6}])
    policy["routes"][f"r{draw.randint(0, 3)}"] = {
        "match": draw.choice(MATCHES),
        "upstream": draw.choice(["x", "y"]),
        "precedence": draw.randint(1, 99),
        "callable": draw.random() < 0.5,
        **({"parameters": {"temperature": rule}} if rule else {}),
    }


def _bound(policy, draw):
    policy["bounds"][draw.choice(["all", "b1", "b2"])] = {
        "match": draw.choice(MATCHES),
        **draw.choice([{}, {"guards": ["g"]}, {"targets": {"region": ["eu"]}}, {"targets": {"region": ["eu", "us"]}}]),
        **draw.choice([{}, {"parameters": {"temperature": draw.choice(RULES[1:])}}]),
    }


def _upstream(policy, draw):
    policy["upstreams"][draw.choice("xy")] = {"targets": draw.sample(TARGETS, draw.randint(1, 3))}


def _model(policy, draw):
    policy["models"][draw.choice("mn")]["context_window"] = draw.choice([1000, 2000, 3000])


def _guard(policy, draw):
    policy["guards"]["g"] |= {
        "threshold": draw.choice([0.5, 0.9]),
        "then": draw.choice(["reject", "flag", {"route": "rest"}, {"route": "a"}]),
    }


def _tag(policy, draw):
    policy["tags"]["desk"] = draw.choice([{"values": ["a", "b"], "required": True}, {"values": ["a", "b", "c"]}])


def _label(policy, draw):
    policy["endpoints"][draw.choice(["one", "two", "three"])]["labels"] = {"region": draw.choice(["eu", "us"])}


CHANGES = [_route, _bound, _upstream, _model, _guard, _tag, _label]


@lru_cache
def requests():
    """Requests by what tells them apart, each with every given parameter and prompt."""
    found = []
    space = itertools.product([None, "a", "b", "c"], [None, "g", "s"], [30, 899, 900, 901, 1900, 2899, 2901], [0, 1])
    for desk, tier, tokens, tools in space:
        tags = {tag: value for tag, value in (("desk", desk), ("tier", tier)) if value is not None}
        forms = []
        for prompt, given in itertools.product(PROMPTS, GIVEN):
            text = (prompt + "plain " * 2000)[: 3 * (tokens - 4)].rstrip() or "x"
            text += "." * (3 * (tokens - 4) - len(text))
            content = (
                {"messages": (Message(role="tool", content=text, tool_call_id="c"),)} if tools else {"prompt": text}
            )
            parameters = {} if given is None else {"temperature": given}
            forms.append(PromptRequest.of(**content, tags=tags, parameters=parameters))
        found.append(forms)
    return found


def observed(table, forms):
    """All that can be seen of the decisions about one request in all its forms, and the labels that bounds allow."""
    seen = []
    for request in forms:
        plan = decide(table, request)
        labels = [table.policy.bounds[name].targets.get("region") for name in plan.bounds]
        allowed = frozenset.intersection(*(frozenset(found) for found in labels if found)) if any(labels) else None
        seen.append((
            plan.stop and (plan.stop.outcome, plan.stop.stage),
            plan.route and plan.route.name,
            [(verdict.fired, verdict.action, verdict.destination) for verdict in plan.verdicts],
            plan.parameters,
            [(str(t.target), t.parameters) for t in plan.eligible],
            sorted({t.target.labels["region"] for t in plan.eligible}),
            [t.target.context_window for t in plan.eligible],
            allowed if plan.stop is None or plan.stop.stage.value != "route" else None,
        ))  # fmt: skip
    return seen


@pytest.mark.parametrize("seed", range(14))
def test_a_request_is_decided_otherwise_exactly_where_the_difference_says(seed):
    draw = random.Random(seed)
    before = changed(POLICY, draw)
    before, after = (table_of(json.dumps(policy)) for policy in (before, changed(before, draw)))
    found = difference(before, after)
    regions = regions_of(found, lambda way: way.called is None)
    assert found.is_complete
    for forms in requests():
        at = [attributes_of(table, forms[0]) for table in (before, after)]
        assert at[0] == at[1]
        is_other = observed(before, forms) != observed(after, forms)
        assert any(at[0] in region for region in regions) is is_other, at[0]


@pytest.mark.parametrize("seed", range(100, 104))
def test_a_request_that_calls_its_route_by_name_too(seed):
    draw = random.Random(seed)
    before = changed(POLICY, draw)
    before, after = (table_of(json.dumps(policy)) for policy in (before, changed(before, draw)))
    found = difference(before, after)
    names = {name for table in (before, after) for name, route in table.routes.items() if route.callable}
    for name in names:
        regions = regions_of(found, lambda way, name=name: way.called == name)
        for forms in requests():
            calls = [request.model_copy(update={"route": name}) for request in forms[: len(GIVEN)]]
            at = attributes_of(before, forms[0])
            if observed(before, calls) != observed(after, calls):
                assert any(at in region for region in regions), (name, at)


def regions_of(found, is_meant):
    """The regions of requests that come the ways that are meant."""
    return [
        region
        for group in found.groups
        for requests in group.requests
        if is_meant(requests.way)
        for region in requests.regions
    ]


@pytest.mark.parametrize("seed", range(5))
def test_the_witness_of_every_group_lies_in_it_and_its_plans_are_of_it(seed):
    draw = random.Random(1000 + seed)
    before = changed(POLICY, draw)
    before, after = (table_of(json.dumps(policy)) for policy in (before, changed(before, draw)))
    for group in difference(before, after).groups:
        witness = group.witness
        assert any(witness.attributes in region for region in group.requests[0].regions)
        for plan in filter(None, (witness.before, witness.after)):
            assert plan.attributes == witness.attributes
