"""Any history of a token endpoint and those who ask for its token: what holds in each, in virtual time."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import anyio
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.failure import Cause, Failure
from route_run.transport.credentials import BETWEEN_FETCHES, TokenSource
from route_run.transport.tasks import background_tasks
from route_run.wire.oauth import Grant
from support.clocks import VIRTUAL_BACKENDS

SLOWEST = 10.0
DOWN = Failure(Cause.STATUS, "down", 503, at_token=True)


@dataclass(frozen=True)
class Answer:
    """What one fetch gets: a token with a life, or none, after some seconds."""

    life: float | None
    takes: float


@dataclass
class History:
    """What was asked for and given: moments, tokens, and when each token was refused."""

    fetches: list[tuple[float, float]] = field(default_factory=list)
    ends: dict[str, float] = field(default_factory=dict)
    refused_at: dict[str, float] = field(default_factory=dict)
    given: list[tuple[float, float, str | Failure, str | None]] = field(default_factory=list)


ANSWERS = st.lists(
    st.builds(
        Answer, st.none() | st.sampled_from([0.0, 0.5, 3.0, 60.0, 3600.0]), st.sampled_from([0.0, 0.1, 2.0, SLOWEST])
    ),
    min_size=1,
    max_size=6,
)
# a wait in seconds, how many ask, whether the token they have is refused first
STEPS = st.lists(
    st.tuples(st.sampled_from([0.0, 0.2, 1.0, 2.9, 45.0, 58.0, 3000.0]), st.integers(1, 5), st.booleans()), max_size=12
)


async def _lived(answers: list[Answer], steps: list[tuple[float, int, bool]], dice: float) -> History:
    history = History()

    async def fetch() -> Grant | Failure:
        began, answer = anyio.current_time(), answers[len(history.fetches) % len(answers)]
        history.fetches.append((began, float("inf")))
        number = len(history.fetches)
        await anyio.sleep(answer.takes)
        history.fetches[number - 1] = (began, anyio.current_time())
        if answer.life is None:
            return DOWN
        history.ends[f"t{number}"] = began + answer.life
        return Grant(f"t{number}", answer.life)

    async def ask(source: TokenSource, refused: str | None) -> None:
        began = anyio.current_time()
        found = await source.token(refused)
        history.given.append((began, anyio.current_time(), found, refused))

    async with background_tasks() as background:
        source = TokenSource(fetch, background, lambda: dice)
        for wait, many, is_refused in steps:
            await anyio.sleep(wait)
            last = history.given[-1][2] if history.given else DOWN
            refused = last if is_refused and isinstance(last, str) else None
            if refused is not None:
                history.refused_at.setdefault(refused, anyio.current_time())
            async with anyio.create_task_group() as together:
                for _ in range(many):
                    together.start_soon(ask, source, refused)
    return history


@given(ANSWERS, STEPS, st.sampled_from([0.0, 0.5, 0.999]))
def test_every_history_of_a_token_keeps_its_promises(
    answers: list[Answer], steps: list[tuple[float, int, bool]], dice: float
) -> None:
    name, options = VIRTUAL_BACKENDS["asyncio"]()
    history = anyio.run(_lived, answers, steps, dice, backend=name, backend_options=options)
    for (_, ended), (began, _) in itertools.pairwise(history.fetches):
        assert began >= ended, "two fetches at once"
    refusals = list(history.refused_at.values())
    for (before, _), (after, _) in itertools.pairwise(history.fetches):
        assert after - before >= BETWEEN_FETCHES - 1e-6 or any(before <= moment <= after for moment in refusals)
    for began, ended, found, refused in history.given:
        assert ended - began <= 2 * (BETWEEN_FETCHES + SLOWEST), "a wait without end"
        if isinstance(found, str):
            assert found != refused
            assert history.refused_at.get(found, began) >= began, "a refused token is given again"
            _, came = history.fetches[int(found[1:]) - 1]
            assert history.ends[found] > ended or came >= began, "a token that has ended"
    assert len(history.fetches) <= len(history.given) + len(history.refused_at) + 1
    if all(answer.life is not None for answer in answers):
        assert all(isinstance(found, str) for _, _, found, _ in history.given)
