"""Exactly one route wins: the engine against brute force, and nothing depends on the order of anything."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.table import Attributes, Relation
from route_run.table.order import ranked
from support import matches
from support.policies import BASE
from support.properties import examples
from support.reading import codes, loaded_from

ROUTES = st.lists(st.tuples(matches.matches(), st.sampled_from([0, 0, 0, 10, -5])), min_size=1, max_size=7)


def policy_with(routes):
    """A policy of so many routes `r0`, `r1`, … over the tags of `matches`."""
    data = {
        "version": 1,
        "tags": dict(matches.TAGS),
        "routes": {
            f"r{n}": {"match": match, "precedence": precedence, "upstream": "main"}
            for n, (match, precedence) in enumerate(routes)
        },
    }
    return loaded_from({"base.yaml": BASE, "routes.yaml": json.dumps(data, ensure_ascii=False)})


def nonempty(routes):
    return [(match, precedence) for match, precedence in routes if all(matches.members(match))]


def conflicts(routes):
    """Pairs of equal precedence that share a request although neither lies strictly inside the other."""
    for n, (match, precedence) in enumerate(routes):
        for m, (other, same) in enumerate(routes[:n]):
            a, b = matches.members(match), matches.members(other)
            inside = all(x <= y for x, y in zip(a, b, strict=True))
            around = all(x >= y for x, y in zip(a, b, strict=True))
            if precedence == same and all(x & y for x, y in zip(a, b, strict=True)) and inside == around:
                yield m, n


def winner(routes, request):
    """The matching route of the highest precedence that lies inside all others like it, by brute force."""
    matching = [(n, match, precedence) for n, (match, precedence) in enumerate(routes) if matches.holds(match, request)]
    if not matching:
        return None
    highest = max(precedence for *_, precedence in matching)
    chain = [(n, matches.members(match)) for n, match, precedence in matching if precedence == highest]
    (best,) = [n for n, own in chain if all(all(x <= y for x, y in zip(own, other, strict=True)) for _, other in chain)]
    return f"r{best}"


@st.composite
def sound_routes(draw):
    """Routes of which every two can be ranked: each is kept only if it can be with those before it."""
    kept = [({}, 0)] if draw(st.booleans()) else []
    for match, precedence in draw(st.lists(st.tuples(matches.matches(), st.integers(-1, 1)), min_size=1, max_size=10)):
        narrower = {**match, **draw(st.sampled_from(kept))[0]} if kept else match
        for route in nonempty([(match, precedence), (narrower, precedence)]):
            if not list(conflicts([*kept, route])):
                kept.append(route)
    return kept or [({}, 0)]


@examples(50)
@given(sound_routes(), st.lists(matches.requests(), min_size=1, max_size=40))
def test_the_route_that_decides_is_the_one_of_brute_force(routes, requests):
    loaded = policy_with(routes)
    assert loaded.findings == ()
    for request in requests:
        route = loaded.table.route_for(request)
        assert (route.name if route else None) == winner(routes, request)


@examples(40)
@given(ROUTES)
def test_routes_that_cannot_be_ranked_are_reported(routes):
    routes = nonempty(routes)
    loaded = policy_with(routes)
    assert ("RR302" in codes(loaded.findings)) == bool(list(conflicts(routes)))


@examples(100)
@given(ROUTES)
def test_every_conflict_has_a_request_that_both_routes_match(routes):
    routes = nonempty(routes)
    _, found = ranked([matches.region(match) for match, _ in routes], [precedence for _, precedence in routes])
    pairs = set(conflicts(routes))
    assert bool(found) == bool(pairs)
    for conflict in found:
        assert (conflict.first, conflict.second) in pairs
        assert matches.holds(routes[conflict.first][0], conflict.witness)
        assert matches.holds(routes[conflict.second][0], conflict.witness)
        assert conflict.relation in (Relation.EQUAL, Relation.CROSSING)


@examples(20)
@given(sound_routes(), st.randoms(use_true_random=False), st.lists(matches.requests(), min_size=1, max_size=20))
def test_order_of_routes_sections_and_files_never_matters(routes, random_, requests):
    one = {
        f"r{n}": {"match": match, "precedence": precedence, "upstream": "main"}
        for n, (match, precedence) in enumerate(routes)
    }
    files = [{"version": 1}, {"tags": dict(matches.TAGS), "version": 1}, {"version": 1}]
    for name in random_.sample(sorted(one), len(one)):
        random_.choice(files).setdefault("routes", {})[name] = one[name]
    names = random_.sample(["a.yaml", "m/n.yaml", "z.yaml"], 3)
    texts = {name: json.dumps(file, ensure_ascii=False) for name, file in zip(names, files, strict=True)}
    there, here = loaded_from({"base.yaml": BASE, **texts}), policy_with(routes)
    assert there.table.digest == here.table.digest
    for request in requests:
        a, b = there.table.route_for(request), here.table.route_for(request)
        assert (a.name if a else None) == (b.name if b else None)


@examples(25)
@given(st.lists(matches.matches(), min_size=1, max_size=8), st.lists(matches.requests(), min_size=1, max_size=20))
def test_every_bound_and_webhook_that_matches_holds(written, requests):
    written = [match for match in written if all(matches.members(match))]
    data = {
        "version": 1,
        "tags": dict(matches.TAGS),
        "bounds": {f"b{n}": {"match": match} for n, match in enumerate(written)},
        "webhooks": {
            f"w{n}": {"match": match, "events": ["failed"], "url": "${URL}"} for n, match in enumerate(written)
        },
    }
    table = loaded_from({"base.yaml": BASE, "more.yaml": json.dumps(data, ensure_ascii=False)}).table
    for request in requests:
        holding = [n for n, match in enumerate(written) if matches.holds(match, request)]
        assert [bound.name for bound in table.bounds_for(request)] == [f"b{n}" for n in holding]
        assert [hook.name for hook in table.hooks_for(request)] == [f"w{n}" for n in holding]


# -- single cases ------------------------------------------------------------------------------------

TAGS = "tags:\n  desk: {values: [support, sales], required: true}\n  tier: {values: [gold, silver]}\n  tenant: {}\n"


def deciding(routes, **tags):
    text = "".join(f"  {name}: {{{rest}, upstream: main}}\n" for name, rest in routes.items())
    route = loaded_from(f"{BASE}{TAGS}routes:\n{text}").table.route_for(Attributes({"desk": "sales", **tags}))
    return route.name if route else None


def test_the_narrower_route_wins():
    routes = {"all": "match: {}", "gold": "match: {tags: {tier: gold}}"}
    assert deciding(routes, tier="gold") == "gold"
    assert deciding(routes, tier="silver") == "all"


def test_precedence_wins_over_the_narrower_route():
    routes = {"all": "match: {}, precedence: 1", "gold": "match: {tags: {tier: gold}}"}
    assert deciding(routes, tier="gold") == "all"


def test_a_negative_precedence_is_a_last_resort():
    routes = {"rest": "match: {}, precedence: -1", "gold": "match: {tags: {tier: {not: silver}}}"}
    assert deciding(routes, tier="silver") == "rest"
    assert deciding(routes) == "gold"


def test_no_route_decides_when_none_matches():
    assert deciding({"gold": "match: {tags: {tier: gold}}"}) is None


def test_a_route_without_a_match_never_decides():
    assert deciding({"named": "callable: true"}) is None


def ambiguous(routes):
    text = "".join(f"  {name}: {{{rest}, upstream: main}}\n" for name, rest in routes.items())
    loaded = loaded_from({"policy.yaml": f"{BASE}{TAGS}routes:\n{text}"})
    return [finding for finding in loaded.findings if finding.code.value == "RR302"]


def test_crossing_routes_are_shown_with_a_request_of_both_and_both_places():
    (finding,) = ambiguous({"gold": "match: {tags: {tier: gold}}", "acme": "match: {tags: {tenant: acme}}"})
    assert "routes `acme` and `gold` share requests, and neither is narrower" in finding.message
    assert "desk=sales, tenant=acme, tier=gold" in finding.message
    assert finding.span.start.line == finding.labels[0].span.start.line + 1
    assert "`gold` is here" in finding.labels[0].text
    assert "`precedence`" in finding.help


def test_equal_routes_are_ambiguous():
    (finding,) = ambiguous({"a": "match: {tags: {desk: sales}}", "b": "match: {tags: {desk: {not: support}}}"})
    assert "match the very same requests" in finding.message


def test_crossing_routes_of_different_precedence_are_ranked():
    assert not ambiguous({"a": "match: {tags: {tier: gold}}", "b": "match: {tags: {tenant: acme}}, precedence: 1"})


def test_routes_that_share_no_request_are_not_ambiguous():
    assert not ambiguous({"a": "match: {tags: {desk: sales, tier: gold}}", "b": "match: {tags: {desk: support}}"})


def test_a_conflict_with_a_required_open_tag_has_a_witness_whatever_is_excluded():
    tags = "tags: {t: {required: true}, u: {}}\n"
    routes = (
        "routes:\n"
        "  a: {match: {tags: {t: {not: {prefix: o}}}}, upstream: main}\n"
        "  b: {match: {tags: {u: x}}, upstream: main}\n"
    )
    assert codes(loaded_from(BASE + tags + routes).findings) == ["RR302"]


@pytest.mark.parametrize("count", [2, 3, 10])
def test_many_equal_routes_are_one_finding_for_each_but_the_first(count):
    assert len(ambiguous({f"r{n}": "match: {}" for n in range(count)})) == count - 1


def test_prompts_too_short_for_an_image_lie_inside_those_without_images():
    assert not ambiguous({"short": "match: {prompt_tokens: {max: 500}}", "text": "match: {needs: {images: false}}"})


def test_saying_that_a_short_prompt_has_no_image_does_not_make_it_narrower():
    short = "match: {prompt_tokens: {max: 500}}"
    assert ambiguous({"short": short, "same": "match: {prompt_tokens: {max: 500}, needs: {images: false}}"})
