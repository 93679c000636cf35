"""Pieces of regions and cells of two tables, against brute force over a small space of requests."""

from __future__ import annotations

import json

import pytest
from hypothesis import Phase, assume, given, settings
from hypothesis import strategies as st

from route_run.table import Attributes
from route_run.table.compare import Changed, compare, side_of
from route_run.table.pieces import all_requests, in_words, merged, overlap, split, without
from support import matches
from support.policies import BASE
from support.properties import examples
from support.reading import loaded_from

REQUESTS = st.lists(matches.requests(), min_size=12, max_size=12)
ITEMS = st.lists(matches.matches(), min_size=0, max_size=4)


def inside(regions, request):
    return [region for region in regions if request in region]


@examples(100)
@given(matches.matches(), matches.matches(), REQUESTS)
def test_what_is_left_without_a_region_is_disjoint_and_exact(one, other, requests):
    first, second = matches.region(one), matches.region(other)
    assume(not first.is_empty and not second.is_empty)
    assert overlap(first, second) is ((first & second) is not None)
    pieces = list(without(first, second))
    for request in requests:
        expected = request in first and request not in second
        assert len(inside(pieces, request)) == expected
    assert not any(piece.is_empty for piece in pieces)


@examples(100)
@given(ITEMS, REQUESTS)
def test_merged_regions_hold_the_same_requests(written, requests):
    pieces = [all_requests()]
    for region in (matches.region(match) for match in written):
        if not region.is_empty:
            pieces = [part for piece in pieces for part in split(piece, region)]
    together = merged(pieces[1:])
    assert len(together) <= max(1, len(pieces) - 1)
    for request in requests:
        assert len(inside(together, request)) == len(inside(pieces[1:], request))


def test_pieces_of_one_dimension_come_together_again():
    region = matches.region({"tags": {"desk": "support", "tier": "gold"}, "prompt_tokens": {"max": 500}})
    assert merged(split(all_requests(), region)) == [all_requests()]


@pytest.mark.parametrize(
    ("match", "words"),
    [
        ({}, "all requests"),
        ({"tags": {"desk": ["support", "sales"]}}, "desk: sales or support"),
        ({"tags": {"tier": {"not": "gold"}}}, "tier: silver or absent"),
        ({"tags": {"tenant": {"not": "acme"}}}, "tenant: anything but acme"),
        ({"tags": {"tenant": {"prefix": "ac"}}}, "tenant: ac…"),
        ({"prompt_tokens": {"min": 20, "max": 500}}, "20 to 500 prompt tokens"),
        ({"prompt_tokens": {"min": 2000}}, "at least 2,000 prompt tokens"),
        ({"needs": {"tools": True, "images": False}}, "needs tools, needs no images"),
        ({"requested_model": "fast"}, "requested model: fast"),
    ],
)
def test_regions_in_words(match, words):
    region = matches.region(match)
    domains = {tag: matches.region({}).values.get(tag) for tag in matches.TAGS}
    assert in_words(region, {tag: domain for tag, domain in domains.items() if domain is not None}) == words


# -- two tables --------------------------------------------------------------------------------------


@st.composite
def policies(draw):
    """The matches of routes (each with a precedence of its own), bounds and webhooks; tags may lack a value."""
    tags = dict(matches.TAGS)
    if draw(st.booleans()):
        tags["tier"] = {"values": ["gold", "silver"], "required": True}
    items = {}
    for section in ("routes", "bounds", "webhooks"):
        for number, match in enumerate(draw(ITEMS)):
            items[section, f"{section[0]}{number}"] = match
    return tags, items


def table_of(tags, items):
    data = {"version": 1, "tags": tags, "routes": {"rest": {"match": {}, "upstream": "main", "precedence": -99}}}
    more = {
        "routes": lambda n: {"upstream": "main", "precedence": n},
        "bounds": lambda n: {},
        "webhooks": lambda n: {"url": "https://hooks.test/", "events": ["completed"], "secrets": ["${S}"]},
    }
    for (section, name), match in items.items():
        data.setdefault(section, {})[name] = {"match": match, **more[section](int(name[1:]))}
    loaded = loaded_from({"base.yaml": BASE, "more.yaml": json.dumps(data, ensure_ascii=False)})
    return loaded.table if loaded.is_valid else None


def differing(before, after):
    """Which items one side lacks, or matches otherwise."""
    old, new = before[1], after[1]
    names = {key for key in {*old, *new} if old.get(key) != new.get(key)}
    return Changed(
        *({name for section, name in names if section == wanted} for wanted in ("routes", "bounds", "webhooks"))
    )


def names_of(side):
    route = side.route and side.route.name
    return side.bad_tag, route, [b.name for b in side.bounds], [h.name for h in side.hooks]


@settings(examples(20), phases=[Phase.generate])  # a policy of many parts takes minutes to shrink
@given(policies(), policies(), st.data())
def test_every_request_that_is_decided_otherwise_lies_in_one_cell_that_says_so(before, after, data):
    # half of the second policy is the first one: what is kept is as telling as what is changed
    kept = {key: match for key, match in before[1].items() if data.draw(st.booleans())}
    after = (after[0], {**after[1], **kept})
    tables = table_of(*before), table_of(*after)
    assume(None not in tables)
    changed = differing(before, after)
    found = compare(*tables, changed)
    assert found.is_complete
    for request in data.draw(REQUESTS):
        sides = [side_of(table, request) for table in tables]
        cells = [cell for cell in found.cells if request in cell.region]
        assert len(cells) <= 1
        for cell in cells:
            assert [names_of(cell.before)[:3], names_of(cell.after)[:3]] == [names_of(side)[:3] for side in sides]
            hooks = [[h.name for h in side.hooks if h.name in changed.hooks] for side in (cell.before, cell.after)]
            assert hooks == [[h.name for h in side.hooks if h.name in changed.hooks] for side in sides]
        if not cells:
            assert names_of(sides[0]) == names_of(sides[1])
            assert not {*names_of(sides[0])[2]} & {*changed.bounds}


def test_a_comparison_that_is_cut_short_says_so():
    tables = [table_of(dict(matches.TAGS), {("routes", "r1"): {"tags": {"desk": desk}}}) for desk in ("sell", "sales")]
    changed = Changed({"r1"}, set(), set())
    assert compare(*tables, changed, most=1).is_complete is False
    assert compare(*tables, changed).is_complete is True


def test_equal_tables_have_no_cell():
    table = table_of(dict(matches.TAGS), {("routes", "r1"): {"tags": {"desk": "sell"}}})
    assert compare(table, table, Changed(set(), set(), set())).cells == ()


def test_a_request_with_a_refused_tag_is_decided_by_nobody():
    table = table_of(dict(matches.TAGS), {})
    assert side_of(table, Attributes({"desk": "kitchen"})).bad_tag == "desk"
