"""Webhooks: who is told what, signed as the standard says, tried again, never forgotten silently."""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import anyio
import pytest
from standardwebhooks.webhooks import Webhook

from route_run.flow.event import Text
from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.ledger import EntryKind, MemoryLedger
from route_run.runtime import hooks
from route_run.runtime.clock import SystemClock
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from route_run.transport.seam import Call, Purpose
from route_run.transport.simulate import SimulatedTransport
from support.engines import (
    AwaitingLedger,
    RefusingLedger,
    opened,
    policy,
    records,
    streamed_result,
)
from support.scripted import (
    EVENTS,
    STALL,
    Reply,
    ScriptedTransport,
    broken,
    content,
    problem,
    stream,
    streamed,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

HELLO = PromptRequest.of(prompt="Hello")
SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD_SECRET = "whsec_" + base64.b64encode(bytes(range(1, 25))).decode()
ENVIRON = {"HOOK": "https://hooks.test/in", "NEW": SECRET, "OLD": OLD_SECRET, "KEY": "key-of-the-first"}
ALL = "completed, rejected, refused, failed, output_invalid, interrupted, cancelled, fell_back, flagged"
FINE = Reply(204)
DOWN = Reply(500)


def hook(events: str = ALL, fields: str = 'secrets: ["${NEW}"]', match: str = "{}", name: str = "ops") -> str:
    end = f", {fields}" if fields else ""
    return f"webhooks:\n  {name}: {{match: {match}, events: [{events}], url: '${{HOOK}}'{end}}}\n"


def told(transport: ScriptedTransport, webhook: str = "ops") -> list[Call]:
    return transport.calls_for(Purpose.WEBHOOK, webhook)


def events_told(transport: ScriptedTransport, webhook: str = "ops") -> list[str]:
    return [json.loads(call.request.body)["type"] for call in told(transport, webhook)]


def deliveries(ledger: MemoryLedger) -> list[Mapping[str, Any]]:
    return [entry.body for entry in ledger.entries if entry.kind is EntryKind.DELIVERY]


def one_answer(*hook_replies: Reply) -> ScriptedTransport:
    return ScriptedTransport({"first": [streamed("Hello")], "ops": hook_replies})


# -- who is told what ---------------------------------------------------------------------------------

GUARD = """\
guards:
  codename: {{patterns: [{{id: zephyr, regex: zephyr, score: 1.0}}], then: {then}}}
bounds:
  baseline: {{match: {{}}, guards: [codename]}}
"""
HAPPENINGS: dict[str, tuple[dict[str, Sequence[Reply]], str, str, list[str]]] = {
    "an answer": ({"first": [streamed("Hello")]}, "Hello", "", ["completed"]),
    "a fallback": ({"first": [problem(503)], "second": [streamed("Hello")]}, "Hello", "", ["completed", "fell_back"]),
    "a failure": ({"first": [problem(503)], "second": [problem(503)]}, "Hello", "", ["failed", "fell_back"]),
    "a failure at once": ({"first": [problem(400)]}, "Hello", "", ["failed"]),
    "an interruption": ({"first": [stream(content("a"), Cause.RESET)]}, "Hello", "", ["interrupted"]),
    "a rejection": ({}, "Zephyr", GUARD.format(then="reject"), ["rejected"]),
    "a flag": ({"first": [streamed("Hello")]}, "Zephyr", GUARD.format(then="flag"), ["completed", "flagged"]),
    "a refusal": ({}, "x" * 60_000, "", ["refused"]),
}


@pytest.mark.parametrize(("scripts", "prompt", "more", "events"), HAPPENINGS.values(), ids=HAPPENINGS.keys())
async def test_a_webhook_is_told_what_happened(
    policy_of: PolicyOf, scripts: dict[str, Sequence[Reply]], prompt: str, more: str, events: list[str]
) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({**scripts, "ops": [FINE] * 2})
    async with opened(policy_of(policy(more=hook() + more)), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine, prompt)

    assert sorted(events_told(transport)) == [f"llm.inference.{event}" for event in events]
    assert sorted(message["event"] for message in records(ledger)[0]["webhooks"]) == events


async def test_a_request_that_was_given_up_is_told_as_cancelled(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("a"), STALL)], "ops": [FINE]})
    async with opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine:
        with anyio.move_on_after(1):
            await streamed_result(engine)

    assert events_told(transport) == ["llm.inference.cancelled"]


