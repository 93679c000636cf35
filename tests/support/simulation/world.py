"""What happened in one world: every exchange, every fetch of a token, what each caller saw.

Everything that happens is written into a journal, in its order and with its moment: the same seed gives the same
journal, which is how a failure is replayed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import anyio

from route_run.errors import LedgerError
from route_run.flow.event import Event, Result
from route_run.ledger import Entry
from support.simulation.catalogue import Kind
from support.simulation.provider import Said, Script
from support.simulation.scenario import Caller, Scenario

BEGAN = 1_800_000_000.0
SECRETS = {"KEY": "canary-of-the-key", "SECRET": "canary-of-the-client", "ID": "client"}
LONGEST = 4 * 3600.0
"""Virtual seconds after which a world that has not come to its end hangs."""
SUSPENDED = 3600.0
STORING = 0.006
"""Seconds that storing takes at most, in the ledger of a world."""


@dataclass
class Exchange:
    """One call to an endpoint, as the provider saw it."""

    caller: int
    endpoint: str
    at: float
    kind: Kind | None
    script: Script
    said: Said
    token: str = ""
    stored_before: int = 0
    handed: int = 0
    """Bytes of the body that were read from it."""
    is_refused_token: bool = False
    closed_at: float | None = None

    @property
    def meets(self) -> str:
        return self.kind.name if self.kind else "healthy"

    def told(self, spare: int = 0) -> tuple[str, str, bool]:
        """Text, arguments of tools, and whether the end was given, in the bytes that were read and ``spare`` more."""
        text, arguments, is_ended, at = "", "", False, 0
        for piece in self.script.pieces:
            at += len(piece.data)
            if at > self.handed + spare:
                break
            text, arguments, is_ended = text + piece.text, arguments + piece.arguments, is_ended or piece.is_end
        return text, arguments, is_ended


@dataclass
class Fetch:
    """One call to a token endpoint."""

    endpoint: str
    at: float
    kind: Kind | None
    token: str = ""
    ended_at: float | None = None


@dataclass
class Told:
    """What one caller saw."""

    caller: Caller
    began: float = 0.0
    ended: float = 0.0
    left_at: float | None = None
    events: list[tuple[float, Event]] = field(default_factory=list)
    result: Result | None = None
    refused: LedgerError | None = None


@dataclass
class World:
    """What happened in one scenario."""

    scenario: Scenario
    began: float
    journal: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    entries: Sequence[Entry] = ()
    met: set[str] = field(default_factory=set)
    is_ledger_broken: bool = False
    readings: dict[float, float] = field(default_factory=dict)
    """Moments of the loop's clock by the times of day that the engine read then."""
    hangs: bool = False
    left_behind: str = ""
    """Permits, seats and places in queues that were not given back."""
    is_closed: bool = False

    def note(self, *what: object) -> None:
        self.journal.append(f"{anyio.current_time() - self.began:10.3f}  {' '.join(map(str, what))}")

    def of(self, caller: int) -> list[Exchange]:
        """The exchanges of one caller in their order."""
        return [exchange for exchange in self.exchanges if exchange.caller == caller]

    def exchanges_at(self, endpoint: str) -> list[Exchange]:
        return [exchange for exchange in self.exchanges if exchange.endpoint == endpoint]

    def moment(self, at: float) -> float:
        """The moment of the loop's clock at which the engine read this time of day."""
        return self.readings[at]
