"""A transport that plays what a test wrote down, and notes every call and every close.

Answers of chat completions are written here byte by byte, so that no encoder of ours takes part.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import anyio

from route_run.flow.failure import Cause
from route_run.transport.seam import Call, Purpose, Response, TransportError


class Pause(Enum):
    """A step that never ends."""

    FOREVER = "forever"


STALL = Pause.FOREVER
Step = bytes | float | Cause | Pause
"""A chunk; seconds that pass; a connection that breaks; silence."""

EVENTS: Mapping[str, str] = {"content-type": "text/event-stream"}
JSON: Mapping[str, str] = {"content-type": "application/json"}


@dataclass(frozen=True)
class Reply:
    """One answer: ``head`` is what happens before its status is seen, ``body`` what its reads give."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Sequence[Step] = ()
    head: Sequence[Step] = ()


Script = Sequence[Reply] | Callable[[Call], Reply]
"""Replies in the order of the calls (the last is not repeated), or whatever a function makes of a call."""


class ScriptedTransport:
    """Plays ``scripts`` by destination; a webhook is a destination too, ``tokens`` are asked for apart."""

    def __init__(
        self,
        scripts: Mapping[str, Script],
        tokens: Mapping[str, Script] | None = None,
        *,
        is_simulated: bool = False,
    ) -> None:
        self.is_simulated = is_simulated
        self.is_free = is_simulated
        self.calls: list[Call] = []
        self.responses: list[ScriptedResponse] = []
        self.is_closed = False
        self._scripts = {**scripts, **{f"{name} (token)": script for name, script in (tokens or {}).items()}}
        self._played: dict[str, int] = {}

    @property
    def left_open(self) -> int:
        """Answers that nobody closed."""
        return sum(not response.is_closed for response in self.responses)

    def calls_for(self, purpose: Purpose, destination: str | None = None) -> list[Call]:
        """The calls of one purpose in their order, of one destination if asked."""
        return [c for c in self.calls if c.purpose is purpose and destination in (None, c.destination)]

    @property
    def asked(self) -> list[str]:
        """The endpoints in the order in which they were asked for an answer."""
        return [call.destination for call in self.calls_for(Purpose.INFERENCE)]

    async def send(self, call: Call) -> Response:
        self.calls.append(call)
        reply = self._next(call)
        await anyio.lowlevel.checkpoint()
        for step in reply.head:
            await _happen(step)
        response = ScriptedResponse(reply)
        self.responses.append(response)
        return response

    async def aclose(self) -> None:
        self.is_closed = True

    def _next(self, call: Call) -> Reply:
        name = f"{call.destination} (token)" if call.purpose is Purpose.TOKEN else call.destination
        script = self._scripts.get(name, ())
        if callable(script):
            return script(call)
        number = self._played.get(name, 0)
        assert number < len(script), f"call {number + 1} to {name} is not in the script"
        self._played[name] = number + 1
        return script[number]


class ScriptedResponse:
    """An answer that plays its steps."""

    def __init__(self, reply: Reply) -> None:
        self.status = reply.status
        self.headers = reply.headers
        self.is_closed = False
        self._left = list(reply.body)

    async def read(self) -> bytes:
        assert not self.is_closed, "a closed answer is read"
        await anyio.lowlevel.checkpoint()
        while self._left:
            step = self._left.pop(0)
            if isinstance(step, bytes):
                return step
            await _happen(step)
        return b""

    async def aclose(self) -> None:
        self.is_closed = True
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()


async def _happen(step: Step) -> None:
    match step:
        case Cause():
            raise TransportError(step, f"scripted {step.value}")
        case Pause():
            await anyio.sleep_forever()
        case float() | int():
            await anyio.sleep(step)
        case _:
            raise AssertionError(f"{step!r} happens before the head of an answer")


# -- answers of chat completions ----------------------------------------------------------------------


def event(value: Any) -> bytes:
    """One server-sent event with a JSON value."""
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def content(text: str) -> bytes:
    """An event with a piece of text."""
    return event({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": None}]})


def usage(prompt: int, completion: int) -> bytes:
    """An event with the tokens used."""
    return event({"choices": [], "usage": {"prompt_tokens": prompt, "completion_tokens": completion}})


ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": None}, "finish_reason": None}]})
FINISH = event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
DONE = b"data: [DONE]\n\n"
PING = b": ping\n\n"


def stream(*steps: Step, head: Sequence[Step] = ()) -> Reply:
    """A 200 that streams events, exactly these steps."""
    return Reply(200, EVENTS, steps, head)


def streamed(*texts: str, used: tuple[int, int] | None = (10, 5)) -> Reply:
    """A whole streamed answer."""
    told = (usage(*used),) if used is not None else ()
    return stream(ROLE, *map(content, texts), FINISH, *told, DONE)


def plain(text: str, used: tuple[int, int] | None = (10, 5)) -> Reply:
    """A whole plain answer."""
    body: dict[str, Any] = {"choices": [{"message": {"content": text}, "finish_reason": "stop"}]}
    if used is not None:
        body["usage"] = {"prompt_tokens": used[0], "completion_tokens": used[1]}
    return Reply(200, JSON, [json.dumps(body).encode()])


def problem(status: int, message: str = "scripted problem", code: str = "", **headers: str) -> Reply:
    """An error with a body; ``headers`` are written with underscores."""
    error = {"message": message, "code": code or None}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, {**JSON, **named}, [json.dumps({"error": error}).encode()])


def broken(cause: Cause) -> Reply:
    """No answer at all."""
    return Reply(head=[cause])


def token(text: str, life: float = 3600, **fields: object) -> Reply:
    """A token endpoint's grant."""
    granted = {"access_token": text, "token_type": "Bearer", "expires_in": life, **fields}
    return Reply(200, JSON, [json.dumps(granted).encode()])
