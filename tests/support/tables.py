"""Routing tables straight from texts, for tests that also run under Hypothesis (which has no use for fixtures)."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

from route_run.table import RoutingTable, load
from support.policies import write_policy


@lru_cache(maxsize=256)
def table_of(text: str) -> RoutingTable:
    """The table of a valid policy of one document; tables are immutable, so equal texts share one."""
    with tempfile.TemporaryDirectory() as folder:
        return load([write_policy(Path(folder), text)]).table
