"""Run as a program: appends entries to a ledger file and says so, one line for each that is stored.

``appender.py FILE NAME COUNT [LARGEST_FILE]``; request ids are ``NAME-1`` … ``NAME-COUNT``.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import anyio

from route_run.errors import LedgerError
from route_run.ledger import Entry, EntryKind, SqliteLedger


async def main(path: Path, name: str, count: int) -> None:
    try:
        async with SqliteLedger.open(path) as ledger:
            for number in range(1, count + 1):
                entry = Entry(EntryKind.RECORD, f"{name}-{number}", float(number), {"pad": "x" * 200})
                await ledger.append([entry])
                print(f"{name}-{number}", flush=True)  # noqa: T201  # a program's output
    except LedgerError as error:
        print(f"LedgerError: {error}", flush=True)  # noqa: T201


if __name__ == "__main__":
    if len(sys.argv) > 4:
        largest = int(sys.argv[4])
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))
    anyio.run(main, Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
