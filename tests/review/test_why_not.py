"""Why a request does not go to a route: the failing conditions with their places, and a change that is proved."""

from __future__ import annotations

import json
import random

import pytest

from route_run.flow.decide import decide
from route_run.flow.plan import Snapshot
from route_run.flow.request import PromptRequest
from route_run.review.effective import effective
from route_run.review.why_not import why_not
from support.policies import BASE
from support.tables import table_of

POLICY = f"""{BASE}tags:
  desk: {{values: [support, sales, billing]}}
  tier: {{values: [gold, silver], required: true}}
  tenant: {{}}
guards:
  names: {{patterns: [{{id: z, regex: zephyr, score: 1, must_match: [on zephyr]}}], then: {{route: quarantine}}}}
  bad: {{patterns: [{{id: bomb, regex: bomb, score: 1}}]}}
bounds:
  all: {{match: {{}}, guards: [names, bad], parameters: {{temperature: {{max: 0.9, outside: clamp}}}}}}
routes:
  rest: {{match: {{}}, upstream: main, precedence: -1}}
  support: {{match: {{tags: {{desk: support}}}}, upstream: main}}
  gold-support: {{match: {{tags: {{desk: support, tier: gold}}}}, upstream: main}}
  urgent: {{match: {{tags: {{tenant: {{prefix: vip-}}}}}}, upstream: main, precedence: 5}}
  large: {{match: {{prompt_tokens: {{min: 5000}}, needs: {{tools: true}}}}, upstream: main, precedence: 9}}
  named: {{callable: true, upstream: main}}
  quarantine: {{upstream: main}}
  lost: {{match: {{tags: {{desk: sales, tier: gold, tenant: vip-1}}}}, upstream: main, precedence: 1}}
"""
# route asked about, request, (obstacle, line it points at)…, steps to it
CASES = [
    ("support", dict(tags={"tier": "silver"}), [("the tag `desk` is absent; the route asks for support", 20)],
     ["--tag desk=support"]),
    ("support", dict(tags={"tier": "gold", "desk": "support"}), [("`gold-support` matches too, and is narrower", 21)],
     ["--tag tier=silver"]),
    ("support", dict(tags={"tier": "silver", "desk": "support", "tenant": "vip-9"}),
     [("`urgent` matches too, with precedence 5 over 0", 22)], ["without the tag tenant"]),
    ("large", dict(tags={"tier": "gold"}),
     [("the request does not need tools; the route takes requests that do", 23),
      ("the prompt has 6 estimated tokens; the route asks for at least 5000", 23)],
     ["a request that needs tools", "a prompt of 5000 estimated tokens"]),
    ("named", dict(tags={"tier": "gold"}), [("the route has no match: it is called by name", 24)], ["--route named"]),
    ("quarantine", dict(tags={"tier": "gold"}), [("the route has no match: only a guard sends requests there", 25)],
     ["a prompt that the guard `names` finds"]),
    ("rest", dict(prompt="zephyr", tags={"tier": "gold"}),
     [("the guard `names` sends it to `quarantine`: found z", 14)], ["a prompt in which the guard finds nothing"]),
    ("support", dict(tags={"tier": "gld", "desk": "support"}),
     [("the request is refused before any route is asked", 11), ("`gold-support`", 21)], None),
    ("lost", dict(tags={"tier": "gold", "desk": "sales", "tenant": "vip-1"}),
     [("`urgent` matches too, with precedence 5 over 1", 22)], None),
    ("rest", dict(tags={"tier": "gold"}, route="named"), [("the request calls the route `named` by name", None)],
     ["without --route"]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "asked", "obstacles", "steps"), CASES)
def test_the_answer_names_what_fails_and_the_nearest_change(name, asked, obstacles, steps):
    table = table_of(POLICY)
    request = PromptRequest.of(**{"prompt": "Hello", **asked})
    plan = decide(table, request)
    answer = why_not(table, request, plan, name)
    found = [(o.text, o.span and o.span.start.line) for o in answer.obstacles]
    for (text, line), (words, expected) in zip(found, obstacles, strict=False):
        assert text.startswith(words)
        assert expected is None or line == expected
    assert len(found) == len(obstacles) or steps is None
    if steps is not None:
        assert answer.change is not None
        assert list(answer.change.steps) == steps
    if answer.change is not None:
        assert answer.change.plan.route is table.routes[name]


