"""What requests learn from each other: breakers, cooldowns and retry budgets; permits come back on every path."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from typing import Any

import anyio
import pytest

from route_run.flow.event import Finished, Planned, Text
from route_run.flow.failure import Cause
from route_run.flow.outcome import Outcome
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from route_run.transport.seam import Call
from support.engines import AwaitingLedger, completed_result, events_of, opened, policy, records, streamed_result
from support.scripted import (
    STALL,
    Reply,
    ScriptedTransport,
    broken,
    content,
    plain,
    problem,
    stream,
    streamed,
    token,
)

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]


def always(reply: Reply) -> Callable[[Call], Reply]:
    return lambda call: reply


def live(engine: Engine) -> int:
    return engine._wiring.standing.live


async def together(engine: Engine, count: int) -> list[Any]:
    """The results of so many requests at once."""
    results: list[Any] = []

    async def one() -> None:
        results.append(await completed_result(engine))

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return results


# -- the breaker ---------------------------------------------------------------------------------------


async def test_a_target_that_fails_five_times_in_a_row_is_skipped_and_the_plan_says_why(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": always(broken(Cause.REFUSED)), "second": always(plain("Hello"))})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        for _ in range(6):
            assert (await completed_result(engine)).outcome is Outcome.COMPLETED

    assert Counter(transport.asked) == {"first": 5, "second": 6}
    last = records(ledger)[-1]
    (known,) = last["snapshot"]["targets"].items()
    assert known[0] == "first/m"
    assert known[1]["breaker"] == "open"
    assert 9 < known[1]["probe_in"] <= 11


async def test_an_open_breaker_lets_one_probe_through_and_closes_with_it(policy_of: PolicyOf) -> None:
    replies = [broken(Cause.REFUSED)] * 5 + [plain("Back")] * 3
    transport = ScriptedTransport({"first": replies, "second": always(plain("Hello"))})
    async with opened(policy_of(policy()), transport) as engine:
        for _ in range(5):
            await completed_result(engine)
        await anyio.sleep(11)
        assert (await completed_result(engine)).text == "Back"
        assert [result.text for result in await together(engine, 2)] == ["Back", "Back"]


@pytest.mark.parametrize("targets", [1, 2])
async def test_of_a_thousand_callers_at_a_half_open_breaker_exactly_one_probes(
    policy_of: PolicyOf, targets: int
) -> None:
    slow = Reply(200, {"content-type": "application/json"}, [0.5, *plain("Back").body])
    asked = Counter[str]()

    def first(call: Call) -> Reply:
        asked["first"] += 1
        return broken(Cause.REFUSED) if asked["first"] <= 5 else slow

    transport = ScriptedTransport({"first": first, "second": always(plain("Hello"))})
    async with opened(policy_of(policy(targets=targets)), transport) as engine:
        for _ in range(5):
            await completed_result(engine)
        await anyio.sleep(11)
        results = await together(engine, 1000)
        assert live(engine) == 0

    assert asked["first"] == 6
    assert [result.text for result in results].count("Back") == 1
    others = Outcome.COMPLETED if targets == 2 else Outcome.REFUSED
    assert Counter(result.outcome for result in results)[others] >= 999


async def test_when_every_breaker_is_open_the_eligible_targets_are_probed_one_at_a_time(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({name: always(broken(Cause.REFUSED)) for name in ("first", "second")})
    async with opened(policy_of(policy()), transport) as engine:
        for _ in range(5):
            await completed_result(engine)
        before = Counter(transport.asked)
        result = await completed_result(engine)
        assert result.outcome is Outcome.FAILED
        assert Counter(transport.asked) - before == {"first": 1, "second": 1}


async def test_a_probe_that_streams_closes_the_breaker_with_its_first_content(policy_of: PolicyOf) -> None:
    long = stream(content("Hel"), STALL)
    replies = [broken(Cause.REFUSED)] * 5 + [long, streamed("Hello")]
    transport = ScriptedTransport({"first": replies})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        for _ in range(5):
            await streamed_result(engine)
        await anyio.sleep(11)
        async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
            async for event in events:
                if isinstance(event, Text):
                    break
            assert (await streamed_result(engine)).text == "Hello"
        assert live(engine) == 0


async def test_a_refused_token_that_is_fetched_anew_is_no_fault_of_the_endpoint(policy_of: PolicyOf) -> None:
    oauth2 = "auth: {oauth2: {client_id: '${ID}', client_secret: '${SECRET}'}}"
    loaded = policy_of(policy(first=oauth2, targets=1))
    transport = ScriptedTransport(
        {"first": [problem(401), plain("Hello"), plain("Hello")]}, {"first": [token("old"), token("new")]}
    )
    async with opened(loaded, transport) as engine:
        assert (await completed_result(engine)).text == "Hello"
        assert (await completed_result(engine)).text == "Hello"


# -- the cooldown --------------------------------------------------------------------------------------


async def test_what_one_request_is_told_to_wait_all_others_do(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport(
        {"first": [problem(429, retry_after="30"), plain("First")], "second": always(plain("Second"))}
    )
    async with opened(policy_of(policy()), transport, ledger) as engine:
        texts = [(await completed_result(engine)).text for _ in range(3)]
        await anyio.sleep(31)
        texts.append((await completed_result(engine)).text)

    assert texts == ["Second", "Second", "Second", "First"]
    state = records(ledger)[1]["snapshot"]["targets"]["first/m"]
    assert state == {"cools_for": pytest.approx(30, abs=0.1), "asked": True, "because": "a 429"}


async def test_where_no_other_target_is_left_a_request_waits_until_the_rest_is_over(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(503, retry_after="5"), plain("Hello")]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        assert (await completed_result(engine)).outcome is Outcome.FAILED
        began = anyio.current_time()
        assert (await completed_result(engine)).text == "Hello"
        assert 5 <= anyio.current_time() - began <= 5.6


async def test_a_rest_longer_than_the_whole_request_is_a_refusal_that_says_so(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(503, retry_after="500")]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        await completed_result(engine)
        result = await completed_result(engine)

    assert result.outcome is Outcome.REFUSED
    assert "cooling for another 500 s after a 503; the whole request has 120 s" in (result.error or "")


async def test_a_503_of_the_only_target_holds_nobody_back(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(503), plain("Hello")]})
    async with opened(policy_of(policy(targets=1)), transport) as engine:
        await completed_result(engine)
        assert (await completed_result(engine)).text == "Hello"


# -- the retry budget ----------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [1_000, pytest.param(10_000, marks=pytest.mark.long)])
async def test_an_outage_of_everything_is_not_multiplied_by_retries(policy_of: PolicyOf, number: int) -> None:
    calm = "breaker: {consecutive: 1000000, of: 1000000}"
    loaded = policy_of(
        policy(first=calm, second=calm, upstream="retry: {attempts: 3, backoff: {first: 1ms, max: 1ms}}")
    )
    transport = ScriptedTransport({name: always(problem(500)) for name in ("first", "second")})
    async with opened(loaded, transport) as engine:
        results = await together(engine, number)
        assert live(engine) == 0

    asked = Counter(transport.asked)
    assert {result.outcome for result in results} == {Outcome.FAILED}
    assert all(number <= asked[name] <= 1.1 * number + 3 for name in ("first", "second"))
    assert asked["first"] > 1.09 * number  # the budget was used


async def test_a_request_that_ends_for_want_of_budget_says_so(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(targets=1, first="retry_budget: {share: 0%, floor: 0}", upstream="retry: {attempts: 2}"))
    async with opened(loaded, ScriptedTransport({"first": [problem(500, "broken")]})) as engine:
        result = await completed_result(engine)

    assert result.error == "first: broken; the endpoint's retry budget is used up"


async def test_those_who_waited_and_found_the_budget_used_up_say_so(policy_of: PolicyOf) -> None:
    """Whoever waits out a rate limit draws when the wait is over; others may have drawn meanwhile."""
    slow_down = problem(429, "slow down", retry_after="1")
    transport = ScriptedTransport({"first": lambda call: slow_down if len(transport.asked) <= 5 else plain("Hello")})
    loaded = policy_of(policy(targets=1, first="retry_budget: {share: 0%, floor: 2}"))
    async with opened(loaded, transport) as engine:
        results = await together(engine, 5)

    assert sorted(result.text for result in results) == ["", "", "", "Hello", "Hello"]
    assert {result.error for result in results if result.error} == {
        "first: slow down; first/m cannot be asked now: its retry budget is used up"
    }


async def test_a_target_that_is_held_back_when_its_turn_comes_is_in_the_record(policy_of: PolicyOf) -> None:
    """The plan was made before: without a word in the record nobody could tell why the target was left out."""
    loaded = policy_of(policy(targets=2, first="limits: {concurrent: 1}"))
    transport = ScriptedTransport({"first": [plain("Hello")], "second": [plain("Hello")]})
    async with opened(loaded, transport) as engine:
        results = await together(engine, 2)

    told = [[held.as_json() for held in result.record.held_back] for result in results]
    answered = {result.attempts[-1].endpoint: held for result, held in zip(results, told, strict=True)}
    why = "the endpoint `first` allows 1 at once"
    assert answered == {"first": [], "second": [{"endpoint": "first", "model": "m", "why": why, "after": 0}]}


# -- permits -------------------------------------------------------------------------------------------


async def test_permits_come_back_wherever_requests_are_given_up(policy_of: PolicyOf) -> None:
    dice = random.Random(7)

    def reply(call: Call) -> Reply:
        kinds = [
            problem(500),
            problem(429),
            broken(Cause.RESET),
            stream(content("Hel"), dice.random(), content("lo"), STALL),
            stream(dice.random(), content("Hello")),
            streamed("Hello"),
        ]
        return dice.choice(kinds)

    loaded = policy_of(policy(upstream="retry: {attempts: 2}, timeouts: {first_content: 1s, idle: 1s, total: 5s}"))
    async with opened(loaded, ScriptedTransport({"first": reply, "second": reply}), AwaitingLedger()) as engine:

        async def one() -> None:
            with anyio.move_on_after(dice.random() * 3):
                await events_of(engine)

        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(one)
            assert live(engine) == 0


@pytest.mark.parametrize("kind", [Planned, Text, Finished])
async def test_a_permit_comes_back_when_the_block_is_left(policy_of: PolicyOf, kind: type[Any]) -> None:
    async with opened(policy_of(policy()), ScriptedTransport({"first": [streamed("Hel", "lo")]})) as engine:
        async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
            async for event in events:
                if isinstance(event, kind):
                    break
        assert live(engine) == 0
