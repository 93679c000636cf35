"""Every act of an endpoint is met by the engine as the failure that it plays, on both backends."""

from __future__ import annotations

import pytest

from route_run.rehearse.clock import Backend
from support.rehearsals import failures, played

OAUTH = """\
version: 1
endpoints:
  first:
    dialect: cognigy
    base_url: ${URL}
    auth: {oauth2: {client_id: "${ID}", client_secret: "${SECRET}"}}
    serves: {m: {}}
  second: {dialect: anthropic, base_url: 'https://second.test', serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}}
upstreams:
  main: {targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]}
routes:
  rest: {match: {}, upstream: main}
"""

BEFORE_CONTENT = [
    ({"fault": "refuse"}, "unavailable", "refused", None),
    ({"fault": "dns"}, "unavailable", "dns", None),
    ({"fault": "tls"}, "unusable", "tls", None),
    ({"fault": "connect_timeout"}, "unavailable", "connect_timeout", None),
    ({"fault": "reset"}, "broken", "reset", None),
    ({"fault": "stall"}, "timeout", "first_content_timeout", None),
    ({"fault": "stall_before_content"}, "timeout", "first_content_timeout", 200),
    ({"fault": "stall_mid", "after_pieces": 0}, "timeout", "first_content_timeout", 200),
    ({"fault": "reset_mid", "after_pieces": 0}, "broken", "reset", 200),
    ({"fault": "truncate", "after_pieces": 0}, "broken", "truncated", 200),
    ({"fault": "malformed", "after_pieces": 0}, "broken", "no_answer", 200),
    ({"fault": "html"}, "broken", "no_answer", 200),
    ({"fault": "bad_json"}, "broken", "no_answer", 200),
    ({"fault": "error_event"}, "overloaded", "error_event", 200),
    ({"fault": "error_event", "code": "insufficient_quota"}, "out_of_credit", "error_event", 200),
    ({"fault": "error_mid", "after_pieces": 0}, "overloaded", "error_event", 200),
    ({"status": 404}, "unusable", "status", 404),
    ({"status": 429, "retry_after": "30s"}, "rate_limited", "status", 429),
    ({"status": 429, "code": "insufficient_quota"}, "out_of_credit", "status", 429),
    ({"status": 429, "message": "You exceeded your current quota"}, "out_of_credit", "status", 429),
    ({"status": 502, "body": "<html>Bad Gateway</html>"}, "unavailable", "status", 502),
    ({"status": 503, "body": {"error": {"message": "busy"}}}, "overloaded", "status", 503),
    ({"status": 302, "headers": {"location": "https://elsewhere.test"}}, "unusable", "status", 302),
    ({"status": 200, "body": "<html>hello</html>"}, "broken", "no_answer", 200),
    ({"content_type": "text/html"}, "broken", "no_answer", 200),
    ({"first_content": "6s"}, "timeout", "first_content_timeout", 200),
    ({"headers_after": "6s"}, "timeout", "first_content_timeout", None),
]


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize(
    ("act", "kind", "cause", "status"), BEFORE_CONTENT, ids=[str(row[0]) for row in BEFORE_CONTENT]
)
def test_a_failure_before_the_first_content_falls_back(tmp_path, backend, act, kind, cause, status):
    run = played(tmp_path, backend, endpoints={"first": [act]})
    assert failures(run) == [("first", kind, cause, status), ("second", None, None, 200)]
    assert run.record["outcome"] == "completed"
    assert run.text == "Simulated answer from second."


AFTER_CONTENT = [
    ("stall_mid", "timeout", "idle_timeout"),
    ("reset_mid", "broken", "reset"),
    ("truncate", "broken", "truncated"),
    ("malformed", "broken", "no_answer"),
    ("error_mid", "overloaded", "error_event"),
]


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize(("fault", "kind", "cause"), AFTER_CONTENT)
def test_a_failure_after_content_interrupts_with_what_was_said(tmp_path, backend, fault, kind, cause):
    run = played(
        tmp_path, backend, endpoints={"first": [{"pieces": ["a ", "b ", "c"], "fault": fault, "after_pieces": 2}]}
    )
    assert failures(run) == [("first", kind, cause, 200)]
    assert run.record["outcome"] == "interrupted"
    assert run.text == "a b "


PLAIN = [
    ({"fault": "stall_mid"}, "timeout", "total_timeout"),
    ({"fault": "stall_before_content"}, "timeout", "total_timeout"),
    ({"fault": "reset_mid"}, "broken", "reset"),
    ({"fault": "truncate"}, "broken", "no_answer"),
    ({"fault": "malformed"}, "broken", "no_answer"),
    ({"fault": "error_mid"}, "overloaded", "error_event"),
    ({"fault": "error_event"}, "overloaded", "error_event"),
]


@pytest.mark.parametrize(("act", "kind", "cause"), PLAIN, ids=[row[0]["fault"] for row in PLAIN])
def test_a_plain_answer_is_spoilt_as_a_whole(tmp_path, act, kind, cause):
    run = played(tmp_path, endpoints={"first": [act]}, request={"prompt": "Hello", "stream": False})
    assert failures(run)[0][1:3] == (kind, cause)
    assert run.record["outcome"] == ("failed" if cause == "total_timeout" else "completed")


