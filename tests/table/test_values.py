"""Sets of text values against a brute-force model: membership over every text that can tell two sets apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.policy import Atom, Condition
from route_run.table import ValueSet, from_condition
from support.properties import examples

LITERALS = ["a", "b", "aa", "ab", "aab", "ba", "bab", "o", "oth", "other", "other1", "a1", "é"]
FRESH = "\uffff"
# behaviour changes only at literals: each of them, something below each, and something apart from all
POOL = [None, "", FRESH, *LITERALS, *(literal + FRESH for literal in LITERALS)]

LEAVES = (
    st.just(ValueSet.everything())
    | st.just(ValueSet.nothing())
    | st.builds(ValueSet.of, st.lists(st.sampled_from(LITERALS), max_size=4), absent=st.booleans())
    | st.builds(ValueSet.starting_with, st.sampled_from(LITERALS))
    | st.sampled_from([ValueSet(absent=False, rest=True), ValueSet(absent=True, rest=False)])
)
SETS = st.recursive(
    LEAVES,
    lambda inner: (
        st.builds(lambda a, b: a & b, inner, inner)
        | st.builds(lambda a, b: a | b, inner, inner)
        | st.builds(lambda a: ~a, inner)
    ),
    max_leaves=6,
)


def members(values: ValueSet) -> frozenset[str | None]:
    return frozenset(value for value in POOL if value in values)


@examples(150)
@given(SETS, SETS)
def test_and_is_intersection(a, b):
    assert members(a & b) == members(a) & members(b)


@examples(150)
@given(SETS, SETS)
def test_or_is_union(a, b):
    assert members(a | b) == members(a) | members(b)


@examples(200)
@given(SETS)
def test_not_is_complement(a):
    assert members(~a) == frozenset(POOL) - members(a)


@examples(200)
@given(SETS, SETS)
def test_containment_is_that_of_the_members(a, b):
    assert (a <= b) == (members(a) <= members(b))


@examples(200)
@given(SETS)
def test_a_set_is_empty_when_it_has_no_members(a):
    assert a.is_empty == (members(a) == frozenset())
    assert a.is_empty_of_texts == (members(a) <= {None})
    assert a.is_everything == (members(a) == frozenset(POOL))


@examples(200)
@given(SETS, SETS)
def test_equal_sets_are_equal_objects(a, b):
    assert (a == b) == (members(a) == members(b))
    if a == b:
        assert hash(a) == hash(b)


@examples(150)
@given(SETS, SETS, SETS)
def test_the_laws_of_sets_hold_as_equality_of_objects(a, b, c):
    assert ~~a == a
    assert a & b == b & a
    assert (a & b) & c == a & (b & c)
    assert ~(a & b) == ~a | ~b
    assert a & (b | c) == (a & b) | (a & c)
    assert a & ~a == ValueSet.nothing()
    assert a | ~a == ValueSet.everything()


@examples(150)
@given(SETS)
def test_a_picked_value_is_a_member(a):
    present = ValueSet(absent=False, rest=True)
    for values in (a, a & present, ~a & present):
        if not values.is_empty:
            assert values.pick() in values


@examples(150)
@given(SETS)
def test_all_members_are_listed_when_there_are_finitely_many(a):
    endless = any(value is not None and value.endswith(FRESH) for value in members(a))
    assert a.finite == (None if endless else members(a))


@examples(200)
@given(SETS)
def test_a_set_has_words(a):
    assert str(a).strip()
    assert "  " not in str(a)


@pytest.mark.parametrize(
    "excluded",
    [["o"], ["oth"], ["other"], ["o", "a"], [chr(n) for n in range(32, 127)]],
    ids=["o", "oth", "other", "two", "ascii"],
)
def test_a_text_is_picked_around_whatever_is_excluded(excluded):
    rest = ValueSet(absent=False, rest=True)
    for prefix in excluded:
        rest &= ~ValueSet.starting_with(prefix)
    picked = rest.pick()
    assert picked is not None
    assert picked in rest


def test_what_is_picked_is_the_plainest():
    assert ValueSet.everything().pick() is None
    assert ValueSet.of(["b", "a"]).pick() == "a"
    assert ValueSet.starting_with("eu-").pick() == "eu-"
    assert (ValueSet.starting_with("eu-") & ~ValueSet.of(["eu-"])).pick() == "eu-1"


def condition(*atoms, negated=False, present=None):
    made = tuple(Atom(a.removesuffix("*"), is_prefix=a.endswith("*")) for a in atoms)
    return from_condition(Condition(made, negated=negated, present=present))


WORDS = [
    (condition("gold"), "gold"),
    (condition("silver", "gold"), "gold or silver"),
    (condition("us", negated=True), "anything but us"),
    (condition("us", "cn", negated=True), "anything but cn or us"),
    (condition("eu-*"), "eu-…"),
    (condition("eu-*", "us"), "eu-… or us"),
    (condition(present=True), "present"),
    (condition(present=False), "absent"),
    (ValueSet.everything(), "anything"),
    (ValueSet.nothing(), "nothing"),
    (ValueSet.of(["gold"], absent=True), "gold or absent"),
    (condition("us", negated=True) & condition(present=True), "anything but us, and present"),
    (condition("eu-*") & ~condition("eu-x*"), "eu-… (but for eu-x…)"),
]


@pytest.mark.parametrize(("values", "words"), WORDS, ids=[words for _, words in WORDS])
def test_a_set_in_words(values, words):
    assert str(values) == words


CONDITIONS = [
    (condition("us"), {"us"}, {None, "", "US", "us1"}),
    (condition("us", "eu"), {"us", "eu"}, {None, "cn"}),
    (condition("eu-*"), {"eu-", "eu-west"}, {None, "eu", "EU-west"}),
    (condition("us", negated=True), {None, "eu", "", "us1"}, {"us"}),
    (condition("us", "eu-*", negated=True), {None, "eu"}, {"us", "eu-", "eu-west"}),
    (condition(present=True), {"", "us"}, {None}),
    (condition(present=False), {None}, {"", "us"}),
]


@pytest.mark.parametrize(("values", "inside", "outside"), CONDITIONS, ids=[str(row[0]) for row in CONDITIONS])
def test_absence_is_matched_by_not_and_by_present_false_only(values, inside, outside):
    assert {value for value in inside | outside if value in values} == inside


def test_a_set_of_many_values_is_listed_and_searched_alike():
    many = ValueSet.of(str(n) for n in range(1000))
    assert many.finite == frozenset(str(n) for n in range(1000))
    assert "999" in many
    assert "1000" not in many


def test_a_made_up_member_avoids_a_prefix_that_made_up_members_usually_have():
    allowed = ValueSet(absent=False, rest=True) & ~ValueSet.starting_with("other")
    assert allowed.pick() in allowed
