"""The index: it may offer too many regions, never too few, and always in their order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from route_run.policy.model import Match
from route_run.table import Attributes
from route_run.table.index import Index, Pins, pins_of
from route_run.table.match import as_written
from support import matches
from support.properties import examples

MATCHES = st.lists(matches.matches(), max_size=8)


def offered(index, request):
    return list(index.candidates(request))


@examples(120)
@given(MATCHES, st.lists(matches.requests(), min_size=1, max_size=10))
def test_every_region_that_contains_a_request_is_offered(written, requests):
    index = Index.of([as_written(Match.decode(match)) for match in written])
    for request in requests:
        found = {entry for entries in offered(index, request) for entry in entries}
        assert {n for n, match in enumerate(written) if matches.holds(match, request)} <= found


@examples(80)
@given(MATCHES, matches.requests())
def test_entries_are_offered_in_order_and_once(written, request):
    lists = offered(Index.of([as_written(Match.decode(match)) for match in written]), request)
    assert all(list(entries) == sorted(entries) for entries in lists)
    everything = [entry for entries in lists for entry in entries]
    assert len(everything) == len(set(everything))


@examples(100)
@given(st.lists(matches.matches(), min_size=1, max_size=8))
def test_regions_that_share_a_request_are_near_each_other(written):
    regions = [region for match in written if not (region := matches.region(match)).is_empty]
    pins = Pins.of(regions)
    for region in regions:
        near = pins.near(region)
        sharing = {n for n, other in enumerate(regions) if (region & other) is not None}
        assert near is None or (sharing <= set(near) and list(near) == sorted(near))


def test_an_empty_index_offers_nothing():
    assert offered(Index.of([]), Attributes()) == []


def region_of(count):
    return as_written(Match.decode({"tags": {"t": [str(n) for n in range(count)]}}))


def test_a_region_with_very_many_values_is_not_filed_under_them():
    assert pins_of(region_of(64)) == {"t": frozenset(str(n) for n in range(64))}
    assert pins_of(region_of(65)) == {}
    assert offered(Index.of([region_of(65)]), Attributes({"t": "x"})) == [(0,)]


def test_a_request_is_offered_only_the_routes_of_its_own_value():
    regions = [as_written(Match.decode({"tags": {"t": str(n)}})) for n in range(1000)]
    assert [list(entries) for entries in offered(Index.of(regions), Attributes({"t": "7"}))] == [[7]]


def test_a_region_is_filed_in_the_dimension_that_few_others_share():
    regions = [
        as_written(Match.decode({"tags": {"all": "same", "own": str(n)}, "requested_model": "same"})) for n in range(50)
    ]
    request = Attributes({"all": "same", "own": "7"}, "same")
    assert [list(entries) for entries in offered(Index.of(regions), request)] == [[7]]
