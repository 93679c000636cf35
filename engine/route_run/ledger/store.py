"""What the engine asks of a ledger, and where a ledger is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from route_run.errors import LedgerError
from route_run.ledger.chain import Entry

_SCHEME = "sqlite:///"


class Ledger(Protocol):
    """Stores entries durably, in the order of the calls."""

    async def append(self, entries: Sequence[Entry]) -> None:
        """Store entries together, or none of them; raises LedgerError when they cannot be stored."""
        ...


def default_url(environ: Mapping[str, str]) -> str:
    """Where the ledger is when nobody says: in the state folder of the user, never in a repository."""
    if environ.get("ROUTE_RUN_LEDGER"):
        return environ["ROUTE_RUN_LEDGER"]
    home = Path(environ.get("HOME") or "~").expanduser()
    named = Path(environ.get("XDG_STATE_HOME") or "")
    state = named if named.is_absolute() else home / ".local" / "state"  # its standard: a relative one is ignored
    return f"{_SCHEME}{state / 'route-run' / 'ledger.sqlite3'}"


def path_of(url: str) -> Path:
    """The file of a `sqlite:///FILE` URL; raises LedgerError for other URLs."""
    if not url.startswith(_SCHEME) or url == _SCHEME:
        raise LedgerError(f"a ledger is `{_SCHEME}FILE` in this release, not `{url.partition(':')[0]}:…`")
    return Path(url.removeprefix(_SCHEME))
