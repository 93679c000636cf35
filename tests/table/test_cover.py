"""Covers: agree with brute force over every request that can tell matches apart; witnesses are left over."""

from __future__ import annotations

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.policy.model import Match, Tag
from route_run.table import Region, Vocabulary
from route_run.table.cover import Covered, Effort, NotProved, Open, cover, thinned_out
from support import matches
from support.properties import examples

WRITTEN = st.lists(matches.matches(), max_size=7)


def left_over(match, others):
    """Whether some request of a match is in none of the others: by brute force over all that can differ."""
    mine, theirs = matches.members(match), [matches.members(other) for other in others]
    for values in itertools.product(*mine):
        if not any(all(value in allowed for value, allowed in zip(values, other, strict=True)) for other in theirs):
            return True
    return False


def regions_of(written):
    return [region for match in written if not (region := matches.region(match)).is_empty]


@st.composite
def narrowed(draw):
    """A match, and others of which many are the same but for one condition: what covers are made of."""
    match = draw(matches.matches())
    others = draw(st.lists(matches.matches(), min_size=1, max_size=6))
    mixed = [{**match, **draw(st.sampled_from(others))} for _ in range(draw(st.integers(0, 4)))]
    return match, [*others, *mixed]


@examples(90)
@given(matches.matches(), WRITTEN)
def test_covers_agree_with_brute_force(match, others):
    others = [other for other in others if all(matches.members(other))]
    answer = cover(matches.region(match), regions_of(others))
    assert isinstance(answer, Open if left_over(match, others) else Covered)


@examples(50)
@given(narrowed())
def test_covers_of_matches_that_share_conditions_agree_with_brute_force(drawn):
    match, others = drawn[0], [other for other in drawn[1] if all(matches.members(other))]
    answer = cover(matches.region(match), regions_of(others))
    assert isinstance(answer, Open if left_over(match, others) else Covered)


@examples(90)
@given(narrowed())
def test_a_witness_is_in_the_region_and_in_none_of_the_others(drawn):
    match, others = drawn
    answer = cover(matches.region(match), regions_of(others))
    if isinstance(answer, Open):
        assert matches.holds(match, answer.witness)
        assert not any(matches.holds(other, answer.witness) for other in others)


@examples(50)
@given(narrowed())
def test_the_regions_that_are_named_cover_by_themselves_and_none_can_be_left_out(drawn):
    match, others = drawn[0], [other for other in drawn[1] if all(matches.members(other))]
    region, regions = matches.region(match), regions_of(others)
    answer = cover(region, regions)
    if isinstance(answer, Covered) and not region.is_empty:
        few = thinned_out(region, regions, answer)
        assert not left_over(match, [others[entry] for entry in few.by])
        for entry in few.by:
            assert left_over(match, [others[other] for other in few.by if other != entry])


# -- single cases ------------------------------------------------------------------------------------

VOCABULARY = Vocabulary.of(
    {
        "desk": Tag(values=tuple(f"d{n}" for n in range(2_000)), required=True),
        **{f"t{n}": Tag() for n in range(40)},
    }
)


def region(**written) -> Region:
    return VOCABULARY.region(Match.decode(written))


def test_a_region_without_requests_is_covered_by_nothing():
    assert cover(region(prompt_tokens={"max": 3}), []) == Covered(())


def test_short_prompts_are_covered_by_those_without_images():
    assert cover(region(prompt_tokens={"max": 500}), [region(needs={"images": False})]) == Covered((0,))


def test_stretches_of_sizes_cover_only_without_a_gap():
    stretches = [region(prompt_tokens={"min": 11, "max": 20}), region(prompt_tokens={"max": 10})]
    whole = region(prompt_tokens={"max": 20})
    assert cover(whole, stretches) == Covered((0, 1))
    answer = cover(whole, [region(prompt_tokens={"min": 12}), stretches[1]])
    assert isinstance(answer, Open)
    assert answer.witness.prompt_tokens == 11


def test_with_and_without_a_need_cover_together():
    assert cover(region(), [region(needs={"tools": True}), region(needs={"tools": False})]) == Covered((0, 1))


def test_very_many_single_values_are_taken_away_in_one_cell():
    every = [region(tags={"desk": f"d{n}"}) for n in range(2_000)]
    assert isinstance(cover(region(), every, cells=1), Covered)
    answer = cover(region(), every[:-1], cells=2)
    assert isinstance(answer, Open)
    assert answer.witness.tags["desk"] == "d1999"


def crossing(count: int) -> list[Region]:
    """Regions that leave twice as many cells each: every one asks for two values at once."""
    return [
        region(tags={f"t{n}": "x", f"t{(n * 7 + 3) % count}": {"not": "x"}}, needs={"tools": bool(n % 2)})
        for n in range(count)
        if n != (n * 7 + 3) % count
    ]


@pytest.mark.parametrize("cells", [1, 3])
def test_what_needs_more_cells_than_there_may_be_is_not_proved(cells):
    assert cover(region(), crossing(12), cells=cells) == NotProved()


def test_the_effort_of_all_questions_is_bounded_together():
    effort = Effort(100)
    every = [region(tags={"desk": f"d{n}"}) for n in range(60)]
    assert isinstance(cover(region(), every, effort=effort), Open)
    assert effort.left == 40
    assert cover(region(), every, effort=effort) == NotProved()
    assert effort.left == 0


def test_a_question_that_cannot_be_answered_costs_a_bounded_time():
    hard = [
        region(tags={f"t{(n * step) % 40}": {"not": f"v{n}"} for step in (1, 3, 7)}, prompt_tokens={"min": n})
        for n in range(300)
    ]
    began = time.process_time()
    cover(region(), hard)
    assert time.process_time() - began < 5
