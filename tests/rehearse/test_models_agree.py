"""The schema of rehearsals and their models hold together: the same fields, duties, words and defaults."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from route_run.flow.failure import Kind
from route_run.flow.outcome import Outcome
from route_run.flow.plan import Stage
from route_run.policy import rehearsal as model
from route_run.policy.model import DEFAULT_FALLBACK, WebhookEvent
from route_run.policy.shape import Model, fields_of
from route_run.schema import schema_text

DEFS = json.loads(schema_text("test"))["$defs"]
PAIRS = {
    "rehearsal": model.Rehearsal,
    "scene": model.Scene,
    "request": model.RequestScript,
    "act": model.Act,
    "expect": model.Expect,
    "attempt": model.ExpectedAttempt,
    "tool_call": model.ActToolCall,
}
INNER = {
    "guard_verdict": (DEFS["guard_verdict"]["then"], model.ExpectedVerdict),
    "usage of an act": (DEFS["act"]["properties"]["usage"]["then"], model.ActUsage),
    "usage expected": (DEFS["expect"]["properties"]["usage"], model.ExpectedUsage),
}
NODES = {**{name: (DEFS[name], kind) for name, kind in PAIRS.items()}, **INNER}
NOT_WRITTEN = {"rehearsal": {"owner"}}


@pytest.mark.parametrize(("name", "pair"), NODES.items(), ids=NODES)
def test_the_fields_and_duties_are_the_same(name, pair):
    node, kind = pair
    assert set(node["properties"]) == set(fields_of(kind)) - NOT_WRITTEN.get(name, set())
    assert set(node.get("required", ())) == {n for n, f in fields_of(kind).items() if f.required}


DEFAULTS = [
    (name, field)
    for name, (node, _) in NODES.items()
    for field, child in node["properties"].items()
    if "default" in child
]


@pytest.mark.parametrize(("name", "field"), DEFAULTS)
def test_the_defaults_are_the_same(name, field):
    node, kind = NODES[name]
    said = node["properties"][field]["default"]
    assert fields_of(kind)[field].convert(said) == getattr(kind, field)


def test_the_closed_sets_are_those_of_the_engine():
    expect = DEFS["expect"]["properties"]
    assert expect["outcome"]["enum"] == [o.value for o in Outcome] == list(get_args(model.OutcomeName))
    assert expect["stopped_at"]["enum"] == [s.value for s in Stage] == list(get_args(model.StageName))
    kinds = ["none", *(kind.value for kind in Kind)]
    assert sorted(expect["failure"]["enum"]) == sorted(kinds) == sorted(get_args(model.FailureName))
    assert DEFS["attempt"]["properties"]["failure"]["enum"] == expect["failure"]["enum"]
    assert DEFS["act"]["properties"]["fault"]["enum"] == list(get_args(model.FaultName))
    assert DEFS["webhook_event"]["enum"] == list(get_args(WebhookEvent))
    assert set(DEFAULT_FALLBACK) < set(kinds)


def test_every_model_of_rehearsals_is_compared():
    ours = {
        kind
        for kind in vars(model).values()
        if isinstance(kind, type) and issubclass(kind, Model) and kind.__module__ == model.__name__
    }
    assert ours == {kind for _, kind in NODES.values()}
