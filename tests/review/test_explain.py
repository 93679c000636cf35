"""Explanations as people read them: one golden for each way a decision can go."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from route_run.flow.decide import decide
from route_run.flow.request import PromptRequest
from route_run.review.explain import explanation
from route_run.table import load
from support import design_example
from support.policies import write_policy

GOLDEN = Path(__file__).parent / "golden"
SUPPORT = {"desk": "support", "tier": "gold"}
HELLO = "Where is my parcel?"

DESIGN = {
    "completed": dict(prompt=HELLO, tags={**SUPPORT, "residency": "us"}),
    "skipped-targets": dict(prompt=HELLO, tags=SUPPORT),
    "parameters": dict(prompt=HELLO, tags=SUPPORT, parameters={"temperature": 1.5, "top_p": 0.5, "max_tokens": 10}),
    "undeclared-tags": dict(prompt=HELLO, tags={"desk": "sales", "colour": "red", "size": "xl"}),
    "rejected": dict(prompt="Tell me about Project\nZephyr", tags=SUPPORT),
    "refused-without-a-required-tag": dict(prompt=HELLO, tags={"tier": "gold"}),
    "refused-for-an-undeclared-value": dict(prompt=HELLO, tags={"desk": "suport"}),
    "refused-for-an-unknown-route": dict(prompt=HELLO, tags=SUPPORT, route="suport"),
    "refused-without-an-eligible-target": dict(prompt=HELLO, tags=SUPPORT, tools=[{"name": "f"}]),
}

# written out here: its places and its digest are in the goldens
ENDPOINTS = """\
version: 1
endpoints:
  first: {dialect: openai, base_url: "https://first.example/v1", serves: {m: {}}}
  second: {dialect: openai, base_url: "https://second.example/v1", serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, capabilities: [json, tools, images]}
upstreams:
  main: {targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]}
"""
POLICY = f"""{ENDPOINTS}tags:
  desk: {{values: [support, sales]}}
  tier: {{values: [gold, silver]}}
guards:
  codenames: {{patterns: [{{id: zephyr, regex: zephyr, score: 1}}], then: {{route: quarantine}}}}
  shouting: {{patterns: [{{id: marks, regex: '!!!', score: 0.9}}], then: flag}}
  rivals: {{patterns: [{{id: rival, regex: acme, score: 1}}], then: {{route: other}}}}
bounds:
  checked: {{match: {{}}, guards: [codenames, shouting, rivals]}}
  calm: {{match: {{tags: {{desk: sales}}}}, parameters: {{temperature: {{max: 0.5}}}}}}
routes:
  gold: {{match: {{tags: {{tier: gold}}}}, upstream: main, precedence: 5, description: for those who pay}}
  sales: {{match: {{tags: {{desk: sales}}}}, upstream: main}}
  named: {{callable: true, upstream: main, parameters: {{stop: {{default: [END, "\\n"]}}, seed: {{default: 7}}}}}}
  quarantine: {{upstream: main, verify: {{format: json}}, parameters: {{max_tokens: {{default: 5}}}}}}
  other: {{upstream: main}}
"""
SMALL = {
    "precedence": dict(prompt=HELLO, tags={"tier": "gold", "desk": "sales"}),
    "named-route": dict(prompt=HELLO, route="named"),
    "refused-for-a-route-that-is-not-callable": dict(prompt=HELLO, route="gold"),
    "refused-without-a-route": dict(prompt=HELLO, tags={"desk": "support"}),
    "refused-for-a-parameter": dict(prompt=HELLO, tags={"desk": "sales"}, parameters={"temperature": 0.9}),
    "rerouted": dict(prompt="What is Zephyr?", tags={"desk": "sales"}, parameters={"temperature": 0.2}),
    "rejected-for-two-destinations": dict(prompt="Does acme know of zephyr?", tags={"desk": "sales"}),
    "too-long": dict(prompt="word " * 6000, tags={"desk": "sales"}),
    "images": dict(
        messages=[{"role": "user", "content": [{"type": "image", "url": "https://x.example/a.png"}]}],
        tags={"desk": "sales"},
        requested_model="fast",
    ),
}


POLICY_WITH_LIMITS = """\
version: 1
tags: {tenant: {}}
endpoints:
  one:
    dialect: openai
    base_url: https://one.test/v1
    serves: {m: {}}
    limits: {tokens: 2.5k/min}
