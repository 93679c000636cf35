"""Edits of policy texts that lint proposes: a value put in, replaced or taken out where it stands.

Decides where in the text an edit goes, in flow and in block style. Never touches anything but the entry itself.
"""

from __future__ import annotations

from route_run.errors import Edit, Position, Span
from route_run.policy import Origin


def with_entry(origin: Origin, key: str, value: str) -> Edit | None:
    """The edit that gives an item an entry: replaced where it is written, else put before its first one."""
    raw = _raw(origin)
    if not isinstance(raw, dict) or not raw:
        return None
    if key in raw:
        return Edit(origin.span(key), value)
    first = origin.key_span(next(iter(raw))).start
    at = Span(origin.document.path, first, first)
    if _is_flow(origin):
        return Edit(at, f"{key}: {value}, ")
    return Edit(at, f"{key}: {value}\n{' ' * (first.column - 1)}")


def without_entry(origin: Origin, key: str) -> Edit | None:
    """The edit that takes an entry with a plain value of one line out of an item that has others."""
    raw = _raw(origin)
    if not isinstance(raw, dict) or key not in raw or len(raw) < 2 or isinstance(raw[key], dict | list):
        return None
    start, end = origin.key_span(key).start, origin.span(key).end
    if start.line != end.line:
        return None
    line = _line(origin, start.line)
    before, after = line[: start.column - 1], line[end.column - 1 :]
    if not _is_flow(origin):
        return _whole_line(origin, start, before, after)
    blank = len(after) - len(after.lstrip(" "))
    if after[blank:].startswith(","):
        tail = after[blank + 1 :]
        return _cut(origin, start, end.column + blank + 1 + len(tail) - len(tail.lstrip(" ")))
    kept = before.rstrip(" ")
    if not kept.endswith(","):
        return None
    return _cut(origin, Position(start.line, len(kept)), end.column)


def _whole_line(origin: Origin, start: Position, before: str, after: str) -> Edit | None:
    """A block entry goes with its line, but only where a comment does not go with it."""
    if before.strip() or after.strip():
        return None
    path = origin.document.path
    return Edit(Span(path, Position(start.line, 1), Position(start.line + 1, 1)), "")


def _cut(origin: Origin, start: Position, end_column: int) -> Edit:
    return Edit(Span(origin.document.path, start, Position(start.line, end_column)), "")


def _raw(origin: Origin) -> object:
    raw: object = origin.document.data
    for key in origin.keys:
        raw = raw.get(key) if isinstance(raw, dict) else None
    return raw


def _is_flow(origin: Origin) -> bool:
    start = origin.document.span_of(origin.keys).start
    return _line(origin, start.line)[start.column - 1 : start.column] == "{"


def _line(origin: Origin, number: int) -> str:
    return origin.document.text.splitlines()[number - 1]
