"""Which targets may be asked: needs, dialects, windows, labels, drained endpoints, each with its reason."""

from __future__ import annotations

from datetime import datetime

import pytest

from route_run.flow.decide import decide
from route_run.flow.outcome import Outcome
from route_run.flow.plan import Stage
from route_run.flow.request import PromptRequest
from route_run.flow.snapshot import Snapshot
from support.tables import table_of

PIXEL = "data:image/png;base64,iVBORw0KGgo="
SCHEMA = {"type": "json_schema", "json_schema": {"type": "object"}}
IMAGE_TURN = {"role": "user", "content": [{"type": "image", "url": PIXEL}]}
TOOL_TURNS = [
    {"role": "user", "content": "Is it warm in Rome?"},
    {"role": "assistant", "tool_calls": [{"id": "call_1", "name": "weather", "arguments": '{"city": "Rome"}'}]},
    {"role": "tool", "tool_call_id": "call_1", "content": "31 degrees"},
]

POLICY = """\
version: 1
tags: {residency: {values: [eu, us]}}
endpoints:
  text: {dialect: openai, base_url: "https://text.test", serves: {plain: {}}, labels: {region: eu}}
  able: {dialect: openai, base_url: "https://able.test", serves: {able: {}}, labels: {region: us, vendor: x}}
  gateway: {dialect: cognigy, base_url: "https://gateway.test", serves: {able: {}, vast: {}}, labels: {region: eu}}
  claude: {dialect: anthropic, base_url: "https://claude.test", serves: {able: {}}}
  empty: {dialect: openai, base_url: "https://empty.test", serves: {able: {}}, drain: true, labels: {region: eu}}
models:
  plain: {context_window: 100, max_output_tokens: 50}
  able: {context_window: 1000000, max_output_tokens: 1000, capabilities: [json, tools, images]}
  vast: {context_window: 1000000, max_output_tokens: 1000}
upstreams:
  text: {targets: [{endpoint: text, model: plain}]}
  able: {targets: [{endpoint: able, model: able}]}
  gateway: {targets: [{endpoint: gateway, model: able}]}
  vast: {targets: [{endpoint: gateway, model: vast}]}
  claude: {targets: [{endpoint: claude, model: able}]}
  drained: {targets: [{endpoint: empty, model: able}]}
  mixed: {targets: [{endpoint: text, model: plain}, {endpoint: empty, model: able}, {endpoint: able, model: able}]}
  doubly-bad: {targets: [{endpoint: empty, model: able}, {endpoint: text, model: plain}]}
bounds:
  eu-stays-in-eu: {match: {tags: {residency: eu}}, targets: {region: [eu]}}
  us-or-eu: {match: {tags: {residency: {present: true}}}, targets: {region: [eu, us]}}
routes:
  text: {upstream: text, callable: true}
  able: {upstream: able, callable: true}
  gateway: {upstream: gateway, callable: true}
  vast: {upstream: vast, callable: true}
  claude: {upstream: claude, callable: true}
  drained: {upstream: drained, callable: true}
  mixed: {upstream: mixed, callable: true}
  doubly-bad: {upstream: doubly-bad, callable: true}
  clamped: {upstream: text, callable: true, parameters: {max_tokens: {max: 1000, outside: clamp}}}
"""


def plan(route, **fields):
    if "messages" not in fields:
        fields.setdefault("prompt", "Hello")
    return decide(table_of(POLICY), PromptRequest.of(route=route, **fields))


WINDOWS = """\
version: 1
endpoints:
  a:
    dialect: openai
    base_url: "https://a.test"
    serves: {m: {}}
    maintenance:
      - {from: "2026-12-01T22:00:00+01:00", to: "2026-12-01T23:00:00+01:00", why: CHG-4711}
      - {from: "2026-12-24T00:00:00Z", to: "2026-12-26T00:00:00Z"}
      - {from: "0001-01-01T00:00:00+14:00", to: "0001-01-01T00:00:01+14:00"}
      - {from: "9999-12-31T23:59:58-14:00", to: "9999-12-31T23:59:59-14:00"}
  b: {dialect: openai, base_url: "https://b.test", serves: {m: {}}}
models: {m: {context_window: 1000, max_output_tokens: 10}}
upstreams: {main: {targets: [{endpoint: a, model: m}, {endpoint: b, model: m}]}}
routes: {all: {match: {}, upstream: main}}
"""


@pytest.mark.parametrize(
    ("at", "skipped"),
    [
        ("2026-12-01T20:59:59.999+00:00", ()),
        (
            "2026-12-01T21:00:00+00:00",
            ("the endpoint `a` is in maintenance until 2026-12-01T23:00:00+01:00 (CHG-4711)",),
        ),
        ("2026-12-01T22:00:00+00:00", ()),
        ("2026-12-25T12:00:00+00:00", ("the endpoint `a` is in maintenance until 2026-12-26T00:00:00+00:00",)),
    ],
    ids=["before", "first-moment", "end-is-outside", "without-a-reason"],
)
def test_a_window_of_maintenance_skips_the_target_from_its_start_to_before_its_end(at, skipped):
    moment = datetime.fromisoformat(at).timestamp()
    made = decide(table_of(WINDOWS), PromptRequest.of(prompt="Hello"), Snapshot(moment))
    assert [planned.skipped for planned in made.targets] == [skipped, ()]


