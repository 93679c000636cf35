"""Every expectation can hold and can fail; what failed is shown with its line."""

from __future__ import annotations

import pytest

from route_run.rehearse.report import as_lines
from support.rehearsals import failing, judged

SAID = {"first": [{"say": "Sure, here.", "usage": {"prompt": 10, "completion": 5}, "first_content": "800ms"}]}
FELL = {"first": [{"status": 503}], "second": [{"say": "Sure."}]}
ZEPHYR = {"prompt": "zephyr"}
HOT = {"prompt": "Hello", "parameters": {"temperature": 1.7}}

# what is asked, what endpoints do, an expectation that holds, one that does not
EXPECTATIONS = [
    ({"prompt": "Hello"}, SAID, {"route": "rest"}, {"route": "support"}),
    ({"prompt": "Hello"}, SAID, {"outcome": "completed"}, {"outcome": "failed"}),
    (ZEPHYR, {}, {"stopped_at": "guards"}, {"stopped_at": "tags"}),
    ({"prompt": "Hello"}, {}, {"targets": ["first", "second"]}, {"targets": ["second", "first"]}),
    ({"prompt": "Hello", "tags": {"home": "eu"}}, {}, {"targets": ["first"]}, {"targets": ["first", "second"]}),
    ({"prompt": "Hello"}, FELL, {"attempts": ["first", "second"]}, {"attempts": ["first"]}),
    ({"prompt": "Hello"}, SAID, {"attempts": ["first"]}, {"attempts": ["first", "second"]}),
    (ZEPHYR, {}, {"attempts": []}, {"attempts": ["first"]}),
    (
        {"prompt": "Hello"},
        FELL,
        {"attempts": [{"endpoint": "first", "model": "m", "failure": "overloaded", "status": 503}, "second"]},
        {"attempts": [{"endpoint": "first", "failure": "timeout"}, "second"]},
    ),
    (
        {"prompt": "Hello"},
        SAID,
        {"attempts": [{"endpoint": "first", "failure": "none", "within": "800ms"}]},
        {"attempts": [{"endpoint": "first", "within": "799ms"}]},
    ),
    (
        {"prompt": "Hello"},
        FELL,
        {"attempts": ["first", "second"]},
        {"attempts": ["first", {"endpoint": "second", "status": 500}]},
    ),
    (
        {"prompt": "Hello"},
        FELL,
        {"attempts": ["first", {"endpoint": "second", "begins_after": "0s", "begins_within": "0s", "repair": False}]},
        {"attempts": ["first", {"endpoint": "second", "begins_after": "1ms"}]},
    ),
    (
        {"prompt": "Hello"},
        {"first": [{"status": 503, "headers_after": "2s"}]},
        {"attempts": ["first", {"endpoint": "second", "begins_after": "2s"}]},
        {"attempts": ["first", {"endpoint": "second", "begins_within": "1999ms"}]},
    ),
    ({"prompt": "Hello"}, SAID, {"attempts": ["first"]}, {"attempts": [{"endpoint": "first", "repair": True}]}),
    (
        {"prompt": "Hello", "tags": {"home": "eu"}},
        {},
        {"skipped": {"second": "region us"}},
        {"skipped": {"second": "breaker"}},
    ),
    ({"prompt": "Hello"}, {}, {"targets": ["first", "second"]}, {"skipped": {"first": "breaker"}}),
    ({"prompt": "Hello"}, SAID, {"restarts": 0}, {"restarts": 1}),
    ({"prompt": "Hello"}, SAID, {"never": ["second"]}, {"never": ["second", "first"]}),
    ({"prompt": "Hello"}, SAID, {"within": "800ms"}, {"within": "700ms"}),
    ({"prompt": "Hello"}, SAID, {"first_content_within": "800ms"}, {"first_content_within": "0.5s"}),
    ({"prompt": "Hello"}, SAID, {"text": "Sure, here."}, {"text": "Sure"}),
    ({"prompt": "Hello"}, SAID, {"text_contains": ["Sure", "here"]}, {"text_contains": ["Sure", "gone"]}),
    ({"prompt": "Hello"}, SAID, {"failure": "none"}, {"failure": "overloaded"}),
    (ZEPHYR, {}, {"error_contains": "guard `words`"}, {"error_contains": "nothing"}),
    ({"prompt": "Hello"}, FELL, {"webhooks": ["fell_back", "completed"]}, {"webhooks": ["completed"]}),
    ({"prompt": "Hello"}, FELL, {"webhooks": {"ops": ["completed", "fell_back"]}}, {"webhooks": {"ops": []}}),
    (ZEPHYR, {}, {"guards": {"words": "fires"}}, {"guards": {"words": "passes"}}),
    ({"prompt": "Hello"}, {}, {"guards": {"words": "passes"}}, {"guards": {"words": "fires"}}),
    (ZEPHYR, {}, {"guards": {"words": {"hits": ["zephyr"]}}}, {"guards": {"words": {"hits": []}}}),
    (ZEPHYR, {}, {"guards": {"words": {"score_at_least": 1}}}, {"guards": {"words": {"score_at_most": 0.9}}}),
    ({"prompt": "Hello", "tags": {"home": "eu"}}, {}, {"bounds": ["eu", "all"]}, {"bounds": ["all"]}),
    (HOT, {}, {"parameters": {"temperature": 1}}, {"parameters": {"temperature": 1.7}}),
    (HOT, {}, {"parameters": {"temperature": 1}}, {"parameters": {"max_tokens": 100}}),
    ({"prompt": "Hello"}, SAID, {"usage": {"prompt": 10, "completion": 5}}, {"usage": {"completion": 6}}),
    ({"prompt": "Hello"}, SAID, {"cost": 0.00002}, {"cost": 0}),
    ({"prompt": "Hello"}, {"first": [{"usage": False}]}, {"cost": None}, {"cost": 0.00002}),
    ({"prompt": "Hello"}, SAID, {"cost_at_most": 0.00002}, {"cost_at_most": 0.000019}),
    ({"prompt": "Hello"}, SAID, {"finish_reason": "stop"}, {"finish_reason": "length"}),
    (
        {"prompt": "Hello"},
        FELL,
        {"record": {"endpoint": "second", "attempts.0.status": 503}},
        {"record": {"endpoint": "first"}},
    ),
    ({"prompt": "Hello"}, FELL, {"record": {"attempts.1.failure": None}}, {"record": {"no.such.field": 1}}),
]


