"""What a decision knows of the world: data that a record can keep and a replay can use again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from route_run.flow.breaker import Phase
from route_run.flow.limits import Used
from route_run.table import Limit, Upstream


@dataclass(frozen=True, slots=True)
class TargetState:
    """How a target stands; times in seconds from now.

    ``probe_in`` is how long its breaker stays open, ``cools_for`` how long its endpoint is better left
    alone: ``asked`` means that the endpoint said so, ``because`` what it answered. ``live`` attempts are
    under way, and ``first_content`` is how long the first content took of late (only where the order asks).
    """

    breaker: Phase = Phase.CLOSED
    probe_in: float = 0.0
    cools_for: float = 0.0
    asked: bool = False
    because: str = ""
    live: int = 0
    first_content: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Only what differs from a target of which nothing is known."""
        shown = {
            "breaker": self.breaker.value if self.breaker is not Phase.CLOSED else None,
            "probe_in": self.probe_in or None,
            "cools_for": self.cools_for or None,
            "asked": self.asked or None,
            "because": self.because or None,
            "live": self.live or None,
            "first_content": self.first_content or None,
        }
        return {key: value for key, value in shown.items() if value is not None}

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> TargetState:
        """The inverse of ``as_json``."""
        return cls(**{**data, "breaker": Phase(data.get("breaker", "closed"))})


UNKNOWN = TargetState()
"""A target of which nothing is known: it may be asked."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one decision used: ``at`` is the time in seconds since 1970, UTC; ``targets`` by `ENDPOINT/MODEL`.

    A target that is not in it is one of which nothing is known, a limit one of which nothing is used.
    ``down`` names endpoints that are taken to be down, for the question of what would happen then.
    """

    at: float = 0.0
    targets: Mapping[str, TargetState] = field(default_factory=dict)
    limits: Mapping[str, Used] = field(default_factory=dict)
    down: frozenset[str] = frozenset()

    def seen(self, upstream: Upstream, limits: Sequence[Limit]) -> Snapshot:
        """Itself: it holds all that there is to see."""
        return self

    def as_json(self) -> dict[str, Any]:
        """The snapshot as records keep it."""
        found: dict[str, Any] = {"at": self.at}
        if self.targets:
            found["targets"] = {name: state.as_json() for name, state in sorted(self.targets.items())}
        if self.limits:
            found["limits"] = {key: used.as_json() for key, used in sorted(self.limits.items())}
        if self.down:
            found["down"] = sorted(self.down)
        return found

    @classmethod
    def of_json(cls, data: Mapping[str, Any]) -> Snapshot:
        """The inverse of ``as_json``: a decision with it is made as it was."""
        states = {name: TargetState.of_json(state) for name, state in data.get("targets", {}).items()}
        used = {key: Used.of_json(amount) for key, amount in data.get("limits", {}).items()}
        return cls(data["at"], states, used, frozenset(data.get("down", ())))


class World(Protocol):
    """Where a decision looks: a snapshot, or the live state of an engine, which makes one of what is asked for."""

    @property
    def at(self) -> float:
        """Seconds since 1970, UTC."""
        ...

    @property
    def down(self) -> frozenset[str]:
        """Endpoints that are taken to be down."""
        ...

    def seen(self, upstream: Upstream, limits: Sequence[Limit]) -> Snapshot:
        """What is known of the targets of an upstream, and used of these limits, now."""
        ...
