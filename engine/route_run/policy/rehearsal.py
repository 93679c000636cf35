"""Rehearsals as they are written: typed models of `*.test.yaml`, and where each one stands.

They decode what the schema has passed. What a rehearsal means is not known here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal

from route_run.errors import Finding, Span
from route_run.policy.decode import Faults
from route_run.policy.model import Duration, WebhookEvent, _Described
from route_run.policy.policy import Origin
from route_run.policy.shape import NOTHING, Model
from route_run.text import Document, Kind, Reading

FaultName = Literal[
    "refuse", "dns", "tls", "connect_timeout", "stale", "reset", "stall", "stall_before_content", "stall_mid",
    "reset_mid", "truncate", "malformed", "error_mid", "error_event", "html", "bad_json", "expired_token",
]  # fmt: skip
OutcomeName = Literal["completed", "rejected", "refused", "failed", "output_invalid", "interrupted", "cancelled"]
FailureName = Literal[
    "none", "unusable", "unavailable", "overloaded", "timeout", "broken", "rate_limited", "out_of_credit",
    "unauthorized", "invalid_output", "too_long", "content_refused", "bad_request", "cancelled", "internal",
]  # fmt: skip
StageName = Literal["tags", "route", "bounds", "guards", "parameters", "eligibility"]


class ActUsage(Model):
    """The tokens that an endpoint reports."""

    prompt: int
    completion: int
    cached: int = 0


class ActToolCall(Model):
    """A call of a tool in an answer; the arguments are JSON as text."""

    id: str
    name: str
    arguments: str


class Act(Model):
    """What an endpoint does with one exchange; seconds."""

    times: int = 1
    until: Duration | None = None
    status: int | None = None
    body: str | Mapping[str, Any] | None = None
    headers: Mapping[str, str] = NOTHING
    content_type: str | None = None
    retry_after: Duration | None = None
    retry_after_as: Literal["seconds", "date", "milliseconds"] = "seconds"
    message: str | None = None
    code: str = ""
    fault: FaultName | None = None
    after_pieces: int | None = None
    say: str | None = None
    pieces: tuple[str, ...] | None = None
    tool_calls: tuple[ActToolCall, ...] = ()
    usage: ActUsage | Literal[False] | None = None
    finish_reason: str = "stop"
    headers_after: Duration = 0.0
    first_content: Duration = 0.0
    between: Duration = 0.0


class RequestScript(Model):
    """A request; all but the last three are fields of the public request, which judges them."""

    prompt: str | None = None
    messages: tuple[Mapping[str, Any], ...] = ()
    documents: tuple[str, ...] = ()
    tags: Mapping[str, str] = NOTHING
    parameters: Mapping[str, Any] = NOTHING
    tools: tuple[Mapping[str, Any], ...] = ()
    tool_choice: str | None = None
    response_format: Mapping[str, Any] | None = None
    requested_model: str | None = None
    route: str | None = None
    allow_restart: bool = False
    prompt_tokens: int | None = None
    stream: bool = True
    give_up_after: Duration | None = None


class ExpectedAttempt(Model):
    """What one attempt has to be; what is None may be anything."""

    endpoint: str
    model: str | None = None
    failure: FailureName | None = None
    status: int | None = None
    within: Duration | None = None


class ExpectedVerdict(Model):
    """What a guard has to say; what is None may be anything."""

    fires: bool | None = None
    hits: tuple[str, ...] | None = None
    score_at_least: float | None = None
    score_at_most: float | None = None


class ExpectedUsage(Model):
    """The tokens that have to be reported; what is None may be anything."""

    prompt: int | None = None
    completion: int | None = None
    cached: int | None = None


def _attempt(written: Any) -> Any:
    return {"endpoint": written} if isinstance(written, str) else written


def _verdict(written: Any) -> Any:
    return {"fires": written == "fires"} if isinstance(written, str) else written


class Expect(Model):
    """What has to happen; ``written_fields`` tells what was written."""

    route: str | None = None
    outcome: OutcomeName | None = None
    outcomes: Mapping[OutcomeName, int] | None = None
    stopped_at: StageName | None = None
    targets: tuple[str, ...] | None = None
    attempts: tuple[Annotated[ExpectedAttempt, _attempt], ...] | None = None
    never: tuple[str, ...] = ()
    within: Duration | None = None
    first_content_within: Duration | None = None
    text: str | None = None
    text_contains: tuple[str, ...] = ()
    failure: FailureName | None = None
    error_contains: str | None = None
    webhooks: tuple[WebhookEvent, ...] | Mapping[str, tuple[WebhookEvent, ...]] | None = None
    guards: Mapping[str, Annotated[ExpectedVerdict, _verdict]] = NOTHING
    bounds: tuple[str, ...] | None = None
    parameters: Mapping[str, Any] = NOTHING
    usage: ExpectedUsage | None = None
    cost: float | None = None
    cost_at_most: float | None = None
    finish_reason: str | None = None
    record: Mapping[str, Any] = NOTHING


class Scene(Model):
    """One entry of a sequence."""

    after: Duration = 0.0
    overlap: bool = False
    repeat: int = 1
    together: bool = False
    request: RequestScript
    expect: Expect


class Rehearsal(_Described):
    """One rehearsal; either ``request`` with ``expect``, or ``sequence``."""

    name: str
    at: datetime | None = None
    seed: int = 0
    cut_after: Duration = 3600.0
    down: tuple[str, ...] = ()
    endpoints: Mapping[str, tuple[Act, ...]] = NOTHING
    tokens: Mapping[str, tuple[Act, ...]] = NOTHING
    request: RequestScript | None = None
    expect: Expect | None = None
    sequence: tuple[Scene, ...] | None = None
    exchanges: Mapping[str, int] = NOTHING

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """The requests in their order: those of the sequence, or the one."""
        if self.sequence is not None:
            return self.sequence
        assert self.request is not None and self.expect is not None  # the schema asks for them
        return (Scene(request=self.request, expect=self.expect),)


@dataclass(frozen=True, slots=True)
class PlacedRehearsal:
    """A rehearsal and where it stands."""

    written: Rehearsal
    origin: Origin

    @property
    def name(self) -> str:
        return self.written.name

    @property
    def span(self) -> Span:
        """Where its name stands."""
        return self.origin.span("name")

    def scene_keys(self, scene: int) -> tuple[str | int, ...]:
        """The keys that lead to one of its requests."""
        return () if self.written.sequence is None else ("sequence", scene)


def decode_rehearsals(reading: Reading, findings: Sequence[Finding]) -> tuple[PlacedRehearsal, ...]:
    """Every rehearsal without a finding of its own, in the order of files and lines."""
    faulty = Faults(findings)
    found: list[PlacedRehearsal] = []
    for document in reading.documents:
        for origin, raw in _written(document):
            if isinstance(raw, dict) and not faulty.touch(origin):
                found.append(PlacedRehearsal(Rehearsal.decode(raw), origin))
    return tuple(found)


def _written(document: Document) -> list[tuple[Origin, Any]]:
    if document.kind is not Kind.TEST or not isinstance(document.data, dict):
        return []
    listed = document.data.get("rehearsals")
    entries = listed if isinstance(listed, list) else []
    return [(Origin(document, ("rehearsals", index)), raw) for index, raw in enumerate(entries)]