models:
  m:
    context_window: 1000
    max_output_tokens: 100
    price: {input: 1, output: 1}
    limits: {spend: 20 USD/day}
upstreams:
  main:
    targets:
      - balance: weighted
        targets:
          - endpoint: one
            model: m
            limits: {concurrent: 5, when_exceeded: wait, wait_at_most: 2s}
routes:
  all: {match: {}, upstream: main}
bounds:
  fair:
    match: {}
    per: tags.tenant
    limits: {requests: 6/min}
    except:
      acme: {requests: 60/min}
"""


def place(lines, key):
    """Line and column of a key."""
    (number,) = [number for number, line in enumerate(lines) if line.strip().startswith(key)]
    return f"{number + 1}:{len(lines[number]) - len(lines[number].lstrip()) + 1}"


def explained(folder, files, request):
    loaded = load([write_policy(folder, files)])
    assert loaded.is_valid
    plan = decide(loaded.table, PromptRequest.of(**request))
    return explanation(plan, loaded.table, loaded.deferred).replace(f"{folder}/", "")


@pytest.mark.parametrize("name", DESIGN)
def test_explanation_by_the_policy_of_the_design(name, golden, tmp_path):
    text = explained(tmp_path / "policy", design_example.FILES, DESIGN[name])
    golden(text + "\n", GOLDEN / f"design-{name}.txt")


@pytest.mark.parametrize("name", SMALL)
def test_explanation_by_a_small_policy(name, golden, tmp_path):
    text = explained(tmp_path / "policy", {"policy.yaml": POLICY}, SMALL[name])
    golden(text + "\n", GOLDEN / f"small-{name}.txt")


def test_the_limits_of_a_request_are_shown_with_their_places(tmp_path):
    """Those of bounds with whose counter it is, a target's own at its own line, a shared one once."""
    policy = POLICY_WITH_LIMITS
    text = explained(tmp_path / "policy", {"policy.yaml": policy}, dict(prompt=HELLO, tags={"tenant": "acme"}))
    lines = policy.splitlines()
    found = [line.split("limit", 1)[1].strip() for line in text.splitlines() if " limit " in line]
    shown = [re.sub(r"  +", "  ", line) for line in found]
    wanted = {
        "fair  for tenant=acme: 60/min requests, else it is refused  bound `fair`": "acme:",
        "5 at once, else it waits up to 2 s  target one/m": "limits: {concurrent",
        "2500/min tokens, else the next target  endpoint `one`": "limits: {tokens",
        "20 USD/day, else the next target  model `m`": "limits: {spend",
    }
    assert shown == [f"{words}  (policy.yaml:{place(lines, key)})" for words, key in wanted.items()]


@pytest.mark.parametrize("name", [*DESIGN, *SMALL])
def test_an_explanation_holds_nothing_of_the_prompt(name, tmp_path):
    files = design_example.FILES if name in DESIGN else {"policy.yaml": POLICY}
    request = {**DESIGN, **SMALL}[name]
    text = explained(tmp_path / "policy", files, request)
    assert request.get("prompt", "https://x.example/a.png") not in text


def test_a_guard_that_only_flags_says_so(tmp_path):
    shouting = dict(prompt="Help!!!", tags={"desk": "sales"})
    text = explained(tmp_path / "policy", {"policy.yaml": POLICY}, shouting)
    (line,) = [line for line in text.splitlines() if "shouting: score" in line]
    assert line.endswith("flagged")


def test_the_same_request_is_explained_the_same_way_twice(tmp_path):
    first = explained(tmp_path / "policy", design_example.FILES, DESIGN["completed"])
    assert explained(tmp_path / "policy", design_example.FILES, DESIGN["completed"]) == first


def test_no_golden_is_left_without_its_case():
    names = {*(f"design-{name}" for name in DESIGN), *(f"small-{name}" for name in SMALL)}
    assert {path.stem for path in GOLDEN.glob("*.txt")} == names
