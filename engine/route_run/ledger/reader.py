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
from route_run.ledger.sqlite import connect

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
_LIST = f"""
SELECT kind, text FROM entries AS e WHERE (
    kind = 'record' OR (
        kind = 'attempt' AND json_extract(text, '$.body.number') = 1 AND NOT EXISTS (
            SELECT 1 FROM entries AS r WHERE r.request_id = e.request_id AND r.kind = 'record'
        )
    )
) AND {_WANTED} ORDER BY seq DESC LIMIT :most
"""  # noqa: S608  # a constant too
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


class LedgerReader(AbstractContextManager["LedgerReader"]):
    """Reads a ledger file; raises LedgerError when there is none or it cannot be read."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise LedgerError(f"there is no ledger at {path} yet; `route-run run` writes one")
        self._path = path
        self._connection = connect(path, read_only=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def records(self, wanted: Filter, most: int) -> list[dict[str, Any]]:
        """The newest records, newest first; a request without a record is shown as unfinished."""
        rows = self._rows(_LIST, {**asdict(wanted), "most": most})
        return [_body(text) if kind == "record" else _unfinished(_body(text)) for kind, text in rows]

    def entries_of(self, request_id: str) -> list[dict[str, Any]]:
        """Every entry of one request in order; an unambiguous start of its id will do. Empty when there is none."""
        ids = self._rows(_IDS, {"wanted": request_id})
        exact = [found for (found,) in ids if found == request_id] or [found for (found,) in ids]
        if len(exact) > 1:
            raise LedgerError(f"`{request_id}` is the start of several request ids; give more of it")
        rows = self._rows("SELECT text FROM entries WHERE request_id = ? ORDER BY seq", exact) if exact else []
        return [json.loads(text) for (text,) in rows]

    def costs(self, wanted: Filter, group_by: str) -> list[CostRow]:
        """Costs of real records by a group of ``COST_GROUPS`` or `tags.NAME`, dearest first."""
        sums: dict[str, CostRow] = {}
        for (text,) in self._rows(_RECORDS, asdict(wanted)):
            _add(sums, _body(text), group_by)
        return sorted(sums.values(), key=lambda row: (-row.cost, row.group))

    def count(self) -> int:
        """How many entries there are."""
        (count,) = self._rows("SELECT count(*) FROM entries", ())[0]
        return int(count)

    def broken_links(self) -> Iterator[tuple[int, str]]:
        """Entries that do not follow from the ones before them, as (seq, why)."""
        starts = {
            _body(text)["last_hash"]
            for (text,) in self._rows("SELECT text FROM entries WHERE kind = ?", (EntryKind.PRUNED.value,))
        }
        previous, expected_seq = None, None
        for seq, text, found in self._rows("SELECT seq, text, hash FROM entries ORDER BY seq", ()):
            if expected_seq is not None and seq != expected_seq:
                yield seq, f"entries {expected_seq} to {seq - 1} are missing"
            candidates = [previous] if previous is not None else [GENESIS, *sorted(starts)]
            if not any(link(candidate, text) == found for candidate in candidates):
                yield seq, "its text or a hash before it was changed"
            previous, expected_seq = found, seq + 1

    def _rows(self, query: str, values: Sequence[object] | Mapping[str, object]) -> list[Any]:
        try:
            return self._connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            raise LedgerError(f"the ledger {self._path} cannot be read: {error}") from error


def _body(text: str) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(text)["body"]
    return body


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