async def test_an_invalid_output_is_told_as_such(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("no JSON")], "ops": [FINE]})
    loaded = policy_of(policy(targets=1, route="match: {}, verify: {format: json}", more=hook()))
    async with opened(loaded, transport, environ=ENVIRON) as engine:
        await streamed_result(engine)

    assert events_told(transport) == ["llm.inference.output_invalid"]


async def test_a_webhook_hears_only_the_events_it_lists(policy_of: PolicyOf) -> None:
    transport = one_answer()
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook("failed, rejected"))), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)

    assert told(transport) == []
    assert records(ledger)[0]["webhooks"] == []


async def test_a_webhook_hears_only_the_requests_that_match(policy_of: PolicyOf) -> None:
    tags = "tags:\n  desk: {values: [sales, support]}\n"
    transport = ScriptedTransport({"first": lambda call: streamed("Hello"), "ops": [FINE]})
    loaded = policy_of(policy(more=tags + hook(match="{tags: {desk: sales}}")))
    async with opened(loaded, transport, environ=ENVIRON) as engine:
        await streamed_result(engine, tags={"desk": "support"})
        await streamed_result(engine, tags={"desk": "sales"})
        await streamed_result(engine)

    assert len(told(transport)) == 1


async def test_several_webhooks_are_told_each_for_itself(policy_of: PolicyOf) -> None:
    both = hook() + hook(name="audit", fields="").removeprefix("webhooks:\n")
    transport = ScriptedTransport({"first": [streamed("Hello")], "ops": [DOWN] * 20, "audit": [FINE]})
    async with opened(policy_of(policy(more=both)), transport, environ=ENVIRON) as engine:
        await streamed_result(engine)
        await anyio.sleep(60)

    assert len(told(transport, "audit")) == 1
    assert len(told(transport, "ops")) == 2


async def test_nothing_is_sent_in_a_simulation_and_the_record_lists_what_would_be(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(more=hook()))
    ledger = MemoryLedger()
    transport = SimulatedTransport(loaded.table)
    seen: list[Call] = []
    send = transport.send

    async def noted(call: Call) -> Any:
        seen.append(call)
        return await send(call)

    transport.send = noted  # type: ignore[method-assign]  # only listens
    async with opened(loaded, transport, ledger, {}) as engine:
        await streamed_result(engine)

    assert [call.purpose for call in seen] == [Purpose.INFERENCE]
    assert [message["event"] for message in records(ledger)[0]["webhooks"]] == ["completed"]


# -- what is told -------------------------------------------------------------------------------------


async def test_a_payload_holds_ids_sizes_and_times_and_no_text(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(2, content("the answer"), b"data: [DONE]\n\n")], "ops": [FINE]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        result = await streamed_result(engine, "the question")

    (call,) = told(transport)
    payload = json.loads(call.request.body)
    assert payload["type"] == "llm.inference.completed"
    data = payload["data"]
    assert data["request_id"] == result.request_id
    assert (data["model"], data["endpoint"], data["route"], data["outcome"]) == ("m", "first", "all", "completed")
    assert (data["latency_ms"], data["first_content_ms"], data["attempts"]) == (2000, 2000, 1)
    assert data["cost_usd"] is None
    assert datetime.fromisoformat(data["timestamp"]).tzinfo is not None
    assert b"the answer" not in call.request.body
    assert b"the question" not in call.request.body


async def test_tokens_and_cost_are_told(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("Hello", used=(1000, 500))], "ops": [FINE]})
    async with opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine:
        await streamed_result(engine)

    data = json.loads(told(transport)[0].request.body)["data"]
    assert data["tokens"] == {"prompt": 1000, "completion": 500}
    assert data["cost_usd"] == "0.002"


async def test_a_webhook_is_told_only_what_has_been_stored(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    stored: list[int] = []

    def receiver(call: Call) -> Reply:
        stored.append(len(records(ledger)))
        return FINE

    transport = ScriptedTransport({"first": [streamed("Hello")], "ops": receiver})
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)

    assert stored == [1]


