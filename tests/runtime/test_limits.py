"""Limits at work: reserved, settled, waited for, and given back on every path."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import pytest

from route_run.flow.event import Text
from route_run.flow.limits import Used
from route_run.flow.outcome import Outcome
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.runtime.counters import Counters
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from route_run.transport.seam import Call
from support.engines import AwaitingLedger, completed_result, events_of, opened, policy, records
from support.scripted import JSON, STALL, Reply, ScriptedTransport, content, plain, problem, stream, streamed

PolicyOf = Callable[..., Loaded]

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

TENANT = "tags: {tenant: {}}\nbounds:\n  share: {match: {}, per: tags.tenant, "


def counters(engine: Engine) -> Counters:
    return engine._wiring.standing.counters


def always(reply: Reply) -> Callable[[Call], Reply]:
    return lambda call: reply


def slow(seconds: float) -> Reply:
    return Reply(200, JSON, [seconds, *plain("Hello").body])


async def together(engine: Engine, count: int, **fields: Any) -> list[Any]:
    results: list[Any] = []

    async def one() -> None:
        results.append(await completed_result(engine, **fields))

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return results


# -- next ----------------------------------------------------------------------------------------------


async def test_an_endpoint_without_room_is_skipped_and_the_record_says_what_was_used(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": always(plain("First")), "second": always(plain("Second"))})
    async with opened(policy_of(policy(first="limits: {requests: 2/min}")), transport, ledger) as engine:
        texts = [(await completed_result(engine)).text for _ in range(3)]
        await anyio.sleep(30)
        texts += [(await completed_result(engine)).text for _ in range(2)]

    assert texts == ["First", "First", "Second", "First", "Second"]
    assert records(ledger)[2]["snapshot"]["limits"] == {"endpoints.first": {"requests": pytest.approx(2, abs=0.01)}}


async def test_an_engine_counts_on_from_what_is_used_already(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="limits: {requests: 2/min}"))
    (limit,) = loaded.table.routes["all"].upstream.targets[0].limits
    transport = ScriptedTransport({"first": always(plain("First")), "second": always(plain("Second"))})
    async with opened(loaded, transport, used=[(limit, Used(requests=1))]) as engine:
        texts = [(await completed_result(engine)).text for _ in range(2)]
        await anyio.sleep(60)
        texts += [(await completed_result(engine)).text for _ in range(3)]

    assert texts == ["First", "Second", "First", "First", "Second"]


async def test_what_was_spent_before_an_engine_opens_belongs_to_its_day(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(more=TENANT + "limits: {spend: 1 USD/day}}"))
    limit = loaded.table.bounds[0].quota.limit_of("acme")
    assert limit is not None
    transport = ScriptedTransport({"first": always(plain("First"))})
    async with opened(loaded, transport, used=[(limit, Used(spent=Decimal(1)))]) as engine:
        today = [await completed_result(engine, tags={"tenant": tenant}) for tenant in ("acme", "zenith")]
        await anyio.sleep(86_400)
        tomorrow = await completed_result(engine, tags={"tenant": "acme"})

    assert [result.outcome for result in (*today, tomorrow)] == [
        Outcome.REFUSED,
        Outcome.COMPLETED,
        Outcome.COMPLETED,
    ]


async def test_what_runs_at_once_is_bounded_and_the_rest_goes_to_the_next(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": always(slow(1.0)), "second": always(slow(1.0))})
    async with opened(policy_of(policy(first="limits: {concurrent: 3}")), transport) as engine:
        results = await together(engine, 10)
        assert counters(engine).live == 0

    assert Counter(transport.asked) == {"first": 3, "second": 7}
    assert {result.outcome for result in results} == {Outcome.COMPLETED}


async def test_a_request_that_no_target_has_room_for_is_refused_with_the_reasons(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="limits: {requests: 1/h}", targets=1))
    async with opened(loaded, ScriptedTransport({"first": always(plain("Hello"))})) as engine:
        await completed_result(engine)
        result = await completed_result(engine)

    assert result.outcome is Outcome.REFUSED
    assert result.attempts == ()
    assert "the endpoint `first` allows 1/h requests; room in 3.6e+03 s" in (result.error or "")


# -- tokens --------------------------------------------------------------------------------------------


async def test_tokens_are_reserved_at_the_start_and_settled_with_the_usage(policy_of: PolicyOf) -> None:
    # a request may take 7 + 1000 tokens and uses 15
    transport = ScriptedTransport({"first": always(slow(0.5)), "second": always(slow(0.5))})
    async with opened(policy_of(policy(first="limits: {tokens: 1200/day}")), transport) as engine:
        await together(engine, 2)
        assert Counter(transport.asked) == {"first": 1, "second": 1}
        for _ in range(12):
            await completed_result(engine)

    assert Counter(transport.asked) == {"first": 13, "second": 1}


async def test_tokens_that_nobody_reports_stay_reserved(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": always(plain("Hello", None)), "second": always(plain("Hello"))})
    async with opened(policy_of(policy(first="limits: {tokens: 1200/day}")), transport) as engine:
        for _ in range(2):
            await completed_result(engine)

    assert transport.asked == ["first", "second"]


async def test_an_attempt_that_was_not_billed_gives_its_tokens_back(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [problem(400), plain("Hello")]})
    async with opened(policy_of(policy(first="limits: {tokens: 1200/day}", targets=1)), transport) as engine:
        await completed_result(engine)
        assert (await completed_result(engine)).text == "Hello"


# -- spend ---------------------------------------------------------------------------------------------


async def test_spend_ends_with_the_day_in_utc(policy_of: PolicyOf) -> None:
    # a request may cost 0.002007 USD and costs 0.00002; the engine's clock begins at 08:00 UTC
    transport = ScriptedTransport({"first": always(plain("Hello", (10, 5)))})
    loaded = policy_of(policy(first="limits: {spend: 0.00205 USD/day}", targets=1))
    async with opened(loaded, transport) as engine:
        outcomes = [(await completed_result(engine)).outcome for _ in range(4)]
        refused = await completed_result(engine)
        await anyio.sleep(16 * 3600)
        again = (await completed_result(engine)).outcome

    assert outcomes == [Outcome.COMPLETED] * 3 + [Outcome.REFUSED]
    assert "0.00006 USD are spent or reserved" in (refused.error or "")
    assert again is Outcome.COMPLETED


async def test_a_model_without_a_price_is_not_asked_under_a_limit_of_spend(policy_of: PolicyOf) -> None:
    text = policy(first="limits: {spend: 5 USD/month}").replace("price: {input: 1, output: 2}, ", "")
    transport = ScriptedTransport({"second": always(plain("Hello"))})
    async with opened(policy_of(text), transport) as engine:
        assert (await completed_result(engine)).text == "Hello"


# -- bounds --------------------------------------------------------------------------------------------


async def test_a_bound_counts_each_value_apart_and_absence_is_one(policy_of: PolicyOf) -> None:
    more = TENANT + "limits: {requests: 2/h}, except: {acme: {requests: 3/h}}}"
    transport = ScriptedTransport({"first": always(plain("Hello"))})
    async with opened(policy_of(policy(more=more)), transport) as engine:
        seen = {
            name: [(await completed_result(engine, tags=tags)).outcome.value for _ in range(4)]
            for name, tags in (("acme", {"tenant": "acme"}), ("b", {"tenant": "b"}), ("none", {}))
        }
        refused = await completed_result(engine, tags={"tenant": "b"})

    assert {name: outcomes.count("completed") for name, outcomes in seen.items()} == {"acme": 3, "b": 2, "none": 2}
    assert {outcomes[-1] for outcomes in seen.values()} == {"refused"}
    assert "the bound `share` for tenant=b allows 2/h requests" in (refused.error or "")


async def test_under_a_bound_a_request_counts_once_however_many_attempts_it_makes(policy_of: PolicyOf) -> None:
    more = "bounds: {all: {match: {}, limits: {requests: 2/h, concurrent: 1}}}"
    transport = ScriptedTransport({"first": always(problem(502)), "second": always(plain("Hello"))})
    async with opened(policy_of(policy(more=more)), transport) as engine:
        outcomes = [(await completed_result(engine)).outcome for _ in range(3)]

    assert outcomes == [Outcome.COMPLETED, Outcome.COMPLETED, Outcome.REFUSED]
    assert transport.asked == ["first", "second"] * 2


async def test_a_limit_that_rejects_does_not_try_the_next_target(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="limits: {requests: 1/h, when_exceeded: reject}"))
    async with opened(loaded, ScriptedTransport({"first": always(plain("Hello"))})) as engine:
        await completed_result(engine)
        assert (await completed_result(engine)).outcome is Outcome.REFUSED


async def test_values_beyond_the_cap_share_one_counter_and_unused_ones_make_room(policy_of: PolicyOf) -> None:
    more = TENANT + "limits: {requests: 2/h}}"
    async with opened(policy_of(policy(more=more)), ScriptedTransport({"first": always(plain("Hello"))})) as engine:
        counters(engine)._most_values = 3
        first = [(await completed_result(engine, tags={"tenant": name})).outcome for name in "abcde"]
        sixth = (await completed_result(engine, tags={"tenant": "f"})).outcome
        own = (await completed_result(engine, tags={"tenant": "a"})).outcome
        await anyio.sleep(7200)
        later = [(await completed_result(engine, tags={"tenant": "f"})).outcome for _ in range(2)]
        assert len(counters(engine)._counters) <= 4

    assert first == [Outcome.COMPLETED] * 5  # d and e share the two of the others
    assert (sixth, own) == (Outcome.REFUSED, Outcome.COMPLETED)
    assert later == [Outcome.COMPLETED] * 2


# -- waiting -------------------------------------------------------------------------------------------


async def test_who_waits_for_room_is_served_in_the_order_of_arrival(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="limits: {concurrent: 1, when_exceeded: wait}", targets=1))
    order: list[str] = []

    async def one(engine: Engine, name: str) -> None:
        await completed_result(engine, name)
        order.append(name)

    names = [f"request {number}" for number in range(8)]
    async with opened(loaded, ScriptedTransport({"first": always(slow(1.0))})) as engine:
        async with anyio.create_task_group() as tasks:
            for name in names:
                tasks.start_soon(one, engine, name)
                await anyio.sleep(0.01)
        assert counters(engine).live == counters(engine).waiting == 0

    assert order == names


async def test_who_waits_for_two_limits_gives_way_to_nobody_who_came_later(policy_of: PolicyOf) -> None:
    """Some wait for the endpoint, others for the bound, and both have room again at the same moment."""
    waits = "limits: {concurrent: %d, when_exceeded: wait}"
    side = "  side: {match: {tags: {desk: [side]}}, upstream: side}"
    text = policy(
        first=waits % 1,
        route="match: {tags: {desk: [main]}}",
        more=f"""{side}
