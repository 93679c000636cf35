"""Entries of the ledger and the chain of hashes that binds each to the one before.

An entry's hash is the SHA-256 of the previous hash and of the entry's canonical JSON, so that
changing, dropping or reordering entries shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

GENESIS = "0" * 64
"""The hash before the first entry."""


class EntryKind(Enum):
    """What an entry is about."""

    ATTEMPT = "attempt"
    RECORD = "record"
    DELIVERY = "delivery"
    PRUNED = "pruned"


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry to be stored; ``at`` is in seconds since 1970."""

    kind: EntryKind
    request_id: str
    at: float
    body: Mapping[str, Any]


def canonical(entry: Entry) -> str:
    """The entry as canonical JSON: sorted keys, no blanks; raises ValueError or TypeError for what is not JSON."""
    written = {"kind": entry.kind.value, "request_id": entry.request_id, "at": entry.at, "body": entry.body}
    text = json.dumps(written, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    text.encode()  # half of a surrogate pair is no text: better told here than by the store
    return text


def link(previous: str, text: str) -> str:
    """The hash of an entry, given the hash before it and its canonical JSON."""
    return hashlib.sha256(f"{previous}\n{text}".encode("utf-8", "surrogatepass")).hexdigest()
