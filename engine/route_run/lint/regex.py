"""Whether a regular expression in RE2's syntax can match anything at all.

Decides by following what a pattern demands of the characters before and after each place: the start and end of
the text, line breaks, letters that make words. Where it does not know a construct it says that the pattern may
match: what it calls impossible is impossible.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias

# what stands beside a place in the text
_EDGE, _BREAK, _WORD, _OTHER = 1, 2, 4, 8
_ANY = _EDGE | _BREAK | _WORD | _OTHER
_CHARACTERS = _BREAK | _WORD | _OTHER
_Place: TypeAlias = tuple[int, int]
"""What stands before a place (one of the four), and what may come after it (a union of them)."""
_Step: TypeAlias = Callable[[frozenset[_Place]], frozenset[_Place]]

MAX_LENGTH = 4000
MAX_DEPTH = 60
_REPEAT = re.compile(r"\{(\d+)(,(\d*))?\}")
_GROUP = re.compile(r"\?(?:P?<\w+>|(?P<on>[imsU]*)(?:-(?P<off>[imsU]*))?(?P<end>[:)]))")


def cannot_match(regex: str) -> bool:
    """Whether no text holds a match of a pattern; false also where that is not known."""
    if len(regex) > MAX_LENGTH:
        return False
    try:
        reader = _Reader(regex)
        step = reader.alternatives(_Flags(), 0)
        if reader.position != len(regex):
            return False
    except _UnknownError:
        return False
    everywhere = frozenset((before, _ANY) for before in (_EDGE, _BREAK, _WORD, _OTHER))
    return not step(everywhere)


class _UnknownError(Exception):
    """Raised for syntax that this reader does not know."""


@dataclass(frozen=True, slots=True)
class _Flags:
    multiline: bool = False
    dot_all: bool = False


def _character(kinds: int) -> _Step:
    """One character out of a set that holds characters of these kinds."""
    kept = [kind for kind in (_BREAK, _WORD, _OTHER) if kind & kinds]
    return lambda places: frozenset((kind, _ANY) for _, after in places for kind in kept if kind & after)


def _demand(before: int, after: int) -> _Step:
    """A place between what is demanded before it and after it."""
    return lambda places: frozenset((b, a & after) for b, a in places if b & before and a & after)


def _either(steps: Iterable[_Step]) -> _Step:
    known = tuple(steps)
    return lambda places: frozenset().union(*(step(places) for step in known))


def _sequence(steps: Iterable[_Step]) -> _Step:
    known = tuple(steps)

    def step(places: frozenset[_Place]) -> frozenset[_Place]:
        for one in known:
            if not places:
                break
            places = one(places)
        return places

    return step


def _remembered(step: _Step) -> _Step:
    """The same step, asked once for each set of places: repetitions within repetitions stay cheap."""
    known: dict[frozenset[_Place], frozenset[_Place]] = {}

    def remember(places: frozenset[_Place]) -> frozenset[_Place]:
        if places not in known:
            known[places] = step(places)
        return known[places]

    return remember


def _repeated(step: _Step) -> _Step:
    """Any number of times, none included; there are few places, so this ends soon."""

    def repeat(places: frozenset[_Place]) -> frozenset[_Place]:
        while not (more := step(places)) <= places:
            places |= more
        return places

    return repeat


_BOUNDARY = _either((_demand(_WORD, _ANY & ~_WORD), _demand(_ANY & ~_WORD, _WORD)))
_NO_BOUNDARY = _either((_demand(_WORD, _WORD), _demand(_ANY & ~_WORD, _ANY & ~_WORD)))
_SETS = {"d": _WORD, "w": _WORD | _OTHER, "s": _BREAK | _OTHER, "D": _CHARACTERS, "W": _CHARACTERS, "S": _WORD | _OTHER}
_CONTROLS = {"n": _BREAK, "t": _OTHER, "r": _OTHER, "f": _OTHER, "v": _OTHER, "a": _OTHER}


def _kind(character: str) -> int:
    if character == "\n":
        return _BREAK
    if character in "kKsS":
        return _WORD | _OTHER  # case is ignored, and U+212A and U+017F are no letters to `\\b`
    return _WORD if character.isascii() and (character.isalnum() or character == "_") else _OTHER


class _Reader:
    """Reads a pattern from left to right into one step over places."""

    def __init__(self, regex: str) -> None:
        self._regex = regex
        self.position = 0

    def alternatives(self, flags: _Flags, depth: int) -> _Step:
        """Everything up to a closing parenthesis or the end."""
        if depth > MAX_DEPTH:
            raise _UnknownError
        branches: list[_Step] = []
        parts: list[_Step] = []
        while (c := self._peek()) not in ("", ")"):
            if c == "|":
                self.position += 1
                branches.append(_sequence(parts))
                parts = []
                continue
            if c == "(" and (changed := self._flags_alone(flags)) is not None:
                flags = changed
                continue
            parts.append(self._repeats(self._atom(flags, depth)))
        return _either((*branches, _sequence(parts)))

    def _peek(self) -> str:
        return self._regex[self.position : self.position + 1]

    def _take(self) -> str:
        c = self._peek()
        self.position += 1
        return c

    def _flags_alone(self, flags: _Flags) -> _Flags | None:
        """`(?i)` and its like, which hold up to the end of the group."""
        found = _GROUP.match(self._regex, self.position + 1)
        if found is None or found["end"] != ")":
            return None
        self.position = found.end()
        return _changed(flags, found)

    def _atom(self, flags: _Flags, depth: int) -> _Step:
        c = self._take()
        match c:
            case "(":
                return self._group(flags, depth)
            case "[":
                return _character(self._set())
            case "\\":
                return self._escape()
            case ".":
                return _character(_CHARACTERS if flags.dot_all else _WORD | _OTHER)
            case "^":
                return _demand(_EDGE | _BREAK if flags.multiline else _EDGE, _ANY)
            case "$":
                return _demand(_ANY, _EDGE | _BREAK if flags.multiline else _EDGE)
            case "*" | "+" | "?":
                raise _UnknownError
        return _character(_kind(c))

    def _group(self, flags: _Flags, depth: int) -> _Step:
        if self._peek() == "?":
            found = _GROUP.match(self._regex, self.position)
            if found is None:
                raise _UnknownError
            self.position = found.end()
            flags = _changed(flags, found)
        inner = self.alternatives(flags, depth + 1)
        if self._take() != ")":
            raise _UnknownError
        return inner

    def _repeats(self, step: _Step) -> _Step:
        """A repetition of n or more counts as one or more: what that cannot match, n cannot either."""
        while (c := self._peek()) and c in "*+?{":
            found = _REPEAT.match(self._regex, self.position)
            if c == "{" and found is None:
                break
            at_least = 1 if c == "+" or (found is not None and int(found[1]) > 0) else 0
            self.position = found.end() if found is not None else self.position + 1
            if self._peek() == "?":
                self.position += 1
            once = _remembered(step)
            step = _remembered(_sequence((once, _repeated(once))) if at_least else _repeated(once))
        return step

    def _escape(self) -> _Step:
        c = self._take()
        match c:
            case "b":
                return _BOUNDARY
            case "B":
                return _NO_BOUNDARY
            case "A":
                return _demand(_EDGE, _ANY)
            case "z":
                return _demand(_ANY, _EDGE)
        return _character(self._escaped_kinds(c))

    def _escaped_kinds(self, c: str) -> int:
        if c in _SETS:
            return _SETS[c]
        if c in _CONTROLS:
            return _CONTROLS[c]
        if c and not c.isalnum():
            return _kind(c)
        if c == "x":
            return self._hexadecimal()
        raise _UnknownError

    def _hexadecimal(self) -> int:
        found = re.compile(r"\{([0-9a-fA-F]{1,6})\}|([0-9a-fA-F]{2})").match(self._regex, self.position)
        if found is None:
            raise _UnknownError
        self.position = found.end()
        code = int(found[1] or found[2], 16)
        if code > 0x10FFFF:
            raise _UnknownError
        return _kind(chr(code))

    def _set(self) -> int:
        """The kinds of characters in `[…]`; one with ranges, classes or a negation counts as holding any kind."""
        is_listed = self._peek() != "^"
        self.position += not is_listed
        kinds, is_first = 0, True
        while (c := self._take()) != "]" or is_first:
            is_first = False
            if c == "" or (c == "[" and self._peek() == ":"):
                raise _UnknownError
            kinds |= self._escaped_kinds(self._take()) if c == "\\" else _kind(c)
            is_listed = is_listed and c != "-"
        return kinds if is_listed else _CHARACTERS


def _changed(flags: _Flags, found: re.Match[str]) -> _Flags:
    on, off = found["on"] or "", found["off"] or ""
    return _Flags(
        multiline=("m" in on or flags.multiline) and "m" not in off,
        dot_all=("s" in on or flags.dot_all) and "s" not in off,
    )