tags: {{desk: {{values: [main, side]}}}}
bounds: {{everybody: {{match: {{}}, {waits % 2}}}}}
""",
    ).replace("routes:", "  side: {targets: [{endpoint: second, model: m}]}\nroutes:")
    transport = ScriptedTransport({"first": always(slow(10)), "second": always(slow(8))})
    done: list[str] = []
    async with opened(policy_of(text), transport) as engine, anyio.create_task_group() as tasks:

        async def one(name: str, at: float, desk: str) -> None:
            await anyio.sleep(at)
            assert (await completed_result(engine, tags={"desk": desk})).outcome is Outcome.COMPLETED
            done.append(name)

        tasks.start_soon(one, "under way", 0, "main")
        tasks.start_soon(one, "beside it", 2, "side")
        for number in range(2):
            tasks.start_soon(one, f"waits for the endpoint {number}", 1 + number / 10, "main")
            tasks.start_soon(one, f"waits for the bound {number}", 3 + number / 10, "main")

    assert done[2:] == [f"waits for the {what} {number}" for what in ("endpoint", "bound") for number in range(2)]


async def test_a_rate_that_is_waited_for_is_kept_to_the_moment(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="limits: {requests: 60/min, when_exceeded: wait}", targets=1))
    starts: list[float] = []

    def reply(call: Call) -> Reply:
        starts.append(anyio.current_time())
        return plain("Hello")

    async with opened(loaded, ScriptedTransport({"first": reply})) as engine:
        results = await together(engine, 90)

    assert {result.outcome for result in results} == {Outcome.COMPLETED}
    began = starts[0]
    assert [round(moment - began) for moment in starts[60:]] == list(range(1, 31))


async def test_nobody_waits_longer_than_the_limit_says(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="limits: {concurrent: 1, when_exceeded: wait, wait_at_most: 2s}"))
    transport = ScriptedTransport({"first": always(slow(30.0)), "second": always(plain("Second"))})
    async with opened(loaded, transport) as engine, anyio.create_task_group() as tasks:
        tasks.start_soon(completed_result, engine)
        await anyio.sleep(0.1)
        began = anyio.current_time()
        assert (await completed_result(engine)).text == "Second"
        assert anyio.current_time() - began == pytest.approx(2.0, abs=0.1)


async def test_a_bound_that_was_waited_for_in_vain_refuses(policy_of: PolicyOf) -> None:
    more = "bounds: {all: {match: {}, limits: {concurrent: 1, when_exceeded: wait, wait_at_most: 2s}}}"
    async with (
        opened(policy_of(policy(more=more)), ScriptedTransport({"first": always(slow(30.0))})) as engine,
        anyio.create_task_group() as tasks,
    ):
        tasks.start_soon(completed_result, engine)
        await anyio.sleep(0.1)
        result = await completed_result(engine)

    assert result.outcome is Outcome.REFUSED
    assert "the bound `all` allows 1 at once" in (result.error or "")


async def test_one_who_gives_up_waiting_lets_the_next_have_the_turn(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="limits: {concurrent: 1, when_exceeded: wait}", targets=1))
    async with opened(loaded, ScriptedTransport({"first": always(slow(3.0))})) as engine:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(completed_result, engine)
            await anyio.sleep(0.1)

            async def impatient() -> None:
                with anyio.move_on_after(1.0):
                    await completed_result(engine)

            tasks.start_soon(impatient)
            await anyio.sleep(0.1)
            began = anyio.current_time()
            await completed_result(engine)
            assert 5.5 < anyio.current_time() - began < 6.0
        assert counters(engine).live == counters(engine).waiting == 0


# -- what is left --------------------------------------------------------------------------------------


async def test_nothing_is_held_wherever_requests_are_given_up(policy_of: PolicyOf) -> None:
    dice = random.Random(11)
    more = TENANT + "limits: {concurrent: 4, spend: 9 USD/day, when_exceeded: wait, wait_at_most: 1s}}"
    limits = "limits: {concurrent: 3, tokens: 50k/s, when_exceeded: wait, wait_at_most: 500ms}"

    def reply(call: Call) -> Reply:
        kinds = [problem(500), stream(content("Hel"), dice.random(), STALL), stream(dice.random(), content("x"))]
        return dice.choice([*kinds, streamed("Hello"), streamed("Hello")])

    text = policy(first=limits, more=more, upstream="retry: {attempts: 2}, timeouts: {idle: 1s, total: 5s}")
    async with opened(
        policy_of(text), ScriptedTransport({"first": reply, "second": reply}), AwaitingLedger()
    ) as engine:

        async def one() -> None:
            with anyio.move_on_after(dice.random() * 3):
                await events_of(engine, tags={"tenant": dice.choice("ab")})

        for _ in range(10):
            async with anyio.create_task_group() as tasks:
                for _ in range(50):
                    tasks.start_soon(one)
            assert counters(engine).live == counters(engine).waiting == engine._wiring.standing.live == 0


async def test_a_stream_that_is_left_gives_its_room_back(policy_of: PolicyOf) -> None:
    more = "bounds: {all: {match: {}, limits: {concurrent: 1}}}"
    transport = ScriptedTransport({"first": [stream(content("Hel"), STALL), streamed("Hello")]})
    async with opened(policy_of(policy(more=more)), transport) as engine:
        async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
            async for event in events:
                if isinstance(event, Text):
                    break
            assert counters(engine).live == 1
        assert counters(engine).live == 0
        assert (await completed_result(engine)).outcome is Outcome.COMPLETED
