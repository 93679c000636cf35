"""A ledger in memory, for tests and for policies that are only tried out."""

from __future__ import annotations

from collections.abc import Sequence

from route_run.ledger.chain import GENESIS, Entry, canonical, link


class MemoryLedger:
    """Keeps entries in a list, chained like any other ledger."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.head = GENESIS

    async def append(self, entries: Sequence[Entry]) -> None:
        for entry in entries:
            self.head = link(self.head, canonical(entry))
            self.entries.append(entry)
