"""Models: what is decoded, what is refused, what was written and what is a default."""

from __future__ import annotations

from dataclasses import FrozenInstanceError
from datetime import UTC, datetime

import pytest

from route_run.policy import Capability, Dialect, Parameter, Reference, Where, model
from route_run.policy.rehearsal import Act, ActUsage, Expect, ExpectedVerdict
from route_run.policy.shape import fields_of

ENDPOINT = {"dialect": "openai", "base_url": "https://x.example", "serves": {"m": {"as": "other"}}}


def test_a_mapping_becomes_a_record_with_units_references_and_members_of_closed_sets():
    endpoint = model.Endpoint.decode(
        {
            **ENDPOINT,
            "base_url": "${URL}",
            "limits": {"requests": "600/min", "wait_at_most": "250ms"},
            "maintenance": [{"from": "2026-12-01T22:00:00Z", "to": "2026-12-02T00:00:00Z"}],
            "breaker": {"ratio": "25%"},
        }
    )
    assert endpoint.dialect is Dialect.OPENAI
    assert endpoint.base_url == Reference(Where.ENVIRONMENT, "URL")
    assert endpoint.serves["m"].as_ == "other"
    assert endpoint.limits is not None
    assert endpoint.limits.wait_at_most == 0.25
    assert endpoint.maintenance[0].from_ == datetime(2026, 12, 1, 22, tzinfo=UTC)
    assert endpoint.breaker.ratio == 0.25
    assert endpoint.breaker.consecutive == 5


def test_keys_and_members_of_collections_are_decoded_too():
    made = model.LanguageModel.decode(
        {
            "context_window": 8000.0,
            "max_output_tokens": 100,
            "parameters": {"top_p": {"max": 1}},
            "capabilities": ["json", "tools"],
        }
    )
    assert made.parameters[Parameter.TOP_P].max == 1.0
    assert made.capabilities == {Capability.JSON, Capability.TOOLS}
    assert (made.context_window, type(made.context_window)) == (8000, int)


def test_of_two_models_the_one_with_the_written_fields_is_taken():
    target = {"endpoint": "a", "model": "m"}
    upstream = model.Upstream.decode({"targets": [target, {"balance": "weighted", "targets": [target]}]})
    assert [type(entry) for entry in upstream.targets] == [model.Target, model.BalanceGroup]


@pytest.mark.parametrize(("written", "usage"), [({"prompt": 1, "completion": 2}, 1), (False, False), (None, None)])
def test_a_field_of_several_types_takes_each_of_them(written, usage):
    decoded = Act.decode({"usage": written}).usage
    assert (decoded.prompt if isinstance(decoded, ActUsage) else decoded) == usage


def test_a_word_may_stand_for_a_mapping():
    expect = Expect.decode({"attempts": ["a", {"endpoint": "b", "status": 429}], "guards": {"g": "fires"}})
    assert expect.attempts is not None
    assert [(attempt.endpoint, attempt.status) for attempt in expect.attempts] == [("a", None), ("b", 429)]
    assert expect.guards["g"] == ExpectedVerdict(fires=True)


def test_an_empty_list_is_no_mapping():
    assert Expect.decode({"webhooks": []}).webhooks == ()
    assert Expect.decode({"webhooks": {"w": ["failed"]}}).webhooks == {"w": ("failed",)}


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (model.Price, {"input": 1}),
        (model.Price, {"input": 1, "output": 2, "more": 3}),
        (model.Price, {"input": "1", "output": 2}),
        (model.Price, {"input": True, "output": 2}),
        (model.Price, [1, 2]),
        (model.Retry, {"attempts": 1.5}),
        (model.Retry, {"attempts": True}),
        (model.Retry, {"backoff": {"first": "5 parsecs"}}),
        (model.Hedge, {"after": None}),
        (model.Ledger, {"capture": "some"}),
        (model.Ledger, {"capture": []}),
        (model.Ledger, {"hash_key": "no reference"}),
        (model.Fallback, {"when": "timeout"}),
        (model.Fallback, {"when": ["never"]}),
        (model.Route, {"upstream": "u", "callable": 1}),
        (model.Guard, {"then": {"upstream": "u"}}),
        (model.Endpoint, {**ENDPOINT, "dialect": "morse"}),
        (model.Endpoint, {**ENDPOINT, "labels": {"region": 1}}),
        (model.Endpoint, {**ENDPOINT, "headers": {1: "a"}}),
        (model.ServedModel, {"as_": "m"}),
        (model.Window, {"from": "yesterday", "to": "2026-12-01T22:00:00Z"}),
    ],
)
def test_what_no_schema_passes_is_not_decoded(kind, written):
    with pytest.raises(ValueError, match=r"."):
        kind.decode(written)


def test_what_was_written_is_told_from_what_is_a_default():
    written = model.Timeouts.decode({"connect": "5s"})
    assert written.written_fields == {"connect"}
    assert model.Timeouts().written_fields == set()
    assert written == model.Timeouts()
    assert hash(written) == hash(model.Timeouts())
    assert written != model.Timeouts(connect=4.0)


def test_records_of_different_classes_are_different():
    assert model.ParameterBound(min=1.0) != model.ParameterRule(min=1.0)


def test_a_record_shows_all_its_fields():
    assert repr(model.Backoff(first=1.0)) == "Backoff(first=1.0, max=5.0)"


def test_a_record_never_changes():
    backoff = model.Backoff()
    with pytest.raises(FrozenInstanceError):
        backoff.first = 1.0
    with pytest.raises(FrozenInstanceError):
        del backoff.first
    with pytest.raises(TypeError):
        model.Match().tags["a"] = None


def test_fields_come_with_those_of_the_bases_first():
    assert list(fields_of(model.Bound))[:3] == ["description", "owner", "match"]
    assert [name for name, field in fields_of(model.Window).items() if field.required] == ["from_", "to"]
    assert [field.key for field in fields_of(model.Window).values()] == ["from", "to", "why"]


def test_a_record_made_by_hand_has_its_fields_and_no_others():
    with pytest.raises(ValueError, match=r"Price: the fields \['output'\] are missing, \['more'\] are unknown"):
        model.Price(input=1.0, more=2.0)