@pytest.mark.parametrize(
    ("request_", "acts", "holds", "fails"), EXPECTATIONS, ids=[str(row[2]) for row in EXPECTATIONS]
)
def test_an_expectation_holds_or_fails(tmp_path, request_, acts, holds, fails):
    assert failing(judged(tmp_path / "a", request=request_, endpoints=acts, expect=holds)) == []
    assert len(failing(judged(tmp_path / "b", request=request_, endpoints=acts, expect=fails))) == 1


def test_every_expectation_of_the_schema_is_tried():
    import json

    from route_run.schema import schema_text

    known = json.loads(schema_text("test"))["$defs"]["expect"]["properties"]
    tried = {name for row in EXPECTATIONS for name in row[2]}
    assert tried == set(known) - {"outcomes"}


def test_outcomes_of_repeated_requests_are_counted(tmp_path):
    acts = {"first": [{"say": "a", "times": 3}, {"fault": "refuse"}]}
    scene = {"request": {"prompt": "Hello", "tags": {"home": "eu"}}, "repeat": 5}
    good = {**scene, "expect": {"outcomes": {"completed": 3, "failed": 2}}}
    bad = {**scene, "expect": {"outcomes": {"completed": 5}}}
    assert failing(judged(tmp_path / "a", sequence=[good], endpoints=acts)) == []
    assert failing(judged(tmp_path / "b", sequence=[bad], endpoints=acts)) == ["outcomes"]


def test_exchanges_are_counted_over_the_whole_rehearsal(tmp_path):
    fields = {"sequence": [{"request": {"prompt": "Hello"}, "repeat": 2, "expect": {"outcome": "completed"}}]}
    assert failing(judged(tmp_path / "a", exchanges={"first": 2, "second": 0}, **fields)) == []
    assert failing(judged(tmp_path / "b", exchanges={"first": 1}, **fields)) == ["exchanges with first"]


def test_each_repetition_is_judged(tmp_path):
    acts = {"first": [{"say": "a"}, {"say": "b"}, {"say": "a"}]}
    scene = {"request": {"prompt": "Hello"}, "repeat": 3, "expect": {"text": "a"}}
    rehearsed = judged(tmp_path, sequence=[scene], endpoints=acts)
    assert [part.title for part in rehearsed.judged if not part.holds] == ["request, time 2"]


def test_a_failure_shows_both_timelines_and_the_line(tmp_path):
    rehearsed = judged(
        tmp_path,
        endpoints={"first": [{"status": 429, "retry_after": "30s"}], "second": [{"first_content": "800ms"}]},
        expect={"outcome": "failed", "attempts": ["first"], "within": "500ms"},
    )
    text = "\n".join(line.text for line in as_lines(rehearsed, verbose=False)).replace(str(tmp_path), "")
    assert (
        text
        == """\
FAILS  tried
  --> /policy/cases.test.yaml:3:9
                     expected       actual
      route                         rest
      attempt 1      first          first/m fails after 0 ms: rate_limited (429)
    ≠ attempt 2      –              second/m answers after 800 ms  /policy/cases.test.yaml:9
      first content                 after 800 ms
    ≠ outcome        failed         completed  /policy/cases.test.yaml:7
    ≠ end            within 500 ms  after 800 ms  /policy/cases.test.yaml:10
"""
    )


def test_what_holds_is_one_line_and_only_on_request(tmp_path):
    rehearsed = judged(tmp_path)
    assert list(as_lines(rehearsed, verbose=False)) == []
    assert [line.text for line in as_lines(rehearsed, verbose=True)] == ["holds  tried  (0 ms)"]
