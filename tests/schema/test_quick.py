"""The fast lane never lets through what the validator finds fault with, and what is sound takes it."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.schema.keywords import validator_for
from route_run.schema.quick import _judge_for, is_sound
from route_run.text import Kind
from support.properties import examples
from support.reading import read
from support.schema_documents import documents

ROOT = Path(__file__).parents[2]
CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))
SOUND = sorted([*(ROOT / "routes").glob("*.yaml"), *(ROOT / "tests" / "bench" / "policy").glob("*.yaml")])
PACKS = sorted((ROOT / "engine").glob("**/*.pack.yaml"))


def errors_of(name, data):
    return list(validator_for(name).iter_errors(data))


@pytest.mark.parametrize("name", ["policy", "pack", "test"])
def test_the_schemas_use_no_keyword_that_the_fast_lane_does_not_know(name):
    assert _judge_for(name) is not None


@pytest.mark.parametrize("path", [*SOUND, *PACKS], ids=lambda path: path.name)
def test_what_we_ship_takes_the_fast_lane(path):
    kind = next((kind for kind in (Kind.PACK, Kind.TEST) if path.name.endswith(f".{kind.value}.yaml")), Kind.POLICY)
    document, _ = read(path.read_bytes(), kind)

    assert is_sound(kind.value, document.data)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_document_with_faults_does_not_take_it(case):
    kind = Kind.PACK if case.name.endswith(".pack.yaml") else Kind.POLICY
    document, _ = read(case.read_bytes(), kind)
    if not isinstance(document.data, dict) or not errors_of(kind.value, document.data):
        return

    assert not is_sound(kind.value, document.data)


JUNK = st.sampled_from(
    [None, True, 0, 1, -1, 4096.0, 0.5, 1e300, "", "x", "${X}", "a ${X} b", "5s", "5s\n", "600/min", "10%", [], ["x"],
     ["x", "x"], [1, True], [["x"]], {}, {"x": 1}, {"not": "x"}, {"not": []}, {"prefix": "x"}, {"present": False},
     {"present": 1}, {"route": "x"}, {"oauth2": {}}, "https://u:p@h", "//", "1.10"]
)  # fmt: skip


def places_in(node, here=()):
    yield here
    if isinstance(node, dict):
        for key, child in node.items():
            yield from places_in(child, (*here, key))
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from places_in(child, (*here, index))


def mutated(data, place, how, junk):
    """The document with one node replaced, removed, or given a field more."""
    if not place:
        return data
    result = copy.deepcopy(data)
    parent = result
    for key in place[:-1]:
        parent = parent[key]
    match how:
        case "replace":
            parent[place[-1]] = junk
        case "remove":
            del parent[place[-1]]
        case _ if isinstance(parent, dict):
            parent[how] = junk
    return result


@pytest.mark.parametrize("name", ["policy", "pack"])
@examples(150)
@given(st.data())
def test_sound_is_what_the_validator_has_nothing_against(name, data):
    document = data.draw(documents(name))
    place = data.draw(st.sampled_from(list(places_in(document))))
    how = data.draw(st.sampled_from(["replace", "replace", "remove", "x", "balance", "oauth2", "token_url", "limits"]))
    for candidate in (document, mutated(document, place, how, data.draw(JUNK))):
        if is_sound(name, candidate):
            assert errors_of(name, candidate) == []


@pytest.mark.parametrize("name", ["policy", "pack"])
@examples(60)
@given(st.data())
def test_nearly_all_that_is_sound_takes_the_fast_lane(name, data):
    document = data.draw(documents(name))
    texts = [value for place in places_in(document) for value in [_at(document, place)] if isinstance(value, str)]
    if any("${" in text for text in texts) or errors_of(name, document):
        return

    assert is_sound(name, document)


def _at(node, place):
    for key in place:
        node = node[key]
    return node