def test_a_route_that_no_change_reaches_has_no_nearest_request():
    table = table_of(POLICY)
    request = PromptRequest.of(prompt="Hello", tags={"tier": "gold"})
    assert why_not(table, request, decide(table, request), "lost").change is None


def test_a_request_that_goes_there_has_no_obstacle():
    table = table_of(POLICY)
    request = PromptRequest.of(prompt="Hello", tags={"tier": "gold"})
    answer = why_not(table, request, decide(table, request), "rest")
    assert (answer.obstacles, answer.change) == ((), None)


@pytest.mark.parametrize("seed", range(30))
def test_no_request_with_fewer_changes_of_tags_goes_there(seed):
    draw = random.Random(seed)
    values = {"desk": [None, "support", "sales"], "tier": [None, "gold", "silver"], "tenant": [None, "a", "b"]}
    routes = {
        f"r{n}": {
            "match": {"tags": {t: draw.choice(vs[1:]) for t, vs in values.items() if draw.random() < 0.5}},
            "upstream": "main",
            "precedence": n,
        }
        for n in range(4)
    }
    tags = {tag: ({"values": vs[1:]} if tag != "tenant" else {}) for tag, vs in values.items()}
    table = table_of(BASE + "\n".join(f"{k}: {json.dumps(v)}" for k, v in (("tags", tags), ("routes", routes))))

    def decided(chosen):
        request = PromptRequest.of(prompt="Hello", tags={t: v for t, v in chosen.items() if v is not None})
        return request, decide(table, request)

    start = {tag: draw.choice(vs) for tag, vs in values.items()}
    request, plan = decided(start)
    every = [
        {"desk": d, "tier": t, "tenant": n} for d in values["desk"] for t in values["tier"] for n in values["tenant"]
    ]
    for name in routes:
        goes = [
            sum(start[t] != other[t] for t in values)
            for other in every
            if decided(other)[1].route is table.routes[name]
        ]
        answer = why_not(table, request, plan, name)
        if plan.route is table.routes[name]:
            assert answer.obstacles == ()
        elif goes:
            assert answer.change is not None
            assert len(answer.change.steps) == min(goes)
        else:
            assert answer.change is None


# -- down, and where values come from ------------------------------------------------------------------


def test_an_endpoint_taken_to_be_down_is_skipped_with_that_reason():
    table, request = table_of(POLICY), PromptRequest.of(prompt="Hello", tags={"tier": "gold"})
    plan = decide(table, request, Snapshot(down=frozenset({"first"})))
    assert [t.target.endpoint for t in plan.eligible] == ["second"]
    assert plan.targets[0].skipped == ("the endpoint `first` is taken to be down",)
    nobody = decide(table, request, Snapshot(down=frozenset({"first", "second"})))
    assert nobody.stop is not None
    assert nobody.as_json()["down"] == ["first", "second"]


SETTINGS = BASE.replace("serves: {m: {}}}\n  second", "serves: {m: {price: {input: 9, output: 9}}}}\n  second") + """\
guards:
  strict: {patterns: [{id: x, regex: x, score: 1}], threshold: 0.7}
bounds:
  calm: {match: {}, guards: [strict], parameters: {temperature: {max: 0.5, outside: clamp}}}
routes:
  all:
    match: {}
    upstream: main
    parameters: {temperature: {default: 0.8, outside: clamp}}
"""  # fmt: skip


def values_of(policy, **asked):
    table = table_of(policy)
    plan = decide(table, PromptRequest.of(prompt="Hello", **asked))
    return {value.name: value for value in effective(table, plan)}


@pytest.mark.parametrize(
    ("name", "value", "origins"),
    [
        ("temperature", "0.5", [("route `all`", 17), ("bound `calm`", 12)]),
        ("temperature range", "at most 0.5", [("bound `calm`", 12)]),
        ("guard strict", "reject at 0.7", [("guard `strict`", 10), ("bound `calm`", 12)]),
        ("timeout total", "120 s", [("default", None)]),
        ("deliver", "streamed", [("default", None)]),
    ],
)
def test_every_value_names_what_set_it_and_where(name, value, origins):
    found = values_of(SETTINGS)[name]
    assert found.value == value
    assert [(s.origin, s.span and s.span.start.line) for s in found.sources] == origins


def test_a_parameter_that_the_caller_gave_comes_from_the_request():
    found = values_of(SETTINGS, parameters={"temperature": 0.1})["temperature"]
    assert [source.origin for source in found.sources] == ["the request"]
