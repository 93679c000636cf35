"""The schemas as documents: every field explains itself, every example holds, both places are found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import route_run
from route_run.schema import SCHEMA_NAMES, schema_text
from route_run.schema import store as lookup
from route_run.schema.formats import FORMATS, UNITS
from route_run.schema.keywords import validator_for

BRANCHES = ("then", "else")
OWN_KEYWORDS = {"x-secret", "x-reference", "x-format", "x-exclusive", "x-deferred", "x-message", "x-quote", "x-unit"}


def schema(name):
    return json.loads(schema_text(name))


def nodes(name) -> Iterator[tuple[str, dict]]:
    """Every subschema of a schema with its place."""
    stack = [("", schema(name))]
    while stack:
        place, node = stack.pop()
        yield place or "/", node
        for keyword in ("properties", "$defs", "patternProperties"):
            stack += [(f"{place}/{keyword}/{key}", child) for key, child in node.get(keyword, {}).items()]
        for keyword in ("items", "additionalProperties", "propertyNames", "if", "then", "else", "not"):
            if isinstance(node.get(keyword), dict):
                stack.append((f"{place}/{keyword}", node[keyword]))
        for keyword in ("allOf", "anyOf", "oneOf"):
            stack += [(f"{place}/{keyword}/{n}", child) for n, child in enumerate(node.get(keyword, []))]


def whole(name, node) -> dict:
    """A node with what it refers to; its own words win."""
    if "$ref" not in node:
        return node
    target = schema(name)
    for part in node["$ref"].removeprefix("#/").split("/"):
        target = target[part]
    return {**whole(name, target), **node}


def fields(name) -> list[tuple[str, dict]]:
    """Every property that says what a field is; one that only rules it out beside another says nothing new."""
    return [
        (f"{place}/{key}", whole(name, child))
        for place, node in nodes(name)
        for key, child in node.get("properties", {}).items()
        if not set(child) <= OWN_KEYWORDS
    ]


FIELDS = [(name, place, node) for name in SCHEMA_NAMES for place, node in fields(name)]
EXAMPLES = [(name, place, node) for name in SCHEMA_NAMES for place, node in nodes(name) if "examples" in node]
DEFAULTS = [(name, place, node) for name in SCHEMA_NAMES for place, node in nodes(name) if "default" in node]


def ids(rows):
    return [f"{name}:{place}" for name, place, _ in rows]


def errors(name, node, instance):
    """What a subschema says against a value; that a field is not enforced yet does not count."""
    validator = validator_for(name).evolve(schema={**node, "$defs": schema(name).get("$defs", {})})
    return [error.message for error in validator.iter_errors(instance) if error.validator != "x-deferred"]


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_a_schema_is_a_json_schema_of_2020_12(name):
    Draft202012Validator.check_schema(schema(name))
    assert schema(name)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize(("name", "place", "node"), FIELDS, ids=ids(FIELDS))
def test_a_field_explains_itself(name, place, node):
    assert node.get("title")
    assert node.get("description")
    assert node.get("examples")


@pytest.mark.parametrize(("name", "place", "node"), EXAMPLES, ids=ids(EXAMPLES))
def test_the_examples_of_a_node_hold(name, place, node):
    assert node["examples"] != []
    for example in node["examples"]:
        assert errors(name, node, example) == []


@pytest.mark.parametrize(("name", "place", "node"), DEFAULTS, ids=ids(DEFAULTS))
def test_the_default_of_a_node_holds(name, place, node):
    assert errors(name, node, node["default"]) == []


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_object_is_closed_or_says_what_its_fields_are(name):
    for place, node in nodes(name):
        if node.get("type") == "object" and "properties" in node and "if" not in node:
            assert node.get("additionalProperties") is False, place
        elif node.get("type") == "object" and "if" not in node and not place.endswith("/if"):
            assert isinstance(node.get("additionalProperties"), dict), place


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_required_field_is_a_field(name):
    for place, node in nodes(name):
        if "properties" in node and node.get("additionalProperties") is False:
            assert set(node.get("required", ())) <= set(node["properties"]), place


@pytest.mark.parametrize("name", ["policy", "pack"])
def test_every_pattern_has_words_for_people(name):
    for place, node in nodes(name):
        if "pattern" in node:
            assert "x-message" in node or node.get("x-unit") in UNITS, place


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_no_union_of_objects_hides_what_is_wrong(name):
    for place, node in nodes(name):
        assert not {"oneOf", "anyOf", "not", "unevaluatedProperties"} & set(node), place


@pytest.mark.parametrize("name", SCHEMA_NAMES)
def test_every_keyword_of_ours_is_known(name):
    for place, node in nodes(name):
        assert {key for key in node if key.startswith("x-")} <= OWN_KEYWORDS, place
        assert node.get("x-format", "url") in FORMATS, place
        assert node.get("x-unit", "rate") in UNITS, place


def test_the_pattern_of_a_pack_and_of_a_policy_take_the_same_fields():
    ours, packs = schema("policy")["$defs"]["pattern"], schema("pack")["$defs"]["pattern"]
    assert set(ours["properties"]) == set(packs["properties"])
    assert ours["required"] == packs["required"]


# -- where they are ----------------------------------------------------------------------------------


def test_an_unknown_schema_is_a_key_error():
    with pytest.raises(KeyError):
        schema_text("policies")


def test_the_schemas_of_a_checkout_are_found():
    assert schema_text("policy") == (checkout() / "policy.schema.json").read_text(encoding="utf-8")


def test_the_schemas_of_a_wheel_are_found_beside_the_package(tmp_path, monkeypatch):
    packaged = tmp_path / "route_run" / "schemas"
    (packaged / "v1").mkdir(parents=True)
    (packaged / "v1" / "policy.schema.json").write_text('{"title": "packaged"}', encoding="utf-8")
    monkeypatch.setattr(lookup, "_PACKAGED", packaged)
    assert json.loads(schema_text("policy"))["title"] == "packaged"


def test_a_wheel_is_looked_into_where_its_build_puts_them():
    assert Path(route_run.__file__).parent / "schemas" == lookup._PACKAGED
    assert checkout().parent == lookup._CHECKOUT


def checkout() -> Path:
    return Path(__file__).parents[2] / "schemas" / "v1"
