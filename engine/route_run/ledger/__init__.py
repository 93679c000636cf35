"""The durable store of records: what is written, how it is chained, how it is read back."""

from route_run.ledger.chain import Entry, EntryKind
from route_run.ledger.memory import MemoryLedger
from route_run.ledger.reader import Filter, LedgerReader
from route_run.ledger.sqlite import SqliteLedger
from route_run.ledger.store import Ledger, default_url, path_of

__all__ = [
    "Entry",
    "EntryKind",
    "Filter",
    "Ledger",
    "LedgerReader",
    "MemoryLedger",
    "SqliteLedger",
    "default_url",
    "path_of",
]
