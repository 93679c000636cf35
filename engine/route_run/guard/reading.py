"""A reader of JSON that comes in pieces: is what came so far the beginning of a JSON value?

Decides that character by character, by the grammar of RFC 8259, and says at the first character that
no JSON can have there what was expected. However the text is cut, the answer is the same. It keeps
one character per open list or object, at most ``MAX_DEPTH``, and none of the text. What the values
mean is not its business: it only marks where the outermost ones lie.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import ClassVar

MAX_DEPTH = 64
"""Lists and objects within each other; what is deeper is not accepted as an answer."""

_BLANK = re.compile(r"[ \t\n\r]*")
_PLAIN = re.compile(r'[^"\\\x00-\x1f]*')
_DIGITS = re.compile(r"[0-9]*")
_HEX = frozenset("0123456789abcdefABCDEF")
_ESCAPED = frozenset('"\\/bfnrtu')
_WORDS = {"t": "rue", "f": "alse", "n": "ull"}


class Mark(Enum):
    """What lies at a place of the text; an end is the place after the last character."""

    VALUE = "the beginning of the value"
    KEY = "the beginning of a name of the outermost object"
    KEY_END = "the end of such a name"
    MEMBER = "the beginning of a value in the outermost object or list"
    MEMBER_END = "the end of such a value"


class _At(Enum):
    VALUE = "a value"
    FIRST_ITEM = "a value or `]`"
    FIRST_KEY = 'a name in `"` or `}`'
    KEY = 'a name in `"`'
    COLON = "`:`"
    AFTER_ITEM = "`,` or `]`"
    AFTER_MEMBER = "`,` or `}`"
    END = "nothing more"
    TEXT = "the rest of a text"
    ESCAPE = "an escape such as `\\n`"
    HEX = "four hexadecimal digits"
    WORD = "`true`, `false` or `null`"
    MINUS = "a digit"
    ZERO = "the end of a number that begins with 0"
    WHOLE = "the rest of a number"
    POINT = "a digit after the point"
    FRACTION = "the rest of a fraction"
    E = "a digit or a sign in the exponent"
    SIGN = "a digit in the exponent"
    EXPONENT = "the rest of an exponent"

    __hash__ = object.__hash__  # an enumeration's own is slow, and there is a look-up for every step


_NUMBER: Mapping[_At, Mapping[str, _At]] = {
    _At.MINUS: {"0": _At.ZERO, **dict.fromkeys("123456789", _At.WHOLE)},
    _At.ZERO: {".": _At.POINT, "e": _At.E, "E": _At.E},
    _At.WHOLE: {**dict.fromkeys("0123456789", _At.WHOLE), ".": _At.POINT, "e": _At.E, "E": _At.E},
    _At.POINT: dict.fromkeys("0123456789", _At.FRACTION),
    _At.FRACTION: {**dict.fromkeys("0123456789", _At.FRACTION), "e": _At.E, "E": _At.E},
    _At.E: {**dict.fromkeys("0123456789", _At.EXPONENT), "+": _At.SIGN, "-": _At.SIGN},
    _At.SIGN: dict.fromkeys("0123456789", _At.EXPONENT),
    _At.EXPONENT: dict.fromkeys("0123456789", _At.EXPONENT),
}
"""Which character leads where within a number."""
_WHOLE_NUMBERS = frozenset({_At.ZERO, _At.WHOLE, _At.FRACTION, _At.EXPONENT})
_STARTS: Mapping[str, _At] = {
    '"': _At.TEXT,
    **dict.fromkeys("tfn", _At.WORD),
    "-": _At.MINUS,
    "0": _At.ZERO,
    **dict.fromkeys("123456789", _At.WHOLE),
}
"""Which character begins a value that is no list or object."""


class JsonReader:
    """Feed it pieces; ``problem`` says why they cannot become JSON any more, None as long as they can."""

    def __init__(self) -> None:
        self.problem: str | None = None
        self._at = _At.VALUE
        self._open: list[str] = []
        self._is_key = False
        self._left = ""  # of a word
        self._digits = 0  # of a \u escape, still to come
        self._before = 0  # characters in the pieces before
        self._marks: list[tuple[Mark, int]] = []

    @property
    def is_whole(self) -> bool:
        """Whether what came so far is a whole JSON value."""
        ended = self._at is _At.END or (self._at in _WHOLE_NUMBERS and not self._open)
        return ended and self.problem is None

    def feed(self, piece: str) -> list[tuple[Mark, int]]:
        """The marks in this piece, each with its place there; up to the problem, if there is one."""
        self._marks = []
        place, end = 0, len(piece)
        while place < end and self.problem is None:
            place = self._STEPS[self._at](self, piece, place)
        self._before += end
        return self._marks

    # -- the steps: each takes at least one character, ends a number, or finds a problem ---------------

    def _between(self, piece: str, place: int) -> int:
        """Where blanks may stand, and then one character decides."""
        match = _BLANK.match(piece, place)
        place = match.end() if match is not None else place
        if place == len(piece):
            return place
        character, at = piece[place], self._at
        if at in (_At.VALUE, _At.FIRST_ITEM) and (character in _STARTS or character in "{["):
            self._begin_value(character, place)
        elif character == '"' and at in (_At.FIRST_KEY, _At.KEY):
            self._mark(Mark.KEY, place, 1)
            self._at, self._is_key = _At.TEXT, True
        elif character == ":" and at is _At.COLON:
            self._at = _At.VALUE
        elif character == "," and at in (_At.AFTER_ITEM, _At.AFTER_MEMBER):
            self._at = _At.VALUE if at is _At.AFTER_ITEM else _At.KEY
        elif (character == "]" and at in (_At.FIRST_ITEM, _At.AFTER_ITEM)) or (
            character == "}" and at in (_At.FIRST_KEY, _At.AFTER_MEMBER)
        ):
            self._open.pop()
            self._end_value(place + 1)
        else:
            self._fail(place)
        return place + 1

    def _begin_value(self, character: str, place: int) -> None:
        self._mark(Mark.VALUE, place, 0)
        self._mark(Mark.MEMBER, place, 1)
        if character not in "{[":
            self._at, self._is_key = _STARTS[character], False
            self._left = _WORDS.get(character, "")
            return
        if len(self._open) == MAX_DEPTH:
            self.problem = f"nested deeper than {MAX_DEPTH} levels, too deep to be checked"
        self._open.append(character)
        self._at = _At.FIRST_KEY if character == "{" else _At.FIRST_ITEM

    def _end_value(self, place: int) -> None:
        """A value has ended before a place."""
        self._mark(Mark.MEMBER_END, place, 1)
        inside = self._open[-1] if self._open else ""
        self._at = {"{": _At.AFTER_MEMBER, "[": _At.AFTER_ITEM, "": _At.END}[inside]

    def _text(self, piece: str, place: int) -> int:
        match = _PLAIN.match(piece, place)
        place = match.end() if match is not None else place
        if place == len(piece):
            return place
        match piece[place]:
            case '"' if self._is_key:
                self._mark(Mark.KEY_END, place + 1, 1)
                self._at = _At.COLON
            case '"':
                self._end_value(place + 1)
            case "\\":
                self._at = _At.ESCAPE
            case _:
                self._fail(place, "an escape instead of a control character")
        return place + 1

    def _escape(self, piece: str, place: int) -> int:
        character = piece[place]
        if character not in _ESCAPED:
            self._fail(place)
        self._at, self._digits = (_At.HEX, 4) if character == "u" else (_At.TEXT, 0)
        return place + 1

    def _hex(self, piece: str, place: int) -> int:
        if piece[place] not in _HEX:
            self._fail(place)
        self._digits -= 1
        if not self._digits:
            self._at = _At.TEXT
        return place + 1

    def _word(self, piece: str, place: int) -> int:
        if piece[place] != self._left[0]:
            self._fail(place)
        self._left = self._left[1:]
        if not self._left:
            self._end_value(place + 1)
        return place + 1

    def _number(self, piece: str, place: int) -> int:
        following = _NUMBER[self._at].get(piece[place])
        if following is not None:
            self._at = following
            run = _DIGITS.match(piece, place + 1) if following in _NUMBER[following].values() else None
            return run.end() if run is not None else place + 1
        if self._at in _WHOLE_NUMBERS:
            self._end_value(place)  # the character is for what comes after
        else:
            self._fail(place)
        return place

    # -- what is told ----------------------------------------------------------------------------------

    def _mark(self, mark: Mark, place: int, depth: int) -> None:
        if len(self._open) == depth:
            self._marks.append((mark, place))

    def _fail(self, place: int, expected: str = "") -> None:
        self.problem = f"not JSON: {expected or self._at.value} is expected at character {self._before + place}"

    _STEPS: ClassVar[Mapping[_At, Callable[[JsonReader, str, int], int]]] = {
        **dict.fromkeys(_At, _between),
        **dict.fromkeys(_NUMBER, _number),
        _At.TEXT: _text,
        _At.ESCAPE: _escape,
        _At.HEX: _hex,
        _At.WORD: _word,
    }
