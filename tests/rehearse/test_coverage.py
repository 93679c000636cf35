"""Coverage: what counts, why a gap is one, and that the request it starts from closes it."""

from __future__ import annotations

import pytest

from route_run.policy.rehearsal import Rehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.coverage import measure
from route_run.rehearse.coverage_report import as_lines, percent
from route_run.rehearse.play import play
from route_run.rehearse.suggest import suggestion
from support.rehearsals import SMALL, loaded_with, rehearsal

ALL = [
    rehearsal(name="rest", request={"prompt": "Hello", "parameters": {"temperature": 2}}),
    rehearsal(name="support", request={"prompt": "Hello", "tags": {"desk": "support", "home": "eu"}}),
    rehearsal(name="down", down=["first", "second"]),
    rehearsal(name="guarded", request={"prompt": "zephyr"}),
]


def covered(folder, rehearsals, policy=SMALL):
    loaded = loaded_with(folder, rehearsals, policy)
    return loaded, measure(loaded.table, [play(loaded, p.written, Backend.TRIO) for p in loaded.rehearsals])


def test_everything_that_is_exercised_counts(tmp_path):
    _, coverage = covered(tmp_path, ALL)
    assert [gap.item.words for gap in coverage.gaps] == []
    assert coverage.share == 1.0


LEFT_OUT = {
    "rest": {"bound all: temperature outside of its range"},
    "support": {"route support", "bound eu", "bound eu keeps a target out by region"},
    "down": {"target second/m of main", "fallback to second/m in main", "every target of main fails"},
    "guarded": {"guard words fires", "pattern zephyr"},
}


@pytest.mark.parametrize(("name", "gaps"), LEFT_OUT.items(), ids=LEFT_OUT)
def test_without_its_rehearsal_it_is_a_gap(tmp_path, name, gaps):
    _, coverage = covered(tmp_path, [case for case in ALL if case["name"] != name])
    assert {gap.item.words for gap in coverage.gaps} == gaps


def test_the_request_of_every_gap_closes_it(tmp_path):
    loaded, coverage = covered(tmp_path, [rehearsal()])
    assert len(coverage.gaps) == 9
    for gap in coverage.gaps:
        assert gap.witness is not None, gap.item.words
        suggested = suggestion(loaded, "closes it", gap.witness, gap.acts, Backend.TRIO)
        again = measure(loaded.table, [play(loaded, Rehearsal.decode(suggested.as_data()), Backend.TRIO)])
        assert gap.item.words not in {left.item.words for left in again.gaps}


def test_a_suggestion_pasted_into_a_test_file_holds(tmp_path):
    import yaml

    from route_run.rehearse.rehearsed import rehearse_one

    loaded, coverage = covered(tmp_path / "a", [rehearsal()])
    pasted = []
    for gap in coverage.gaps:
        lines = suggestion(loaded, gap.item.words, gap.witness, gap.acts, Backend.TRIO).lines()
        pasted += yaml.safe_load("\n".join(lines))
    again = loaded_with(tmp_path / "b", pasted)
    assert all(rehearse_one(again, placed, Backend.TRIO).holds for placed in again.rehearsals)


WHY = [
    ("route support", "no rehearsal's request comes to it"),
    ("fallback to second/m in main", "no rehearsal lets first fail where it is next"),
    ("every target of main fails", "in no rehearsal all that may be asked fail"),
    ("bound eu", "no rehearsal's request is one that it holds for"),
    ("guard words fires", "no rehearsal's prompt makes it fire"),
    ("bound all: temperature outside of its range", "no rehearsal asks for temperature outside of at most 1"),
]


@pytest.mark.parametrize(("words", "why"), WHY, ids=[row[0] for row in WHY])
def test_a_gap_says_why(tmp_path, words, why):
    _, coverage = covered(tmp_path, [rehearsal()])
    assert {gap.item.words: gap.why for gap in coverage.gaps}[words] == why


