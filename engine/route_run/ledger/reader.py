"""Reading a ledger: records by filter, one request whole, sums of cost, the chain checked."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any

from route_run.errors import LedgerError
from route_run.ledger.chain import GENESIS, EntryKind, link
from route_run.ledger.sqlite import check_version, connect

COST_GROUPS = ("route", "model", "endpoint", "day", "outcome")
"""What costs can be summed by, beside `tags.NAME`."""


_WANTED = """
    (:since IS NULL OR at >= :since)
    AND (:outcome IS NULL OR coalesce(json_extract(text, '$.body.outcome'), 'unfinished') = :outcome)
    AND (:route IS NULL OR json_extract(text, '$.body.route') = :route)
    AND (:endpoint IS NULL OR json_extract(text, '$.body.endpoint') = :endpoint)
    AND (:simulated IS NULL OR json_extract(text, '$.body.simulated') = :simulated)
"""
_RECORDS = "SELECT text FROM entries WHERE kind = 'record' AND" + _WANTED  # noqa: S608  # a constant
# the + keeps the search for a request's record to the entries of that request, instead of all records there are
_LIST = f"""
SELECT kind, text FROM entries AS e WHERE (
    kind = 'record' OR (
        kind = 'attempt' AND json_extract(text, '$.body.number') = 1 AND NOT EXISTS (
            SELECT 1 FROM entries AS r WHERE r.request_id = e.request_id AND +r.kind = 'record'
        )
    )
) AND {_WANTED} ORDER BY seq DESC LIMIT :most
"""  # noqa: S608  # a constant too
_CHAIN = "SELECT seq, at, kind, request_id, text, hash FROM entries ORDER BY seq"
_IDS = """
SELECT DISTINCT request_id FROM entries
WHERE request_id = :wanted OR (length(:wanted) >= 6 AND substr(request_id, 1, length(:wanted)) = :wanted)
LIMIT 3
"""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which records are meant; times in seconds since 1970, None for any."""

    since: float | None = None
    outcome: str | None = None
    route: str | None = None
    endpoint: str | None = None
    simulated: bool | None = None


@dataclass(slots=True)
class CostRow:
    """The sums of one group; ``unpriced`` counts requests whose cost is not known."""

    group: str
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    @property
    def is_known(self) -> bool:
        """Whether the cost of any request is known; a sum of nothing known must not look free."""
        return self.unpriced < self.requests or not self.requests


class LedgerReader(AbstractContextManager["LedgerReader"]):
    """Reads a ledger file; raises LedgerError when there is none or it cannot be read."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise LedgerError(f"there is no ledger at {path} yet; `route-run run` writes one")
        self._path = path
        self._connection = connect(path, read_only=True)
        try:
            check_version(self._connection, path)
        except sqlite3.Error as error:
            self._connection.close()
            raise LedgerError(f"the ledger {path} cannot be read: {error}") from error
        except LedgerError:
            self._connection.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def records(self, wanted: Filter, most: int) -> list[dict[str, Any]]:
        """The newest records, newest first; a request without a record is shown as unfinished."""
        rows = self._rows(_LIST, {**asdict(wanted), "most": most})
        bodies = ((kind, self._body(text)) for kind, text in rows)
        return [body if kind == "record" else _unfinished(body) for kind, body in bodies]

    def entries_of(self, request_id: str) -> list[dict[str, Any]]:
        """Every entry of one request in order; an unambiguous start of its id will do. Empty when there is none."""
        ids = self._rows(_IDS, {"wanted": request_id})
        exact = [found for (found,) in ids if found == request_id] or [found for (found,) in ids]
        if len(exact) > 1:
            raise LedgerError(f"`{request_id}` is the start of several request ids; give more of it")
        rows = self._rows("SELECT text FROM entries WHERE request_id = ? ORDER BY seq", exact) if exact else []
        return [self._entry(text) for (text,) in rows]

    def costs(self, wanted: Filter, group_by: str) -> list[CostRow]:
        """Costs of real records by a group of ``COST_GROUPS`` or `tags.NAME`, dearest first."""
        sums: dict[str, CostRow] = {}
        for (text,) in self._rows(_RECORDS, asdict(wanted)):
            _add(sums, self._body(text), group_by)
        return sorted(sums.values(), key=lambda row: (-row.cost, row.group))

    def count(self) -> int:
        """How many entries there are."""
        (count,) = self._rows("SELECT count(*) FROM entries", ())[0]
        return int(count)

    def broken_links(self) -> Iterator[tuple[int, str]]:
        """Entries that do not follow from the ones before them, as (seq, why)."""
        pruned = self._rows("SELECT text FROM entries WHERE kind = ?", (EntryKind.PRUNED.value,))
        starts = {GENESIS, *(_last_hash(text) for (text,) in pruned)}
        previous, expected_seq = None, None
        for seq, at, kind, request_id, text, found in self._rows(_CHAIN, ()):
            if expected_seq is not None and seq != expected_seq:
                yield seq, f"entries {expected_seq} to {seq - 1} are missing"
            candidates = starts if previous is None else {previous}
            if not any(link(candidate, text) == found for candidate in candidates):
                yield seq, "its text or a hash before it was changed"
            elif not _says(text, {"at": at, "kind": kind, "request_id": request_id}):
                yield seq, "its columns no longer say what its text says"
            previous, expected_seq = found, seq + 1

    def _entry(self, text: str) -> dict[str, Any]:
        entry = _decoded(text)
        if not isinstance(entry.get("body"), dict):
            raise LedgerError(f"the ledger {self._path} holds an entry that is none; `route-run audit verify` finds it")
        return entry

    def _body(self, text: str) -> dict[str, Any]:
        body: dict[str, Any] = self._entry(text)["body"]
        return body

    def _rows(self, query: str, values: Sequence[object] | Mapping[str, object]) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be read: {error}") from error


def _decoded(text: str) -> dict[str, Any]:
    """The object in a text; an empty one where there is none."""
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _last_hash(text: str) -> str:
    body = _decoded(text).get("body")
    return str(body.get("last_hash")) if isinstance(body, dict) else ""


def _says(text: str, columns: Mapping[str, object]) -> bool:
    entry = _decoded(text)
    return all(entry.get(name) == value for name, value in columns.items())


def _unfinished(body: dict[str, Any]) -> dict[str, Any]:
    """What is known of a request whose end was never stored, in the form of a record."""
    return {
        **body,
        "outcome": "unfinished",
        "attempts": [],
        "usage": None,
        "cost_usd": None,
        "error": None,
        "latency_ms": None,
    }


def _add(sums: dict[str, CostRow], record: dict[str, Any], group_by: str) -> None:
    group = _group(record, group_by)
    row = sums.setdefault(group, CostRow(group))
    row.requests += 1
    usage = record["usage"] or {}
    row.prompt_tokens += usage.get("prompt_tokens", 0)
    row.completion_tokens += usage.get("completion_tokens", 0)
    if record["cost_usd"] is not None:
        row.cost += Decimal(record["cost_usd"])
    elif record["attempts"]:
        row.unpriced += 1


def _group(record: dict[str, Any], group_by: str) -> str:
    if group_by.startswith("tags."):
        found = record["attributes"]["tags"].get(group_by.removeprefix("tags."))
    elif group_by == "day":
        found = datetime.fromtimestamp(record["started_at"], UTC).date().isoformat()
    else:
        found = record.get(group_by)
    return "–" if found is None else str(found)
