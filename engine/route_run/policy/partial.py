"""Items with findings, read without what was found fault with, so that the rest of them is still judged.

Decides what of such an item stands: a faulty value is left out, or a neutral one stands in where the
language demands one. What stands in is never judged: the name `LEFT_OUT` refers to nothing. Knows places and
shapes, not what a field means.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from pydantic import BaseModel, ValidationError

from route_run.policy.condition import condition
from route_run.policy.faults import Faults
from route_run.policy.policy import LEFT_OUT, Origin, Partial

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

_BRANCHES: Mapping[str, Callable[[Any], bool]] = {
    "BalanceGroup": lambda node: isinstance(node, dict) and bool({"balance", "hash_on", "targets"} & node.keys()),
    "Target": lambda node: isinstance(node, dict) and not {"balance", "hash_on", "targets"} & node.keys(),
    "RouteTo": lambda node: isinstance(node, dict),
}
"""Which of several shapes an entry was meant to have."""

_ROUNDS = 12
"""How often an item is looked at again: each round mends everything that the one before found."""


def read_partly(model: type[BaseModel], origin: Origin, faults: Faults) -> Partial | None:
    """An item without its faulty values; None where nothing of it can be read."""
    raw = origin.raw
    if not isinstance(raw, dict) or faults.is_unread(origin):
        return None
    rest = _without_faults(raw, (), origin, faults)
    for _ in range(_ROUNDS):
        try:
            return Partial(model.model_validate(rest), faults.touched(origin), frozenset(raw))
        except ValidationError as error:
            if not all(_mend(rest, found["loc"], found["type"]) for found in error.errors(include_url=False)):
                return None
    return None


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
        elif key in STAND_INS:
            kept[key] = copy.deepcopy(STAND_INS[key])
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
    rest = _without_faults(value, path, origin, faults)
    is_condition = path[-1] == "requested_model" or path[:-1] == ("match", "tags")
    return rest if not is_condition or _can_be_condition(rest) else None


def _can_be_condition(written: Any) -> bool:
    try:
        condition(written)
    except (KeyError, TypeError):
        return False
    return True


# -- by what the model still misses --------------------------------------------------------------------------


def _mend(rest: dict[str, Any], loc: Sequence[str | int], kind: str) -> bool:
    """Make a place readable; False where that cannot be done."""
    node: Any = rest
    holders: list[tuple[Any, Any]] = []
    for key in loc:
        if isinstance(node, list | dict) and _has(node, key):
            holders.append((node, key))
            node = cast("Any", node)[key]
        elif isinstance(key, str) and key in _BRANCHES and not _BRANCHES[key](node):
            return True  # it was not meant to have this shape
    field = str(loc[-1]) if loc else ""
    if kind == "missing" and isinstance(node, dict) and field not in node and field in STAND_INS:
        node[field] = copy.deepcopy(STAND_INS[field])
        return True
    if holders:
        _replace(*holders[-1], [key for _, key in holders])
    return bool(holders)


def _has(node: list[Any] | dict[str, Any], key: str | int) -> bool:
    return key in node if isinstance(node, dict) else isinstance(key, int) and key < len(node)


def _replace(holder: Any, key: Any, path: Sequence[str | int]) -> None:
    if isinstance(holder, list):
        stand_in = _entry_of(path)
    elif len(path) > 1 and path[-2] in _NAMED:
        stand_in = _NAMED[str(path[-2])]
    else:
        stand_in = STAND_INS.get(str(key))
    if stand_in is not None and holder[key] != stand_in:
        holder[key] = copy.deepcopy(stand_in)
    else:
        del holder[key]  # of lists only those whose entries are no names have such entries