def test_a_route_that_no_request_can_reach_is_a_gap_without_a_request(tmp_path):
    policy = SMALL.replace(
        "  rest: {match: {}, upstream: main}",
        "  rest: {match: {}, upstream: main, precedence: 5}",
    )
    _, coverage = covered(tmp_path, [rehearsal()], policy)
    gap = next(gap for gap in coverage.gaps if gap.item.words == "route support")
    assert (gap.witness, gap.why) == (None, "no request can come to it: other routes take all that it matches")


def test_a_route_between_others_gets_a_request_that_they_leave(tmp_path):
    policy = SMALL.replace(
        "  rest: {match: {}, upstream: main}",
        "  long: {match: {prompt_tokens: {min: 500}}, upstream: main, precedence: 2}\n"
        "  home: {match: {tags: {home: eu}}, upstream: main, precedence: 1}\n"
        "  rest: {match: {}, upstream: main}",
    )
    _, coverage = covered(tmp_path, [rehearsal()], policy)
    found = {gap.item.words: gap.witness for gap in coverage.gaps}
    assert found["route support"] == {"prompt": "Hello", "tags": {"desk": "support"}}
    assert found["route home"] == {"prompt": "Hello", "tags": {"home": "eu"}}
    assert found["route long"] == {"prompt_tokens": 500}


def test_the_lines_of_the_policy_are_painted(tmp_path):
    loaded, coverage = covered(tmp_path, [rehearsal()])
    lines = [line.text for line in as_lines(coverage, loaded.sources, lambda gap: None)]
    painted = {line[:5].strip(): line[12] for line in lines if line[:5].strip().isdigit()}
    routes = {
        str(number): line
        for number, line in enumerate(loaded.reading.documents[1].text.splitlines(), 1)
        if "upstream: main" in line
    }
    assert [painted[number] for number in routes] == ["-", "+"]
    assert lines[-1] == "25 % of the policy is rehearsed (3 of 12)"


@pytest.mark.parametrize(("share", "shown"), [(1.0, "100 %"), (0.9999, "99.9 %"), (0.5, "50 %"), (0.0, "0 %")])
def test_a_hundred_percent_is_said_only_of_everything(share, shown):
    assert percent(share) == shown


def test_a_pattern_of_a_pack_counts_whichever_guard_finds_it(tmp_path):
    from route_run.table import load
    from support.policies import write_policy

    patterns = "[{id: aurora, regex: aurora, score: 1, must_match: [aurora]}]"
    pack = f"version: 1\npack: own/words\nrelease: 1\npatterns: {patterns}\n"
    policy = SMALL.replace(
        "guards:\n", "guards:\n  a: {packs: [own/words@1], then: flag}\n  b: {packs: [own/words@1], then: flag}\n"
    )
    policy = policy.replace("  eu: {match: {tags: {home: eu}},", "  eu: {match: {tags: {home: eu}}, guards: [a],")
    policy = policy.replace("guards: [words]", "guards: [words, b]")
    files = {"policy.yaml": policy, "own.pack.yaml": pack}
    loaded = load([write_policy(tmp_path / "policy", files)])
    empty = measure(loaded.table, [])
    (gap,) = [gap for gap in empty.gaps if gap.item.words == "pattern aurora"]
    assert gap.witness["prompt"] == "aurora"
    script = Rehearsal.decode({"name": "x", "request": {"prompt": "aurora"}, "expect": {"within": "1d"}})
    again = measure(loaded.table, [play(loaded, script, Backend.TRIO)])
    assert "pattern aurora" not in {gap.item.words for gap in again.gaps}


def test_a_route_that_a_guard_sends_to_gets_a_prompt_that_the_guard_finds(tmp_path):
    policy = SMALL.replace("then: reject", "then: {route: quarantine}").replace(
        "  rest: {match: {}, upstream: main}", "  rest: {match: {}, upstream: main}\n  quarantine: {upstream: main}"
    )
    _, coverage = covered(tmp_path, [rehearsal()], policy)
    gap = next(gap for gap in coverage.gaps if gap.item.words == "route quarantine")
    assert gap.witness["prompt"] == "zephyr"
    assert gap.why == "the guard `words` sends no rehearsal's request to it"
