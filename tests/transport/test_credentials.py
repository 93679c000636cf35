"""Tokens in virtual time: one fetch for all who wait, refreshed behind, never asked for in a storm."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest

from route_run.flow.failure import Cause, Failure
from route_run.transport.credentials import TokenSource
from route_run.transport.tasks import background_tasks
from route_run.wire.oauth import Grant

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("virtual_time")]

DOWN = Failure(Cause.STATUS, "the token endpoint is down", 503, at_token=True)


@dataclass
class Endpoint:
    """A token endpoint: grants `t1`, `t2`, … or what ``answers`` say, each after ``takes`` seconds."""

    life: float = 1000.0
    takes: float = 0.1
    answers: dict[int, Failure] = field(default_factory=dict)
    fails_between: tuple[float, float] = (float("inf"), float("inf"))
    fetched_at: list[float] = field(default_factory=list)

    async def fetch(self) -> Grant | Failure:
        self.fetched_at.append(round(anyio.current_time() - self.began, 3))
        number = len(self.fetched_at)
        await anyio.sleep(self.takes)
        start, end = self.fails_between
        if number in self.answers or start <= self.fetched_at[-1] < end:
            return self.answers.get(number, DOWN)
        return Grant(f"t{number}", self.life)

    @property
    def began(self) -> float:
        if not hasattr(self, "_began"):
            self._began = anyio.current_time()
        return self._began


@asynccontextmanager
async def source_of(endpoint: Endpoint, dice: float = 0.5) -> AsyncIterator[TokenSource]:
    _ = endpoint.began
    async with background_tasks() as tasks:
        yield TokenSource(endpoint.fetch, tasks, lambda: dice)


async def together(count: int, ask: Callable[[], Awaitable[object]]) -> list[object]:
    """The answers of many who ask at once."""
    answers: list[object] = []

    async def one() -> None:
        answers.append(await ask())

    async with anyio.create_task_group() as tasks:
        for _ in range(count):
            tasks.start_soon(one)
    return answers


async def until(endpoint: Endpoint, moment: float) -> None:
    """Let time pass to a moment after the beginning."""
    await anyio.sleep(endpoint.began + moment - anyio.current_time())


# -- one fetch for all --------------------------------------------------------------------------------


async def test_ten_thousand_waiters_make_one_fetch() -> None:
    endpoint = Endpoint()
    async with source_of(endpoint) as source:
        answers = await together(10_000, source.token)

    assert set(answers) == {"t1"}
    assert endpoint.fetched_at == [0.0]


async def test_a_leader_who_gives_up_does_not_fail_those_who_still_wait() -> None:
    endpoint = Endpoint(takes=5)
    answers: list[object] = []
    async with source_of(endpoint) as source:

        async def leader(scope: anyio.CancelScope) -> None:
            with scope:
                await source.token()

        async def follower() -> None:
            answers.append(await source.token())

        scope = anyio.CancelScope()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leader, scope)
            await anyio.sleep(1)
            tasks.start_soon(follower)
            await anyio.sleep(1)
            scope.cancel()

    assert answers == ["t1"]
    assert endpoint.fetched_at == [0.0]


async def test_a_fetch_goes_on_when_everybody_who_waited_has_left() -> None:
    endpoint = Endpoint(takes=5)
    async with source_of(endpoint) as source:
        with anyio.move_on_after(1):
            await source.token()
        await anyio.sleep(10)
        assert await source.token() == "t1"

    assert endpoint.fetched_at == [0.0]


async def test_a_token_that_lives_is_given_without_waiting() -> None:
    endpoint = Endpoint()
    async with source_of(endpoint) as source:
        await source.token()
        before = anyio.current_time()
        assert await source.token() == "t1"
        assert anyio.current_time() == before


# -- refreshed early ----------------------------------------------------------------------------------


async def test_the_last_quarter_still_serves_while_the_next_token_is_fetched_behind() -> None:
    endpoint = Endpoint(life=1000, takes=5)
    async with source_of(endpoint) as source:
        await source.token()
        await until(endpoint, 749)
        assert await source.token() == "t1"
        await anyio.sleep(0.5)
        assert endpoint.fetched_at == [0.0]

        await until(endpoint, 751)
        assert await together(50, source.token) == ["t1"] * 50
        await anyio.sleep(6)
        assert await source.token() == "t2"

    assert endpoint.fetched_at == [0.0, 751.0]


@pytest.mark.parametrize(("dice", "earliest", "latest"), [(0.0, 799, 801), (0.999, 699, 701)])
async def test_the_moment_of_the_refresh_is_spread(dice: float, earliest: float, latest: float) -> None:
    endpoint = Endpoint(life=1000, takes=0)
    async with source_of(endpoint, dice) as source:
        await source.token()
        await until(endpoint, earliest)
        await source.token()
        await anyio.lowlevel.checkpoint()
        assert len(endpoint.fetched_at) == 1
        await until(endpoint, latest)
        await source.token()
        await anyio.sleep(1)
        assert len(endpoint.fetched_at) == 2


@pytest.mark.parametrize(("life", "serves", "waits"), [(100, 94.9, 95.1), (3600, 3569, 3571), (86_400, 86_369, 86_371)])
async def test_a_token_about_to_end_is_not_used_and_the_next_is_waited_for(
    life: float, serves: float, waits: float
) -> None:
    endpoint = Endpoint(life=life, takes=2)
    async with source_of(endpoint) as source:
        await source.token()
        endpoint.takes = 0.01
        await until(endpoint, serves)
        assert await source.token() == "t1"
    endpoint = Endpoint(life=life, takes=2)
    async with source_of(endpoint) as source:
        await source.token()
        await until(endpoint, waits)
        assert await source.token() == "t2"
        assert anyio.current_time() - endpoint.began == pytest.approx(waits + 2)


async def test_life_counts_from_the_moment_of_asking() -> None:
    endpoint = Endpoint(life=10, takes=9.6)
    async with source_of(endpoint) as source:
        assert await source.token() == "t1"
        assert await source.token() == "t2"


@pytest.mark.parametrize("count", [1, 20])
async def test_a_token_without_life_serves_those_who_waited_for_it_only(count: int) -> None:
    endpoint = Endpoint(life=0)
    async with source_of(endpoint) as source:
        assert await together(count, source.token) == ["t1"] * count
        assert await together(count, source.token) == ["t2"] * count

    assert endpoint.fetched_at == [0.0, 1.0]


# -- refused tokens -----------------------------------------------------------------------------------


async def test_a_storm_of_refusals_of_one_token_makes_one_fetch() -> None:
    endpoint = Endpoint()
    async with source_of(endpoint) as source:
        assert await source.token() == "t1"
        answers = await together(1000, lambda: source.token("t1"))

    assert set(answers) == {"t2"}
    assert len(endpoint.fetched_at) == 2


async def test_the_first_refusal_is_answered_without_a_pause() -> None:
    endpoint = Endpoint(takes=0)
    async with source_of(endpoint) as source:
        await source.token()
        await source.token("t1")

    assert endpoint.fetched_at == [0.0, 0.0]


async def test_a_refusal_that_comes_late_does_not_drop_the_token_that_came_after() -> None:
    endpoint = Endpoint()
    async with source_of(endpoint) as source:
        await source.token()
        assert await source.token("t1") == "t2"
        assert await source.token("t1") == "t2"

    assert len(endpoint.fetched_at) == 2


async def test_an_endpoint_that_refuses_every_token_is_asked_twice_a_second_at_most() -> None:
    endpoint = Endpoint(takes=0)
    async with source_of(endpoint) as source:
        token = await source.token()
        while anyio.current_time() - endpoint.began < 10:
            token = await source.token(str(token))

    assert len(endpoint.fetched_at) <= 22


async def test_each_value_that_is_refused_makes_one_fetch() -> None:
    endpoint = Endpoint()
    async with source_of(endpoint) as source:
        await source.token()
        for number in range(1, 6):
            answers = await together(200, lambda n=number: source.token(f"t{n}"))
            assert set(answers) == {f"t{number + 1}"}

    assert len(endpoint.fetched_at) == 6


# -- failures -----------------------------------------------------------------------------------------


async def test_a_failed_fetch_is_told_to_everybody_who_waited() -> None:
    endpoint = Endpoint(answers={1: DOWN})
    async with source_of(endpoint) as source:
        assert await together(100, source.token) == [DOWN] * 100

    assert len(endpoint.fetched_at) == 1


async def test_within_a_second_of_a_failure_nobody_asks_again() -> None:
    endpoint = Endpoint(answers={1: DOWN}, takes=0)
    async with source_of(endpoint) as source:
        await source.token()
        await anyio.sleep(0.9)
        assert await source.token() is DOWN
        await anyio.sleep(0.2)
        assert await source.token() == "t2"

    assert len(endpoint.fetched_at) == 2


async def test_a_refresh_behind_that_fails_keeps_the_token_and_is_tried_again_ever_more_rarely() -> None:
    endpoint = Endpoint(life=1000, takes=0.1, fails_between=(1, 10_000))
    async with source_of(endpoint) as source:
        await source.token()
        await until(endpoint, 760)
        while anyio.current_time() - endpoint.began < 960:
            assert await source.token() == "t1"
            await anyio.sleep(0.25)

    tries = endpoint.fetched_at[1:]
    pauses = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert 6 <= len(tries) <= 14
    assert pauses[:3] == sorted(pauses[:3])
    assert max(pauses) <= 31


async def test_a_token_comes_again_once_the_endpoint_has_recovered() -> None:
    endpoint = Endpoint(takes=0.1, fails_between=(0, 5))
    async with source_of(endpoint) as source:
        for _ in range(14):
            await source.token()
            await anyio.sleep(0.5)
        assert anyio.current_time() - endpoint.began == pytest.approx(7, abs=2)
        assert str(await source.token()).startswith("t")


async def test_a_pause_after_failures_ends_with_the_first_success() -> None:
    endpoint = Endpoint(life=100, takes=0, fails_between=(70, 90))
    async with source_of(endpoint, dice=0.0) as source:
        while anyio.current_time() - endpoint.began < 400:
            assert not isinstance(await source.token(), Failure)
            await anyio.sleep(1)

    assert len([moment for moment in endpoint.fetched_at if moment > 90]) <= 5


async def test_a_token_about_to_end_is_sent_as_long_as_it_lives_where_no_other_can_be_had() -> None:
    """It may still be accepted; to have none at all is worse."""
    endpoint = Endpoint(life=1000, takes=0.1, fails_between=(1, 10_000))
    async with source_of(endpoint) as source:
        await source.token()
        await until(endpoint, 971)
        assert await together(100, source.token) == ["t1"] * 100
        await until(endpoint, 999)
        assert await source.token() == "t1"
        await until(endpoint, 1000.2)
        assert await source.token() is DOWN

    assert len(endpoint.fetched_at) <= 5


async def test_a_token_that_ends_while_another_is_asked_for_in_vain_is_not_sent() -> None:
    endpoint = Endpoint(life=1000, takes=30, fails_between=(1, 10_000))
    async with source_of(endpoint) as source:
        await source.token()
        await until(endpoint, 980)
        assert await source.token() is DOWN


async def test_a_refused_token_is_not_sent_though_no_other_can_be_had() -> None:
    endpoint = Endpoint(life=1000, takes=0.1, fails_between=(1, 10_000))
    async with source_of(endpoint) as source:
        await source.token()
        await until(endpoint, 10)
        assert await source.token("t1") is DOWN
        assert await source.token() is DOWN


# -- the end ------------------------------------------------------------------------------------------


async def test_closing_while_a_token_is_fetched_ends_the_wait() -> None:
    endpoint = Endpoint(takes=1e6)
    answers: list[object] = []
    async with anyio.create_task_group() as outside, source_of(endpoint) as source:

        async def one() -> None:
            answers.append(await source.token())

        outside.start_soon(one)
        await anyio.sleep(1)

    (answer,) = answers
    assert isinstance(answer, Failure)
    assert "closed" in answer.message
    assert answer.at_token


async def test_the_repr_shows_the_state_and_no_token() -> None:
    endpoint = Endpoint()
    async with source_of(endpoint) as source:
        empty = repr(source)
        await source.token()

        assert empty == "<TokenSource empty>"
        assert repr(source) == "<TokenSource held>"
