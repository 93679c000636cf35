"""Credentials of a destination as headers; tokens are fetched over the same transport as everything else."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace

import anyio
from anyio.abc import TaskGroup

from route_run.flow.failure import Cause, Failure
from route_run.runtime.redact import redacted
from route_run.runtime.resolve import KeyAuth, Place, TokenAuth
from route_run.transport.credentials import TokenSource
from route_run.transport.seam import Call, Purpose, Transport, TransportError
from route_run.wire.call import HttpRequest
from route_run.wire.oauth import MAX_TOKEN_ANSWER, Grant, encode_token_request, read_token_answer

FETCH_WITHIN = 10.0
"""Seconds that a token endpoint has for its whole answer."""
LAST_TOKENS = 16
"""Tokens that are looked for in what the other side says: the one in use, and those it replaced."""
_BEARER = "Bearer "
_FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


class Login:
    """How one destination is logged in to."""

    def __init__(
        self,
        place: Place,
        transport: Transport,
        tasks: TaskGroup,
        dice: Callable[[], float],
        redact: Callable[[str], str],
    ) -> None:
        self._place = place
        self._transport = transport
        self._redact = redact
        self._source = TokenSource(self._fetch, tasks, dice) if isinstance(place.auth, TokenAuth) else None
        self._tokens: deque[str] = deque(maxlen=LAST_TOKENS)

    @property
    def uses_tokens(self) -> bool:
        """Whether a refused login can be tried again with another token."""
        return self._source is not None

    def redact(self, text: str) -> str:
        """A text from the other side without any secret of ours in it."""
        return redacted(self._redact(text), self._tokens)

    async def headers(self, refused: Mapping[str, str] | None = None) -> Mapping[str, str] | Failure:
        """The headers that log in, or why there are none; ``refused`` are headers that were not accepted."""
        auth = self._place.auth
        if isinstance(auth, KeyAuth):
            return {auth.header: auth.value.reveal()}
        if self._source is None:
            return {}
        refused_token = refused.get("authorization", "").removeprefix(_BEARER) if refused else None
        token = await self._source.token(refused_token)
        if isinstance(token, Failure):
            return token
        if token not in self._tokens:
            self._tokens.append(token)
        return {"authorization": f"{_BEARER}{token}"}

    async def _fetch(self) -> Grant | Failure:
        auth = self._place.auth
        assert isinstance(auth, TokenAuth)
        body = encode_token_request(auth.client_id, auth.client_secret.reveal(), auth.scope)
        call = Call(HttpRequest(auth.url, _FORM, body), self._place.name, Purpose.TOKEN, FETCH_WITHIN)
        with anyio.move_on_after(FETCH_WITHIN):
            try:
                return await self._asked(call, auth)
            except TransportError as error:
                return Failure(error.cause, self.redact(f"the token endpoint: {error}"), at_token=True)
        message = f"no token within {FETCH_WITHIN:g} s"
        return Failure(Cause.FIRST_CONTENT_TIMEOUT, message, at_token=True)

    async def _asked(self, call: Call, auth: TokenAuth) -> Grant | Failure:
        response = await self._transport.send(call)
        try:
            body = b""
            while len(body) <= MAX_TOKEN_ANSWER and (chunk := await response.read()):
                body += chunk
        finally:
            await response.aclose()
        if len(body) > MAX_TOKEN_ANSWER:
            return Failure(Cause.NO_ANSWER, "the token endpoint's answer is too large", response.status, at_token=True)
        found = read_token_answer(response.status, response.headers.get("content-type", ""), body, auth.scope)
        if isinstance(found, Grant):
            return found
        return replace(found, message=self.redact(found.message), code=self.redact(found.code))
