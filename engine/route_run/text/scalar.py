"""What a plain (unquoted) YAML scalar means: the YAML 1.2 core schema, made strict.

Decides the value of one scalar, or why it has none. The core schema (YAML 1.2.2, section 10.3.2) is
followed where every reader agrees; tokens that YAML 1.1 readers take otherwise (``no``, ``010``,
``1:30``) are refused, because what a person sees in an editor must be what runs.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from typing import TypeAlias

from route_run.errors import Code, Severity
from route_run.text.nearest import short

MAX_DIGITS = 18
"""Longest number in digits: every integer within 64 bits, every float within its precision."""

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True,
    "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_YAML_1_1_BOOLEANS = {
    word: meaning
    for meaning, words in (("true", ("yes", "on")), ("false", ("no", "off")))
    for base in words
    for word in (base, base.capitalize(), base.upper())
}
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)\Z")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")
_BASE_60 = re.compile(r"[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?\Z")
_OTHER_BASE = re.compile(r"[-+]?0(?:b[01_]+|x[0-9a-fA-F_]+|o[0-7_]+)\Z")
_ZEROS_OR_UNDERSCORES = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?\Z")
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt\s].*)?\Z")
_PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./@-]*\Z")
_COULD_BE_SPECIAL = frozenset("0123456789+-.~nNtTfFyYoO")


@dataclass(frozen=True, slots=True)
class Odd:
    """A scalar that has to be written differently; ``value`` is what goes on being used.

    ``quoting`` says whether quoting it keeps its meaning (True), may be what is meant (False), or mends nothing.
    """

    value: str
    code: Code
    message: str
    help: str
    severity: Severity = Severity.ERROR
    quoting: bool | None = None


def as_scalar(text: str) -> str:
    """A text as a YAML scalar that means just this text, in whatever place: plain, else in double quotes."""
    return text if _PLAIN.match(text) and resolve(text) == text else json.dumps(text, ensure_ascii=False)


Scalar: TypeAlias = "None | bool | int | float | str"


def resolve(token: str) -> Scalar | Odd:
    """The value of a plain scalar, or an ``Odd`` that says what is wrong with it; never raises."""
    if token == "" or token[0] not in _COULD_BE_SPECIAL:
        return token or None
    if token in _WORDS:
        return _WORDS[token]
    if token in _YAML_1_1_BOOLEANS:
        return _ambiguous_boolean(token)
    if _INTEGER.match(token) or _FLOAT.match(token):
        return _number(token)
    return _odd_number(token)


def _ambiguous_boolean(token: str) -> Odd:
    meaning = _YAML_1_1_BOOLEANS[token]
    return Odd(
        token,
        Code.AMBIGUOUS_SCALAR,
        f"`{token}` is text in YAML 1.2 but {meaning} to many YAML readers",
        f'write `{meaning}` for the truth value, or `"{token}"` for the text',
        quoting=False,
    )


def _number(token: str) -> int | float | Odd:
    if sum(map(str.isdigit, token)) > MAX_DIGITS:
        return Odd(
            token,
            Code.NUMBER,
            f"a number has at most {MAX_DIGITS} digits, this one has more",
            "quote it if it is a name",
        )
    if _INTEGER.match(token):
        return int(token)
    value = float(token)
    if math.isfinite(value):
        return value
    return Odd(token, Code.NUMBER, f"`{token}` is too large for a number", "write a smaller one")


def _odd_number(token: str) -> str | Odd:
    shown = short(token)
    if _NOT_FINITE.match(token):
        return Odd(token, Code.NUMBER, f"`{shown}` is not a finite number", "write a finite number")
    if _BASE_60.match(token):
        return Odd(
            token,
            Code.AMBIGUOUS_SCALAR,
            f"`{shown}` is text in YAML 1.2 but a base-60 number to many YAML readers",
            f'write `"{shown}"`',
            quoting=True,
        )
    if _OTHER_BASE.match(token) or _ZEROS_OR_UNDERSCORES.match(token):
        return Odd(
            token,
            Code.AMBIGUOUS_SCALAR,
            f"`{shown}` is read as different numbers by different YAML readers",
            f'write a plain decimal number, or `"{shown}"` for the text',
            quoting=False,
        )
    if _DATE.match(token):
        return Odd(
            token,
            Code.LOOKS_LIKE_A_DATE,
            f"`{shown}` is text here but a date to many YAML readers",
            f'write `"{shown}"`',
            Severity.WARNING,
            quoting=True,
        )
    return token
