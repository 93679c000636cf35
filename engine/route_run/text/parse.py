"""YAML bytes to a document: one pass over parser events, strict and capped.

Decides which YAML is accepted. Data and positions are built from the same events, and every cap is
checked before anything is constructed, so a hostile file costs no more than reading up to its cap.
"""

from __future__ import annotations

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from route_run.errors import Code, Edit, Finding, Fix, Label, Position, Severity, Span
from route_run.text.decode import decode
from route_run.text.document import JSON, Document, Kind, Marks, Place
from route_run.text.nearest import short
from route_run.text.scalar import Odd, resolve
from route_run.text.syntax import explain_syntax

# libyaml's parser where the wheel has it; the same events from the pure one elsewhere.
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Limits:
    """Caps on one file: size in bytes, nesting depth, number of nodes, findings of the reader."""

    bytes: int = 1 << 20
    depth: int = 32
    nodes: int = 50_000
    findings: int = 100


class _CapReached(Exception):
    """Raised inside the builder to stop reading; the finding has been noted."""


@dataclass(slots=True)
class _Frame:
    """An open mapping or sequence; ``key`` is the key that waits for its value."""

    data: dict[str, JSON] | list[JSON]
    marks: Marks
    key: str | None = None
    skipping: bool = False
    complex_key_depth: int = 0


def parse(
    source: bytes, *, path: str, name: str, folder: Path, kind: Kind, limits: Limits = Limits()
) -> tuple[Document, list[Finding]]:
    """Read one YAML file into a document and the findings about its form; never raises."""
    text = decode(source, path, limits.bytes)
    if isinstance(text, Finding):
        return Document(path, name, folder, kind, "", None, (0, 0, 0, 0), complete=False), [text]
    builder = _Builder(path, limits)
    with _without_collector():
        complete = builder.read(text)
    document = Document(path, name, folder, kind, text, builder.data, builder.marks, frozenset(builder.flaws), complete)
    return document, builder.findings


