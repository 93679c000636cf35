"""The digest: what changes a policy changes it, and nothing else does."""

from __future__ import annotations

import copy
import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from support.design_example import ANSWER_SCHEMA, FILES, POLICY
from support.properties import examples
from support.reading import loaded_from

PACK = "version: 1\npack: company/names\nrelease: 1\npatterns: [{id: zephyr, regex: zephyr, score: 1}]\n"
WITH_PACK = {**FILES, "names.pack.yaml": PACK}


def digest(files):
    return loaded_from(files).partial.digest


@pytest.fixture(scope="module")
def data():
    """The example as data; PyYAML reads its quoted instants as the text they are."""
    return yaml.safe_load(POLICY)


def as_files(data):
    return {**WITH_PACK, "policy.yaml": json.dumps(data)}


def test_a_digest_is_64_hex_digits():
    found = digest(FILES)
    assert len(found) == 64
    assert set(found) <= set("0123456789abcdef")


def test_comments_and_style_do_not_count(data):
    assert digest(as_files(data)) == digest({**WITH_PACK, "policy.yaml": f"# new\n{POLICY}\n# more\n"})


def test_two_loadings_give_the_same_digest():
    assert digest(FILES) == digest(FILES)


@examples(6)
@given(st.randoms(use_true_random=False), st.integers(1, 4))
def test_order_and_the_places_of_things_in_files_do_not_count(random_, count):
    data = yaml.safe_load(POLICY)
    assert digest(scattered(data, random_, count)) == digest(WITH_PACK)


def test_moving_a_document_into_a_folder_does_not_count(data):
    moved = {"deep/down/policy.yaml": POLICY, "answer.schema.json": ANSWER_SCHEMA, "other/names.pack.yaml": PACK}
    assert digest(moved) == digest(WITH_PACK)


def test_what_is_said_of_a_document_as_a_whole_does_not_count(data):
    assert digest(as_files({**data, "description": "new", "owner": "me"})) == digest(WITH_PACK)


def test_the_content_of_a_named_file_counts():
    assert digest({**FILES, "answer.schema.json": "{}"}) != digest(FILES)


def test_a_file_that_nobody_names_does_not_count():
    assert digest({**FILES, "readme.md": "new"}) == digest(FILES)


def test_a_rehearsal_does_not_count():
    assert digest({**FILES, "a.test.yaml": "version: 1"}) == digest(FILES)


def test_a_pack_of_the_policy_counts():
    assert digest(WITH_PACK) != digest(FILES)
    assert digest({**WITH_PACK, "names.pack.yaml": PACK.replace("score: 1", "score: 0.5")}) != digest(WITH_PACK)


def test_the_value_of_a_reference_does_not_count(monkeypatch):
    before = digest(FILES)
    monkeypatch.setenv("COGNIGY_BASE_URL", "https://elsewhere.example")
    assert digest(FILES) == before


def test_the_text_of_a_reference_counts():
    assert digest({**FILES, "policy.yaml": POLICY.replace("${MISTRAL_KEY}", "${OTHER_KEY}")}) != digest(FILES)


def leaves(tree, keys=()):
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from leaves(value, (*keys, key))
    elif keys != ("version",):
        yield keys


def changed(data, keys):
    new = copy.deepcopy(data)
    parent = new
    for key in keys[:-1]:
        parent = parent[key]
    parent[keys[-1]] = "changed" if parent[keys[-1]] != "changed" else "changed again"
    return new


def test_every_single_value_counts(data):
    base = digest(as_files(data))
    chosen = list(leaves(data))[::3]  # every third: still some of each section
    assert {keys[0] for keys in chosen} == set(data) - {"version"}
    assert [keys for keys in chosen if digest(as_files(changed(data, keys))) == base] == []


def scattered(data, random_, count):
    """The same policy with its items in so many files, everything in another order."""
    files = [{"version": 1} for _ in range(count)]
    for section, items in data.items():
        if section == "version":
            continue
        if section == "ledger":
            random_.choice(files)[section] = shuffled(items, random_)
            continue
        for name in random_.sample(sorted(items), len(items)):
            random_.choice(files).setdefault(section, {})[name] = shuffled(items[name], random_)
    texts = {f"part{n}.yaml": json.dumps(shuffled(file, random_)) for n, file in enumerate(files)}
    return {**texts, "answer.schema.json": ANSWER_SCHEMA, "names.pack.yaml": PACK}


def shuffled(tree, random_):
    """A tree whose mappings are in another order; lists keep theirs."""
    if isinstance(tree, dict):
        return {key: shuffled(tree[key], random_) for key in random_.sample(sorted(tree), len(tree))}
    return [shuffled(entry, random_) for entry in tree] if isinstance(tree, list) else tree
