"""Schema and models hold together: the same fields, the same duties, the same defaults, the same words."""

from __future__ import annotations

import json
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest

from route_run.policy import Capability, Dialect, Parameter, model
from route_run.policy.policy import SECTIONS
from route_run.policy.shape import Model, fields_of
from route_run.schema import schema_text

POLICY = json.loads(schema_text("policy"))
PACK = json.loads(schema_text("pack"))
PAIRS = {
    "/$defs/tag": model.Tag,
    "/$defs/endpoint": model.Endpoint,
    "/$defs/endpoint/properties/auth": model.Auth,
    "/$defs/oauth2": model.OAuth2,
    "/$defs/price": model.Price,
    "/$defs/limits": model.Limits,
    "/$defs/served_model": model.ServedModel,
    "/$defs/window": model.Window,
    "/$defs/retry_budget": model.RetryBudget,
    "/$defs/breaker": model.Breaker,
    "/$defs/number_range": model.NumberRange,
    "/$defs/model": model.LanguageModel,
    "/$defs/target": model.Target,
    "/$defs/balance_group": model.BalanceGroup,
    "/$defs/upstream": model.Upstream,
    "/$defs/upstream/properties/fallback": model.Fallback,
    "/$defs/upstream/properties/retry": model.Retry,
    "/$defs/upstream/properties/retry/properties/backoff": model.Backoff,
    "/$defs/upstream/properties/hedge": model.Hedge,
    "/$defs/upstream/properties/timeouts": model.Timeouts,
    "/$defs/pattern": model.Pattern,
    "/$defs/guard": model.Guard,
    "/$defs/guard/properties/then/else": model.RouteTo,
    "/$defs/match": model.Match,
    "/$defs/match/properties/prompt_tokens": model.TokenRange,
    "/$defs/match/properties/needs": model.Needs,
    "/$defs/bound": model.Bound,
    "/$defs/bound_number": model.ParameterBound,
    "/$defs/bound_integer": model.ParameterBound,
    "/$defs/route": model.Route,
    "/$defs/route_number": model.ParameterRule,
    "/$defs/route_integer": model.ParameterRule,
    "/$defs/route/properties/verify": model.Verify,
    "/$defs/webhook": model.Webhook,
    "/$defs/ledger": model.Ledger,
    "pack:": model.Pack,
    "pack:/$defs/pattern": model.Pattern,
}
SHARED_BASES = {model.Destination}


def node_at(pointer: str) -> dict[str, Any]:
    root = PACK if pointer.startswith("pack:") else POLICY
    node = root
    for part in pointer.removeprefix("pack:").split("/")[1:]:
        node = resolved(root, node[part]) if isinstance(node[part], dict) else node[part]
    return node


def resolved(root: dict[str, Any], node: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in node:
        return node
    target = root
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**resolved(root, target), **node}


@pytest.mark.parametrize(("pointer", "kind"), PAIRS.items(), ids=PAIRS)
def test_the_fields_are_the_same(pointer, kind):
    assert set(node_at(pointer)["properties"]) == {f.key for f in fields_of(kind).values()}


@pytest.mark.parametrize(("pointer", "kind"), PAIRS.items(), ids=PAIRS)
def test_the_required_fields_are_the_same(pointer, kind):
    required = {f.key for f in fields_of(kind).values() if f.required}
    assert set(node_at(pointer).get("required", ())) == required


DEFAULTS = [
    (pointer, kind, name)
    for pointer, kind in PAIRS.items()
    for name, field in fields_of(kind).items()
    if "default" in node_at(f"{pointer}/properties/{field.key}")
]


@pytest.mark.parametrize(("pointer", "kind", "name"), DEFAULTS, ids=[f"{p}/{n}" for p, _, n in DEFAULTS])
def test_the_default_of_the_schema_is_the_default_of_the_model(pointer, kind, name):
    field = fields_of(kind)[name]
    said = node_at(f"{pointer}/properties/{field.key}")["default"]
    assert field.convert(said) == getattr(kind, name)


def test_every_model_of_the_language_is_compared():
    ours = {
        kind
        for kind in vars(model).values()
        if isinstance(kind, type)
        and issubclass(kind, Model)
        and kind is not Model
        and not kind.__name__.startswith("_")
    }
    assert ours == set(PAIRS.values()) | SHARED_BASES


def test_the_sections_of_the_schema_are_those_that_are_merged():
    assert set(POLICY["properties"]) == {*SECTIONS, "version", "description", "owner", "ledger"}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_section_holds_what_its_model_decodes(section):
    pointer = POLICY["properties"][section]["additionalProperties"]["$ref"].removeprefix("#")
    assert PAIRS[pointer] is SECTIONS[section]


def test_the_stop_parameter_has_a_default_and_nothing_to_compare():
    stop = node_at("/$defs/route/properties/parameters/properties/stop")
    assert set(stop["properties"]) < {f.key for f in fields_of(model.ParameterRule).values()}


ENUMS = {
    "/$defs/endpoint/properties/dialect": [d.value for d in Dialect],
    "/$defs/model/properties/capabilities/items": [c.value for c in Capability],
    "/$defs/match/properties/needs": [c.value for c in Capability],
    "/$defs/upstream/properties/fallback/properties/when/items": get_args(model.FailureKind),
    "/$defs/webhook/properties/events/items": get_args(model.WebhookEvent),
    "/$defs/route/properties/parameters": [p.value for p in Parameter],
    "/$defs/bound/properties/parameters": [p.value for p in Parameter if p is not Parameter.STOP],
    # the range of max_tokens is that of max_output_tokens, and texts have none
    "/$defs/model/properties/parameters": [
        p.value for p in Parameter if p not in (Parameter.STOP, Parameter.MAX_TOKENS)
    ],
}


@pytest.mark.parametrize(("pointer", "words"), ENUMS.items(), ids=ENUMS)
def test_the_closed_sets_are_the_same(pointer, words):
    node = node_at(pointer)
    assert list(node.get("enum", node.get("properties", {}))) == list(words)


@pytest.mark.parametrize(("pointer", "kind"), PAIRS.items(), ids=PAIRS)
def test_a_field_with_a_closed_set_has_the_same_words_in_the_model(pointer, kind):
    for name, field in fields_of(kind).items():
        node = node_at(f"{pointer}/properties/{field.key}")
        if "enum" in node and (words := list(literals(field.kind))):
            assert node["enum"] == words, name


def literals(annotation: Any):
    if get_origin(annotation) is Literal:
        yield from get_args(annotation)
    elif get_origin(annotation) in (Union, UnionType, Annotated):
        for part in get_args(annotation):
            yield from literals(part)
