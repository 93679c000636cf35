"""From folders to a table: the policy of the design, all findings at once, and no exception whatever is read."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.errors import PolicyError
from route_run.table import Attributes, load
from support import design_example
from support.policies import BASE, write_policy
from support.properties import examples
from support.reading import codes, fragment, loaded_from


@pytest.fixture(scope="module")
def example():
    return loaded_from(design_example.FILES)


def test_the_example_of_the_design_is_valid_and_all_of_it_is_enforced(example):
    assert example.is_valid
    assert example.findings == ()


@pytest.mark.usefixtures("restart_deferred")
def test_what_is_deferred_is_told_apart():
    text = BASE.replace("model: m}]}", "model: m}], fallback: {after_content: restart}}")
    loaded = loaded_from({"policy.yaml": text})
    assert loaded.is_valid
    assert codes(loaded.deferred) == ["RR110"]
    assert [fragment(text, finding.span) for finding in loaded.deferred] == ["after_content"]


DECISIONS = [
    ({"desk": "support", "tier": "gold"}, 100, "support"),
    ({"desk": "support", "tier": "gold"}, 16_000, "support"),
    ({"desk": "support", "tier": "gold"}, 16_001, "everything-else"),
    ({"desk": "support"}, 100, "everything-else"),
    ({"desk": "sales", "tier": "silver"}, 100, "everything-else"),
]


@pytest.mark.parametrize(("tags", "tokens", "route"), DECISIONS)
def test_the_example_decides(example, tags, tokens, route):
    assert example.table.route_for(Attributes(tags, None, tokens)).name == route


@pytest.mark.parametrize(
    ("tags", "bounds"),
    [
        ({}, ["baseline", "eu-stays-in-eu", "fair-share"]),
        ({"residency": "eu"}, ["baseline", "eu-stays-in-eu", "fair-share"]),
        ({"residency": "us"}, ["baseline", "fair-share"]),
    ],
    ids=["untagged", "eu", "us"],
)
def test_a_bound_written_with_not_fails_closed(example, tags, bounds):
    found = example.table.bounds_for(Attributes({"desk": "sales", **tags}))
    assert [bound.name for bound in found] == bounds


def test_an_invalid_policy_has_no_table_but_all_of_its_findings():
    loaded = loaded_from(f"{BASE}colour: red\nroutes:\n  a: {{match: {{}}, upstream: gone}}\n")
    assert not loaded.is_valid
    with pytest.raises(PolicyError) as error:
        _ = loaded.table
    assert codes(error.value.findings) == ["RR103", "RR201"]
    assert "policy.yaml:9:1: unknown field `colour` [RR103]" in str(error.value)


def test_a_policy_error_counts_what_it_does_not_list():
    text = "".join(f"f{n}: 1\n" for n in range(25))
    with pytest.raises(PolicyError, match="and 5 more"):
        _ = loaded_from(BASE + text).table


def test_findings_of_every_phase_come_together_in_the_order_of_their_places():
    files = {
        "a.yaml": "version: 1\ntags: {t: {values: [no]}}\n",
        "b.yaml": f"{BASE}routes:\n  a: {{match: {{}}, upstream: main}}\n  b: {{match: {{}}, upstream: main}}\n",
        "c.yaml": "version: 1\ncolour: red\nroutes:\n  c: {match: {tags: {u: x}}, upstream: mian, precedence: 1}\n",
    }
    assert codes(loaded_from(files).findings) == ["RR004", "RR302", "RR103", "RR203", "RR201"]


def test_loading_twice_finds_the_same_in_the_same_order(tmp_path):
    folder = write_policy(tmp_path, {"b.yaml": "colour: red\nroutes: {a: {}}\n", "a.yaml": "version: 1\nx: no\n"})
    assert load([folder]).findings == load([folder]).findings


def test_a_missing_folder_is_an_invalid_policy(tmp_path):
    loaded = load([tmp_path / "nothing"])
    assert (codes(loaded.findings), loaded.is_valid) == (["RR014"], False)


def test_the_sources_of_all_files_are_at_hand_for_excerpts(tmp_path):
    folder = write_policy(tmp_path / "p", {"a.yaml": "version: 1\n", "b.yaml": "version: 1 # b\n"})
    assert load([folder]).sources == {
        str(folder / "a.yaml"): "version: 1\n",
        str(folder / "b.yaml"): "version: 1 # b\n",
    }


# -- whatever is read --------------------------------------------------------------------------------

SMALL = f"""{BASE}tags:
  desk: {{values: [support, sales], required: true}}
  tenant: {{required: true}}
