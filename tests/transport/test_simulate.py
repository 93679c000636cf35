"""The simulator behind every dialect: what it answers, and what each fault looks like to the engine."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from route_run.errors import MisuseError
from route_run.flow.event import Result
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.table import Loaded
from route_run.transport.simulate import Fault, FaultKind, SimulatedTransport, parse_fault
from support.engines import causes, completed_result, opened, policy, records, streamed_result

PolicyOf = Callable[..., Loaded]

DIALECTS = ("cognigy", "openai", "anthropic")
STREAMED, PLAIN = "streamed", "plain"
OAUTH2 = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"


async def result_of(loaded: Loaded, how: str, *faults: str, ledger: MemoryLedger | None = None) -> Result:
    """The result of one simulated request with these faults at the first endpoint."""
    transport = SimulatedTransport(loaded.table, {"first": [parse_fault(fault) for fault in faults]})
    async with opened(loaded, transport, ledger, environ={}) as engine:
        return await (streamed_result if how == STREAMED else completed_result)(engine)


# -- answers ------------------------------------------------------------------------------------------


@pytest.mark.anyio
@pytest.mark.parametrize("how", [STREAMED, PLAIN])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_endpoint_answers_with_its_name(policy_of: PolicyOf, dialect: str, how: str) -> None:
    result = await result_of(policy_of(policy(dialect=dialect)), how)

    assert (result.outcome.value, result.text) == ("completed", "Simulated answer from first.")
    assert result.usage is not None
    assert result.usage.completion > 0


@pytest.mark.anyio
@pytest.mark.parametrize("auth", [OAUTH2, "auth: {api_key: '${KEY}'}"])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_no_secret_is_needed(policy_of: PolicyOf, dialect: str, auth: str) -> None:
    result = await result_of(policy_of(policy(dialect=dialect, first=auth)), STREAMED)

    assert result.outcome.value == "completed"


@pytest.mark.anyio
async def test_a_record_is_marked_and_costs_nothing(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    await result_of(policy_of(policy()), STREAMED, ledger=ledger)

    (record,) = records(ledger)
    assert record["simulated"] is True
    assert record["cost_usd"] == "0"
    assert [attempt["cost_usd"] for attempt in record["attempts"]] == ["0"]


@pytest.mark.anyio
@pytest.mark.parametrize("how", [STREAMED, PLAIN])
async def test_an_answer_that_has_to_be_json_is_an_empty_object(policy_of: PolicyOf, how: str) -> None:
    result = await result_of(policy_of(policy(route="match: {}, verify: {format: json}")), how)

    assert (result.outcome.value, result.text) == ("completed", "{}")


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_answer_that_a_schema_checks_is_the_schema_s_first_example(policy_of: PolicyOf, dialect: str) -> None:
    schema = {"type": "object", "required": ["answer"], "examples": [{"answer": "zwölf"}, {"answer": "no"}]}
    files = {
        "policy.yaml": policy(dialect=dialect, route="match: {}, verify: {json_schema: a.json}"),
        "a.json": json.dumps(schema),
    }
    result = await result_of(policy_of(files), STREAMED)

    assert result.outcome.value == "completed"
    assert json.loads(result.text) == {"answer": "zwölf"}


@pytest.mark.anyio
async def test_a_schema_without_an_example_makes_the_simulated_answer_invalid(policy_of: PolicyOf) -> None:
    files = {
        "policy.yaml": policy(route="match: {}, verify: {json_schema: a.json}"),
        "a.json": json.dumps({"type": "object", "required": ["answer"]}),
    }
    result = await result_of(policy_of(files), PLAIN)

    assert result.outcome.value == "output_invalid"


@pytest.mark.anyio
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
async def test_tools_systems_and_documents_go_through_the_dialect_and_back(policy_of: PolicyOf, dialect: str) -> None:
    loaded = policy_of(policy(dialect=dialect))
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hello"}]
    async with opened(loaded, SimulatedTransport(loaded.table), environ={}) as engine:
        request = PromptRequest.of(messages=messages, documents=["A text."], tools=[{"name": "look_up"}])
        result = await engine.complete(request)

    assert result.outcome.value == "completed"


# -- faults -------------------------------------------------------------------------------------------

STREAMED_FAULTS = {
    "503": ("failed", "status", "overloaded"),
    "500": ("failed", "status", "unavailable"),
    "400": ("failed", "status", "bad_request"),
    "302": ("failed", "status", "unusable"),
    "404": ("failed", "status", "unusable"),
    "429": ("failed", "status", "rate_limited"),
    "refuse": ("failed", "refused", "unavailable"),
    "reset": ("failed", "reset", "broken"),
    "stall": ("failed", "first_content_timeout", "timeout"),
    "stall_mid": ("interrupted", "idle_timeout", "timeout"),
    "truncate": ("interrupted", "truncated", "broken"),
    "html": ("failed", "no_answer", "broken"),
    "bad_json": ("failed", "no_answer", "broken"),
    "error_event": ("failed", "error_event", "overloaded"),
    "expired_token": ("failed", "status", "unauthorized"),
}
PLAIN_FAULTS = STREAMED_FAULTS | {
    "stall": ("failed", "total_timeout", "timeout"),
    "stall_mid": ("failed", "total_timeout", "timeout"),
    "truncate": ("failed", "no_answer", "broken"),
}
COGNIGY_FAULTS = STREAMED_FAULTS | {"error_event": ("failed", "error_event", "unavailable")}  # it has no codes


def expected(dialect: str, how: str, fault: str) -> tuple[str, str, str]:
    if dialect == "cognigy":
        return COGNIGY_FAULTS[fault]
    return (STREAMED_FAULTS if how == STREAMED else PLAIN_FAULTS)[fault]


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("fault", STREAMED_FAULTS)
@pytest.mark.parametrize("how", [STREAMED, PLAIN])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_fault_has_its_outcome_and_its_cause(policy_of: PolicyOf, dialect: str, how: str, fault: str) -> None:
    result = await result_of(policy_of(policy(dialect=dialect, targets=1)), how, fault)

    verdict = result.attempts[-1].verdict
    assert verdict is not None
    assert (result.outcome.value, causes(result)[-1], verdict.kind.value) == expected(dialect, how, fault)


BEFORE_CONTENT = [
    (dialect, how, fault)
    for dialect in DIALECTS
    for how in (STREAMED, PLAIN)
    for fault in STREAMED_FAULTS
    if fault != "400"
    and expected(dialect, how, fault)[0] == "failed"
    and expected(dialect, how, fault)[1] != "total_timeout"
]
"""Every fault that leaves time for another endpoint and nothing in the caller's hands."""


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize(("dialect", "how", "fault"), BEFORE_CONTENT)
async def test_a_fault_before_any_content_falls_back(policy_of: PolicyOf, dialect: str, how: str, fault: str) -> None:
    result = await result_of(policy_of(policy(dialect=dialect)), how, fault)

    assert (result.outcome.value, result.text) == ("completed", "Simulated answer from second.")
    assert causes(result) == [expected(dialect, how, fault)[1], None]


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_time")
@pytest.mark.parametrize("how", [STREAMED, PLAIN])
@pytest.mark.parametrize("dialect", DIALECTS)
async def test_an_expired_token_is_refreshed_once_and_accepted(policy_of: PolicyOf, dialect: str, how: str) -> None:
    result = await result_of(policy_of(policy(dialect=dialect, first=OAUTH2)), how, "expired_token")

    assert result.text == "Simulated answer from first."
    assert [(attempt.endpoint, attempt.status) for attempt in result.attempts] == [("first", 401), ("first", 200)]


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_time")
async def test_a_delay_that_a_status_asks_for_is_waited_out_at_the_last_target(policy_of: PolicyOf) -> None:
    result = await result_of(policy_of(policy(targets=1)), STREAMED, "429:2s", "429:2s")

    assert causes(result) == ["status", "status"]
    assert result.attempts[0].failure is not None
    assert result.attempts[0].failure.retry_after == 2
    assert 2 <= result.attempts[1].started_at - result.attempts[0].started_at < 2.5


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_time")
async def test_faults_of_one_endpoint_come_in_their_order_and_the_last_stays(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(targets=1))
    faults = [parse_fault(text) for text in ("503", "html", "reset")]
    transport = SimulatedTransport(loaded.table, {"first": faults})
    async with opened(loaded, transport, environ={}) as engine:
        seen = [causes(await streamed_result(engine))[0] for _ in range(5)]

    assert seen == ["status", "no_answer", "reset", "reset", "reset"]


