"""No secret comes out anywhere: canaries in every secret field, every failure made to happen, all outputs searched.

The other side is as bad as it can be: it repeats whatever it was sent in every place that we keep or print.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import secrets
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import anyio
import pytest

from route_run.errors import RouteRunError, UnresolvedReferences
from route_run.flow.event import Event, event_as_json
from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.runtime.engine import Engine
from route_run.runtime.resolve import resolve
from route_run.table import Loaded
from route_run.transport.seam import Call, Purpose
from support.engines import completed_result, opened, policy, streamed_result
from support.scripted import EVENTS, JSON, Reply, ScriptedTransport, Step, content, event, token
from support.server import Do, Server, answer

PolicyOf = Callable[..., Loaded]

pytestmark = pytest.mark.anyio

SHORTEST_LEAK = 10
"""This many characters of a secret in a row are a leak: none of them happens to stand anywhere."""


@dataclass
class Canaries:
    """A secret for every reference, and what has come out."""

    values: dict[str, str] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("KEY", "CLIENT_SECRET", "HEADER", "HOOK_KEY", "HOOK_HEADER", "HASH_KEY"):
            self.values[name] = secrets.token_hex(20)
        self.values["SIGN"] = "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()
        self.values["TOKEN_1"] = secrets.token_hex(20)
        self.values["TOKEN_2"] = secrets.token_hex(20)

    @property
    def environ(self) -> dict[str, str]:
        return {**self.values, "ID": "my-client", "BASE": "https://first.test/v1", "HOOK": "https://hooks.test/in"}

    def note(self, *things: object) -> None:
        """Keep everything a person or a log could see of these."""
        self.seen += [text for thing in things for text in (repr(thing), str(thing))]

    def leaks(self) -> list[str]:
        """The names of secrets of which a part came out, with what stands around it."""
        everything = "\n".join(self.seen)
        return [
            f"{name}: …{everything[max(0, place - 60) : place + 60]}…"
            for name, secret in self.values.items()
            for part in _parts(secret.removeprefix("whsec_"))
            if (place := everything.find(part)) >= 0
        ]


def _parts(secret: str) -> Iterator[str]:
    yield secret[:SHORTEST_LEAK]
    yield secret[-SHORTEST_LEAK:]


@pytest.fixture
def canaries() -> Canaries:
    return Canaries()


WITH_KEY = "auth: {api_key: '${KEY}'}, headers: {X-Own: '${HEADER}'}"
WITH_TOKEN = (
    "auth: {oauth2: {client_id: '${ID}', client_secret: '${CLIENT_SECRET}', scope: a}}, headers: {X-Own: '${HEADER}'}"
)
MORE = """\
webhooks:
  ops:
    match: {}
    events: [completed, failed, interrupted, cancelled, output_invalid]
    url: ${HOOK}
    secrets: ["${SIGN}"]
    auth: {api_key: "${HOOK_KEY}"}
    headers: {X-Hook: "${HOOK_HEADER}"}
