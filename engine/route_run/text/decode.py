"""Bytes to text: which files are text that all readers divide into the same lines.

Decides by size and characters alone; knows nothing of YAML's structure.
"""

from __future__ import annotations

import re

from route_run.errors import Code, Finding, Position, Span

_HIDDEN_LINE_BREAK = re.compile("[\x85\u2028\u2029]")
"""Ends a line in YAML 1.1 (libyaml), but not in YAML 1.2 (section 5.4), git and many editors."""

MOST_DIVIDERS = 60_000
"""Characters that part values: with more of them a file has more values than a document may, or hides them."""
_DIVIDERS = ("\n", ",", "[", "{")


def decode(source: bytes, path: str, most: int) -> str | Finding:
    """The text of a file of at most ``most`` bytes, without its byte order mark, or why there is none."""
    if len(source) > most:
        return Finding(
            Code.TOO_LARGE,
            Span.of_file(path),
            f"the file has {len(source):,} bytes; a document has at most {most:,}",
            help="split it into several files",
        )
    try:
        text = source.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        return Finding(
            Code.UNREADABLE,
            _span_after(source[: error.start].decode("utf-8", "replace"), path),
            f"not UTF-8: byte 0x{source[error.start]:02x} at offset {error.start}",
            help="save the file as UTF-8",
        )
    if (hidden := _HIDDEN_LINE_BREAK.search(text)) is not None:
        number = ord(hidden[0])
        return Finding(
            Code.SYNTAX,
            _span_after(text[: hidden.start()], path),
            f"the character U+{number:04X} ends a line for some readers of YAML and not for others",
            help=f"remove it, or write `\\u{number:04x}` in double quotes",
        )
    if (marks := sum(map(text.count, _DIVIDERS))) > MOST_DIVIDERS:
        return Finding(
            Code.TOO_LARGE,
            Span.of_file(path),
            f"the file has {marks:,} line breaks, commas and brackets; a document has at most {MOST_DIVIDERS:,}",
            help="split it into several files",
        )
    return text


def _span_after(before: str, path: str) -> Span:
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    return Span(path, Position(line, column), Position(line, column + 1))