@pytest.mark.anyio
@pytest.mark.usefixtures("virtual_time")
async def test_a_fault_is_one_endpoint_s_alone(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy())
    transport = SimulatedTransport(loaded.table, {"second": [Fault(FaultKind.RESET)]})
    async with opened(loaded, transport, environ={}) as engine:
        result = await streamed_result(engine)

    assert [attempt.endpoint for attempt in result.attempts] == ["first"]


def test_a_fault_of_an_endpoint_that_is_not_there_is_refused(policy_of: PolicyOf) -> None:
    with pytest.raises(MisuseError, match="there is no endpoint `frist`; known: `first`, `second`"):
        SimulatedTransport(policy_of(policy()).table, {"frist": [Fault(FaultKind.RESET)]})


# -- faults as they are written -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("503", Fault(FaultKind.STATUS, 503)),
        ("300", Fault(FaultKind.STATUS, 300)),
        ("599", Fault(FaultKind.STATUS, 599)),
        ("429:2s", Fault(FaultKind.STATUS, 429, 2.0)),
        ("429:250ms", Fault(FaultKind.STATUS, 429, 0.25)),
        ("429:1min", Fault(FaultKind.STATUS, 429, 60.0)),
        ("429:7", Fault(FaultKind.STATUS, 429, 7.0)),
        ("503:0s", Fault(FaultKind.STATUS, 503, 0.0)),
        *((kind.value, Fault(kind)) for kind in FaultKind if kind is not FaultKind.STATUS),
    ],
)
def test_a_fault_is_read_as_it_is_written(text: str, fault: Fault) -> None:
    assert parse_fault(text) == fault


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a fault"),
        ("stal", "did you mean `stall`"),
        ("truncated", "did you mean `truncate`"),
        ("STALL", "not a fault"),
        ("STATUS", "not a fault"),
        ("stall:2s", "not a fault"),
        ("stall:", "not a fault"),
        ("200", "from 300 to 599"),
        ("299", "from 300 to 599"),
        ("600", "from 300 to 599"),
        ("5030", "from 300 to 599"),
        ("50300000", "from 300 to 599"),
        ("0503", "not"),
        ("-503", "not a fault"),
        ("٥٠٣", "not a fault"),
        ("503:", "not a duration"),
        ("503:soon", "not a duration"),
        ("503:-1s", "not a duration"),
        ("503:2 s", "not a duration"),
        ("503:2s:3s", "not a duration"),
        ("503:٣", "not a duration"),
        ("503:inf", "not a duration"),
    ],
)
def test_what_is_no_fault_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(MisuseError, match=words):
        parse_fault(text)
