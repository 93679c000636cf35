"""Answers that do not pass their check: given up as early as that is certain, and repaired where the policy says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from route_run.flow.event import AttemptStarted, Event, Finished, Result
from route_run.flow.repair import MAX_SHOWN
from route_run.ledger import EntryKind, MemoryLedger
from route_run.table import Loaded
from route_run.transport.seam import Call
from support.engines import (
    causes,
    completed_result,
    events_of,
    opened,
    policy,
    records,
    streamed_result,
    text_of,
)
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
    token,
    usage,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

VERIFIED = "match: {}, verify: {format: json}"
REPAIRED = "match: {}, verify: {format: json, repair: 1}"
SCHEMA = {
    "type": "object",
    "required": ["desk"],
    "properties": {"desk": {"enum": ["sales", "billing"]}, "note": {"type": "string"}},
    "additionalProperties": False,
}


def with_schema(repair: int, **fields: Any) -> dict[str, str]:
    route = f"match: {{}}, verify: {{json_schema: answer.json, repair: {repair}}}"
    return {"policy.yaml": policy(route=route, **fields), "answer.json": json.dumps(SCHEMA)}


def result_in(events: list[Event]) -> Result:
    last = events[-1]
    assert isinstance(last, Finished)
    return last.result


def turns(call: Call) -> list[tuple[str, str]]:
    return [(turn["role"], turn["content"]) for turn in json.loads(call.request.body)["messages"]]


# -- given up early -----------------------------------------------------------------------------------

EARLY = {
    "words before the JSON": ([content("Sure"), content(", here it is: "), 9, content("{}")], "a value is expected"),
    "a fence": ([content("```json\n"), 9, content("{}")], "a value is expected"),
    "another type": ([content("["), 9, content("]")], "not of the type object"),
    "an unknown field": ([content('{"de'), content('sc":'), 9, content("1}")], "does not know"),
    "a wrong value": ([content('{"desk": "nobody"'), 9, content("}")], "not one of ['sales', 'billing']"),
    "a second value": ([content('{"desk": "sales"}'), 1, content(" {"), 8, content("}")], "nothing more is expected"),
}


@pytest.mark.parametrize(("steps", "words"), EARLY.values(), ids=EARLY.keys())
async def test_a_held_answer_is_given_up_at_the_piece_that_decides_and_closed(
    policy_of: PolicyOf, steps: list[Any], words: str
) -> None:
    first = stream(*steps, FINISH, usage(10, 5), DONE)
    transport = ScriptedTransport({"first": [first], "second": [streamed('{"desk": "sales"}')]})
    async with opened(policy_of(with_schema(0)), transport) as engine:
        events = await events_of(engine)
        was_read_on = not transport.responses[0]._left
        assert transport.responses[0].is_closed

    result = result_in(events)
    assert text_of(events) == result.text == '{"desk": "sales"}'
    assert causes(result) == ["invalid_output", None]
    assert result.attempts[0].failure is not None
    assert words in result.attempts[0].failure.message
    assert not was_read_on
    assert result.record.ended_at - result.record.started_at < 2  # and not the nine seconds to its end


async def test_what_an_answer_cost_that_was_given_up_is_not_known(policy_of: PolicyOf) -> None:
    # some providers tell the tokens of the prompt first: those are not the whole bill
    first = stream(usage(10, 0), content("no JSON"), STALL)
    transport = ScriptedTransport({"first": [first], "second": [streamed("{}")]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(route=VERIFIED)), transport, ledger) as engine:
        await streamed_result(engine)

    (record,) = records(ledger)
    assert [a["billed"] for a in record["attempts"]] == ["unknown", "exact"]


async def test_a_streamed_answer_is_not_cut_off_by_its_check(policy_of: PolicyOf) -> None:
    route = "match: {}, verify: {format: json}, deliver: streamed"
    transport = ScriptedTransport({"first": [streamed("no", " JSON")]})
    async with opened(policy_of(policy(route=route)), transport) as engine:
        result = await streamed_result(engine)

    assert (result.text, result.outcome.value) == ("no JSON", "output_invalid")


async def test_an_answer_that_is_good_so_far_is_waited_for(policy_of: PolicyOf) -> None:
    pieces = [part for character in '{"desk": "sales"}' for part in (content(character), 1)]
    transport = ScriptedTransport({"first": [stream(*pieces, FINISH, DONE)]})
    async with opened(policy_of(with_schema(0)), transport) as engine:
        result = await streamed_result(engine)

    assert (result.outcome.value, result.text) == ("completed", '{"desk": "sales"}')


# -- repaired -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("how", [streamed_result, completed_result])
async def test_a_target_is_asked_once_more_with_its_answer_and_what_is_wrong_with_it(
    policy_of: PolicyOf, how: Any
) -> None:
    make = streamed if how is streamed_result else plain
    transport = ScriptedTransport({"first": [make('{"desk": "nobody"}'), make('{"desk": "sales"}')]})
    ledger = MemoryLedger()
    async with opened(policy_of(with_schema(1)), transport, ledger) as engine:
        result = await how(engine, "Who?", documents=("a document",))

    assert (result.outcome.value, result.text) == ("completed", '{"desk": "sales"}')
    assert transport.asked == ["first", "first"]
    asked, again = map(turns, transport.calls)
    assert again[: len(asked)] == asked
    assert again[len(asked)] == ("assistant", '{"desk": "nobody"}')
    assert again[len(asked) + 1][0] == "user"
    assert "answer['desk']: not one of ['sales', 'billing']" in again[len(asked) + 1][1]
    assert len(again) == len(asked) + 2
    (record,) = records(ledger)
    assert [(a["endpoint"], a["failure"], a["repair"]) for a in record["attempts"]] == [
        ("first", "invalid_output", False),
        ("first", None, True),
    ]
    begun = [entry.body for entry in ledger.entries if entry.kind is EntryKind.ATTEMPT]
    assert [body["repair"] for body in begun] == [False, True]


async def test_events_say_that_an_attempt_is_a_repair_and_nothing_of_the_first_answer(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("no JSON"), streamed("{}")]})
    async with opened(policy_of(policy(route=REPAIRED)), transport) as engine:
        events = await events_of(engine)

    assert [happened.repair for happened in events if isinstance(happened, AttemptStarted)] == [False, True]
    assert text_of(events) == "{}"


async def test_a_repair_that_fails_falls_back_to_the_next_target_with_the_question_as_it_was(
    policy_of: PolicyOf,
) -> None:
    transport = ScriptedTransport({"first": [streamed("no JSON"), streamed("still none")], "second": [streamed("{}")]})
    async with opened(policy_of(policy(route=REPAIRED)), transport) as engine:
        result = await streamed_result(engine)

    assert transport.asked == ["first", "first", "second"]
    assert causes(result) == ["invalid_output", "invalid_output", None]
    assert turns(transport.calls[2]) == turns(transport.calls[0])


async def test_there_is_one_repair_in_a_request(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({name: [streamed("no"), streamed("no")] for name in ("first", "second", "third")})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(route=REPAIRED, targets=3)), transport, ledger) as engine:
        result = await streamed_result(engine)

    assert transport.asked == ["first", "first", "second", "third"]
    assert (result.outcome.value, result.text) == ("output_invalid", "")
    assert records(ledger)[0]["outcome"] == "output_invalid"
    assert result.advice is not None
    assert "`verify`" in result.advice


async def test_a_repair_and_a_retry_share_the_one_spare_exchange(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(route=REPAIRED, upstream="retry: {attempts: 5}", targets=1))
    transport = ScriptedTransport({"first": [problem(500), streamed("no JSON")]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert (result.outcome.value, len(transport.asked)) == ("output_invalid", 2)


async def test_without_repair_the_next_target_is_asked(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("no JSON")], "second": [streamed("{}")]})
    async with opened(policy_of(policy(route=VERIFIED)), transport) as engine:
        await streamed_result(engine)

    assert transport.asked == ["first", "second"]


async def test_a_repair_is_asked_though_invalid_output_does_not_fall_back(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(route=REPAIRED, upstream="fallback: {when: [timeout]}"))
    transport = ScriptedTransport({"first": [streamed("no JSON"), streamed("{}")]})
    async with opened(loaded, transport) as engine:
        assert (await streamed_result(engine)).text == "{}"


async def test_a_repair_whose_token_has_expired_is_asked_again_as_a_repair(policy_of: PolicyOf) -> None:
    auth = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"
    transport = ScriptedTransport(
        {"first": [streamed("no JSON"), problem(401), streamed("{}")]}, {"first": [token("t1"), token("t2")]}
    )
    async with opened(policy_of(policy(first=auth, route=REPAIRED, targets=1)), transport) as engine:
        result = await streamed_result(engine)

    assert result.text == "{}"
    calls = [call for call in transport.calls if b"messages" in call.request.body]
    assert turns(calls[1]) == turns(calls[2]) != turns(calls[0])
    assert [attempt.repair for attempt in result.attempts] == [False, True, True]


async def test_an_answer_without_any_text_is_asked_to_be_repaired_without_quoting_it(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(ROLE, FINISH, DONE), streamed("{}")]})
    async with opened(policy_of(policy(route=REPAIRED)), transport) as engine:
        assert (await streamed_result(engine)).text == "{}"

    assert [role for role, _ in turns(transport.calls[1])] == ["user", "user"]


async def test_a_long_answer_is_shown_cut(policy_of: PolicyOf) -> None:
    text = policy(route=REPAIRED).replace("context_window: 10000", "context_window: 100000")
    transport = ScriptedTransport({"first": [streamed('{"a": "' + "x" * 50_000), streamed("{}")]})
    async with opened(policy_of(text), transport) as engine:
        assert (await streamed_result(engine)).text == "{}"

    shown = turns(transport.calls[1])[1][1]
    assert len(shown) < MAX_SHOWN + 50
    assert shown.endswith("left out]")


async def test_what_does_not_fit_into_the_context_window_is_not_repaired(policy_of: PolicyOf) -> None:
    def answering(size: int) -> ScriptedTransport:
        invalid = streamed('{"a": "' + "x" * size)
        return ScriptedTransport({"first": [invalid, streamed("{}")], "second": [streamed("[]")]})

    loaded = policy_of(policy(route=REPAIRED))
    asked = []
    for size in (6_000, 15_000):
        transport = answering(size)
        async with opened(loaded, transport) as engine:
            # 10,000 tokens of 3 bytes, of which the next answer may take 1,000: about 27,000 bytes are left
            await streamed_result(engine, "y" * (12_000 if size == 6_000 else 15_000))
        asked.append(transport.asked)

    assert asked == [["first", "first"], ["first", "second"]]


async def test_no_repair_begins_once_the_total_time_is_over(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(route=REPAIRED, upstream="timeouts: {total: 5s}"))
    transport = ScriptedTransport({"first": [stream(4.9, content('{"a"'), FINISH, DONE), stream(STALL)]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert causes(result) == ["invalid_output", "total_timeout"]
    assert result.outcome.value == "failed"


async def test_a_key_that_an_endpoint_repeats_is_not_sent_to_it_as_text(policy_of: PolicyOf) -> None:
    key = "key-of-the-first"
    transport = ScriptedTransport({"first": [streamed(f"no JSON but {key}"), streamed("{}")]})
    loaded = policy_of(policy(first="auth: {api_key: '${KEY}'}", route=REPAIRED))
    async with opened(loaded, transport) as engine:
        await streamed_result(engine)

    assert key not in transport.calls[1].request.body.decode()
    assert "no JSON but" in transport.calls[1].request.body.decode()


REPLIES: dict[str, list[Reply]] = {
    "a good repair": [streamed("no"), streamed("{}")],
    "a bad repair": [streamed("no"), streamed("no")],
    "a repair that breaks off": [streamed("no"), stream(content("{"), event({"error": {"message": "x"}}))],
    "given up early": [stream(content("no"), STALL), streamed("{}")],
}


@pytest.mark.parametrize("replies", REPLIES.values(), ids=REPLIES.keys())
@pytest.mark.parametrize("tick", range(2, 40, 3))
async def test_wherever_a_repair_is_cancelled_it_leaves_one_record_and_no_open_answer(
    policy_of: PolicyOf, replies: list[Reply], tick: int
) -> None:
    transport = ScriptedTransport({"first": replies, "second": [streamed("{}")]})
    ledger = MemoryLedger()
    async with (
        opened(policy_of(policy(route=REPAIRED)), transport, ledger) as engine,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(streamed_result, engine)
        for _ in range(tick):
            await anyio.lowlevel.checkpoint()
        tasks.cancel_scope.cancel()

    assert len(records(ledger)) == 1
    assert transport.left_open == 0
