"""Items with findings, read without what was found fault with, so that the rest of them is still judged.

Decides what of such an item stands: a faulty value is left out, or a neutral one stands in where the
language demands one. What stands in is never judged: the name `LEFT_OUT` refers to nothing. Knows places and
shapes, not what a field means.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, get_args, get_origin

from route_run.policy.faults import Faults
from route_run.policy.policy import LEFT_OUT, Origin, Partial
from route_run.policy.shape import Model, converter, fields_of

_Keys = tuple[str | int, ...]

STAND_INS: Mapping[str, Any] = {
    "after": "1s", "balance": "weighted", "base_url": LEFT_OUT, "client_id": LEFT_OUT, "client_secret": "${LEFT_OUT}",
    "context_window": 1, "dialect": "openai", "endpoint": LEFT_OUT, "events": [], "from": "0001-01-02T00:00:00Z",
    "id": LEFT_OUT, "input": 0, "match": {}, "max_output_tokens": 1, "model": LEFT_OUT, "output": 0,
    "regex": LEFT_OUT, "route": LEFT_OUT, "score": 0, "serves": {}, "targets": [], "to": "9999-12-30T00:00:00Z",
    "upstream": LEFT_OUT, "url": LEFT_OUT,
}  # fmt: skip
"""What stands in for a field that an item cannot do without."""

_ENTRIES: Mapping[str, Any] = {
    "targets": {"endpoint": LEFT_OUT, "model": LEFT_OUT},
    "patterns": {"id": LEFT_OUT, "regex": LEFT_OUT, "score": 0},
    "maintenance": {"from": STAND_INS["from"], "to": STAND_INS["to"]},
}
"""What stands in for an entry of a list, so that the others keep their places; elsewhere a text."""

_NAMED: Mapping[str, Any] = {"serves": {}, "except": {}, "tags": {"present": True}}
"""Mappings whose keys are names that refer to something, with what stands in for a value."""

_UNFIT = object()
"""What no value can be made of."""


def read_partly(model: type[Model], origin: Origin, faults: Faults) -> Partial | None:
    """An item without its faulty values; None where nothing of it can be read."""
    raw = origin.raw
    if not isinstance(raw, dict) or faults.is_unread(origin):
        return None
    rest = _without_faults(raw, (), origin, faults)
    return Partial(model.decode(_fitting(model, rest)), faults.touched(origin), frozenset(raw))


# -- by the places of findings -------------------------------------------------------------------------------


def _without_faults(node: Any, keys: _Keys, origin: Origin, faults: Faults) -> Any:
    if isinstance(node, list):
        return [_entry(value, (*keys, index), origin, faults) for index, value in enumerate(node)]
    kept: dict[str, Any] = {}
    for key, value in node.items():
        path = (*keys, key)
        if not faults.at(origin, path):
            kept[key] = copy.deepcopy(value)
            continue
        section = keys[-1] if keys else ""
        if section in _NAMED and faults.at_key(origin, path):
            continue  # the name itself is at fault
        found = _rest_of(value, path, origin, faults)
        if found is not None:
            kept[key] = found
        elif section in _NAMED:
            kept[key] = copy.deepcopy(_NAMED[str(section)])
    return kept


def _entry(value: Any, path: _Keys, origin: Origin, faults: Faults) -> Any:
    if not faults.at(origin, path):
        return copy.deepcopy(value)
    found = _rest_of(value, path, origin, faults)
    return copy.deepcopy(_entry_of(path)) if found is None else found


def _entry_of(path: Sequence[str | int]) -> Any:
    return _ENTRIES.get(next((str(key) for key in reversed(path) if isinstance(key, str)), ""), LEFT_OUT)


def _rest_of(value: Any, path: _Keys, origin: Origin, faults: Faults) -> Any:
    """What is left of a value with a fault within it; None when that is nothing."""
    if not isinstance(value, dict | list):
        return None
    return _without_faults(value, path, origin, faults)


# -- by the shape of the model -------------------------------------------------------------------------------


def _fitting(model: type[Model], written: Mapping[str, Any]) -> dict[str, Any]:
    """What of a mapping the model can decode, and what stands in for the rest that it asks for."""
    kept: dict[str, Any] = {}
    for field in fields_of(model).values():
        value = _fitted(field.kind, field.key, written[field.key]) if field.key in written else _UNFIT
        if value is not _UNFIT:
            kept[field.key] = value
        elif field.required:
            kept[field.key] = copy.deepcopy(STAND_INS[field.key])
    return kept


def _fitted(kind: Any, key: str, value: Any) -> Any:
    models = [one for one in (kind, *get_args(kind)) if isinstance(one, type) and issubclass(one, Model)]
    origin = get_origin(kind)
    if isinstance(value, list) and origin is tuple:
        return _fitted_entries(get_args(kind)[0], key, value)
    if isinstance(value, dict) and origin is Mapping:
        return _fitted_names(get_args(kind), key, value)
    if isinstance(value, dict) and models:
        return _fitting(max(models, key=lambda model: len(value.keys() & _keys_of(model))), value)
    try:
        converter(kind)(value)
    except (KeyError, TypeError, ValueError):
        return _UNFIT
    return value


def _fitted_entries(kind: Any, key: str, values: list[Any]) -> list[Any]:
    fitted = [_fitted(kind, key, value) for value in values]
    stand_in = _fitted(kind, key, copy.deepcopy(_ENTRIES.get(key, LEFT_OUT)))
    return [value for value in (stand_in if one is _UNFIT else one for one in fitted) if value is not _UNFIT]


def _fitted_names(kinds: tuple[Any, ...], key: str, values: dict[str, Any]) -> dict[str, Any]:
    of_names, of_values = kinds
    named = {name: value for name, value in values.items() if _fitted(of_names, key, name) is not _UNFIT}
    fitted = {name: _fitted(of_values, key, value) for name, value in named.items()}
    stand_in = copy.deepcopy(_NAMED[key]) if key in _NAMED else _UNFIT
    told = ((name, stand_in if value is _UNFIT else value) for name, value in fitted.items())
    return {name: value for name, value in told if value is not _UNFIT}


def _keys_of(model: type[Model]) -> set[str]:
    return {field.key for field in fields_of(model).values()}
