"""Edits of policy texts: what they change is the entry they are about, and nothing else."""

from __future__ import annotations

import pytest

from route_run.lint.amend import with_entry, without_entry
from route_run.table import load
from support.linted import edited
from support.policies import write_policy

HEAD = "version: 1\nroutes:\n"
FLOW = "  r: {match: {}, precedence: 7, upstream: main} # why\n"
BLOCK = "  r: # why\n    match: {}\n    precedence: 7\n    upstream: main\n"


@pytest.fixture
def origin_of(tmp_path):
    """The place of the route `r` in a text."""

    def found(text):
        loaded = load([write_policy(tmp_path / "policy", text)])
        return loaded.partial.policy.origins["routes", "r"]

    return found


@pytest.mark.parametrize(
    ("text", "left"),
    [
        (FLOW, "  r: {match: {}, upstream: main} # why\n"),
        ("  r: {precedence: 7, upstream: main}\n", "  r: {upstream: main}\n"),
        ("  r: {upstream: main, precedence: 7}\n", "  r: {upstream: main}\n"),
        ("  r: {upstream: main,   precedence: 7 }\n", "  r: {upstream: main }\n"),
        (BLOCK, "  r: # why\n    match: {}\n    upstream: main\n"),
    ],
)
def test_an_entry_is_taken_out_with_all_that_belongs_to_it(origin_of, text, left):
    edit = without_entry(origin_of(HEAD + text), "precedence")
    assert edited(HEAD + text, [edit]) == HEAD + left


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("  r: {upstream: main}\n", id="not there"),
        pytest.param("  r: {precedence: 7}\n", id="the only one"),
        pytest.param("  r:\n    precedence: 7 # for a reason\n    upstream: main\n", id="its comment would go with it"),
        pytest.param("  r: {upstream: main,\n    precedence: 7}\n", id="its comma stands on another line"),
    ],
)
def test_an_entry_that_cannot_be_taken_out_cleanly_stays(origin_of, text):
    assert without_entry(origin_of(HEAD + text), "precedence") is None


@pytest.mark.parametrize(
    ("text", "made"),
    [
        (FLOW, "  r: {match: {}, precedence: 10, upstream: main} # why\n"),
        ("  r: {upstream: main}\n", "  r: {precedence: 10, upstream: main}\n"),
        (BLOCK, BLOCK.replace("7", "10")),
        ("  r:\n    upstream: main\n", "  r:\n    precedence: 10\n    upstream: main\n"),
    ],
)
def test_an_entry_is_replaced_where_it_stands_or_put_first(origin_of, text, made):
    edit = with_entry(origin_of(HEAD + text), "precedence", "10")
    assert edited(HEAD + text, [edit]) == HEAD + made
