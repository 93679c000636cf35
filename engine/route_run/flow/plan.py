"""The plan: what is intended for one request, with the reasons. Data only; `decide` makes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from route_run.flow.outcome import Outcome
from route_run.flow.request import ParameterValue
from route_run.guard import Verdict
from route_run.policy import Parameter
from route_run.table import ESTIMATE, Attributes, Route, Target


class Stage(Enum):
    """The steps of judgement, in their order; the first that stops a request decides its outcome."""

    TAGS = "tags"
    ROUTE = "route"
    BOUNDS = "bounds"
    GUARDS = "guards"
    PARAMETERS = "parameters"
    ELIGIBILITY = "eligibility"


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of the way to a plan: ``subject`` is the name of what decided, ``text`` says what it did."""

    stage: Stage
    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What a decision knows of the world: ``at`` is the time in seconds since 1970, UTC.

    ``down`` names endpoints that are taken to be down, for the question of what would happen then.
    """

    at: float = 0.0
    down: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class PlannedTarget:
    """One target with what would be sent to it; ``skipped`` says why it will not be asked."""

    target: Target
    parameters: Mapping[Parameter, ParameterValue]
    skipped: tuple[str, ...] = ()

    @property
    def is_eligible(self) -> bool:
        return not self.skipped


@dataclass(frozen=True, slots=True)
class Stop:
    """Why no attempt is made: the outcome, the step that decided it, and the words for the caller."""

    outcome: Outcome
    stage: Stage
    message: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What is intended for one request. ``stop`` is set when nothing is to be sent."""

    policy: str
    attributes: Attributes
    seed: int
    snapshot: Snapshot
    route: Route | None = None
    bounds: tuple[str, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    parameters: Mapping[Parameter, ParameterValue] | None = None
    targets: tuple[PlannedTarget, ...] = ()
    stop: Stop | None = None
    why: tuple[Reason, ...] = ()

    @property
    def eligible(self) -> tuple[PlannedTarget, ...]:
        """The targets that will be asked, in order."""
        return tuple(target for target in self.targets if target.is_eligible)

    @property
    def flagged_by(self) -> tuple[str, ...]:
        """Guards that fired without stopping the request."""
        return tuple(verdict.guard for verdict in self.verdicts if verdict.fired)

    def as_json(self) -> dict[str, Any]:
        """The plan as JSON data; it holds no text of the prompt."""
        return {
            "policy": self.policy,
            "attributes": attributes_as_json(self.attributes),
            "route": self.route.name if self.route else None,
            "upstream": self.route.upstream.name if self.route else None,
            "deliver": self.route.deliver.value if self.route else None,
            "bounds": list(self.bounds),
            "guards": [verdict_as_json(verdict) for verdict in self.verdicts],
            "parameters": _by_name(self.parameters or {}),
            "targets": [
                {
                    "endpoint": planned.target.endpoint,
                    "model": planned.target.model,
                    "sent_as": planned.target.sent_as,
                    "parameters": _by_name(planned.parameters),
                    "skipped": list(planned.skipped),
                }
                for planned in self.targets
            ],
            "stop": self.stop
            and {"outcome": self.stop.outcome.value, "stage": self.stop.stage.value, "message": self.stop.message},
            "why": [{"stage": r.stage.value, "subject": r.subject, "text": r.text} for r in self.why],
            "seed": self.seed,
            "at": self.snapshot.at,
            "down": sorted(self.snapshot.down),
        }


def attributes_as_json(attributes: Attributes) -> dict[str, Any]:
    """Attributes as records and explanations show them."""
    return {
        "tags": dict(sorted(attributes.tags.items())),
        "requested_model": attributes.requested_model,
        "prompt_tokens": attributes.prompt_tokens,
        "estimate": ESTIMATE,
        "needs": sorted(need.value for need in attributes.needs),
        "undeclared_tags": list(attributes.undeclared),
    }


def verdict_as_json(verdict: Verdict) -> dict[str, Any]:
    """A guard's verdict as records and explanations show it."""
    return {
        "guard": verdict.guard,
        "score": verdict.score,
        "threshold": verdict.threshold,
        "hits": list(verdict.hits),
        "fired": verdict.fired,
        "then": verdict.destination or verdict.action.value,
    }


def _by_name(parameters: Mapping[Parameter, ParameterValue]) -> dict[str, Any]:
    return {
        parameter.value: list(value) if isinstance(value, tuple) else value
        for parameter, value in sorted(parameters.items(), key=lambda item: item[0].value)
    }