def test_a_plain_answer_comes_when_its_last_piece_is_said(tmp_path):
    act = {"pieces": ["a", "b", "c"], "first_content": "2s", "between": "1s"}
    run = played(tmp_path, endpoints={"first": [act]}, request={"prompt": "Hello", "stream": False})
    assert (run.text, run.took) == ("abc", pytest.approx(4.0))


@pytest.mark.parametrize("backend", Backend)
def test_slow_tokens_come_when_they_are_due(tmp_path, backend):
    act = {"pieces": ["a", "b", "c"], "headers_after": "500ms", "first_content": "800ms", "between": "250ms"}
    run = played(tmp_path, backend, endpoints={"first": [act]})
    moments = [round(at, 6) for at, event in run.events if type(event).__name__ == "Text"]
    assert moments == [0.8, 1.05, 1.3]
    assert run.first_content == pytest.approx(0.8)


@pytest.mark.parametrize("form", ["seconds", "date", "milliseconds"])
def test_a_delay_is_told_in_every_form(tmp_path, form):
    act = {"status": 429, "retry_after": "3s", "retry_after_as": form}
    run = played(tmp_path, down=["second"], request={"prompt": "Hello"}, endpoints={"first": [act, {}]}, policy=ALONE)
    assert [failure[1] for failure in failures(run)] == ["rate_limited", None]
    # waited out with a jitter of up to a tenth
    assert 3.0 <= run.took <= 3.3


ALONE = """\
version: 1
endpoints:
  first: {dialect: openai, base_url: 'https://first.test/v1', serves: {m: {}}}
  second: {dialect: openai, base_url: 'https://second.test/v1', serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000}
upstreams:
  main: {targets: [{endpoint: first, model: m}]}
routes:
  rest: {match: {}, upstream: main}
"""


def test_an_expired_token_is_renewed_once(tmp_path):
    run = played(tmp_path, policy=OAUTH, endpoints={"first": [{"fault": "expired_token"}]})
    assert failures(run) == [("first", "unauthorized", "status", 401), ("first", None, None, 200)]


def test_a_stale_connection_is_made_anew_once(tmp_path):
    run = played(tmp_path, endpoints={"first": [{"fault": "stale"}]})
    assert failures(run) == [("first", "broken", "stale", None), ("first", None, None, 200)]


@pytest.mark.parametrize(
    ("act", "cause"),
    [
        ({"status": 401}, "status"),
        ({"status": 503}, "status"),
        ({"fault": "refuse"}, "refused"),
        ({"fault": "stall"}, "first_content_timeout"),
        ({"fault": "html"}, "no_answer"),
    ],
    ids=str,
)
def test_a_token_endpoint_that_fails_is_left_for_the_next_target(tmp_path, act, cause):
    run = played(tmp_path, policy=OAUTH, tokens={"first": [act]})
    assert failures(run)[0][:3] == ("first", "unauthorized", cause)
    assert run.record["outcome"] == "completed"


def test_an_answer_says_what_is_written(tmp_path):
    act = {
        "say": "Sure.",
        "usage": {"prompt": 12, "completion": 3, "cached": 2},
        "finish_reason": "length",
        "headers": {"x-request-id": "abc"},
    }
    run = played(tmp_path, endpoints={"first": [act]})
    record = run.record
    assert run.text == "Sure."
    assert record["usage"] == {"prompt_tokens": 12, "completion_tokens": 3, "cached_tokens": 2}
    assert record["cost_usd"] == "0.000018"
    assert (record["finish_reason"], record["attempts"][0]["provider_request_id"]) == ("length", "abc")


def test_an_endpoint_that_reports_no_usage_has_no_known_cost(tmp_path):
    run = played(tmp_path, endpoints={"first": [{"usage": False}]})
    assert (run.record["usage"], run.record["cost_usd"]) == (None, None)


def test_a_tool_is_called(tmp_path):
    call = {"id": "c1", "name": "find", "arguments": '{"id": 7}'}
    run = played(
        tmp_path,
        endpoints={"first": [{"tool_calls": [call]}]},
        request={"prompt": "Find it", "tools": [{"name": "find"}]},
    )
    (found,) = run.events[-1][1].result.tool_calls
    assert (found.name, found.arguments) == ("find", '{"id": 7}')


def test_acts_go_on_in_their_order_and_the_last_for_good(tmp_path):
    first = [{"status": 503, "times": 2}, {"say": "back"}]
    scene = {"request": {"prompt": "Hello"}, "repeat": 4, "expect": {"within": "1d"}}
    from route_run.rehearse.play import play
    from support.rehearsals import loaded_with, rehearsal

    loaded = loaded_with(tmp_path, [rehearsal(sequence=[scene], endpoints={"first": first})])
    runs = play(loaded, loaded.rehearsals[0].written, Backend.TRIO).runs
    assert [len(run.record["attempts"]) for run in runs] == [2, 2, 1, 1]


def test_what_is_down_refuses_whatever_else_is_written(tmp_path):
    run = played(tmp_path, down=["first"], endpoints={"first": [{"say": "never"}]})
    assert failures(run)[0][2] == "refused"