@contextmanager
def _without_collector() -> Iterator[None]:
    """Reading makes many containers and no garbage: collecting meanwhile costs almost half the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class _Builder:
    def __init__(self, path: str, limits: Limits) -> None:
        self.path = path
        self.limits = limits
        self.findings: list[Finding] = []
        self.flaws: set[tuple[int, int]] = set()
        self.data: JSON = None
        self.marks: Marks | Place = (0, 0, 0, 0)
        self._lines: list[str] = []
        self._stack: list[_Frame] = []
        self._nodes = 0
        self._documents = 0
        self._handlers = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
            yaml.AliasEvent: self._alias,
            yaml.DocumentStartEvent: self._document_start,
        }

    def read(self, text: str) -> bool:
        """Build data and marks from a text; false when reading had to stop early."""
        self._lines = text.splitlines()
        try:
            for event in yaml.parse(text, Loader=LOADER):
                handler = self._handlers.get(event.__class__)
                if handler is not None:
                    handler(event)
            self._check_shape()
        except _CapReached:
            self._cut_off()
            return False
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            self.findings.append(explain_syntax(error, self.path, text))
            self._cut_off()
            return False
        return True

    def _check_shape(self) -> None:
        if self._documents == 0 or (self._documents == 1 and self.data is None):
            self._note(Code.NOT_A_MAPPING, (0, 0, 0, 0), "the document is empty", "start with `version: 1`")
        elif not isinstance(self.data, dict):
            shape = "a list" if isinstance(self.data, list) else "a single value"
            self._note(
                Code.NOT_A_MAPPING,
                self._place_of(self.marks),
                f"the document is {shape}, not a mapping",
                "start with `version: 1`",
            )

    # -- events ------------------------------------------------------------------------------------

    def _document_start(self, event: Any) -> None:
        self._documents += 1
        if self._documents > 1:
            self._note(
                Code.SECOND_DOCUMENT,
                _place(event),
                "a file holds one document; a second one starts here",
                "move it into a file of its own",
            )
            raise _CapReached

    def _start(self, event: Any) -> None:
        self._count(event)
        place = _place(event)
        self._check_properties(event, place)
        if len(self._stack) >= self.limits.depth:
            self._note(Code.TOO_LARGE, place, f"nested deeper than {self.limits.depth} levels", "flatten it")
            raise _CapReached
        is_mapping = isinstance(event, yaml.MappingStartEvent)
        data: dict[str, JSON] | list[JSON] = {} if is_mapping else []
        frame = _Frame(data, Marks(place))
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.data, dict) and parent.key is None:
            self._complex_key(parent, place)
        elif parent is not None and parent.skipping:
            self._skip(parent)
        else:
            self._add(data, frame.marks)
        self._stack.append(frame)

    def _end(self, event: Any) -> None:
        frame = self._stack.pop()
        frame.marks.place = self._closed(frame.marks, event)
        if self._stack and self._stack[-1].complex_key_depth == len(self._stack):
            parent = self._stack[-1]
            parent.complex_key_depth = 0
            parent.key, parent.skipping = "", True

    def _scalar(self, event: Any) -> None:
        self._count(event)
        place = _place(event)
        parent = self._stack[-1] if self._stack else None
        self._check_properties(event, place)
        if parent is not None and isinstance(parent.data, dict) and parent.key is None:
            self._key(parent, event, place)
        elif parent is not None and parent.skipping:
            self._skip(parent)
        else:
            self._check_separation(parent, place)
            self._add(self._value(event, place), place)

    def _alias(self, event: Any) -> None:
        self._count(event)
        place = _place(event)
        self._note(
            Code.ALIAS,
            place,
            f"aliases are not used in policies: `*{short(event.anchor)}`",
            "write the value out; bounds apply to many routes at once",
        )
        self.flaws.add(place[:2])
        parent = self._stack[-1] if self._stack else None
        if parent is not None and isinstance(parent.data, dict) and parent.key is None:
            parent.key, parent.skipping = "", True
        elif parent is not None and parent.skipping:
            self._skip(parent)
        else:
            self._add(None, place)

    # -- keys and values ---------------------------------------------------------------------------

    def _key(self, parent: _Frame, event: Any, place: Place) -> None:
        key = event.value
        parent.key = key
        is_plain = event.implicit[0]
        if is_plain and key == "<<":
            parent.skipping = True
            self._note(Code.ALIAS, place, "merge keys are not used in policies", "write the fields out")
        elif is_plain and not isinstance(resolve(key), str):
            self._plain_key(key, place)
        if key in parent.marks.keys:
            parent.skipping = True
            self._note(
                Code.DUPLICATE_KEY,
                place,
                f"the key `{short(key)}` stands here a second time",
                "remove or rename one of them",
                (Label(self._span(parent.marks.keys[key]), "first here"),),
            )
        elif not parent.skipping:
            parent.marks.keys[key] = place

    def _plain_key(self, key: str, place: Place) -> None:
        meaning = resolve(key)
        if isinstance(meaning, Odd):
            if meaning.severity is Severity.ERROR:
                help_text = f'write `"{short(key)}"`'
                self._note(meaning.code, place, meaning.message, help_text, fix=self._quoting(key, place))
            return
        kind = "null" if meaning is None else type(meaning).__name__
        message = f"a key is text; `{short(key)}` is {kind} here"
        fix = self._quoting(key, place) if key else None
        self._note(Code.KEY, place, message, f'quote it: `"{short(key)}"`', fix=fix)

    def _complex_key(self, parent: _Frame, place: Place) -> None:
        line = self._lines[place[0]] if place[0] < len(self._lines) else ""
        is_template = line[place[1] :].startswith("{{") or line[: place[1] + 1].endswith("{{")
        if is_template:
            self._note(
                Code.KEY,
                place,
                "`{{` starts a mapping inside a mapping in YAML",
                "quote the text; policies have no templates",
            )
        else:
            self._note(Code.KEY, place, "a key is text, not a list or mapping", "write a plain key")
        self.flaws.add(place[:2])
        parent.complex_key_depth = len(self._stack)

    def _value(self, event: Any, place: Place) -> JSON:
        if not event.implicit[0]:
            return self._quoted(event, place)
        value = resolve(event.value)
        if not isinstance(value, Odd):
            return value
        fix = None if value.quoting is None else self._quoting(event.value, place, is_safe=value.quoting)
        self._note(value.code, place, value.message, value.help, severity=value.severity, fix=fix)
        if value.severity is Severity.ERROR:
            self.flaws.add(place[:2])
        return value.value

    def _quoted(self, event: Any, place: Place) -> str:
        value: str = event.value
        if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
            self._note(Code.SYNTAX, place, "half of a surrogate pair is not a character", "write the character itself")
            self.flaws.add(place[:2])
            return ""
        return value

    def _add(self, value: JSON, marks: Marks | Place) -> None:
        if not self._stack:
            self.data, self.marks = value, marks
            return
        frame = self._stack[-1]
        if isinstance(frame.data, list):
            frame.marks.items[len(frame.data)] = marks
            frame.data.append(value)
        elif frame.key is not None:
            frame.data[frame.key] = value
            frame.marks.items[frame.key] = marks
            frame.key = None

    def _skip(self, parent: _Frame) -> None:
        parent.key, parent.skipping = None, False

    # -- checks ------------------------------------------------------------------------------------

    def _count(self, event: Any) -> None:
        self._nodes += 1
        if self._nodes > self.limits.nodes:
            self._note(Code.TOO_LARGE, _place(event), f"more than {self.limits.nodes:,} values", "split the file")
            raise _CapReached

    def _check_properties(self, event: Any, place: Place) -> None:
        if event.anchor is not None:
            self._note(
                Code.ALIAS, place, f"anchors are not used in policies: `&{short(event.anchor)}`", "write the value out"
            )
        if event.tag is not None:
            self._note(
                Code.YAML_TAG,
                place,
                f"YAML tags are not used in policies: `{short(event.tag)}`",
                "write the value plainly; `${NAME}` refers to the environment",
            )
            self.flaws.add(place[:2])

    def _check_separation(self, parent: _Frame | None, place: Place) -> None:
        """Libyaml lets a tab part a key from its value where YAML and its other readers do not."""
        if parent is None or parent.key is None or place[0] >= len(self._lines):
            return
        key = parent.marks.keys.get(parent.key)
        if key is None or key[2] != place[0]:
            return
        gap = self._lines[place[0]][key[3] : place[1]]
        if "\t" in gap:
            self._note(
                Code.SYNTAX, (key[2], key[3], place[0], place[1]), "a tab stands between key and value", "use a blank"
            )

    def _closed(self, marks: Marks, event: Any) -> Place:
        """A block collection ends where its last value ends, not at the next token."""
        place = _place(event)
        if place[:2] == place[2:]:
            return self._around(marks, place[2:])
        return (*marks.place[:2], *place[2:])

    def _cut_off(self) -> None:
        """Collections that reading left open end where what is known of them ends."""
        while self._stack:
            marks = self._stack.pop().marks
            marks.place = self._around(marks, marks.place[2:])

    def _around(self, marks: Marks, otherwise: tuple[int, int]) -> Place:
        lasts = [self._place_of(m)[2:] for m in marks.items.values()] + [k[2:] for k in marks.keys.values()]
        return (*marks.place[:2], *max(lasts, default=otherwise))

    @staticmethod
    def _place_of(marks: Marks | Place) -> Place:
        return marks.place if isinstance(marks, Marks) else marks

    def _span(self, place: Place) -> Span:
        return Span(self.path, Position(place[0] + 1, place[1] + 1), Position(place[2] + 1, place[3] + 1))

    def _note(
        self,
        code: Code,
        place: Place,
        message: str,
        help_text: str,
        labels: tuple[Label, ...] = (),
        severity: Severity = Severity.ERROR,
        fix: Fix | None = None,
    ) -> None:
        if len(self.findings) >= self.limits.findings:
            more = f"more than {self.limits.findings} findings in this file"
            effect = "nothing after this point of the file is read"
            self.findings.append(Finding(Code.TOO_LARGE, self._span(place), more, help="mend those", effect=effect))
            raise _CapReached
        self.findings.append(Finding(code, self._span(place), message, severity, labels, help_text, fix=fix))

    def _quoting(self, token: str, place: Place, *, is_safe: bool = True) -> Fix:
        written = json.dumps(token, ensure_ascii=False)
        return Fix(f"write `{short(written)}`", (Edit(self._span(place), written),), is_safe)


def _place(event: Any) -> Place:
    start, end = event.start_mark, event.end_mark
    return (start.line, start.column, end.line, end.column)
