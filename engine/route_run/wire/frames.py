"""Server-sent events and bare JSON lines: bytes in, frames out, however the bytes are cut.

Follows the event stream format of the WHATWG HTML standard (section 9.2.6): one leading byte order
mark is dropped, lines end with CR, LF or CRLF, one blank after the colon is dropped, data lines are
joined by LF, an event without data or without its blank line is not dispatched. Beyond it, a line that
starts with ``{`` is a frame of its own: no field can be called that, and some servers send bare JSON.
"""

from __future__ import annotations

from dataclasses import dataclass

MAX_LINE = 1 << 20
MAX_EVENT = 4 << 20
_BOM = b"\xef\xbb\xbf"


class FrameError(ValueError):
    """Raised when a line or event is larger than its cap."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: ``data`` as bytes, ``name`` of its `event` field; ``bare`` for a line of plain JSON."""

    data: bytes
    name: bytes = b""
    bare: bool = False


class FrameDecoder:
    """Decodes one stream; ``last_event_id`` and ``retry`` (milliseconds) are kept as the standard says."""

    def __init__(self) -> None:
        self.last_event_id = b""
        self.retry: int | None = None
        self._parts: list[bytes] = []
        self._length = 0
        self._skip_line_feed = False
        self._at_start = True
        self._data: list[bytes] = []
        self._data_length = 0
        self._name = b""

    def feed(self, chunk: bytes) -> list[Frame]:
        """The frames that a chunk completes; raises FrameError when a cap is passed."""
        if self._skip_line_feed and chunk:
            self._skip_line_feed = False
            chunk = chunk.removeprefix(b"\n")
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        text = b"".join((*self._parts, chunk))
        self._parts.clear()
        self._length = 0
        lines = text.splitlines()
        if text.endswith(b"\r"):
            self._skip_line_feed = True  # the LF of a CRLF may be in the next chunk
        elif not text.endswith(b"\n"):
            self._keep(lines.pop())
        return [frame for line in lines if (frame := self._line(line)) is not None]

    def finish(self) -> list[Frame]:
        """The frame that the end of the stream completes: only a bare JSON line needs no line end."""
        rest = self._without_mark(b"".join(self._parts))
        self._parts.clear()
        self._data.clear()
        return [Frame(rest, bare=True)] if rest.startswith(b"{") else []

    def _keep(self, part: bytes) -> None:
        self._length += len(part)
        if self._length > MAX_LINE:
            raise FrameError(f"a line is longer than {MAX_LINE:,} bytes")
        self._parts.append(part)

    def _without_mark(self, line: bytes) -> bytes:
        if not self._at_start:
            return line
        self._at_start = False
        return line.removeprefix(_BOM)

    def _line(self, line: bytes) -> Frame | None:
        line = self._without_mark(line)
        if len(line) > MAX_LINE:
            raise FrameError(f"a line is longer than {MAX_LINE:,} bytes")
        if not line:
            return self._dispatched()
        if line[0] == 0x7B and not self._data:  # {
            return Frame(line, bare=True)
        if line[0] == 0x3A:  # a comment
            return None
        field, _, value = line.partition(b":")
        self._field(field, value.removeprefix(b" "))
        return None

    def _field(self, field: bytes, value: bytes) -> None:
        if field == b"data":
            self._data_length += len(value) + 1
            if self._data_length > MAX_EVENT:
                raise FrameError(f"an event is larger than {MAX_EVENT:,} bytes")
            self._data.append(value)
        elif field == b"event":
            self._name = value
        elif field == b"id" and b"\0" not in value:
            self.last_event_id = value
        elif field == b"retry" and value.isdigit():
            self.retry = int(value[:9])

    def _dispatched(self) -> Frame | None:
        name, self._name = self._name, b""
        if not self._data:
            return None
        data = b"\n".join(self._data)
        self._data.clear()
        self._data_length = 0
        return Frame(data, name)


def encode_frame(data: bytes, name: bytes = b"") -> bytes:
    """One event as bytes; ``data`` may hold line feeds but no carriage returns."""
    head = b"event: " + name + b"\n" if name else b""
    return head + b"".join(b"data: " + line + b"\n" for line in data.split(b"\n")) + b"\n"
