"""What the commands print and how: colours, tables of text, exit codes."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from route_run.flow.outcome import Outcome
from route_run.lint.report import printable

EXIT_OF = {
    Outcome.COMPLETED: 0,
    Outcome.REJECTED: 3,
    Outcome.REFUSED: 4,
    Outcome.FAILED: 5,
    Outcome.OUTPUT_INVALID: 6,
    Outcome.INTERRUPTED: 7,
    Outcome.CANCELLED: 130,
}
"""The exit code of `run` by outcome; 1 is an invalid policy and 2 a usage error."""

_ROLES = {"error": "red", "warning": "yellow", "info": "blue", "place": "cyan", "good": "green"}


def wants_colour(stream: object) -> bool:
    """Whether colours belong on a stream: it is a terminal, and NO_COLOR is not set."""
    is_terminal = getattr(stream, "isatty", lambda: False)()
    return bool(is_terminal) and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def painted(text: str, role: str, stream: object = None) -> str:
    """A text in the colour of its role, where colours belong."""
    if not wants_colour(sys.stdout if stream is None else stream):
        return text
    if role == "quiet":
        return click.style(text, dim=True)
    return click.style(text, fg=_ROLES[role], bold=role in ("error", "warning"))


def note(text: str, role: str = "") -> None:
    """A line for people, on stderr."""
    line = printable(text)
    sys.stderr.write((painted(line, role, sys.stderr) if role else line) + "\n")
    sys.stderr.flush()


def write_answer(text: str) -> None:
    """A piece of an answer, on stdout at once; on a terminal without anything it would act on."""
    if sys.stdout.isatty():
        text = "".join(c if c in "\n\t" or c.isprintable() else "·" for c in text)
    sys.stdout.buffer.write(text.encode("utf-8", "replace"))
    sys.stdout.flush()


def write_table(head: Sequence[str], rows: Sequence[Sequence[str]], numbers: Sequence[int] = ()) -> None:
    """A table on stdout, never cut to the width of a terminal; columns in ``numbers`` stand to the right."""
    cells = [[printable(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(head, *cells, strict=True)]
    for line, row in enumerate([list(head), *cells]):
        text = "  ".join(
            cell.rjust(width) if column in numbers else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        click.echo(painted(text, "quiet") if line == 0 else text)
