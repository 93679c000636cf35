"""The keywords our schemas add to JSON Schema, for the validator.

``x-secret`` (a reference, nothing else), ``x-reference`` (a reference is allowed), ``x-format``
(see ``formats``), ``x-exclusive`` (stands beside another field that rules it out), ``x-deferred``
(read, but not enforced by this release unless it equals the default). ``uniqueItems`` has an error for
each repeated entry, at its place. ``x-message``, ``x-quote``
and ``x-unit`` only word the findings.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

from route_run.schema.formats import FORMATS, REFERENCE
from route_run.schema.store import schema

type_ = Draft202012Validator.VALIDATORS["type"]
pattern_ = Draft202012Validator.VALIDATORS["pattern"]
items_ = Draft202012Validator.VALIDATORS["items"]


def _type(validator: Any, types: Any, instance: Any, node: Any) -> Iterator[ValidationError]:
    yield from type_(validator, types, instance, node)
    is_text_field = types == "string" or (isinstance(types, list) and "string" in types)
    if is_text_field and isinstance(instance, str) and "${" in instance:
        takes_references = node.get("x-reference") or node.get("x-secret")
        if not takes_references and REFERENCE.match(instance):
            yield ValidationError("no reference here", validator="x-no-reference")
        if node.get("x-reference") and not REFERENCE.match(instance):
            yield ValidationError("partial reference", validator="x-partial-reference")


def _pattern(validator: Any, pattern: str, instance: Any, node: Any) -> Iterator[ValidationError]:
    takes_references = node.get("x-reference") or node.get("x-secret")
    if isinstance(instance, str) and ((takes_references and "${" in instance) or REFERENCE.match(instance)):
        return  # judged where references are
    if isinstance(instance, str) and instance.endswith("\n"):
        instance += "\x00"  # `$` must not match before a line break
    yield from pattern_(validator, pattern, instance, node)


def _items(validator: Any, items: Any, instance: Any, node: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, list) or len(instance) <= node.get("maxItems", len(instance)):
        yield from items_(validator, items, instance, node)  # a list that is too long has its finding


def _secret(validator: Any, wanted: Any, instance: Any, node: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not REFERENCE.match(instance):
        yield ValidationError("literal secret")


def _format(validator: Any, name: str, instance: Any, node: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, str) or (node.get("x-reference") and "${" in instance):
        return
    if (problem := FORMATS[name](instance)) is not None:
        yield ValidationError(problem)


def _exclusive(validator: Any, other: str, instance: Any, node: Any) -> Iterator[ValidationError]:
    yield ValidationError(other)


def _deferred(validator: Any, wanted: Any, instance: Any, node: Any) -> Iterator[ValidationError]:
    if "default" not in node or instance != node["default"]:
        yield ValidationError("deferred")


def _unique(validator: Any, wanted: Any, instance: Any, node: Any) -> Iterator[ValidationError]:
    if not wanted or not isinstance(instance, list):
        return
    seen: set[str] = set()
    for index, entry in enumerate(instance):
        written = json.dumps(entry, sort_keys=True)
        if written in seen:
            yield ValidationError("repeated", path=(index,), instance=entry)
        seen.add(written)


@cache
def validator_for(name: str) -> Any:
    """A validator of one of our schemas; remote references cannot be fetched."""
    kind = extend(  # type: ignore[no-untyped-call]  # its stub leaves types out
        Draft202012Validator,
        {
            "type": _type,
            "pattern": _pattern,
            "items": _items,
            "uniqueItems": _unique,
            "x-secret": _secret,
            "x-format": _format,
            "x-exclusive": _exclusive,
            "x-deferred": _deferred,
        },
    )
    return kind(schema(name), registry=Registry())
