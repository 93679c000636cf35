"""What every request of one engine shares."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from route_run.ledger import Ledger
from route_run.runtime.clock import Clock
from route_run.runtime.hooks import Deliverer
from route_run.runtime.login import Login
from route_run.runtime.resolve import Resolved
from route_run.runtime.standing import Standing
from route_run.table import RoutingTable
from route_run.transport.seam import Transport

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


@dataclass(frozen=True, slots=True)
class Wiring:
    """The parts an engine is made of; ``random`` is the source of every seed and id."""

    table: RoutingTable
    resolved: Resolved
    logins: Mapping[str, Login]
    transport: Transport
    ledger: Ledger
    deliverer: Deliverer
    standing: Standing
    clock: Clock
    random: random.Random
    git_revision: str | None

    @property
    def is_simulated(self) -> bool:
        return self.transport.is_simulated


def new_id(prefix: str, now: float, dice: Callable[[int], int]) -> str:
    """An id that sorts by time: a prefix, 48 bits of milliseconds and 80 random bits, in base 32.

    ``dice`` gives that many random bits.
    """
    value = (int(now * 1000) & (1 << 48) - 1) << 80 | dice(80)
    digits = [_ALPHABET[value >> shift & 31] for shift in range(125, -1, -5)]
    return f"{prefix}_{''.join(digits)}"
