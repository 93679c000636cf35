"""Server-sent events and bare JSON lines: bytes in, frames out, however the bytes are cut.

Follows the event stream format of the WHATWG HTML standard (section 9.2.6): one leading byte order
mark is dropped, lines end with CR, LF or CRLF, one blank after the colon is dropped, data lines are
joined by LF, an event without data or without its blank line is not dispatched. Beyond it, a line that
starts with ``{`` is a frame of its own: no field can be called that, and some servers send bare JSON.
"""

from __future__ import annotations

import msgspec

MAX_LINE = 1 << 20
MAX_EVENT = 4 << 20
_BOM = b"\xef\xbb\xbf"


class FrameError(ValueError):
    """Raised when a line or event is larger than its cap; ``frames`` are those that came before it."""

    def __init__(self, message: str) -> None:
        self.frames: list[Frame] = []
        super().__init__(message)


class Frame(msgspec.Struct, frozen=True):
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
        self._id = b""

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
        self._skip_line_feed = text.endswith(b"\r")  # the LF of a CRLF may be in the next chunk
        rest = b"" if text.endswith((b"\n", b"\r")) else lines.pop()
        frames: list[Frame] = []
        try:
            self._read(lines, frames)
            self._keep(rest)
        except FrameError as error:
            error.frames = frames
            raise
        return frames

    def _read(self, lines: list[bytes], frames: list[Frame]) -> None:
        if self._at_start and lines:
            lines[0] = self._without_mark(lines[0])
        for line in lines:
            if not line:
                self._dispatch(frames)
            elif line.startswith(b"data: ") and len(line) <= MAX_LINE:
                self._add_data(line[6:])
            else:
                self._line(line, frames)

    def finish(self) -> list[Frame]:
        """The frame that the end of the stream completes: only a bare JSON line needs no line end."""
        rest = self._without_mark(b"".join(self._parts))
        is_bare = rest.startswith(b"{") and not self._data
        self._parts.clear()
        self._data.clear()
        return [Frame(rest, bare=True)] if is_bare else []

    def _keep(self, part: bytes) -> None:
        if not part:
            return
        self._length += len(part)
        if self._length > MAX_LINE:
            raise FrameError(f"a line is longer than {MAX_LINE:,} bytes")
        self._parts.append(part)

    def _without_mark(self, line: bytes) -> bytes:
        if not self._at_start:
            return line
        self._at_start = False
        return line.removeprefix(_BOM)

    def _line(self, line: bytes, frames: list[Frame]) -> None:
        """A line that is neither empty nor the usual `data: …`."""
        if len(line) > MAX_LINE:
            raise FrameError(f"a line is longer than {MAX_LINE:,} bytes")
        if line.startswith(b"{") and not self._data:
            frames.append(Frame(line, bare=True))
            return
        field, _, value = line.partition(b":")
        if field:  # without one it is a comment
            self._field(field, value.removeprefix(b" "))

    def _field(self, field: bytes, value: bytes) -> None:
        if field == b"data":
            self._add_data(value)
        elif field == b"event":
            self._name = value
        elif field == b"id" and b"\0" not in value:
            self._id = value
        elif field == b"retry" and value.isdigit():
            self.retry = int(value[:15])

    def _add_data(self, value: bytes) -> None:
        self._data_length += len(value) + 1
        if self._data_length > MAX_EVENT:
            raise FrameError(f"an event is larger than {MAX_EVENT:,} bytes")
        self._data.append(value)

    def _dispatch(self, frames: list[Frame]) -> None:
        if self._data:
            data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            frames.append(Frame(data, self._name))
            self._data.clear()
            self._data_length = 0
        self._name = b""
        self.last_event_id = self._id


def encode_frame(data: bytes, name: bytes = b"") -> bytes:
    """One event as bytes; ``data`` may hold line feeds but no carriage returns."""
    head = b"event: " + name + b"\n" if name else b""
    return head + b"".join(b"data: " + line + b"\n" for line in data.split(b"\n")) + b"\n"