async def test_nothing_is_told_of_a_request_whose_record_was_refused(policy_of: PolicyOf) -> None:
    transport = one_answer()
    loaded = policy_of(policy(more=hook()))
    async with opened(loaded, transport, RefusingLedger(EntryKind.RECORD), ENVIRON) as engine:
        with pytest.raises(Exception, match="the disk is full"):
            await streamed_result(engine)

    assert told(transport) == []


async def test_a_receiver_that_is_slow_does_not_hold_up_the_request(policy_of: PolicyOf) -> None:
    transport = one_answer(Reply(204, head=[3]))
    async with opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine:
        before = anyio.current_time()
        await streamed_result(engine)
        assert anyio.current_time() == before


# -- signatures ---------------------------------------------------------------------------------------


def expected_signature(call: Call, secret: str) -> str:
    """What the reference library makes of the very bytes that were sent."""
    headers = call.request.headers
    moment = datetime.fromtimestamp(int(headers["webhook-timestamp"]), UTC)
    return str(Webhook(secret).sign(headers["webhook-id"], moment, call.request.body.decode()))


async def test_the_reference_library_accepts_a_delivery(policy_of: PolicyOf) -> None:
    transport = one_answer(FINE)
    loaded = policy_of(policy(more=hook()))
    async with Engine.open(
        loaded, ledger=MemoryLedger(), environ=ENVIRON, transport=transport, clock=SystemClock()
    ) as engine:
        await streamed_result(engine)

    (call,) = told(transport)
    verified = Webhook(SECRET).verify(call.request.body, dict(call.request.headers))
    assert verified["type"] == "llm.inference.completed"


async def test_during_a_rotation_both_secrets_are_accepted(policy_of: PolicyOf) -> None:
    transport = one_answer(FINE)
    loaded = policy_of(policy(more=hook(fields='secrets: ["${NEW}", "${OLD}"]')))
    async with Engine.open(
        loaded, ledger=MemoryLedger(), environ=ENVIRON, transport=transport, clock=SystemClock()
    ) as engine:
        await streamed_result(engine)

    (call,) = told(transport)
    for secret in (SECRET, OLD_SECRET):
        assert Webhook(secret).verify(call.request.body, dict(call.request.headers))


async def test_without_a_secret_nothing_is_signed(policy_of: PolicyOf) -> None:
    transport = one_answer(FINE)
    async with opened(policy_of(policy(more=hook(fields=""))), transport, environ=ENVIRON) as engine:
        await streamed_result(engine)

    headers = told(transport)[0].request.headers
    assert "webhook-signature" not in headers
    assert headers["webhook-id"].startswith("msg_")


async def test_an_id_is_the_one_in_the_record_and_holds_no_dot(policy_of: PolicyOf) -> None:
    transport = one_answer(FINE)
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)

    name = told(transport)[0].request.headers["webhook-id"]
    assert name == records(ledger)[0]["webhooks"][0]["id"]
    assert "." not in name


async def test_every_try_keeps_its_id_and_is_signed_anew_with_its_own_time(policy_of: PolicyOf) -> None:
    transport = one_answer(DOWN, DOWN, FINE)
    async with opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine:
        await streamed_result(engine)
        await anyio.sleep(1000)

    calls = told(transport)
    assert len(calls) == 3
    assert len({call.request.headers["webhook-id"] for call in calls}) == 1
    assert len({call.request.headers["webhook-timestamp"] for call in calls}) == 3
    assert len({call.request.body for call in calls}) == 1
    for call in calls:
        assert call.request.headers["webhook-signature"] == expected_signature(call, SECRET)


async def test_a_webhook_logs_in_and_sends_its_headers(policy_of: PolicyOf) -> None:
    fields = "auth: {api_key: '${KEY}', header: X-Key}, headers: {X-Team: blue}"
    transport = one_answer(FINE)
    async with opened(policy_of(policy(more=hook(fields=fields))), transport, environ=ENVIRON) as engine:
        await streamed_result(engine)

    headers = told(transport)[0].request.headers
    assert (headers["x-key"], headers["x-team"]) == ("key-of-the-first", "blue")
    assert headers["content-type"] == "application/json"


