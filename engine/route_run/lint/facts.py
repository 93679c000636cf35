"""What rules are asked about: a loaded policy, and what several rules would otherwise compute again.

Decides nothing; holds the policy, the table and the text side by side.
"""

from __future__ import annotations

from dataclasses import dataclass

from route_run.policy import Policy
from route_run.table import Loaded, RoutingTable


@dataclass(frozen=True)
class Facts:
    """A policy as far as it could be compiled. Whatever loading found fault with is left out of it."""

    loaded: Loaded

    @property
    def table(self) -> RoutingTable:
        return self.loaded.partial

    @property
    def policy(self) -> Policy:
        return self.loaded.partial.policy
