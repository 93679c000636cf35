"""OAuth2 tokens: cached, refreshed early, fetched once for all who wait.

Decides when a token is fresh enough. A fetch runs in a task of its own, so that a caller who gives up
does not take the token from those who still wait.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import anyio
from anyio.abc import TaskGroup

from route_run.flow.failure import Cause, Failure
from route_run.wire.oauth import Grant

REFRESH_BEHIND = 0.25
"""In the last quarter of its life (± a fifth of that) a token still serves while the next is fetched."""
SAFETY = 0.05
LARGEST_SAFETY = 30.0
"""In the last 5 % of its life, at most the last 30 s, a token is sent only where no other can be had."""
BETWEEN_FETCHES = 1.0
LONGEST_PAUSE = 30.0


@dataclass(frozen=True, slots=True)
class _Held:
    """A token with moments of the monotonic clock: it is refreshed behind, it serves no more, it has ended."""

    token: str
    refresh_at: float
    serves_until: float
    ends_at: float


class _Fetch:
    """One fetch under way: who waits for it reads its outcome when it is done."""

    def __init__(self) -> None:
        self.done = anyio.Event()
        self.outcome: str | Failure = Failure(
            Cause.INTERNAL, "the engine was closed before a token came", at_token=True
        )


class TokenSource:
    """The token of one client at one token endpoint.

    ``fetch`` asks the token endpoint and never raises for what it says; ``dice`` gives numbers in
    [0, 1). Fetches run in ``tasks``.
    """

    def __init__(
        self, fetch: Callable[[], Awaitable[Grant | Failure]], tasks: TaskGroup, dice: Callable[[], float]
    ) -> None:
        self._fetch = fetch
        self._tasks = tasks
        self._dice = dice
        self._held: _Held | None = None
        self._failed: Failure | None = None
        self._last_urgent = float("-inf")
        self._under_way: _Fetch | None = None
        self._last_fetch = float("-inf")
        self._failures = 0
        self._refresh_not_before = float("-inf")

    def __repr__(self) -> str:
        state = "fetching" if self._under_way else "held" if self._held else "empty"
        return f"<TokenSource {state}>"

    async def token(self, refused: str | None = None) -> str | Failure:
        """A token to send now, or why there is none.

        ``refused`` is a token that an endpoint did not accept: it is dropped if it is still the one
        that is held, so that many refusals of one token lead to one fetch. Where one refusal follows
        another, only the first in a second is urgent.
        """
        now = anyio.current_time()
        if self._held is not None and self._held.token == refused:
            self._held = None
            self._start_fetch(is_urgent=now >= self._last_urgent + BETWEEN_FETCHES)
            self._last_urgent = now
        if self._held is not None and now < self._held.serves_until:
            if now >= self._held.refresh_at and now >= self._refresh_not_before:
                self._start_fetch()
            return self._held.token
        if self._under_way is None and self._failed is not None:
            if self._held is not None and now < min(self._held.ends_at, self._refresh_not_before):
                return self._held.token
            if now < self._last_fetch + BETWEEN_FETCHES:
                return self._failed
        fetch = self._start_fetch()
        await fetch.done.wait()
        if isinstance(fetch.outcome, Failure) and self._held is not None:
            return self._held.token if anyio.current_time() < self._held.ends_at else fetch.outcome
        return fetch.outcome

    def _start_fetch(self, *, is_urgent: bool = False) -> _Fetch:
        if self._under_way is None:
            self._under_way = _Fetch()
            self._tasks.start_soon(self._run, self._under_way, is_urgent)
        return self._under_way

    async def _run(self, fetch: _Fetch, is_urgent: bool) -> None:
        try:
            if not is_urgent:
                await anyio.sleep(max(0.0, self._last_fetch + BETWEEN_FETCHES - anyio.current_time()))
            self._last_fetch = anyio.current_time()
            fetch.outcome = self._kept(await self._fetch())
        finally:
            self._under_way = None
            fetch.done.set()

    def _kept(self, fetched: Grant | Failure) -> str | Failure:
        if isinstance(fetched, Failure):
            self._failed = fetched
            self._failures += 1
            pause = min(LONGEST_PAUSE, BETWEEN_FETCHES * 2.0**self._failures) * (0.5 + self._dice() / 2)
            self._refresh_not_before = anyio.current_time() + pause
            return fetched
        self._failed, self._failures = None, 0
        early = fetched.life * REFRESH_BEHIND * (0.8 + 0.4 * self._dice())
        safety = min(LARGEST_SAFETY, fetched.life * SAFETY)
        end = self._last_fetch + fetched.life
        self._held = _Held(fetched.token, end - early, end - safety, end)
        return fetched.token
