"""What the typed models are made of: fields declared by annotations, decoded from what the schema has passed.

Decides how a written value becomes that of a field. Knows no model. Making a class costs nothing: its annotations are
looked at when the first record is made, so that a process pays for the models that its policy uses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import FrozenInstanceError, dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, ClassVar, Literal, NoReturn, Self, Union, dataclass_transform, get_args, get_origin

Convert = Callable[[Any], Any]
"""A written value to that of a field; raises ValueError for what no schema should have passed."""

NOTHING: Mapping[Any, Any] = MappingProxyType({})
"""The default of fields that hold a mapping."""


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a model: its name, its key in a document, its annotation and whether it must be there."""

    name: str
    key: str
    kind: Any
    required: bool
    convert: Convert


@dataclass_transform(kw_only_default=True, frozen_default=True)
class Model:
    """A frozen record. A field whose name ends in an underscore is written without it.

    What was given is kept apart from what is a default: ``written_fields`` tells. Two records of one class are equal
    when their fields are, given or not.
    """

    _fields: ClassVar[Mapping[str, Field]]

    def __init__(self, **given: Any) -> None:
        fields = fields_of(type(self))
        missing = [name for name, field in fields.items() if field.required and name not in given]
        if missing or not given.keys() <= fields.keys():
            unknown = sorted(given.keys() - fields.keys())
            raise ValueError(f"{type(self).__name__}: the fields {missing} are missing, {unknown} are unknown")
        vars(self).update(given)

    @classmethod
    def decode(cls, written: Any) -> Self:
        """The record that a document writes as a mapping; raises ValueError for what the schema should have refused."""
        fields = fields_of(cls)
        given: dict[str, Any] = {}
        for key, value in _mapping(written).items():
            field = fields.get(key) or fields.get(f"{key}_")
            if field is None or field.key != key:
                raise ValueError(f"{cls.__name__} has no field `{key}`")
            given[field.name] = field.convert(value)
        return cls(**given)

    @property
    def written_fields(self) -> frozenset[str]:
        """The names of the fields that were given, be it with the value that is their default."""
        return frozenset(vars(self))

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return vars(self) == vars(other) or _values(self) == _values(other)

    def __hash__(self) -> int:
        return hash((type(self), _values(self)))

    def __repr__(self) -> str:
        values = zip(fields_of(type(self)), _values(self), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values)})"

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise FrozenInstanceError(f"cannot assign to field `{name}`")

    def __delattr__(self, name: str) -> NoReturn:
        raise FrozenInstanceError(f"cannot delete field `{name}`")


def _values(record: Model) -> tuple[Any, ...]:
    return tuple(getattr(record, name) for name in fields_of(type(record)))


def fields_of(model: type[Model]) -> Mapping[str, Field]:
    """The fields of a model by their names, those of its bases first; worked out when they are first asked for."""
    known: Mapping[str, Field] | None = vars(model).get("_fields")
    if known is None:
        annotated = {
            name: kind
            for part in reversed(model.__mro__)
            if part is not Model and issubclass(part, Model)
            for name, kind in part.__annotations__.items()
        }
        known = {
            name: Field(name, name.removesuffix("_"), kind, not hasattr(model, name), converter(kind))
            for name, kind in annotated.items()
        }
        model._fields = known
    return known


@cache
def converter(kind: Any) -> Convert:
    """How a written value becomes one of a type: that of an annotation of ours, no other."""
    if isinstance(kind, type) and kind in _PLAIN:
        return _PLAIN[kind]
    origin, inner = get_origin(kind), get_args(kind)
    if kind is Any:
        return _as_it_is
    if origin is Annotated:
        return _prepared(inner[1], converter(inner[0]))
    if origin is Literal:
        return _one_of(inner)
    if origin in (Union, UnionType):
        return _any_of(inner)
    if origin in (tuple, frozenset):
        return _sequence(origin, converter(inner[0]))
    if origin is Mapping:
        return _entries(converter(inner[0]), converter(inner[1]))
    if issubclass(kind, Model):
        decode: Convert = kind.decode
        return decode
    return _member(kind) if issubclass(kind, Enum) else _made(kind)


def _refuse(value: object, wanted: str) -> NoReturn:
    raise ValueError(f"a {type(value).__name__} where {wanted} is wanted")


def _as_it_is(value: Any) -> Any:
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else _refuse(value, "a text")


def _truth(value: Any) -> bool:
    return value if isinstance(value, bool) else _refuse(value, "true or false")


def _whole(value: Any) -> int:
    if isinstance(value, int | float) and not isinstance(value, bool) and value == int(value):
        return int(value)
    _refuse(value, "a whole number")


def _number(value: Any) -> float:
    return _refuse(value, "a number") if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


def _moment(value: Any) -> datetime:
    return datetime.fromisoformat(_text(value))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else _refuse(value, "a mapping")


_PLAIN: Mapping[type, Convert] = {str: _text, bool: _truth, int: _whole, float: _number, datetime: _moment}


def _prepared(prepare: Convert, convert: Convert) -> Convert:
    return lambda value: convert(prepare(value))


def _one_of(values: tuple[Any, ...]) -> Convert:
    return lambda value: value if value in values else _refuse(value, f"one of {values}")


def _sequence(kind: type[Any], convert: Convert) -> Convert:
    return lambda value: (
        kind(map(convert, value)) if isinstance(value, list | tuple | frozenset) else _refuse(value, "a list")
    )


def _entries(key: Convert, convert: Convert) -> Convert:
    return lambda value: {key(name): convert(entry) for name, entry in _mapping(value).items()}


def _member(kind: type[Enum]) -> Convert:
    return lambda value: value if isinstance(value, kind) else kind(value)


def _made(kind: type[Any]) -> Convert:
    """For a type of which `Annotated` says how a value is made."""
    return lambda value: value if isinstance(value, kind) else _refuse(value, kind.__name__)


def _any_of(kinds: tuple[Any, ...]) -> Convert:
    """The first of several types that takes the value; a model takes no mapping with a key that it does not have."""
    converters = [converter(kind) for kind in kinds if kind is not NoneType]
    if NoneType not in kinds:
        return _first(converters)
    convert = converters[0] if len(converters) == 1 else _first(converters)
    return lambda value: None if value is None else convert(value)


def _first(converters: list[Convert]) -> Convert:
    def convert(value: Any) -> Any:
        for one in converters[:-1]:
            try:
                return one(value)
            except ValueError:
                continue
        return converters[-1](value)

    return convert
