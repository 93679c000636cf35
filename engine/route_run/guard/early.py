"""An output check while the answer still comes: fails as soon as the final check is sure to fail.

Decides by what can be proved from the beginning of an answer: that it cannot become JSON any more,
that its value is not of the type the schema asks for, that a name of the outermost object is not
allowed, or that a value in the outermost object or list does not satisfy its part of the schema.
All of these are parts of the whole check, so that nothing fails here which would pass there; what
cannot be judged is left to it. At most ``MAX_MEMBER`` characters of the answer are kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from route_run.guard.reading import JsonReader, Mark

MAX_MEMBER = 64 << 10
"""Longest value, in characters, that is judged before the whole answer is there."""

_TYPE_OF = {"{": "object", "[": "array", '"': "string", "t": "boolean", "f": "boolean", "n": "null"}
_NUMBERS = frozenset({"number", "integer"})


@dataclass(frozen=True, slots=True)
class EarlyRules:
    """The parts of a check that the beginning of an answer can fail.

    ``parse`` reads a JSON text as the whole check does (a ValueError says why not), ``worded`` puts an
    error into words without the value; the others are None where the schema says nothing.
    """

    parse: Callable[[str], Any]
    worded: Callable[[Any], str]
    type: str | list[str] | None = None
    names: Any = None
    fields: Any = None
    items: Any = None


def early_rules(
    schema: Any, validator: Any, parse: Callable[[str], Any], worded: Callable[[Any], str]
) -> EarlyRules | None:
    """What of a schema can be judged early; ``validator`` is that of the whole schema."""
    if not isinstance(schema, dict):
        return None
    return EarlyRules(
        parse,
        worded,
        type=schema.get("type"),
        names=_part(validator, _names_only(schema)),
        fields=_part(validator, {k: v for k, v in schema.items() if k in _OF_FIELDS}),
        items=schema["items"] if "items" in schema and "prefixItems" not in schema else None,
    )


_OF_FIELDS = ("properties", "patternProperties", "additionalProperties")


def _names_only(schema: dict[str, Any]) -> dict[str, Any]:
    """What a schema says of names, whatever their values are."""
    kept = {k: schema[k] for k in ("propertyNames",) if k in schema}
    if schema.get("additionalProperties") is False:
        kept["additionalProperties"] = False
    for keyword in ("properties", "patternProperties"):
        if keyword in schema:
            kept[keyword] = {name: part is not False for name, part in schema[keyword].items()}
    return kept


def _part(validator: Any, schema: dict[str, Any]) -> Any:
    """A validator of a part, in which references still lead into the whole."""
    return validator.evolve(schema=schema) if schema else None


class EarlyCheck:
    """Feed it the pieces of one answer; ``rules`` None asks for any JSON value."""

    def __init__(self, rules: EarlyRules | None, validator: Any) -> None:
        self._rules = rules
        self._validator = validator
        self._reader = JsonReader()
        self._reason: str | None = None
        self._kept: list[str] | None = None  # of what is read now; None outside of it, or when it is too long
        self._size = 0
        self._in_object = False
        self._name: str | None = None
        self._number = 0  # of members before

    @property
    def is_whole(self) -> bool:
        """Whether what came so far is a whole value that has not failed."""
        return self._reader.is_whole and self._reason is None

    def feed(self, piece: str) -> str | None:
        """Why the answer cannot be accepted any more, in words; None as long as it can."""
        if self._reason is not None:
            return self._reason
        marks = self._reader.feed(piece)
        if self._rules is not None:
            self._reason = self._judged(self._rules, piece, marks)
        self._reason = self._reason or self._reader.problem
        return self._reason

    def _judged(self, rules: EarlyRules, piece: str, marks: list[tuple[Mark, int]]) -> str | None:
        begin = 0
        for mark, place in marks:
            reason = None
            match mark:
                case Mark.VALUE:
                    reason = _wrong_type(rules, piece[place])
                case Mark.KEY | Mark.MEMBER:
                    begin, self._kept, self._size = place, [], 0
                    self._in_object = self._in_object or mark is Mark.KEY
                case Mark.KEY_END:
                    reason = self._judged_name(rules, self._taken(piece[begin:place]))
                case Mark.MEMBER_END:
                    reason = self._judged_member(rules, self._taken(piece[begin:place]))
                    self._number += 1
            if reason is not None:
                return reason
        self._keep(piece[begin:])
        return None

    def _keep(self, text: str) -> None:
        self._size += len(text)
        if self._size > MAX_MEMBER:
            self._kept = None
        if self._kept is not None:
            self._kept.append(text)

    def _taken(self, text: str) -> str | None:
        self._keep(text)
        kept, self._kept = self._kept, None
        return None if kept is None else "".join(kept)

    def _judged_name(self, rules: EarlyRules, text: str | None) -> str | None:
        self._name = None if text is None else rules.parse(text)
        if rules.names is None or self._name is None:
            return None
        return _first(rules, lambda: rules.names.iter_errors({self._name: None}))

    def _judged_member(self, rules: EarlyRules, text: str | None) -> str | None:
        rule = rules.fields if self._in_object else rules.items
        if rule is None or text is None or (self._in_object and self._name is None):
            return None
        try:
            value = rules.parse(text)
        except RecursionError:
            return None
        except ValueError as error:
            return str(error)
        if self._in_object:
            return _first(rules, lambda: rule.iter_errors({self._name: value}))
        return _first(rules, lambda: self._validator.descend(value, rule, path=self._number))


def _wrong_type(rules: EarlyRules, first: str) -> str | None:
    """A value's first character says its type; of numbers only that they are numbers."""
    if rules.type is None:
        return None
    wanted = {rules.type} if isinstance(rules.type, str) else set(rules.type)
    found = {_TYPE_OF[first]} if first in _TYPE_OF else _NUMBERS
    return None if wanted & found else f"answer: not of the type {rules.type}"


def _first(rules: EarlyRules, errors: Callable[[], Iterator[Any]]) -> str | None:
    """The first error in words; what is too deep or too large to be judged is left to the whole check."""
    try:
        found = next(iter(errors()), None)
    except (RecursionError, OverflowError):
        return None
    return None if found is None else rules.worded(found)