ledger: {hash_key: "${HASH_KEY}"}
"""


def echo(call: Call) -> str:
    """Everything that was sent, in one line."""
    headers = " ".join(f"{name}={value}" for name, value in call.request.headers.items())
    return f"{headers} {call.request.body.decode()}"


def as_message(call: Call, status: int = 400) -> Reply:
    return Reply(status, JSON, [json.dumps({"error": {"message": echo(call)}}).encode()])


def login(call: Call) -> str:
    """The secret itself, as it was sent."""
    sent = call.request.headers.get("authorization") or call.request.headers.get("x-api-key") or ""
    return sent.removeprefix("Bearer ")


REPEATING: dict[str, Callable[[Call], Reply]] = {
    "message": as_message,
    "message of a 500": lambda call: as_message(call, 500),
    "message of a 401": lambda call: as_message(call, 401),
    "code": lambda call: Reply(400, JSON, [json.dumps({"error": {"message": "x", "code": login(call)}}).encode()]),
    "type": lambda call: Reply(400, JSON, [json.dumps({"error": {"message": "x", "type": login(call)}}).encode()]),
    "error": lambda call: Reply(400, JSON, [json.dumps({"error": login(call)}).encode()]),
    "detail": lambda call: Reply(422, JSON, [json.dumps({"detail": [{"input": echo(call)}]}).encode()]),
    "plain text": lambda call: Reply(502, {"content-type": "text/plain"}, [echo(call).encode()]),
    "HTML": lambda call: Reply(502, {"content-type": "text/html"}, [f"<title>{login(call)}</title>".encode()]),
    "challenge": lambda call: Reply(401, {**JSON, "www-authenticate": f'Bearer error="{login(call)}"'}),
    "request id": lambda call: Reply(400, {**JSON, "x-request-id": login(call)}, [b"{}"]),
    "own request id": lambda call: Reply(400, {**JSON, "request-id": login(call)}, [b"{}"]),
    "location": lambda call: Reply(302, {"location": f"https://evil.test/?{login(call)}"}),
    "retry-after": lambda call: Reply(429, {**JSON, "retry-after": login(call)}, [b"{}"]),
    "content type": lambda call: Reply(200, {"content-type": f"text/html; {login(call)}"}, [b"x"]),
    "another content type": lambda call: Reply(200, {"content-type": f"image/{login(call)}"}, [b"x"]),
    "an event that is no JSON": lambda call: Reply(200, EVENTS, [f"data: {login(call)}\n\n".encode()]),
    "an error event": lambda call: Reply(200, EVENTS, [event({"error": {"message": echo(call)}})]),
    "an error event's code": lambda call: Reply(200, EVENTS, [event({"error": {"message": "x", "code": login(call)}})]),
    "a finish reason": lambda call: Reply(
        200, EVENTS, [event({"choices": [{"delta": {}, "finish_reason": login(call)}]}), b"data: [DONE]\n\n"]
    ),
    "a finish reason after content": lambda call: Reply(
        200,
        EVENTS,
        [content("a"), event({"choices": [{"delta": {}, "finish_reason": login(call)}]}), b"data: [DONE]\n\n"],
    ),
    "an error after content": lambda call: Reply(
        200, EVENTS, [content("a"), event({"error": {"message": echo(call)}})]
    ),
    "a secret cut by the cap": lambda call: as_message_of("x" * 280 + login(call)),
    "a secret cut by the cap of a challenge": lambda call: Reply(
        401, {**JSON, "www-authenticate": f'Bearer error="{"x" * 50}{login(call)}"'}
    ),
    "a secret over two lines of blanks": lambda call: as_message_of(f"key:\n\n  {login(call)}\t!"),
}


def as_message_of(text: str) -> Reply:
    return Reply(400, JSON, [json.dumps({"error": {"message": text}}).encode()])


async def watched(canaries: Canaries, engine: Engine, how: str) -> None:
    """Run one request, and keep every form of what it gives."""
    request = PromptRequest.of(prompt="Hello")
    try:
        if how == "complete":
            result = await engine.complete(request)
            canaries.note(result, result.as_json(), result.record.as_json(), result.attempts)
            return
        async with engine.stream(request) as events:
            seen: list[Event] = [event async for event in events]
        canaries.note(*seen, *(event_as_json(event) for event in seen))
    except RouteRunError as error:
        canaries.note(error, "".join(traceback.format_exception(error)))


def note_outputs(
    canaries: Canaries, ledger: MemoryLedger, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    printed = capsys.readouterr()
    canaries.note(*ledger.entries, caplog.text, printed.out, printed.err)
    canaries.note(*(record.getMessage() for record in caplog.records))


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize(("auth", "how"), [(WITH_KEY, "complete"), (WITH_TOKEN, "stream")], ids=["key", "token"])
@pytest.mark.parametrize("repeated", REPEATING.values(), ids=REPEATING.keys())
async def test_a_secret_that_an_endpoint_repeats_is_not_passed_on(
    policy_of: PolicyOf,
    canaries: Canaries,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    auth: str,
    repeated: Callable[[Call], Reply],
    how: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    ledger = MemoryLedger()
    transport = ScriptedTransport(
        {"first": repeated, "ops": lambda call: Reply(500, JSON, [echo(call).encode()])},
        {"first": [token(canaries.values["TOKEN_1"]), token(canaries.values["TOKEN_2"])]},
    )
    loaded = policy_of(policy(first=auth, targets=1, more=MORE))
    async with opened(loaded, transport, ledger, canaries.environ) as engine:
        await watched(canaries, engine, how)
        canaries.note(engine, engine._wiring)
    note_outputs(canaries, ledger, caplog, capsys)

    assert canaries.leaks() == []


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("status", [200, 400, 401, 500])
@pytest.mark.parametrize("form", ["message", "description", "text", "type"])
async def test_a_secret_that_a_token_endpoint_repeats_is_not_passed_on(
    policy_of: PolicyOf,
    canaries: Canaries,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    status: int,
    form: str,
) -> None:
    caplog.set_level(logging.DEBUG)

    def repeating(call: Call) -> Reply:
        said: Any = {
            "message": {"error": {"message": echo(call)}},
            "description": {"error": "invalid_client", "error_description": echo(call)},
            "text": echo(call),
            "type": {"access_token": "t", "token_type": canaries.values["CLIENT_SECRET"]},
        }[form]
        return Reply(status, JSON, [said.encode() if isinstance(said, str) else json.dumps(said).encode()])

    ledger = MemoryLedger()
    transport = ScriptedTransport({"ops": lambda call: Reply(204)}, {"first": repeating})
    loaded = policy_of(policy(first=WITH_TOKEN, targets=1, more=MORE))
    async with opened(loaded, transport, ledger, canaries.environ) as engine:
        await watched(canaries, engine, "stream")
        canaries.note(engine._wiring)
    note_outputs(canaries, ledger, caplog, capsys)

    assert canaries.leaks() == []


@pytest.mark.usefixtures("virtual_time")
async def test_a_token_that_was_replaced_is_still_taken_out_of_what_an_endpoint_says(
    policy_of: PolicyOf, canaries: Canaries, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    old = canaries.values["TOKEN_1"]
    answers = [Reply(401, JSON, [b"{}"]), as_message_of(f"the token {old} was revoked")]
    ledger = MemoryLedger()
    transport = ScriptedTransport(
        {"first": answers, "ops": lambda call: Reply(204)},
        {"first": [token(old), token(canaries.values["TOKEN_2"])]},
    )
    async with opened(
        policy_of(policy(first=WITH_TOKEN, targets=1, more=MORE)), transport, ledger, canaries.environ
    ) as e:
        await watched(canaries, e, "stream")
    note_outputs(canaries, ledger, caplog, capsys)

    assert canaries.leaks() == []


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("cause", [cause for cause in Cause if cause is not Cause.STATUS])
@pytest.mark.parametrize("steps", ["head", "body", "after content"])
async def test_no_secret_comes_out_whatever_breaks(
    policy_of: PolicyOf, canaries: Canaries, caplog: pytest.LogCaptureFixture, cause: Cause, steps: str
) -> None:
    caplog.set_level(logging.DEBUG)
    body: list[Step] = [content("a"), cause] if steps == "after content" else [cause]
    reply = Reply(head=[cause]) if steps == "head" else Reply(200, EVENTS, body)
    ledger = MemoryLedger()
    transport = ScriptedTransport(
        {"first": lambda call: reply, "ops": lambda call: Reply(head=[Cause.RESET])},
        {"first": [token(canaries.values["TOKEN_1"])]},
    )
    async with opened(
        policy_of(policy(first=WITH_TOKEN, targets=1, more=MORE)), transport, ledger, canaries.environ
    ) as e:
        await watched(canaries, e, "stream")
    canaries.note(*ledger.entries, caplog.text)

    assert canaries.leaks() == []


async def test_no_secret_comes_out_over_real_sockets_with_every_logger_on(
    policy_of: PolicyOf,
    canaries: Canaries,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("route_run.runtime.engine.DELIVER_AT_CLOSE", 0.2)
    caplog.set_level(logging.DEBUG)
    ledger = MemoryLedger()
    script = [Do.READ, answer(500, b"{}"), Do.READ, b"garbage\r\n\r\n"]
    with Server(script) as server:
        loaded = policy_of(
            policy(first=WITH_KEY + ", allow_networks: [loopback]", targets=1, more=MORE)
            .replace("'https://first.test/v1'", "'${BASE}'")
            .replace("url: ${HOOK}", "url: ${HOOK}\n    allow_networks: [loopback]")
        )
        environ = {**canaries.environ, "BASE": f"{server.url}/v1", "HOOK": f"{server.url}/in"}
        with anyio.fail_after(20):
            async with Engine.open(loaded, ledger=ledger, environ=environ) as engine:
                for how in ("stream", "complete"):
                    await watched(canaries, engine, how)
                canaries.note(engine._wiring, engine._wiring.transport)
    note_outputs(canaries, ledger, caplog, capsys)

    assert server.requests
    assert canaries.leaks() == []


async def test_no_secret_comes_out_when_references_will_not_do(policy_of: PolicyOf, canaries: Canaries) -> None:
    loaded = policy_of(policy(first=WITH_KEY, second=WITH_TOKEN, more=MORE))
    spoilt = {name: f"{value}\nx" for name, value in canaries.environ.items()}
    with pytest.raises(UnresolvedReferences) as raised:
        resolve(loaded.table.policy, spoilt)
    canaries.note(raised.value, raised.value.problems, "".join(traceback.format_exception(raised.value)))

    assert canaries.leaks() == []


async def test_nothing_that_is_resolved_shows_a_secret(policy_of: PolicyOf, canaries: Canaries) -> None:
    found = resolve(policy_of(policy(first=WITH_KEY, second=WITH_TOKEN, more=MORE)).table.policy, canaries.environ)
    places = [ready.place for ready in (*found.endpoints.values(), *found.webhooks.values())]
    canaries.note(found, *found.endpoints.values(), *found.webhooks.values(), *places)
    canaries.note(*(place.auth for place in places), *(f"{place.auth} {place.auth!r}" for place in places))

    assert canaries.leaks() == []


async def test_a_secret_cannot_be_pickled(policy_of: PolicyOf, canaries: Canaries) -> None:
    found = resolve(policy_of(policy(first=WITH_KEY, more=MORE)).table.policy, canaries.environ)
    with pytest.raises(TypeError):
        pickle.dumps(found.endpoints["first"].place.auth)


@pytest.mark.usefixtures("virtual_time")
async def test_a_webhook_is_not_told_any_secret(policy_of: PolicyOf, canaries: Canaries) -> None:
    transport = ScriptedTransport({"first": as_message, "ops": lambda call: Reply(204)})
    async with opened(
        policy_of(policy(first=WITH_KEY, targets=1, more=MORE)), transport, environ=canaries.environ
    ) as engine:
        await streamed_result(engine)
    canaries.note(*(call.request.body.decode() for call in transport.calls_for(Purpose.WEBHOOK)))

    assert transport.calls_for(Purpose.WEBHOOK)
    assert canaries.leaks() == []


# -- what the other side says, fit to be kept ---------------------------------------------------------


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("place", ["x-request-id", "message", "finish_reason", "code"])
async def test_what_the_other_side_says_is_capped_before_it_is_kept(policy_of: PolicyOf, place: str) -> None:
    long = "y" * 50_000
    replies = {
        "x-request-id": Reply(400, {**JSON, "x-request-id": long}, [b"{}"]),
        "message": as_message_of(long),
        "finish_reason": Reply(
            200, JSON, [json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": long}]}).encode()]
        ),
        "code": Reply(400, JSON, [json.dumps({"error": {"message": "x", "code": long}}).encode()]),
    }
    ledger = MemoryLedger()
    async with opened(policy_of(policy(targets=1)), ScriptedTransport({"first": [replies[place]]}), ledger) as engine:
        await completed_result(engine)

    assert "y" * 5_000 not in repr(ledger.entries)


@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("place", ["message", "finish_reason"])
async def test_what_the_other_side_says_is_rid_of_control_characters_before_it_is_kept(
    policy_of: PolicyOf, place: str
) -> None:
    ugly = "red \x1b[31m bell \x07 back \u202e line\nbreak"
    replies = {
        "message": as_message_of(ugly),
        "finish_reason": Reply(
            200, JSON, [json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": ugly}]}).encode()]
        ),
    }
    ledger = MemoryLedger()
    async with opened(policy_of(policy(targets=1)), ScriptedTransport({"first": [replies[place]]}), ledger) as engine:
        result = await completed_result(engine)

    kept = json.dumps(result.record.as_json(), ensure_ascii=False)
    assert "red" in kept
    assert not any(mark in kept for mark in ("\x1b", "\\u001b", "\x07", "\\u0007", "\u202e", "\\n"))
