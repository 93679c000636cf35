"""What a person or a program can write in the place of a fault of the schema.

Decides which fixes are safe: those where there is one thing the author can have meant.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from itertools import dropwhile, islice, takewhile
from typing import Any

from route_run.errors import Fix, Span
from route_run.schema.formats import SECONDS_AT_MOST
from route_run.text.nearest import typo_of

NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?\Z")
"""A number as text, without sign and exponent."""
LONGEST_EXAMPLE = 70
_M = re.compile(r"([0-9]+(?:\.[0-9]+)?) ?m\Z")


def renaming(span: Span, key: str, similar: str | None, free: Collection[str]) -> Fix | None:
    """A misspelt field; None where the right one is there already."""
    if similar is None or similar not in free:
        return None
    return Fix.writing(span, similar, is_safe=typo_of(key, free, is_closed=True) == similar)


def choosing(span: Span, value: Any, similar: str | None, allowed: Sequence[str]) -> Fix | None:
    """A misspelt value of a closed set."""
    if similar is None or not isinstance(value, str):
        return None
    is_safe = value.casefold() == similar.casefold() or typo_of(value, allowed, is_closed=True) == similar
    return Fix.writing(span, similar, is_safe=is_safe)


def retyping(span: Span, value: Any, written: str, types: Sequence[str]) -> Fix | None:
    """The same value as what the field takes, where quotes are all that is wrong."""
    if span.start.line != span.end.line:
        return None
    if list(types) == ["string"] and isinstance(value, int | float) and not isinstance(value, bool):
        return Fix.writing(span, f'"{written}"')
    is_number = isinstance(value, str) and NUMBER.match(value) and {"number", "integer"} & set(types)
    is_truth = value in ("true", "false") and "boolean" in types
    return Fix.writing(span, value) if is_number or is_truth else None


def has_one_unit(unit: str, field: str | int, value: Any) -> bool:
    """Whether a bare number can only be meant in one unit: a percentage, or seconds up to some minutes."""
    is_short = unit == "duration" and field != "retention" and 0 < float(value) < SECONDS_AT_MOST
    return unit == "share" or is_short


def shaped_like(node: Mapping[str, Any], types: Sequence[str]) -> str:
    """The schema's own example of a mapping or a list, in words; nothing where it has none that is short."""
    examples = node.get("examples", ())
    if set(types) <= {"object", "array"} and examples and len(shown := json.dumps(examples[0])) <= LONGEST_EXAMPLE:
        return f"Write it like `{shown}`."
    return ""


def minutes_or_less(value: Any) -> str:
    """What `m` may have meant: nobody can tell minutes from milliseconds."""
    if isinstance(value, str) and (found := _M.match(value)):
        return f"write `{found[1]}min` for minutes, `{found[1]}ms` for milliseconds"
    return ""


def fields_beside(data: Any, keys: Sequence[str | int], node: Mapping[str, Any]) -> list[str]:
    """Fields of an empty mapping that stand beside it, where they were meant to be indented below it."""
    for key in keys[:-1]:
        data = data[key]
    if not isinstance(data, dict):
        return []
    after = islice(dropwhile(lambda key: key != keys[-1], data), 1, None)
    return list(takewhile(lambda key: key in node.get("properties", {}), after))
