"""Where the errors of a policy lie: in which documents, items and fields.

Decides what counts as touched by an error; not what becomes of it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping

from route_run.errors import Code, Finding, Position, Span
from route_run.policy.policy import Origin
from route_run.schema.cut import is_cut
from route_run.text import Document


class Faults:
    """Which items have an error within them, or were being read where their document breaks off."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._starts: dict[str, list[Position]] = {}
        self._unread: set[str] = set()
        for finding in findings:
            if finding.is_error:
                self._starts.setdefault(finding.span.path, []).append(finding.span.start)
                if finding.code is Code.TOO_LARGE and finding.span == Span.of_file(finding.span.path):
                    self._unread.add(finding.span.path)
        for starts in self._starts.values():
            starts.sort()

    def in_file(self, document: Document) -> bool:
        return document.path in self._starts

    def is_unread(self, origin: Origin) -> bool:
        """Whether the rest of an item may stand where nobody has read."""
        return is_cut(origin.document, origin.keys) or origin.document.path in self._unread

    def touch(self, origin: Origin) -> bool:
        """Whether an item has an error, or was not read to its end."""
        if self.is_unread(origin):
            return True
        if origin.document.path not in self._starts:
            return False
        start = origin.key_span().start
        end = max(origin.document.span_of(origin.keys).end, origin.key_span().end)
        first = next(self._from(origin, start), None)
        return first is not None and first <= end

    def at(self, origin: Origin, keys: tuple[str | int, ...]) -> bool:
        """Whether an error lies at a key of an item or within its value."""
        if self.is_unread(origin):
            return True
        key, value = origin.key_span(*keys), origin.span(*keys)
        first = next(self._from(origin, key.start), None)
        return first is not None and (first < max(key.end, value.end) or first in (key.start, value.start))

    def at_key(self, origin: Origin, keys: tuple[str | int, ...]) -> bool:
        """Whether an error lies at a key itself."""
        start = origin.key_span(*keys).start
        return next(self._from(origin, start), None) == start

    def touched(self, origin: Origin) -> frozenset[str]:
        """The fields of an item with an error; an empty name stands for errors of the item itself."""
        raw = origin.raw
        fields: Mapping[str, object] = raw if isinstance(raw, dict) else {}
        found = {field for field in fields if self.at(origin, (field,))}
        start, end = origin.key_span().start, origin.document.span_of(origin.keys).end
        places = [(origin.key_span(field).start, origin.span(field).end) for field in fields]
        for error in self._from(origin, start):
            if error >= end:
                break
            if not any(first <= error <= last for first, last in places):
                found.add("")
        return frozenset(found)

    def _from(self, origin: Origin, start: Position) -> Iterator[Position]:
        """The starts of errors from a position on."""
        starts = self._starts.get(origin.document.path, [])
        for index in range(bisect_left(starts, start), len(starts)):
            yield starts[index]
