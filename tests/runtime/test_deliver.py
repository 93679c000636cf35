"""Answers that are checked: held until they passed, or streamed with the verdict at the end."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from route_run.flow.event import AttemptEnded, Event, Finished, Result, Text
from route_run.flow.failure import Cause
from route_run.ledger import MemoryLedger
from route_run.table import Loaded
from support.engines import causes, completed_result, events_of, opened, policy, records, streamed_result, text_of
from support.scripted import (
    DONE,
    FINISH,
    ROLE,
    STALL,
    Reply,
    ScriptedTransport,
    content,
    event,
    plain,
    problem,
    stream,
    streamed,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

VERIFIED = "match: {}, verify: {format: json}"
STREAMED = "match: {}, verify: {format: json}, deliver: streamed"
SCHEMA = {"type": "object", "required": ["answer"], "properties": {"answer": {"type": "string"}}}


def result_in(events: list[Event]) -> Result:
    last = events[-1]
    assert isinstance(last, Finished)
    return last.result


# -- held until verified ------------------------------------------------------------------------------


async def test_a_checked_answer_is_held_until_it_has_passed(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content('{"a":'), 5, content(" 1}"), FINISH, 2, DONE)]})
    async with opened(policy_of(policy(route=VERIFIED)), transport) as engine:
        events = await events_of(engine)

    assert [event.text for event in events if isinstance(event, Text)] == ['{"a":', " 1}"]
    assert text_of(events) == result_in(events).text == '{"a": 1}'
    assert isinstance(events[-2], AttemptEnded)


async def test_nothing_is_heard_of_an_answer_that_did_not_pass(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("no", " JSON")], "second": [streamed("{}")]})
    async with opened(policy_of(policy(route=VERIFIED)), transport) as engine:
        events = await events_of(engine)

    assert text_of(events) == "{}"
    assert [event.number for event in events if isinstance(event, Text)] == [2]
    assert causes(result_in(events)) == ["invalid_output", None]


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(stream(content("{"), Cause.RESET), id="reset"),
        pytest.param(stream(content("{}")), id="truncated"),
        pytest.param(stream(content("{"), STALL), id="silence"),
        pytest.param(stream(content("{"), event({"error": {"message": "x"}})), id="error event"),
    ],
)
async def test_an_answer_that_breaks_off_while_it_is_held_falls_back(policy_of: PolicyOf, first: Reply) -> None:
    transport = ScriptedTransport({"first": [first], "second": [streamed('{"b": 2}')]})
    async with opened(policy_of(policy(route=VERIFIED)), transport) as engine:
        events = await events_of(engine)

    assert text_of(events) == '{"b": 2}'
    assert result_in(events).outcome.value == "completed"


@pytest.mark.parametrize("how", [streamed_result, completed_result])
async def test_where_no_answer_passes_the_output_is_invalid(policy_of: PolicyOf, how: Callable[..., object]) -> None:
    make = streamed if how is streamed_result else plain
    transport = ScriptedTransport({"first": [make("one")], "second": [make("two")]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(route=VERIFIED)), transport, ledger) as engine:
        result = await how(engine)

    assert isinstance(result, Result)
    assert (result.outcome.value, result.text) == ("output_invalid", "")
    assert "not JSON" in (result.error or "")
    (record,) = records(ledger)
    assert (record["outcome"], record["completion_bytes"]) == ("output_invalid", 0)
    assert [a["failure"] for a in record["attempts"]] == ["invalid_output", "invalid_output"]


async def test_an_invalid_output_does_not_fall_back_where_it_is_not_listed(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(route=VERIFIED, upstream="fallback: {when: [unavailable]}"))
    transport = ScriptedTransport({"first": [streamed("no JSON")], "second": [streamed("{}")]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert (result.outcome.value, transport.asked) == ("output_invalid", ["first"])


async def test_an_answer_is_held_to_the_schema(policy_of: PolicyOf) -> None:
    files = {
        "policy.yaml": policy(route="match: {}, verify: {json_schema: answer.json}"),
        "answer.json": json.dumps(SCHEMA),
    }
    transport = ScriptedTransport({"first": [streamed('{"answer": 7}')], "second": [streamed('{"answer": "x"}')]})
    async with opened(policy_of(files), transport) as engine:
        result = await streamed_result(engine)

    assert result.text == '{"answer": "x"}'
    assert result.attempts[0].failure is not None
    assert "answer['answer']: not of the type string" in result.attempts[0].failure.message


async def test_the_reason_of_a_verdict_never_quotes_the_answer(policy_of: PolicyOf) -> None:
    files = {
        "policy.yaml": policy(route="match: {}, verify: {json_schema: answer.json}", targets=1),
        "answer.json": json.dumps(SCHEMA),
    }
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed('{"answer": ["confidential"]}')]})
    async with opened(policy_of(files), transport, ledger) as engine:
        await streamed_result(engine)

    assert "confidential" not in json.dumps(records(ledger))


async def test_an_empty_answer_is_not_json(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(ROLE, FINISH, DONE)], "second": [streamed("{}")]})
    async with opened(policy_of(policy(route=VERIFIED)), transport) as engine:
        assert causes(await streamed_result(engine)) == ["invalid_output", None]


async def test_checking_changes_nothing_of_what_is_sent(policy_of: PolicyOf) -> None:
    bodies = []
    for route in ("match: {}", VERIFIED):
        transport = ScriptedTransport({"first": [streamed("{}")]})
        async with opened(policy_of(policy(route=route)), transport) as engine:
            await streamed_result(engine)
        bodies.append(transport.calls[0].request.body)

    assert bodies[0] == bodies[1]


# -- streamed, with the verdict at the end ------------------------------------------------------------


async def test_a_streamed_answer_is_delivered_as_it_comes(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("{"), content("}"), FINISH, DONE)]})
    async with opened(policy_of(policy(route=STREAMED)), transport) as engine:
        events = await events_of(engine)

    assert result_in(events).outcome.value == "completed"
    assert [event.text for event in events if isinstance(event, Text)] == ["{", "}"]


async def test_a_streamed_answer_that_does_not_pass_ends_as_invalid_with_its_text(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("no", " JSON")], "second": [streamed("{}")]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(route=STREAMED)), transport, ledger) as engine:
        events = await events_of(engine)

    assert text_of(events) == result_in(events).text == "no JSON"
    assert result_in(events).outcome.value == "output_invalid"
    assert transport.asked == ["first"]
    assert records(ledger)[0]["cost_usd"] == "0.00002"


async def test_a_streamed_answer_still_falls_back_before_its_first_content(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(503)], "second": [streamed("{}")]})
    async with opened(policy_of(policy(route=STREAMED)), transport) as engine:
        assert (await streamed_result(engine)).text == "{}"


async def test_a_streamed_answer_that_breaks_off_is_interrupted_not_invalid(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("{"), Cause.RESET)]})
    async with opened(policy_of(policy(route=STREAMED)), transport) as engine:
        assert (await streamed_result(engine)).outcome.value == "interrupted"
