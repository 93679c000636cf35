"""What a caller sees while a request runs: every event as one JSON object."""

from __future__ import annotations

import json
from typing import get_args

import pytest

from route_run.flow import event as events
from route_run.flow.event import (
    AttemptEnded,
    AttemptStarted,
    Finished,
    Planned,
    Restarted,
    Text,
    ToolCallPiece,
    UsageReported,
    event_as_json,
)
from route_run.flow.outcome import Outcome, ToolPiece, Usage
from route_run.flow.request import ToolCall
from support.examples import OVERLOADED, attempt, planned, record, records, result

PLAN = planned()
ENDED = attempt(failure=OVERLOADED)
RESULT = result(record())

EVENTS = [
    (Planned("req_1", PLAN), {"event": "planned", "request_id": "req_1", "plan": PLAN.as_json()}),
    (
        AttemptStarted(2, "second", "m", 12.5),
        {
            "event": "attempt_started",
            "number": 2,
            "endpoint": "second",
            "model": "m",
            "after_ms": 12.5,
            "repair": False,
        },
    ),
    (
        AttemptStarted(2, "first", "m", repair=True),
        {"event": "attempt_started", "number": 2, "endpoint": "first", "model": "m", "after_ms": 0.0, "repair": True},
    ),
    (Restarted(2), {"event": "restarted", "number": 2}),
    (Text("Hel", 1), {"event": "text", "text": "Hel", "number": 1}),
    (
        ToolCallPiece(ToolPiece(0, "call_1", "weather", '{"ci'), 1),
        {"event": "tool_call", "index": 0, "id": "call_1", "name": "weather", "arguments": '{"ci', "number": 1},
    ),
    (
        UsageReported(Usage(12, 20, 5), 1),
        {
            "event": "usage",
            "usage": {"prompt_tokens": 12, "completion_tokens": 20, "cached_tokens": 5},
            "number": 1,
        },
    ),
    (AttemptEnded(ENDED), {"event": "attempt_ended"} | ENDED.as_json()),
    (Finished(RESULT), {"event": "finished"} | RESULT.as_json()),
]
NAMES = [type(event).__name__ for event, _ in EVENTS]


@pytest.mark.parametrize(("event", "written"), EVENTS, ids=NAMES)
def test_an_event_as_json(event, written):
    assert event_as_json(event) == written


@pytest.mark.parametrize("event", [event for event, _ in EVENTS], ids=NAMES)
def test_every_event_is_plain_json(event):
    written = event_as_json(event)
    assert json.loads(json.dumps(written, allow_nan=False)) == written


def test_every_event_there_is_has_its_json():
    assert {type(event) for event, _ in EVENTS} == set(get_args(events.Event))


def test_the_names_of_events_are_those_of_the_command_line():
    assert list(dict.fromkeys(event_as_json(event)["event"] for event, _ in EVENTS)) == [
        "planned",
        "attempt_started",
        "restarted",
        "text",
        "tool_call",
        "usage",
        "attempt_ended",
        "finished",
    ]


def test_a_result_holds_the_answer_and_its_calls():
    call = ToolCall(id="call_1", name="weather", arguments="{}")
    written = result(record(), tool_calls=(call,)).as_json()
    assert written["text"] == "Hello!"
    assert written["tool_calls"] == [{"id": "call_1", "name": "weather", "arguments": "{}"}]


@pytest.mark.parametrize("kept", records().values(), ids=records())
def test_a_result_agrees_with_its_record(kept):
    written, stored = result(kept).as_json(), kept.as_json()
    shared = written.keys() & stored.keys() - {"text"}
    assert {key: written[key] for key in shared} == {key: stored[key] for key in shared}
    assert shared >= {"outcome", "cost_usd", "usage", "attempts", "route", "endpoint", "model", "simulated"}


def test_a_partial_answer_goes_with_its_error():
    written = result(record(Outcome.INTERRUPTED, error="cut off"), text="Hel", advice="wait").as_json()
    assert (written["outcome"], written["text"], written["error"], written["advice"]) == (
        "interrupted",
        "Hel",
        "cut off",
        "wait",
    )


def test_the_attempts_of_a_result_are_those_of_its_record():
    kept = records()["completed-after-a-fallback"]
    assert result(kept).attempts is kept.attempts
