"""Tries after a failure: at the same target, at the next, after a wait, with a new token or connection."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs

import anyio
import pytest

from route_run.flow.event import AttemptStarted
from route_run.flow.failure import Cause
from route_run.ledger import MemoryLedger
from route_run.table import Loaded
from route_run.transport.seam import Call, Purpose
from support.engines import BEGAN, causes, completed_result, events_of, opened, policy, records, streamed_result
from support.scripted import JSON, Reply, ScriptedTransport, broken, content, problem, stream, streamed, token, usage

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

OAUTH2 = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}', scope: 'one two'}}"


def waits(result: Any) -> list[float]:
    """Seconds between the end of each attempt and the start of the next."""
    attempts = result.attempts
    return [
        round(later.started_at - earlier.started_at - earlier.latency_ms / 1000, 3)
        for earlier, later in itertools.pairwise(attempts)
    ]


# -- the same target ----------------------------------------------------------------------------------


async def test_a_retry_at_the_same_target_waits_a_moment(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="retry: {attempts: 2, backoff: {first: 2s, max: 5s}}"))
    transport = ScriptedTransport({"first": [problem(500), streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        events = await events_of(engine)

    assert transport.asked == ["first", "first"]
    second = [event for event in events if isinstance(event, AttemptStarted)][1]
    assert 0 <= second.after_ms <= 2000


async def test_the_wait_is_spread_over_the_whole_backoff(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(targets=1, upstream="retry: {attempts: 2, backoff: {first: 10s, max: 10s}}"))
    found = []
    for seed in range(40):
        transport = ScriptedTransport({"first": [problem(500), streamed("Hello")]})
        async with opened(loaded, transport, seed=seed) as engine:
            found += waits(await streamed_result(engine))

    assert min(found) < 2 < 8 < max(found) <= 10


async def test_the_next_target_is_asked_when_the_tries_at_one_are_over(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="retry: {attempts: 2}"))
    transport = ScriptedTransport({"first": [problem(500)] * 2, "second": [streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert transport.asked == ["first", "first", "second"]
    assert result.text == "Hello"


@pytest.mark.parametrize(("targets", "attempts"), [(1, 5), (2, 5), (3, 2)])
async def test_a_request_makes_one_exchange_more_than_it_has_targets_at_most(
    policy_of: PolicyOf, targets: int, attempts: int
) -> None:
    loaded = policy_of(policy(targets=targets, upstream=f"retry: {{attempts: {attempts}}}"))
    names = ["first", "second", "third"][:targets]
    transport = ScriptedTransport({name: [problem(500)] * 9 for name in names})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert len(transport.asked) == targets + 1
    assert result.outcome.value == "failed"


async def test_without_retries_the_next_target_is_asked_at_once(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(500)], "second": [streamed("Hello")]})
    async with opened(policy_of(policy()), transport) as engine:
        assert waits(await streamed_result(engine)) == [0]


async def test_a_server_that_says_not_to_retry_is_not_asked_again(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="retry: {attempts: 3}"))
    transport = ScriptedTransport({"first": [problem(500, x_should_retry="false")], "second": [streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        await streamed_result(engine)

    assert transport.asked == ["first", "second"]


async def test_a_delay_that_a_server_asks_for_is_kept_to_at_a_retry(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="retry: {attempts: 2}"))
    transport = ScriptedTransport({"first": [problem(500, retry_after="7"), streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        assert waits(await streamed_result(engine)) == [7]


async def test_a_delay_beyond_the_deadline_is_not_waited_for(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="retry: {attempts: 2}, timeouts: {total: 5s}"))
    transport = ScriptedTransport({"first": [problem(500, retry_after="7")], "second": [streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert (waits(result), transport.asked) == ([0], ["first", "second"])


# -- where no other target is left --------------------------------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [problem(503), problem(503, retry_after="2"), problem(502), broken(Cause.RESET), stream()],
    ids=["overloaded", "overloaded for a while", "bad gateway", "reset", "truncated"],
)
async def test_the_only_target_is_asked_as_often_as_the_policy_says(policy_of: PolicyOf, reply: Reply) -> None:
    """A cooldown of its own making does not hold the request back: it waits until the cooldown is over."""
    loaded = policy_of(policy(targets=1, upstream="retry: {attempts: 2}"))
    transport = ScriptedTransport({"first": [reply, streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert (result.text, transport.asked) == ("Hello", ["first", "first"])
    if reply.status == 503:
        assert waits(result)[0] >= (2 if "retry-after" in reply.headers else 0.5)


async def test_an_answer_that_breaks_off_at_the_only_target_starts_over_there(policy_of: PolicyOf) -> None:
    more = "retry: {attempts: 2}, fallback: {after_content: restart}"
    transport = ScriptedTransport({"first": [stream(content("Hel"), Cause.RESET), streamed("Hello")]})
    async with opened(policy_of(policy(targets=1, upstream=more)), transport) as engine:
        result = await streamed_result(engine, allow_restart=True)

    assert (result.text, result.record.restarts) == ("Hello", 1)


@pytest.mark.parametrize("reply", [problem(404), problem(402), problem(400)], ids=["unknown", "no credit", "bad"])
async def test_what_stays_as_it_is_is_not_asked_for_again(policy_of: PolicyOf, reply: Reply) -> None:
    transport = ScriptedTransport({"first": [reply]})
    async with opened(policy_of(policy(targets=1, upstream="retry: {attempts: 2}")), transport) as engine:
        assert len((await streamed_result(engine)).attempts) == 1


# -- rate limits --------------------------------------------------------------------------------------


async def test_a_rate_limit_sends_the_request_to_the_next_target_at_once(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(429, retry_after="3")], "second": [streamed("Hello")]})
    async with opened(policy_of(policy()), transport) as engine:
        assert waits(await streamed_result(engine)) == [0]


DELAYS: dict[str, dict[str, str]] = {
    "seconds": {"retry_after": "3"},
    "milliseconds": {"retry_after_ms": "3000", "retry_after": "900"},
    "a date by the server's own clock": {
        "date": formatdate(1_000_000_000, usegmt=True),
        "retry_after": formatdate(1_000_000_003, usegmt=True),
    },
    "a date by our clock": {"retry_after": formatdate(BEGAN + 3, usegmt=True)},
    "a limit's reset": {"x_ratelimit_remaining_requests": "0", "x_ratelimit_reset_requests": "3s"},
}


@pytest.mark.parametrize("headers", DELAYS.values(), ids=DELAYS.keys())
async def test_a_rate_limit_at_the_last_target_is_waited_out(policy_of: PolicyOf, headers: dict[str, str]) -> None:
    transport = ScriptedTransport({"first": [problem(429, **headers), streamed("Hello")]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        result = await streamed_result(engine)

    assert result.text == "Hello"
    assert 3 <= waits(result)[0] <= 3.3


async def test_a_rate_limit_at_the_last_target_is_waited_out_once(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(503)], "second": [problem(429, retry_after="2")] * 2})
    async with opened(policy_of(policy()), transport) as engine:
        result = await streamed_result(engine)

    assert transport.asked == ["first", "second", "second"]
    assert result.outcome.value == "failed"
    assert result.advice is not None
    assert "rate limit" in result.advice


@pytest.mark.parametrize("headers", [{}, {"retry_after": "soon"}, {"retry_after": "-5"}, {"retry_after": "300"}])
async def test_a_rate_limit_whose_end_is_unknown_or_too_far_ends_the_request(
    policy_of: PolicyOf, headers: dict[str, str]
) -> None:
    transport = ScriptedTransport({"first": [problem(429, **headers)]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        result = await streamed_result(engine)

    assert (result.outcome.value, len(result.attempts)) == ("failed", 1)


# -- tokens -------------------------------------------------------------------------------------------


def login_of(call: Call) -> str | None:
    return call.request.headers.get("authorization")


async def test_a_token_is_asked_for_as_the_standard_says_and_sent(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("Hello")]}, {"first": [token("t1")]})
    async with opened(policy_of(policy(first=OAUTH2)), transport) as engine:
        await streamed_result(engine)

    asked, answered = transport.calls
    assert asked.request.url == "https://first.test/v1/api/v1/auth/token"
    assert asked.request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(asked.request.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["client"],
        "client_secret": ["secret-of-the-client"],
        "scope": ["one two"],
    }
    assert (asked.purpose, answered.purpose) == (Purpose.TOKEN, Purpose.INFERENCE)
    assert login_of(answered) == "Bearer t1"


async def test_a_hundred_requests_at_once_ask_for_one_token(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": lambda call: streamed("Hello")}, {"first": [token("t1")]})
    async with opened(policy_of(policy(first=OAUTH2)), transport) as engine, anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(streamed_result, engine)

    assert len(transport.calls_for(Purpose.TOKEN)) == 1


@pytest.mark.parametrize("how", [streamed_result, completed_result])
async def test_a_token_that_is_refused_is_replaced_once(policy_of: PolicyOf, how: Any) -> None:
    transport = ScriptedTransport({"first": [problem(401), streamed("Hello")]}, {"first": [token("t1"), token("t2")]})
    async with opened(policy_of(policy(first=OAUTH2)), transport) as engine:
        result = await how(engine)

    assert result.text == "Hello"
    assert [login_of(call) for call in transport.calls_for(Purpose.INFERENCE)] == ["Bearer t1", "Bearer t2"]


async def test_a_fresh_token_that_is_refused_sends_the_request_to_the_next_target(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport(
        {"first": [problem(401)] * 2, "second": [streamed("Hello")]}, {"first": [token("t1"), token("t2")]}
    )
    async with opened(policy_of(policy(first=OAUTH2)), transport) as engine:
        result = await streamed_result(engine)

    assert transport.asked == ["first", "first", "second"]
    assert [attempt.status for attempt in result.attempts] == [401, 401, 200]


async def test_a_refresh_does_not_use_up_the_spare_exchange(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first=OAUTH2, targets=1, upstream="retry: {attempts: 2}"))
    transport = ScriptedTransport(
        {"first": [problem(401), problem(500), streamed("Hello")]}, {"first": [token("t1"), token("t2")]}
    )
    async with opened(loaded, transport) as engine:
        assert (await streamed_result(engine)).text == "Hello"


async def test_many_requests_whose_token_was_revoked_ask_for_one_new_token(policy_of: PolicyOf) -> None:
    def gateway(call: Call) -> Reply:
        return streamed("Hello") if login_of(call) == "Bearer t2" else problem(401)

    transport = ScriptedTransport({"first": gateway}, {"first": [token("t1"), token("t2")]})
    async with opened(policy_of(policy(first=OAUTH2)), transport) as engine, anyio.create_task_group() as tasks:
        for _ in range(1000):
            tasks.start_soon(streamed_result, engine)

    assert len(transport.calls_for(Purpose.TOKEN)) == 2
    assert len(transport.calls_for(Purpose.INFERENCE)) <= 2000


async def test_a_key_that_is_refused_is_not_tried_again(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="auth: {api_key: '${KEY}'}"))
    transport = ScriptedTransport({"first": [problem(401)], "second": [streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        await streamed_result(engine)

    assert transport.asked == ["first", "second"]
    assert login_of(transport.calls[0]) == "Bearer key-of-the-first"


@pytest.mark.parametrize(
    ("dialect", "header", "value"),
    [
        ("openai", "authorization", "Bearer key-of-the-first"),
        ("anthropic", "x-api-key", "key-of-the-first"),
        ("cognigy", "x-api-key", "key-of-the-first"),
    ],
)
async def test_a_key_goes_into_the_header_of_its_dialect(
    policy_of: PolicyOf, dialect: str, header: str, value: str
) -> None:
    loaded = policy_of(policy(dialect=dialect, first="auth: {api_key: '${KEY}'}", targets=1))
    transport = ScriptedTransport({"first": [problem(400)]})
    async with opened(loaded, transport) as engine:
        await streamed_result(engine)

    assert transport.calls[0].request.headers[header] == value


TOKEN_FAILURES: dict[str, tuple[Reply, str, str]] = {
    "wrong client": (
        Reply(401, JSON, [b'{"error": "invalid_client", "error_description": "client authentication failed"}']),
        "client authentication failed",
        "client id or secret is wrong",
    ),
    "wrong scope": (Reply(400, JSON, [b'{"error": "invalid_scope"}']), "invalid_scope", "lacks the scope"),
    "a narrower scope": (token("t", scope="one"), "lacks the scope two", "lacks the scope"),
    "a fault of its own": (problem(503, "starting"), "starting", "a fault of its own"),
    "an HTML page": (Reply(200, {"content-type": "text/html"}, [b"<html>Sign in</html>"]), "not a JSON", ""),
    "no token": (Reply(200, JSON, [b"{}"]), "no usable `access_token`", ""),
    "a token with a line break": (Reply(200, JSON, [b'{"access_token": "a\\r\\nx: y"}']), "no usable", ""),
    "another kind of token": (token("t", token_type="mac"), "of the type mac", ""),
    "an endless answer": (Reply(200, JSON, [b" " * 40_000] * 5), "too large", ""),
    "no connection": (broken(Cause.REFUSED), "the token endpoint", "cannot be reached"),
    "a redirect": (Reply(302, {"location": "https://evil.test"}), "refused", ""),
}


@pytest.mark.parametrize(("reply", "words", "advice"), TOKEN_FAILURES.values(), ids=TOKEN_FAILURES.keys())
async def test_a_token_that_cannot_be_had_fails_the_attempt_in_words(
    policy_of: PolicyOf, reply: Reply, words: str, advice: str
) -> None:
    transport = ScriptedTransport({}, {"first": [reply]})
    async with opened(policy_of(policy(first=OAUTH2, targets=1)), transport) as engine:
        result = await streamed_result(engine)

    assert result.outcome.value == "failed"
    assert words in (result.error or "")
    assert advice in (result.advice or "")
    assert transport.asked == []


@pytest.mark.parametrize("reply", [reply for reply, *_ in TOKEN_FAILURES.values()], ids=TOKEN_FAILURES.keys())
async def test_a_token_that_cannot_be_had_sends_the_request_to_the_next_target(
    policy_of: PolicyOf, reply: Reply
) -> None:
    transport = ScriptedTransport({"second": [streamed("Hello")]}, {"first": [reply]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy(first=OAUTH2)), transport, ledger) as engine:
        result = await streamed_result(engine)

    assert result.text == "Hello"
    (record,) = records(ledger)
    assert record["attempts"][0]["failure"] == "unauthorized"
    assert record["attempts"][0]["cost_usd"] == "0"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (problem(401, "token expired"), "fresh"),
        (problem(403, "insufficient scope"), "scope"),
        (problem(403, "no"), "not allowed"),
    ],
)
async def test_a_refusal_says_what_is_to_be_done(policy_of: PolicyOf, reply: Reply, words: str) -> None:
    transport = ScriptedTransport({"first": [reply] * 2}, {"first": [token("t1"), token("t2")]})
    async with opened(
        policy_of(policy(first=OAUTH2.replace(", scope: 'one two'", ""), targets=1)), transport
    ) as engine:
        result = await streamed_result(engine)

    assert words in (result.advice or "")


# -- connections --------------------------------------------------------------------------------------


async def test_a_stale_connection_is_replaced_once_and_for_free(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [broken(Cause.STALE), streamed("Hello")]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        result = await streamed_result(engine)

    assert (result.text, causes(result)) == ("Hello", ["stale", None])
    assert [call.fresh for call in transport.calls] == [False, True]


async def test_a_stale_connection_does_not_use_up_the_spare_exchange(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(targets=1, upstream="retry: {attempts: 2}"))
    transport = ScriptedTransport({"first": [broken(Cause.STALE), problem(500), streamed("Hello")]})
    async with opened(loaded, transport) as engine:
        assert (await streamed_result(engine)).text == "Hello"


async def test_a_second_stale_connection_sends_the_request_to_the_next_target(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [broken(Cause.STALE)] * 2, "second": [streamed("Hello")]})
    async with opened(policy_of(policy()), transport) as engine:
        await streamed_result(engine)

    assert transport.asked == ["first", "first", "second"]


# -- money --------------------------------------------------------------------------------------------


async def test_what_failed_attempts_cost_is_in_the_total(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(route="match: {}, verify: {format: json}"))
    transport = ScriptedTransport(
        {"first": [streamed('{"no": ', used=(1_000_000, 0))], "second": [streamed("{}", used=(1_000_000, 0))]}
    )
    async with opened(loaded, transport) as engine:
        result = await streamed_result(engine)

    assert result.cost == 2


async def test_an_attempt_whose_cost_is_not_known_makes_the_total_unknown(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [broken(Cause.RESET)], "second": [streamed("Hello")]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), transport, ledger) as engine:
        result = await streamed_result(engine)

    assert result.cost is None
    assert [a["cost_usd"] for a in records(ledger)[0]["attempts"]] == [None, "0.00002"]


async def test_usage_of_an_answer_that_was_cut_off_is_kept_and_is_no_sum(policy_of: PolicyOf) -> None:
    """It is what was counted so far; the provider goes on counting."""
    transport = ScriptedTransport({"first": [stream(usage(10, 1), content("Hel"), Cause.RESET)]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), transport, ledger) as engine:
        result = await streamed_result(engine)

    (record,) = records(ledger)
    assert (result.outcome.value, result.cost, record["cost_usd"]) == ("interrupted", None, None)
    assert record["attempts"][0]["usage"]["prompt_tokens"] == 10
    assert record["attempts"][0]["billed"] == "unknown"


async def test_an_attempt_that_cannot_have_cost_anything_costs_nothing(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [broken(Cause.REFUSED)], "second": [streamed("Hello")]})
    ledger = MemoryLedger()
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await streamed_result(engine)

    (record,) = records(ledger)
    assert record["cost_usd"] == "0.00002"
    assert [a["billed"] for a in record["attempts"]] == ["none", "exact"]


# -- the ledger before the wire -----------------------------------------------------------------------


async def test_the_start_of_an_attempt_is_stored_before_it_is_sent(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    stored_at_send: list[int] = []

    def answer(call: Call) -> Reply:
        stored_at_send.append(len(ledger.entries))
        return problem(503)

    transport = ScriptedTransport({"first": answer, "second": answer})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await streamed_result(engine)

    assert stored_at_send == [1, 2]
    starts = [dict(entry.body) for entry in ledger.entries if entry.kind.value == "attempt"]
    assert [(body["number"], body["endpoint"]) for body in starts] == [(1, "first"), (2, "second")]
    assert starts[1]["before"]["cause"] == "status"
    assert json.dumps(starts)