SKIPPED = {
    "model-has-no-json": ("text", {"response_format": SCHEMA}, "the model `plain` has no json"),
    "model-has-no-tools": ("text", {"tools": [{"name": "f"}], "prompt": "a"}, "the model `plain` has no tools"),
    "model-has-no-images": ("text", {"messages": [IMAGE_TURN]}, "the model `plain` has no images"),
    "cognigy-cannot-carry-json": ("gateway", {"response_format": SCHEMA}, "the dialect cognigy cannot carry json"),
    "cognigy-cannot-carry-tools": ("gateway", {"tools": [{"name": "f"}]}, "the dialect cognigy cannot carry tools"),
    "cognigy-cannot-carry-images": ("gateway", {"messages": [IMAGE_TURN]}, "the dialect cognigy cannot carry images"),
    "anthropic-asks-for-json-by-schema-only": (
        "claude",
        {"response_format": {"type": "json"}},
        "the dialect anthropic cannot carry json",
    ),
    "drained": ("drained", {}, "the endpoint `empty` is drained"),
    "wrong-label": (
        "able",
        {"tags": {"residency": "eu"}},
        "the endpoint `able` has region us; the bound `eu-stays-in-eu` allows `eu`",
    ),
    "no-label": (
        "claude",
        {"tags": {"residency": "us"}},
        "the endpoint `claude` has no label region; the bound `us-or-eu` allows `eu`, `us`",
    ),
    # 4 tokens a message and 3 bytes a token: 138 bytes are 50 tokens
    "window-with-the-models-maximum": (
        "text",
        {"prompt": "a" * 139},
        "51 estimated prompt tokens and an answer of 50 exceed the context window of 100",
    ),
    "window-with-what-is-asked-for": (
        "text",
        {"prompt": "a" * 288, "parameters": {"max_tokens": 1}},
        "100 estimated prompt tokens and an answer of 1 exceed the context window of 100",
    ),
    "window-of-the-dialect": (
        "vast",
        {"prompt": "a" * 3 * 127_000},
        "127004 estimated prompt tokens and an answer of 1000 exceed the context window of 128000",
    ),
}


@pytest.mark.parametrize(("route", "fields", "reason"), SKIPPED.values(), ids=SKIPPED)
def test_a_target_is_skipped_with_its_reason(route, fields, reason):
    made = plan(route, **fields)
    assert reason in made.targets[0].skipped


TAKEN = {
    "json-with-a-capable-model": ("able", {"response_format": {"type": "json"}}),
    "tools-with-a-capable-model": ("able", {"tools": [{"name": "f"}]}),
    "images-with-a-capable-model": ("able", {"messages": [IMAGE_TURN]}),
    "anthropic-json-by-schema": ("claude", {"response_format": SCHEMA}),
    "anthropic-tools-and-images": ("claude", {"messages": [IMAGE_TURN], "tools": [{"name": "f"}]}),
    "text-over-cognigy": ("gateway", {}),
    "one-of-the-allowed-labels": ("able", {"tags": {"residency": "us"}}),
    "the-right-label-for-both-bounds": ("gateway", {"tags": {"residency": "eu"}}),
    "the-window-is-just-large-enough": ("text", {"prompt": "a" * 138}),
    "a-short-answer-leaves-room": ("text", {"prompt": "a" * 285, "parameters": {"max_tokens": 1}}),
    "a-clamped-answer-leaves-room": ("clamped", {"prompt": "a" * 138, "parameters": {"max_tokens": 900}}),
}


@pytest.mark.parametrize(("route", "fields"), TAKEN.values(), ids=TAKEN)
def test_a_target_is_taken(route, fields):
    made = plan(route, **fields)
    assert made.targets[0].skipped == ()
    assert made.stop is None


def test_a_conversation_of_tool_calls_is_not_sent_where_they_would_be_lost():
    """The dialect of cognigy is text only: it has no place for a call or its result."""
    assert not plan("gateway", messages=TOOL_TURNS).eligible


def test_every_reason_against_a_target_is_told():
    bare = {"name": "f", "parameters": {}}  # 47 bytes as JSON
    made = plan("text", tools=[bare], response_format=SCHEMA, prompt="a" * 253)
    assert made.targets[0].skipped == (
        "the model `plain` has no json",
        "the model `plain` has no tools",
        "104 estimated prompt tokens and an answer of 50 exceed the context window of 100",
    )


def test_skipped_targets_keep_their_place_and_the_others_are_asked_in_order():
    made = plan("mixed", tools=[{"name": "f"}])
    assert [str(target.target) for target in made.targets] == ["text/plain", "empty/able", "able/able"]
    assert [str(target.target) for target in made.eligible] == ["able/able"]


def test_reasons_against_targets_are_reasons_of_the_plan():
    made = plan("mixed")
    told = [(r.subject, r.text) for r in made.why if r.stage is Stage.ELIGIBILITY]
    assert told == [("empty/able", "skipped: the endpoint `empty` is drained")]


def test_a_request_that_no_target_can_take_is_refused_with_the_reason_of_each():
    made = plan("doubly-bad", tools=[{"name": "f"}])
    assert (made.stop.outcome, made.stop.stage) == (Outcome.REFUSED, Stage.ELIGIBILITY)
    assert made.stop.message == (
        "no target of the upstream `doubly-bad` can take this request: "
        "empty/able: the endpoint `empty` is drained; text/plain: the model `plain` has no tools"
    )


def test_a_bound_on_labels_holds_whatever_the_route():
    made = plan("mixed", tags={"residency": "eu"})
    assert [str(target.target) for target in made.eligible] == ["text/plain"]