# -- tries --------------------------------------------------------------------------------------------

SCHEDULE = [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]


async def test_a_receiver_that_stays_down_is_tried_ten_times_over_days_and_then_noted(policy_of: PolicyOf) -> None:
    tried: list[float] = []

    def receiver(call: Call) -> Reply:
        tried.append(anyio.current_time())
        return DOWN

    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed("Hello")], "ops": receiver})
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        before = anyio.current_time()
        await streamed_result(engine)
        await anyio.sleep(6 * 86_400)

    waits = [later - earlier for earlier, later in zip([before, *tried], tried, strict=False)]
    assert len(tried) == 10
    assert all(0.8 * base <= wait <= 1.2 * base + 0.001 for base, wait in zip(SCHEDULE, waits, strict=True))
    assert [(d["tries"], d["outcome"]) for d in deliveries(ledger)] == [(10, "status 500")]


@pytest.mark.parametrize(
    "reply",
    [
        *(pytest.param(Reply(status), id=str(status)) for status in (301, 400, 401, 404, 429, 500, 503)),
        pytest.param(broken(Cause.REFUSED), id="refused"),
        pytest.param(broken(Cause.RESET), id="reset"),
        pytest.param(Reply(head=[STALL]), id="silence"),
    ],
)
async def test_what_is_no_success_is_tried_again(policy_of: PolicyOf, reply: Reply) -> None:
    transport = one_answer(reply, FINE)
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)
        await anyio.sleep(100)

    assert len(told(transport)) == 2
    assert [(d["tries"], d["outcome"]) for d in deliveries(ledger)] == [(2, "delivered")]


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_every_2xx_is_a_success(policy_of: PolicyOf, status: int) -> None:
    transport = one_answer(Reply(status, body=[b"thanks"]))
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)
        await anyio.sleep(100)

    (noted,) = deliveries(ledger)
    assert (noted["webhook"], noted["event"], noted["tries"], noted["outcome"]) == ("ops", "completed", 1, "delivered")
    assert transport.left_open == 0


async def test_a_receiver_has_twenty_seconds(policy_of: PolicyOf) -> None:
    transport = one_answer(Reply(204, head=[19]), Reply(204, head=[21]), FINE)
    transport._scripts["first"] = [streamed("Hello"), streamed("Hello")]
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)
        await anyio.sleep(30)
        await streamed_result(engine)
        await anyio.sleep(100)

    assert [d["tries"] for d in deliveries(ledger)] == [1, 2]


@pytest.mark.parametrize(("asked", "low", "high"), [("1", 5, 5), ("8", 8, 8), ("3600", 10, 10)])
async def test_a_delay_that_a_receiver_asks_for_is_kept_to_within_limits(
    policy_of: PolicyOf, asked: str, low: float, high: float
) -> None:
    tried: list[float] = []

    def receiver(call: Call) -> Reply:
        tried.append(anyio.current_time())
        return Reply(429, {"retry-after": asked}) if len(tried) == 1 else FINE

    transport = ScriptedTransport({"first": [streamed("Hello")], "ops": receiver})
    async with opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine:
        await streamed_result(engine)
        await anyio.sleep(100)

    assert low <= tried[1] - tried[0] <= high


async def test_a_receiver_that_is_gone_is_not_told_any_more_and_what_is_dropped_is_named(
    policy_of: PolicyOf, caplog: pytest.LogCaptureFixture
) -> None:
    transport = ScriptedTransport({"first": lambda call: streamed("Hello"), "ops": [Reply(410)]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)
        await anyio.sleep(1)
        result = await streamed_result(engine)
        await anyio.sleep(1000)

    assert len(told(transport)) == 1
    assert "410" in deliveries(ledger)[0]["outcome"]
    assert f"webhook ops: completed of {result.request_id} is dropped" in caplog.text


async def test_more_than_fits_into_memory_is_dropped_and_named(
    policy_of: PolicyOf, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "MOST_WAITING", 2)
    transport = ScriptedTransport({"first": lambda call: streamed("Hello"), "ops": lambda call: DOWN})
    async with opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine:
        results = [await streamed_result(engine) for _ in range(3)]

    assert f"completed of {results[2].request_id} is dropped" in caplog.text
    assert f"completed of {results[1].request_id} is dropped" not in caplog.text


# -- the end of the engine ----------------------------------------------------------------------------


async def test_closing_waits_for_a_delivery_that_is_under_way(policy_of: PolicyOf) -> None:
    transport = one_answer(Reply(204, head=[3]))
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)

    assert [d["outcome"] for d in deliveries(ledger)] == ["delivered"]


