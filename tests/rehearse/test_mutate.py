"""Mutation: a change that matters is noticed by the rehearsal that guards it, and listed without it."""

from __future__ import annotations

import pytest

from route_run.rehearse.clock import Backend
from route_run.rehearse.mutate import mutants_of, mutate
from support.rehearsals import SMALL, loaded_with, rehearsal

GUARDS = {
    "main: ask second/m before first/m": rehearsal(expect={"attempts": ["first"]}),
    "main: drop the target second/m": rehearsal(expect={"targets": ["first", "second"]}),
    "main: drop the target first/m": rehearsal(expect={"targets": ["first", "second"]}),
    "words: only flag what it finds": rehearsal(request={"prompt": "zephyr"}, expect={"outcome": "rejected"}),
    "all: do not ask the guard words": rehearsal(request={"prompt": "zephyr"}, expect={"outcome": "rejected"}),
    "drop the bound all": rehearsal(expect={"bounds": ["all"]}),
    "all: allow any temperature": rehearsal(
        request={"prompt": "a", "parameters": {"temperature": 2}}, expect={"parameters": {"temperature": 1}}
    ),
    "eu: allow any region": rehearsal(request={"prompt": "a", "tags": {"home": "eu"}}, expect={"targets": ["first"]}),
    "main: wait 10 minutes (first_content)": rehearsal(
        endpoints={"first": [{"fault": "stall"}]}, expect={"within": "5s"}
    ),
    "ops is not told of failed": rehearsal(down=["first", "second"], expect={"webhooks": ["failed", "fell_back"]}),
}


@pytest.fixture(scope="module")
def unguarded(tmp_path_factory):
    """What becomes of all changes where the one rehearsal expects nothing."""
    return mutate(loaded_with(tmp_path_factory.mktemp("unguarded"), [rehearsal()]), Backend.TRIO, 60)


@pytest.mark.parametrize(("words", "guard"), GUARDS.items(), ids=GUARDS)
def test_a_change_is_noticed_only_where_a_rehearsal_guards_it(tmp_path, unguarded, words, guard):
    guarded = mutate(loaded_with(tmp_path, [guard]), Backend.TRIO, 60)
    assert words not in {mutant.words for mutant in guarded.survivors}
    assert words in {mutant.words for mutant in unguarded.survivors}


def test_a_change_that_makes_the_policy_invalid_needs_no_rehearsal(unguarded):
    result = unguarded
    # support without its tag matches the very requests of the other route; a guard without its pattern is none
    assert result.invalid >= 2
    assert "support: match any desk" not in {mutant.words for mutant in result.survivors}
    assert result.tried == result.total


def test_a_change_stands_where_it_would_be_made(tmp_path):
    loaded = loaded_with(tmp_path, [rehearsal()])
    text = loaded.reading.documents[1].text.splitlines()
    for mutant in mutants_of(loaded):
        line = text[mutant.span.start.line - 1]
        assert any(word.strip(":()") in line for word in mutant.words.replace("/", " ").split()), mutant


def test_the_policy_itself_is_left_as_it_is(tmp_path):
    loaded = loaded_with(tmp_path, [rehearsal()])
    digest, data = loaded.table.digest, repr(loaded.reading.documents[1].data)
    mutate(loaded, Backend.TRIO, 60)
    assert (loaded.table.digest, repr(loaded.reading.documents[1].data)) == (digest, data)


def test_a_budget_that_is_over_says_so(tmp_path):
    result = mutate(loaded_with(tmp_path, [rehearsal()]), Backend.TRIO, 0)
    assert (result.is_cut, result.tried) == (True, 0)


def test_a_pattern_of_a_pack_is_dropped_too(tmp_path):
    from route_run.table import load
    from support.policies import write_policy

    patterns = "[{id: aurora, regex: aurora, score: 1}]"
    files = {
        "policy.yaml": SMALL.replace("words: {patterns:", "words: {packs: [own/words@1], patterns:"),
        "own.pack.yaml": f"version: 1\npack: own/words\nrelease: 1\npatterns: {patterns}\n",
        "cases.test.yaml": "version: 1\nrehearsals: [{name: a, request: {prompt: a}, expect: {outcome: completed}}]\n",
    }
    result = mutate(load([write_policy(tmp_path / "policy", files)]), Backend.TRIO, 60)
    assert "words: drop the pack own/words@1" in {mutant.words for mutant in result.survivors}
