"""What every answer that is none means, from its bytes on: rows of failures in the shape of each dialect, one golden.

Each case is one exchange of the engine: status, headers and body as a provider of the dialect sends them. `lines`
is a gateway that answers in bare JSON lines, `text` one that answers in plain text. The golden is read, row by row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from route_run.flow.failure import Cause
from route_run.table import Loaded
from support.engines import opened, policy, streamed_result
from support.scripted import EVENTS, JSON, Reply, ScriptedTransport, broken, token

PolicyOf = Callable[..., Loaded]
pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

GOLDEN = Path(__file__).parent / "goldens" / "classification.txt"
LINES: Mapping[str, str] = {"content-type": "application/x-ndjson"}
SPOKEN = {"openai": "openai", "anthropic": "anthropic", "cognigy": "cognigy", "lines": "cognigy", "text": "openai"}
OAUTH2 = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"

SAID: Mapping[str, tuple[int, str, str]] = {
    # name: status, code, words
    "malformed": (400, "invalid_request_error", "messages: roles must alternate"),
    "too long, by its code": (400, "context_length_exceeded", "no"),
    "too long, in words": (400, "invalid_request_error", "prompt is too long: 208310 tokens > 200000 maximum"),
    "content, by its code": (400, "content_filter", "filtered"),
    "content, in words": (400, "invalid_request_error", "Output blocked by content filtering policy"),
    "unsupported, by its code": (400, "unsupported_parameter", "top_k"),
    "unsupported, in words": (400, "invalid_request_error", "This model does not support assistant message prefill."),
    "money, by its code": (400, "billing_error", "pay first"),
    "money, in words": (400, "invalid_request_error", "Your credit balance is too low"),
    "who are you": (401, "authentication_error", "invalid x-api-key"),
    "no credit": (402, "", "Insufficient credits"),
    "not allowed": (403, "permission_error", "your region is not supported"),
    "content that is not allowed": (403, "content_policy_violation", "no"),
    "an account that is not active": (403, "billing_not_active", "no"),
    "no such model": (404, "not_found_error", "model: gone"),
    "no such method": (405, "", "method not allowed"),
    "not acceptable": (406, "", "not acceptable"),
    "too slow": (408, "", "request timeout"),
    "a conflict": (409, "", "locked"),
    "gone": (410, "", "this version was retired"),
    "no length": (411, "", "length required"),
    "too large": (413, "request_too_large", "too large"),
    "an odd type": (415, "", "unsupported media type"),
    "misdirected": (421, "", "misdirected request"),
    "cannot be processed": (422, "invalid_request_error", "field required"),
    "cannot be processed, too long": (422, "context_length_exceeded", "no"),
    "too early": (425, "", "too early"),
    "no precondition": (428, "", "precondition required"),
    "a rate": (429, "rate_limit_error", "too many requests"),
    "slow down": (429, "slow_down", "slow down"),
    "no quota": (429, "insufficient_quota", "You exceeded your current quota"),
    "spent": (429, "enforced_spend_limit_reached", "limit reached"),
    "a header too large": (431, "", "header too large"),
    "for legal reasons": (451, "", "not in your country"),
    "unknown 4xx": (499, "", "client closed request"),
    "a defect": (500, "server_error", "internal error"),
    "not implemented": (501, "", "not implemented"),
    "a bad gateway": (502, "", "bad gateway"),
    "unavailable": (503, "service_unavailable", "try later"),
    "a slow gateway": (504, "timeout_error", "timeout"),
    "an odd version": (505, "", "version"),
    "an odd origin": (520, "", "web server returned an unknown error"),
    "no handshake": (525, "", "ssl handshake failed"),
    "overloaded": (529, "overloaded_error", "Overloaded"),
    "a frozen site": (530, "", "site frozen"),
    "unknown 5xx": (599, "", "odd"),
}
HEADED: Mapping[str, tuple[int, Mapping[str, str]]] = {
    "a rate, for seconds": (429, {"retry-after": "7"}),
    "a rate, for milliseconds": (429, {"retry-after-ms": "250", "retry-after": "7"}),
    "a rate, for ever": (429, {"retry-after": "99999999"}),
    "a rate, for garbage": (429, {"retry-after": "soon"}),
    "no credit for a while": (402, {"retry-after": "60"}),
    "unavailable for a while": (503, {"retry-after": "20"}),
    "a defect that stays": (500, {"x-should-retry": "false"}),
    "a conflict that stays": (409, {"x-should-retry": "false"}),
    "moved": (301, {"location": "https://elsewhere.test"}),
    "found elsewhere": (302, {"location": "https://elsewhere.test"}),
    "moved for a while": (307, {"location": "https://elsewhere.test"}),
}
CAUSES = (
    Cause.UNSENDABLE, Cause.EGRESS_DENIED, Cause.TLS, Cause.DNS, Cause.REFUSED, Cause.CONNECT_TIMEOUT,
    Cause.POOL_TIMEOUT, Cause.STALE, Cause.RESET, Cause.PROTOCOL,
)  # fmt: skip


def body_of(shape: str, code: str, words: str) -> tuple[Mapping[str, str], bytes]:
    """An error as a provider of a dialect writes it."""
    match shape:
        case "openai":
            value: object = {"error": {"message": words, "type": "error", "param": None, "code": code or None}}
        case "anthropic":
            value = {"type": "error", "error": {"type": code or "api_error", "message": words}, "request_id": "req_1"}
        case "cognigy":
            value = {"error": {"message": words} | ({"code": code} if code else {})}
        case "lines":
            value = {"error": code, "message": words} if code else {"error": words}
        case _:
            return {"content-type": "text/plain"}, f"{code} {words}".strip().encode()
    return JSON, json.dumps(value).encode()


def event_of(shape: str, code: str, words: str, status: int) -> tuple[Mapping[str, str], bytes] | None:
    """The same error as the first event of a 200, where the dialect has such a thing; gateways repeat the status."""
    _, body = body_of(shape, code, words)
    match shape:
        case "anthropic":
            return EVENTS, b"event: error\ndata: " + body + b"\n\n"
        case "openai":
            return EVENTS, b"data: " + body + b"\n\n"
        case "cognigy":
            return EVENTS, b'data: {"error": ' + json.dumps({"code": status, "message": words}).encode() + b"}\n\n"
        case "lines":
            return LINES, body + b"\n"
    return None


def cases() -> Iterator[tuple[str, str, Reply, str]]:
    """Name, shape, answer, login."""
    for name, (status, code, words) in SAID.items():
        for shape in SPOKEN:
            headers, body = body_of(shape, code, words)
            yield f"{status} {name}", shape, Reply(status, headers, [body]), ""
            if (event := event_of(shape, code, words, status)) is not None:
                yield f"200 {name}", shape, Reply(200, event[0], [event[1]]), ""
    for name, (status, more) in HEADED.items():
        for shape in SPOKEN:
            headers, body = body_of(shape, "", "not now")
            yield f"{status} {name}", shape, Reply(status, {**headers, **more}, [body]), ""
    for shape in SPOKEN:
        headers, body = body_of(shape, "", "the token is not valid")
        yield "401 a token", shape, Reply(401, headers, [body]), OAUTH2
        yield "200 a page", shape, Reply(200, {"content-type": "text/html"}, [b"<html>Sign in</html>"]), ""
        yield "200 nothing", shape, Reply(200, JSON, []), ""
        yield "200 a stream of nothing", shape, Reply(200, EVENTS, []), ""
        yield "200 half a stream", shape, Reply(200, EVENTS, [b'data: {"choices": [{"delta"']), ""
        yield "200 something else", shape, Reply(200, JSON, [b'{"status": "fine"}']), ""
        yield "200 no JSON", shape, Reply(200, EVENTS, [b"data: {broken\n\n"]), ""
        for cause in CAUSES:
            yield f"no answer: {cause.value}", shape, broken(cause), ""


async def test_every_failure_of_every_dialect_means_what_the_golden_says(
    policy_of: PolicyOf, golden: Callable[[str, Path], None]
) -> None:
    policies = {
        (dialect, login): policy_of(policy(dialect=dialect, targets=1, first=login))
        for dialect in ("openai", "anthropic", "cognigy")
        for login in ("", OAUTH2)
    }
    told = []
    for name, shape, reply, login in cases():
        transport = ScriptedTransport({"first": lambda call, reply=reply: reply}, {"first": lambda call: token("t")})
        async with opened(policies[SPOKEN[shape], login], transport) as engine:
            result = await streamed_result(engine)
        first = result.attempts[0]
        assert first.failure is not None, (name, shape)
        assert first.verdict is not None
        verdict, wait = first.verdict, first.failure.retry_after
        meaning = f"{verdict.kind.value:16} {verdict.action.value:10} {verdict.health.value:6} {verdict.billed.value:8}"
        told.append(f"{name:34} {shape:10} {meaning}{'' if wait is None else f' wait {wait:g} s'}".rstrip())
    assert len(told) >= 550
    golden("\n".join(told) + "\n", GOLDEN)
