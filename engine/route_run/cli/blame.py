"""When a line was written, as git knows it."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, date, datetime
from pathlib import Path

from route_run.errors import Span

_TIME = re.compile(r"^author-time (\d+)$", re.MULTILINE)
_NOT_COMMITTED = "0" * 40


def written_on(span: Span) -> date | None:
    """The day the first line of a span was committed (UTC); None without git, outside of it, or before a commit."""
    git = shutil.which("git")
    path = Path(span.path)
    if git is None:
        return None
    line = f"-L{span.start.line},{span.start.line}"
    try:
        done = subprocess.run(  # noqa: S603  # no shell; what is passed is a number and a path after `--`
            [git, "blame", "--porcelain", line, "--", path.name],
            cwd=path.parent,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=30,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _TIME.search(done.stdout)
    if done.returncode or found is None or done.stdout.startswith(_NOT_COMMITTED):
        return None
    return datetime.fromtimestamp(int(found[1]), UTC).date()