async def test_a_delivery_that_succeeds_while_the_engine_closes_is_still_noted(policy_of: PolicyOf) -> None:
    transport = one_answer(Reply(204, head=[3]))
    ledger = AwaitingLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)

    assert [d["outcome"] for d in deliveries(ledger)] == ["delivered"]


async def test_closing_waits_five_seconds_at_most_and_names_what_was_not_delivered(
    policy_of: PolicyOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    transport = one_answer(Reply(head=[STALL]))
    ledger = MemoryLedger()
    before = anyio.current_time()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)

    assert anyio.current_time() - before == pytest.approx(5)
    (message,) = records(ledger)[0]["webhooks"]
    assert f"webhook ops was not told of completed ({message['id']})" in caplog.text


async def test_closing_does_not_wait_where_nothing_is_left(policy_of: PolicyOf) -> None:
    before = anyio.current_time()
    async with opened(policy_of(policy(more=hook())), one_answer(FINE), environ=ENVIRON) as engine:
        await streamed_result(engine)

    assert anyio.current_time() - before < 0.1


async def test_a_webhook_is_told_of_a_cancellation_that_ends_the_engine_too(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("a"), STALL)], "ops": [FINE]})
    before = anyio.current_time()
    with anyio.move_on_after(1):
        async with opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine:
            await streamed_result(engine)

    assert events_told(transport) == ["llm.inference.cancelled"]
    assert anyio.current_time() - before < 2


async def test_a_ledger_that_refuses_the_note_of_a_delivery_is_logged(
    policy_of: PolicyOf, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = RefusingLedger(EntryKind.DELIVERY)
    async with opened(policy_of(policy(more=hook())), one_answer(FINE), ledger, ENVIRON) as engine:
        result = await streamed_result(engine)
        await anyio.sleep(1)

    assert result.outcome.value == "completed"
    assert "webhook ops: the disk is full" in caplog.text


async def test_a_webhook_that_a_record_lists_is_never_forgotten_wherever_the_caller_is_cancelled(
    policy_of: PolicyOf, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = policy_of(policy(more=hook()))
    for tick in range(40):
        ledger, transport = AwaitingLedger(), one_answer(FINE)
        scope = anyio.CancelScope()

        async def request(engine: Engine, scope: anyio.CancelScope = scope) -> None:
            with scope:
                await streamed_result(engine)

        async with opened(loaded, transport, ledger, ENVIRON) as engine, anyio.create_task_group() as tasks:
            tasks.start_soon(request, engine)
            for _ in range(tick):
                await anyio.lowlevel.checkpoint()
            scope.cancel()
        listed = {message["id"] for record in records(ledger) for message in record["webhooks"]}
        sent = {call.request.headers["webhook-id"] for call in told(transport)}
        named = {name for name in listed if name in caplog.text}
        assert listed <= sent | named, f"cancelled at tick {tick}"


async def test_an_event_stream_of_a_receiver_is_not_read(policy_of: PolicyOf) -> None:
    transport = one_answer(Reply(200, EVENTS, [STALL]))
    ledger = MemoryLedger()
    async with opened(policy_of(policy(more=hook())), transport, ledger, ENVIRON) as engine:
        await streamed_result(engine)

    assert [d["outcome"] for d in deliveries(ledger)] == ["delivered"]
    assert transport.left_open == 0


async def test_leaving_early_still_tells_the_webhook(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [stream(content("a"), STALL)], "ops": [FINE]})
    async with (
        opened(policy_of(policy(more=hook())), transport, environ=ENVIRON) as engine,
        engine.stream(HELLO) as events,
    ):
        async for event in events:
            if isinstance(event, Text):
                break

    assert events_told(transport) == ["llm.inference.cancelled"]
