"""All endpoints and token endpoints of a world, behind the seam of the transport."""

from __future__ import annotations

import json
import re
from typing import Any

import anyio

from route_run.flow.failure import Cause
from route_run.ledger import EntryKind
from route_run.policy import Dialect
from route_run.transport.seam import Call, Purpose, TransportError
from support.scripted import Pause, Step
from support.simulation.catalogue import Kind, Play, healthy
from support.simulation.provider import JSON, Script, error_body, said
from support.simulation.world import BEGAN, Exchange, Fetch, World


class Endpoints:
    """All endpoints and token endpoints of a world, behind the seam of the transport."""

    is_simulated = False
    is_free = False

    def __init__(self, world: World) -> None:
        self.is_closed = False
        self._world = world
        self._calls: dict[str, int] = {}
        self._valid: dict[str, str] = {}
        self._revoked: set[str] = set()
        shape = world.scenario.shape
        self._dialects = dict(zip(shape.names, shape.dialects, strict=True))
        self._logins = dict(zip(shape.names, shape.logins, strict=True))

    async def send(self, call: Call) -> Answering:
        await anyio.lowlevel.checkpoint()
        if call.purpose is Purpose.TOKEN:
            return await self._grant(call)
        exchange = self._exchange(call)
        self._world.exchanges.append(exchange)
        self._world.note(f"-> {exchange.endpoint} for caller {exchange.caller}, meets: {exchange.meets}")
        try:
            for step in exchange.script.head:
                await _happen(step)
        except BaseException:
            exchange.closed_at = anyio.current_time()
            raise
        return Answering(exchange.script, exchange)

    async def aclose(self) -> None:
        self.is_closed = True

    def _count(self, name: str) -> int:
        self._calls[name] = self._calls.get(name, -1) + 1
        return self._calls[name]

    def _exchange(self, call: Call) -> Exchange:
        world, name = self._world, call.destination
        number = self._count(name)
        dialect, body = self._dialects[name], json.loads(call.request.body)
        found = re.search(r"request-(\d+)\.", json.dumps(body["messages"]))
        assert found is not None, "the prompt is not in the request"
        caller, dice = int(found.group(1)), world.scenario.dice("exchange", name, number)
        shape = world.scenario.shape
        answer = said(
            len(world.exchanges), dice, tools=shape.tools and dialect is not Dialect.COGNIGY, json_text=shape.verify
        )
        passed = anyio.current_time() - world.began
        wants_stream = bool(body.get("stream")) or dialect is Dialect.COGNIGY
        playing = Play(dice, dialect, answer, wants_stream, call.connect_timeout, BEGAN + passed)
        kind = world.scenario.meets(name, number)
        token = call.request.headers.get("authorization", "").removeprefix("Bearer ")
        is_refused = self._logins[name] == "oauth2" and self._is_refused(name, token)
        if is_refused:
            script = Script(401, JSON, (), (error_body(dialect, "the token is not valid", ""),))
        else:
            script = (kind.script if kind and kind.script else healthy)(playing)
            if kind:
                world.met.add(kind.name)
        exchange = Exchange(
            caller, name, anyio.current_time(), None if is_refused else kind, script, answer,
            token, is_refused_token=is_refused,
        )  # fmt: skip
        exchange.stored_before = sum(
            entry.kind is EntryKind.ATTEMPT and dict(entry.body["attributes"])["tags"].get("n") == str(caller)
            for entry in world.entries
        )
        return exchange

    def _is_refused(self, name: str, token: str) -> bool:
        """Whether an endpoint refuses a token: it is revoked, or the scenario revokes it now."""
        faults = {kind.name for kind in self._world.scenario.token_faults}
        if "a storm of 401" in faults and token not in self._revoked:
            dice = self._world.scenario.dice("revoked", token)
            if (
                dice.random() < 0.5
                and self._world.scenario.dice("uses", token, len(self._world.exchanges)).random() < 0.5
            ):
                self._revoked.add(token)
                self._world.met.add("a storm of 401")
        return token in self._revoked

    async def _grant(self, call: Call) -> Answering:
        world, name = self._world, call.destination
        number = self._count(f"{name} (token)")
        dice = world.scenario.dice("token", name, number)
        faults = [kind for kind in world.scenario.token_faults if kind.name != "a storm of 401"]
        kind = dice.choice(faults) if faults and dice.random() < 0.5 else None
        fetch = Fetch(name, anyio.current_time(), kind)
        world.fetches.append(fetch)
        world.note(f"-> token of {name}, meets: {kind.name if kind else 'healthy'}")
        if kind:
            world.met.add(kind.name)
        script, fetch.token = token_script(kind, f"token.{name}.{number}.canary", world.scenario.token_life, dice)
        try:
            await anyio.sleep(dice.choice((0, 0.1, 2.0)))
            for step in script.head:
                await _happen(step)
        finally:
            fetch.ended_at = anyio.current_time()
        return Answering(script, None)


def token_script(kind: Kind | None, token: str, life: float, dice: Any) -> tuple[Script, str]:
    """What a token endpoint answers, and the token in it if there is one."""
    granted: dict[str, Any] = {"access_token": token, "token_type": "Bearer", "expires_in": life}
    match kind.name if kind else None:
        case "the token endpoint is down":
            return Script(dice.choice((500, 502, 503, 429)), JSON, (), (b'{"error": "server_error"}',)), ""
        case "the token endpoint hangs":
            return Script(head=(Pause.FOREVER,)), ""
        case "an odd expiry":
            granted["expires_in"] = dice.choice((0, -1, "soon", None, True, 1e300, "60", [], 0.5))
        case "a narrowed scope":
            granted["scope"] = "other"
            return Script(200, JSON, (), (json.dumps(granted).encode(),)), ""
        case "a rotated secret":
            return Script(401, JSON, (), (b'{"error": "invalid_client"}',)), ""
    return Script(200, JSON, (), (json.dumps(granted).encode(),)), token


class Answering:
    """An answer that plays its script."""

    def __init__(self, script: Script, exchange: Exchange | None) -> None:
        self.status = script.status
        self.headers = script.headers
        self._exchange = exchange
        self._left = list(script.body)
        self._is_closed = False

    async def read(self) -> bytes:
        assert not self._is_closed, "a closed answer is read"
        await anyio.lowlevel.checkpoint()
        while self._left:
            step = self._left.pop(0)
            if isinstance(step, bytes):
                if self._exchange:
                    self._exchange.handed += len(step)
                return step
            await _happen(step)
        return b""

    async def aclose(self) -> None:
        self._is_closed = True
        if self._exchange and self._exchange.closed_at is None:
            self._exchange.closed_at = anyio.current_time()
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()


async def _happen(step: Step) -> None:
    match step:
        case Cause():
            raise TransportError(step, f"simulated {step.value}")
        case Pause():
            await anyio.sleep_forever()
        case float() | int():
            await anyio.sleep(step)