guards:
  g: {{packs: [company/names@1], patterns: [{{id: a, regex: 'a+', score: 0.5}}], then: {{route: q}}}}
bounds:
  b: {{match: {{tags: {{tenant: {{not: {{prefix: o}}}}}}}}, guards: [g], parameters: {{temperature: {{max: 0.5}}}}}}
routes:
  a: {{match: {{tags: {{desk: support}}}}, upstream: main, parameters: {{temperature: {{default: 0.3}}}}}}
  q: {{upstream: main, verify: {{json_schema: answer.json}}}}
webhooks:
  w: {{match: {{}}, events: [failed], url: "${{URL}}", secrets: ["${{S}}"]}}
ledger: {{retention: 5d}}
"""
PACK = "version: 1\npack: company/names\nrelease: 1\npatterns:\n  - {id: zephyr, regex: zephyr, score: 1}\n"
PIECES = ["", "no", "[]", "{}", "5", "x", "~", "''", "{", "[", "\n", ": ", "${X}", "*a", "&a ", "!t ", "[1]", "{a: b}"]
PIECES += ["-1", "1.5", "o", "match", "desk", '"\\u2028"', "prefix: ", "not: ", "a" * 300]


@st.composite
def damaged(draw, text):
    """A text with a few of its words replaced, cut off or doubled."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = min(len(text), start + draw(st.sampled_from([0, 1, 4, 10, 10_000])))
        text = text[:start] + draw(st.sampled_from(PIECES)) + text[end:]
    return text


@examples(150)
@given(damaged(SMALL))
def test_loading_never_raises_for_a_damaged_policy(text):
    loaded_from({"policy.yaml": text, "answer.json": "{}", "names.pack.yaml": PACK})


@examples(80)
@given(damaged(PACK))
def test_loading_never_raises_for_a_damaged_pack(text):
    loaded_from({"policy.yaml": SMALL, "answer.json": "{}", "names.pack.yaml": text})


@examples(60)
@given(damaged('{"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"pattern": "^x"}}}'))
def test_loading_never_raises_for_a_damaged_schema_of_an_answer(text):
    loaded_from({"policy.yaml": SMALL, "answer.json": text, "names.pack.yaml": PACK})


@pytest.mark.long
@pytest.mark.timeout(3600)
@examples(20_000)
@given(damaged(SMALL), damaged(PACK))
def test_loading_never_raises_for_very_many_damaged_policies(text, pack):
    loaded_from({"policy.yaml": text, "answer.json": "{}", "names.pack.yaml": pack})


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.sampled_from(["", "m", "main", "x", "${X}", "5s", "first"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(["match", "tags", "x"]), inner),
    max_leaves=4,
)
POLICY = {
    "version": 1,
    "endpoints": {"first": {"dialect": "openai", "base_url": "https://x.example", "serves": {"m": {}}}},
    "models": {"m": {"context_window": 100, "max_output_tokens": 10}},
    "upstreams": {"main": {"targets": [{"endpoint": "first", "model": "m"}]}},
    "tags": {"t": {"values": ["x"]}},
    "guards": {"g": {"patterns": [{"id": "a", "regex": "a", "score": 1}], "then": {"route": "r"}}},
    "bounds": {"b": {"match": {"tags": {"t": "x"}}, "guards": ["g"], "parameters": {"top_p": {"max": 1}}}},
    "routes": {"r": {"match": {}, "upstream": "main", "parameters": {"stop": {"default": ["x"]}}}},
    "webhooks": {"w": {"match": {}, "events": ["failed"], "url": "${X}"}},
    "ledger": {"retention": "5s"},
}


def places(tree, keys=()):
    yield keys
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from places(value, (*keys, key))


def replaced(tree, keys, value):
    if not keys:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[keys[0]] = replaced(tree[keys[0]], keys[1:], value)
    return copy


@examples(150)
@given(st.sampled_from(list(places(POLICY))), VALUES)
def test_loading_never_raises_whatever_stands_in_place_of_a_value(keys, value):
    loaded_from(json.dumps(replaced(POLICY, keys, value)))
