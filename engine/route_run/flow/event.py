"""What a caller of the engine sees while a request runs, and the result at its end."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any, NamedTuple

from route_run.flow.outcome import Outcome, ToolPiece, Usage
from route_run.flow.plan import Plan
from route_run.flow.record import Attempt, Record, usage_as_json
from route_run.flow.request import ToolCall


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan was made; with ``request_id`` the request is found in the ledger, however it ends."""

    request_id: str
    plan: Plan


@dataclass(frozen=True, slots=True)
class AttemptStarted:
    """An exchange begins; ``number`` counts from 1, ``after_ms`` is how long was waited before it.

    ``repair`` says that the target is asked to correct the answer it gave before.
    """

    number: int
    endpoint: str
    model: str
    after_ms: float = 0.0
    repair: bool = False


@dataclass(frozen=True, slots=True)
class Restarted:
    """What was delivered so far is void: discard it. The answer starts over with attempt ``number``.

    It comes right before the first content of that attempt, so that what was delivered stands for as
    long as nothing takes its place.
    """

    number: int


class Text(NamedTuple):
    """A piece of the answer, from attempt ``number``. A tuple, because there may be hundreds in an answer."""

    text: str
    number: int


@dataclass(frozen=True, slots=True)
class ToolCallPiece:
    """A piece of a tool call, from attempt ``number``."""

    piece: ToolPiece
    number: int


@dataclass(frozen=True, slots=True)
class UsageReported:
    """The tokens the provider reports, from attempt ``number``; the last report counts."""

    usage: Usage
    number: int


@dataclass(frozen=True, slots=True)
class AttemptEnded:
    """An exchange ended, well or not."""

    attempt: Attempt


@dataclass(frozen=True, slots=True)
class Result:
    """The end of a request: its outcome, all that was delivered, and the record that was kept.

    ``error`` says in words why there is no (whole) answer; ``advice`` what an operator can do about it.
    """

    request_id: str
    outcome: Outcome
    text: str
    tool_calls: tuple[ToolCall, ...]
    usage: Usage | None
    cost: Decimal | None
    error: str | None
    advice: str | None
    record: Record

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        return self.record.attempts

    def as_json(self) -> dict[str, Any]:
        """The result as one JSON object, the answer included."""
        record = self.record.as_json()
        return {
            "request_id": self.request_id,
            "outcome": self.outcome.value,
            "text": self.text,
            "tool_calls": [call.model_dump() for call in self.tool_calls],
            "error": self.error,
            "advice": self.advice,
            "usage": usage_as_json(self.usage),
            **{
                key: record[key]
                for key in (
                    "cost_usd", "finish_reason", "route", "endpoint", "model", "latency_ms", "first_content_ms",
                    "attempts", "held_back", "restarts", "bounds", "guards", "policy", "git_revision", "simulated",
                    "webhooks",
                )
            },
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finished:
    """The one last event of every request."""

    result: Result


Event = Planned | AttemptStarted | Restarted | Text | ToolCallPiece | UsageReported | AttemptEnded | Finished


def event_as_json(event: Event) -> dict[str, Any]:
    """An event as one JSON object; ``event`` names it."""
    match event:
        case Planned(request_id, plan):
            return {"event": "planned", "request_id": request_id, "plan": plan.as_json()}
        case AttemptStarted(number, endpoint, model, after_ms, repair):
            return {
                "event": "attempt_started",
                "number": number,
                "endpoint": endpoint,
                "model": model,
                "after_ms": after_ms,
                "repair": repair,
            }
        case Restarted(number):
            return {"event": "restarted", "number": number}
        case Text(text, number):
            return {"event": "text", "text": text, "number": number}
        case ToolCallPiece(piece, number):
            call = {"index": piece.index, "id": piece.id, "name": piece.name, "arguments": piece.arguments}
            return {"event": "tool_call", **call, "number": number}
        case UsageReported(usage, number):
            return {"event": "usage", "usage": usage_as_json(usage), "number": number}
        case AttemptEnded(attempt):
            return {"event": "attempt_ended", **attempt.as_json()}
        case Finished(result):
            return {"event": "finished", **result.as_json()}
