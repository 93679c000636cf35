"""What the ledger keeps of a request and its attempts. Data and its JSON form; no text of prompt or answer.

Times are seconds since 1970 (``*_at``) or milliseconds (``*_ms``); costs are US dollars as decimals.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from route_run.flow.failure import Billed, Failure, Verdict
from route_run.flow.outcome import Outcome, Usage
from route_run.flow.plan import Plan, attributes_as_json, verdict_as_json
from route_run.policy.model import Price
from route_run.table import Target

RECORD_VERSION = 1
MOST_TOKENS = 10**15
"""A usage above this is a mistake of whoever reports it: what it cost is not known."""
_PER_TOKEN = Decimal(1_000_000)
_CENT_OF_A_MICRO = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Attempt:
    """One exchange with one target, ended. ``failure`` None means that it gave the answer.

    ``repair`` says that it asked for a correction of the answer before.
    """

    number: int
    endpoint: str
    model: str
    started_at: float
    latency_ms: float
    first_content_ms: float | None = None
    status: int = 0
    failure: Failure | None = None
    verdict: Verdict | None = None
    usage: Usage | None = None
    cost: Decimal | None = None
    billed: Billed = Billed.EXACT
    provider_request_id: str = ""
    repair: bool = False

    def as_json(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "endpoint": self.endpoint,
            "model": self.model,
            "repair": self.repair,
            "started_at": self.started_at,
            "latency_ms": self.latency_ms,
            "first_content_ms": self.first_content_ms,
            "status": self.status or None,
            "failure": self.verdict.kind.value if self.verdict else None,
            "cause": self.failure.cause.value if self.failure else None,
            "message": self.failure.message if self.failure else None,
            "usage": usage_as_json(self.usage),
            "cost_usd": _cost_text(self.cost),
            "billed": self.billed.value,
            "provider_request_id": self.provider_request_id or None,
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """Sizes of what went in and came out: UTF-8 bytes, and keyed hashes where the policy has a key."""

    prompt_bytes: int
    completion_bytes: int
    prompt_hash: str | None = None
    completion_hash: str | None = None


@dataclass(frozen=True, slots=True)
class NotAsked:
    """A target of the plan that could not be asked when its turn came: why, and after how many attempts."""

    target: Target
    why: str
    after: int

    def as_json(self) -> dict[str, Any]:
        """As records keep it."""
        return {"endpoint": self.target.endpoint, "model": self.target.model, "why": self.why, "after": self.after}


@dataclass(frozen=True, slots=True)
class Record:
    """What happened to one request; ``restarts`` counts how often what the caller was given became void."""

    request_id: str
    started_at: float
    ended_at: float
    outcome: Outcome
    plan: Plan
    attempts: tuple[Attempt, ...]
    measured: Measured
    held_back: tuple[NotAsked, ...] = ()
    first_content_ms: float | None = None
    restarts: int = 0
    usage: Usage | None = None
    cost: Decimal | None = None
    error: str | None = None
    finish_reason: str | None = None
    git_revision: str | None = None
    simulated: bool = False
    webhooks: tuple[tuple[str, str, str], ...] = ()
    text: Mapping[str, str] | None = None

    def as_json(self) -> dict[str, Any]:
        """The record as `schemas/v1/record.schema.json` describes it."""
        plan = self.plan
        answered = self.attempts[-1] if self.attempts and self.attempts[-1].failure is None else None
        return {
            "version": RECORD_VERSION,
            "request_id": self.request_id,
            "started_at": self.started_at,
            "ended_at": self.ended_at,
            "latency_ms": round((self.ended_at - self.started_at) * 1000, 3),
            "first_content_ms": self.first_content_ms,
            "outcome": self.outcome.value,
            "error": self.error,
            "finish_reason": self.finish_reason,
            "policy": plan.policy,
            "git_revision": self.git_revision,
            "simulated": self.simulated,
            "attributes": attributes_as_json(plan.attributes),
            "seed": plan.seed,
            "snapshot": plan.snapshot.as_json(),
            "route": plan.route.name if plan.route else None,
            "bounds": list(plan.bounds),
            "guards": [verdict_as_json(verdict) for verdict in plan.verdicts],
            "endpoint": answered.endpoint if answered else None,
            "model": answered.model if answered else None,
            "attempts": [attempt.as_json() for attempt in self.attempts],
            "held_back": [held.as_json() for held in self.held_back],
            "restarts": self.restarts,
            "prompt_bytes": self.measured.prompt_bytes,
            "completion_bytes": self.measured.completion_bytes,
            "prompt_hash": self.measured.prompt_hash,
            "completion_hash": self.measured.completion_hash,
            "usage": usage_as_json(self.usage),
            "cost_usd": _cost_text(self.cost),
            "webhooks": [{"id": i, "webhook": name, "event": event} for i, name, event in self.webhooks],
            "text": dict(self.text) if self.text is not None else None,
        }


def cost_of(usage: Usage | None, price: Price | None) -> Decimal | None:
    """US dollars of a usage at a price per million tokens; None where either is unknown, never 0 for that."""
    if usage is None or price is None or max(usage.prompt, usage.completion) > MOST_TOKENS:
        return None
    prompt = Decimal(str(price.input)) * usage.prompt
    completion = Decimal(str(price.output)) * usage.completion
    return ((prompt + completion) / _PER_TOKEN).quantize(_CENT_OF_A_MICRO)


def total_cost(attempts: Sequence[Attempt]) -> Decimal | None:
    """What all attempts cost together; None as soon as one of them is not known."""
    total = Decimal(0)
    for attempt in attempts:
        if attempt.cost is None:
            return None
        total += attempt.cost
    return total


def keyed_hash(key: bytes | None, text: str) -> str | None:
    """HMAC-SHA-256 of a text in hex: tells equal texts apart from others without being guessable."""
    if key is None:
        return None
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def usage_as_json(usage: Usage | None) -> dict[str, int] | None:
    """Usage in tokens under the names that records and webhooks use."""
    if usage is None:
        return None
    return {"prompt_tokens": usage.prompt, "completion_tokens": usage.completion, "cached_tokens": usage.cached}


def _cost_text(cost: Decimal | None) -> str | None:
    return None if cost is None else format(cost.normalize(), "f")
