"""Matches as sets of requests, against brute force over every request that can tell two of them apart."""

from __future__ import annotations

import pytest
from hypothesis import assume, given

from route_run.flow.request import PromptRequest
from route_run.policy import Capability
from route_run.policy.model import Match, Tag
from route_run.table import Attributes, Relation, Vocabulary, smallest_prompt
from route_run.table.match import as_written
from support import matches
from support.properties import examples

IMAGE = {"type": "image", "url": "https://x.example/a.png"}
JSON, TOOLS, IMAGES = Capability.JSON, Capability.TOOLS, Capability.IMAGES


def is_empty(members):
    return not all(members)


def expected_relation(a, b):
    if not all(x & y for x, y in zip(a, b, strict=True)):
        return Relation.DISJOINT
    inside = all(x <= y for x, y in zip(a, b, strict=True))
    around = all(x >= y for x, y in zip(a, b, strict=True))
    if inside and around:
        return Relation.EQUAL
    return Relation.INSIDE if inside else Relation.AROUND if around else Relation.CROSSING


@examples(150)
@given(matches.matches())
def test_a_match_is_empty_when_no_request_is_in_it(match):
    assert matches.region(match).is_empty == is_empty(matches.members(match))


@examples(300)
@given(matches.matches(), matches.matches())
def test_two_matches_lie_to_each_other_as_their_requests_do(first, second):
    a, b = matches.members(first), matches.members(second)
    assume(not is_empty(a) and not is_empty(b))
    assert matches.region(first).relation(matches.region(second)) is expected_relation(a, b)


@examples(300)
@given(matches.matches(), matches.matches())
def test_what_two_matches_share_is_in_both(first, second):
    assume(not is_empty(matches.members(first)) and not is_empty(matches.members(second)))
    shared = matches.region(first) & matches.region(second)
    both = [x & y for x, y in zip(matches.members(first), matches.members(second), strict=True)]
    assert (shared is None) == (not all(both))
    if shared is not None:
        assert matches.holds(first, shared.witness())
        assert matches.holds(second, shared.witness())
        assert shared.witness().prompt_tokens >= matches.SMALLEST[shared.witness().needs]


@examples(150)
@given(matches.matches())
def test_a_witness_is_a_request_that_can_be_and_is_matched(match):
    region = matches.region(match)
    assume(not region.is_empty)
    witness = region.witness()
    assert witness in region
    assert matches.holds(match, witness)
    assert witness.tags["desk"] in matches.VALUES["desk"]
    assert witness.prompt_tokens >= matches.SMALLEST[witness.needs]


@examples(300)
@given(matches.matches(), matches.requests())
def test_a_request_is_in_a_match_as_it_is_written(match, request):
    assert (request in matches.region(match)) == matches.holds(match, request)
    assert (request in as_written(Match.decode(match))) == matches.holds(match, request)


@examples(300)
@given(matches.matches(), matches.requests())
def test_a_request_that_is_not_matched_is_told_what_it_misses(match, request):
    assert bool(matches.region(match).misses(request)) == (not matches.holds(match, request))


# -- the domains of tags -----------------------------------------------------------------------------

DOMAINS = [
    ({"values": ["a", "b"], "required": True}, {"a", "b"}),
    ({"values": ["a", "b"]}, {"a", "b", None}),
    ({"required": True}, {"a", "b", "c", ""}),
    ({}, {"a", "b", "c", "", None}),
]


@pytest.mark.parametrize(("tag", "domain"), DOMAINS, ids=["closed-required", "closed", "open-required", "open"])
def test_the_domain_of_a_tag(tag, domain):
    vocabulary = Vocabulary.of({"t": Tag.decode(tag)})
    assert {value for value in ("a", "b", "c", "", None) if value in vocabulary.domains["t"]} == domain


def test_a_match_that_names_every_value_of_a_closed_required_tag_is_everything():
    vocabulary = Vocabulary.of({"t": Tag(values=("a", "b"), required=True)})
    named = vocabulary.region(Match.decode({"tags": {"t": ["a", "b"]}}))
    assert named.relation(vocabulary.region(Match())) is Relation.EQUAL


def test_a_match_that_names_every_value_of_an_optional_tag_leaves_its_absence_out():
    vocabulary = Vocabulary.of({"t": Tag(values=("a", "b"))})
    named = vocabulary.region(Match.decode({"tags": {"t": ["a", "b"]}}))
    assert named.relation(vocabulary.region(Match())) is Relation.INSIDE


# -- the smallest prompts ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("needs", "size"),
    [((), 5), ((JSON,), 5), ((TOOLS,), 5), ((IMAGES,), 1004), ((TOOLS, IMAGES), 1004), ((JSON, TOOLS, IMAGES), 1004)],
    ids=["nothing", "json", "tools", "images", "tools-and-images", "all"],
)
def test_the_smallest_prompt_by_needs(needs, size):
    assert smallest_prompt(frozenset(needs)) == size


@pytest.mark.parametrize(
    ("fields", "needs"),
    [
        ({"prompt": "x"}, ()),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": "x"}]}, (TOOLS,)),
        ({"messages": [{"role": "user", "content": [IMAGE]}]}, (IMAGES,)),
        ({"messages": [{"role": "tool", "tool_call_id": "1", "content": [IMAGE]}]}, (TOOLS, IMAGES)),
    ],
    ids=["nothing", "tools", "images", "tools-and-images"],
)
def test_there_is_a_request_of_the_smallest_size(fields, needs):
    request = PromptRequest.of(**fields)
    assert request.needs == frozenset(needs)
    assert request.prompt_tokens == smallest_prompt(frozenset(needs))


def test_requests_with_images_lie_inside_all_larger_prompts():
    images, large = matches.region({"needs": {"images": True}}), matches.region({"prompt_tokens": {"min": 1000}})
    assert images.relation(large) is Relation.INSIDE


# -- words -------------------------------------------------------------------------------------------


def test_attributes_in_words():
    request = Attributes({"tier": "gold", "desk": "support"}, "fast", 12, frozenset({TOOLS, JSON}))
    assert str(request) == "desk=support, tier=gold, requested model fast, 12 prompt tokens, needs json, needs tools"


MISSES = [
    ({"tags": {"desk": "sales"}}, "desk sales"),
    ({"tags": {"tier": ["gold", "silver"]}}, "tier gold or silver"),
    ({"tags": {"tenant": {"present": True}}}, "tenant present"),
    ({"requested_model": {"prefix": "fast"}}, "requested model fast…"),
    ({"prompt_tokens": {"min": 100}}, "at least 100 prompt tokens"),
    ({"prompt_tokens": {"max": 6}}, "at most 6 prompt tokens"),
    ({"needs": {"tools": True}}, "tools needed"),
    ({"needs": {"json": False}}, "json not needed"),
]


@pytest.mark.parametrize(("match", "words"), MISSES, ids=[words.replace(" ", "-") for _, words in MISSES])
def test_what_a_request_misses_in_words(match, words):
    request = Attributes({"desk": "support"}, None, 50, frozenset({JSON}))
    assert words in matches.region(match).misses(request)
