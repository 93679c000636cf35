"""The benchmark itself works; what it measures is never asserted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(
    ("part", "says"),
    [
        ("requests", "above the bare transport"),
        ("sizes", "routes"),
        ("lint", "files/s"),
        ("start", "route-run --help"),
        ("rehearse", "rehearsals a second"),
    ],
)
def test_every_part_runs(part: str, says: str) -> None:
    done = subprocess.run(
        [sys.executable, str(Path(__file__).parent), part, "--quick"], capture_output=True, text=True, timeout=100
    )
    assert done.returncode == 0, done.stderr
    assert says in done.stdout
