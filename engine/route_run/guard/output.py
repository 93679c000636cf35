"""The output checker: is an answer JSON, and does a schema accept it?

Decides the verdict over a whole answer; `early` gives it sooner where the beginning says enough. Schemas
cannot reach files or hosts, their patterns run on a linear-time engine, and an answer that is too deep
is simply not accepted. Nor is, where there is a schema, an object that names a field twice: readers
disagree on which of them counts, so that the checked value might not be the one that is used.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn, TypeAlias

from route_run.guard.early import EarlyCheck, EarlyRules, early_rules
from route_run.guard.reading import MAX_DEPTH
from route_run.guard.scanner import options, problem_of, searchable

_Part: TypeAlias = tuple[dict[str, Any], Any]

MAX_MESSAGE = 300
"""Longest reason in characters: it goes into records and onto terminals."""
_TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels, too deep to be checked"


@dataclass(frozen=True)
class OutputCheck:
    """A compiled `verify`; ``schema`` None asks for any JSON value."""

    schema: Any = None
    _validator: Any = field(default=None, repr=False, compare=False)
    _early: EarlyRules | None = field(default=None, repr=False, compare=False)

    def begin(self) -> EarlyCheck:
        """The same check for an answer that comes in pieces; it never refuses what ``reason`` accepts."""
        return EarlyCheck(self._early, self._validator)

    def reason(self, answer: str) -> str | None:
        """Why an answer is not accepted, in words; None when it is."""
        try:
            value = _any_json(answer) if self._validator is None else _clear_json(answer)
            if _is_deeper(value, answer):
                return _TOO_DEEP
            found = None if self._validator is None else next(iter(self._validator.iter_errors(value)), None)
        except RecursionError:
            return _TOO_DEEP
        except OverflowError:
            return "holds a number that is too large to be checked"
        except ValueError as error:
            return str(error)
        return None if found is None else _worded(found)

    def sample(self) -> str:
        """An answer that a simulation can give: the schema's first example, or an empty object."""
        examples = self.schema.get("examples") if isinstance(self.schema, dict) else None
        return json.dumps(examples[0] if examples else {}, ensure_ascii=False)


def compile_schema(content: bytes) -> OutputCheck | str:
    """The check for a JSON Schema file, or in words why it cannot be used."""
    from jsonschema import Draft202012Validator, FormatChecker
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import extend
    from referencing import Registry

    try:
        schema = json.loads(content, parse_constant=_refuse_constant)
        # no formats: whether a pattern can be used is for the engine to say that searches for it
        Draft202012Validator.check_schema(schema, format_checker=FormatChecker(()))
    except (ValueError, RecursionError) as error:
        return _short(f"not a JSON document: {error}")
    except SchemaError as error:
        return _short(f"not a JSON Schema: {error.message}")
    try:
        parts = _parts(schema)
        problem = _problem_in(parts)
    except ValueError as error:
        return _short(f"an `$id` cannot be used: {error}")
    if problem is not None:
        return _short(problem)
    for part, _ in parts:
        part.pop("$schema", None)  # a validator that meets one goes on as that dialect's own, without our patterns
    keywords = {
        "pattern": _pattern,
        "patternProperties": _pattern_properties,
        "additionalProperties": _additional_properties,
        "uniqueItems": _unique_items,
    }
    kind = extend(Draft202012Validator, keywords)  # type: ignore[no-untyped-call]  # its stub leaves types out
    validator = kind(schema, registry=Registry())
    return OutputCheck(schema, validator, early_rules(schema, validator, _clear_json, _worded))


def _any_json(text: str) -> Any:
    """The value of a JSON text; raises ValueError with the reason, RecursionError where it is too deep."""
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except ValueError as error:
        raise ValueError(_short(f"not JSON: {error}")) from error


def _clear_json(text: str) -> Any:
    """The same, but no object in it may name a field twice."""
    try:
        return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_named_once)
    except _NamedTwice:
        raise
    except ValueError as error:
        raise ValueError(_short(f"not JSON: {error}")) from error


class _NamedTwice(ValueError):
    """Raised when an object names a field twice."""


def _named_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _NamedTwice("answer: names a field twice; readers disagree on which one counts")
    return made


def _is_deeper(value: Any, text: str) -> bool:
    """Whether lists and objects lie deeper within each other than is accepted."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [
            item
            for part in level
            if isinstance(part, list | dict)
            for item in (part.values() if isinstance(part, dict) else part)
        ]
    return any(isinstance(part, list | dict) for part in level)


def _parts(schema: Any) -> list[_Part]:
    """A schema and every schema within it, each with what its references are resolved by."""
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    parts: list[_Part] = []
    waiting = [(schema, Registry().resolver_with_root(DRAFT202012.create_resource(schema)))]
    while waiting:
        part, resolver = waiting.pop()
        if isinstance(part, dict):  # the others are true and false
            parts.append((part, resolver))
            inner = DRAFT202012.subresources_of(part)
            waiting += [(each, resolver.in_subresource(DRAFT202012.create_resource(each))) for each in inner]
    return parts


def _problem_in(parts: Sequence[_Part]) -> str | None:
    """The first reference or pattern of a schema that cannot be used."""
    schemas = {id(part) for part, _ in parts}
    for part, resolver in parts:
        for keyword in ("$ref", "$dynamicRef"):
            if keyword in part and not _is_schema(_target(part[keyword], resolver), schemas):
                return f"`{keyword}: {part[keyword]}` does not point to a schema in the same file"
        for pattern in (*part.get("patternProperties", ()), *([part["pattern"]] if "pattern" in part else ())):
            if problem := problem_of(pattern):
                return f"the pattern `{pattern}` cannot be used: {problem}"
    if _goes_in_circles(parts):
        return "it refers to itself without a step into the value, so that no answer could ever be judged"
    keywords = {keyword for part, _ in parts for keyword in part}
    if {"patternProperties", "unevaluatedProperties"} <= keywords:
        return "`unevaluatedProperties` cannot be used with `patternProperties`; use `additionalProperties`"
    return None


def _goes_in_circles(parts: Sequence[_Part]) -> bool:
    """Whether judging a value by some schema comes back to judging the same value by that schema."""
    follows = {id(part): [id(each) for each in _of_the_same_value(part, resolver)] for part, resolver in parts}
    waiting_for = dict.fromkeys(follows, 0)
    for following in follows.values():
        for each in following:
            waiting_for[each] = waiting_for.get(each, 0) + 1
    free = [part for part, count in waiting_for.items() if not count]
    for part in free:  # grows; what is never free is part of a circle, or behind one
        for each in follows.get(part, ()):
            waiting_for[each] -= 1
            if not waiting_for[each]:
                free.append(each)
    return len(free) < len(waiting_for)


def _of_the_same_value(part: dict[str, Any], resolver: Any) -> list[Any]:
    """The schemas that a schema holds the same value to."""
    found = [_target(part[keyword], resolver) for keyword in ("$ref", "$dynamicRef") if keyword in part]
    found += [part[keyword] for keyword in ("not", "if", "then", "else") if keyword in part]
    found += [each for keyword in ("allOf", "anyOf", "oneOf") for each in part.get(keyword, ())]
    found += part.get("dependentSchemas", {}).values()
    return [each for each in found if isinstance(each, dict)]


def _target(reference: str, resolver: Any) -> Any:
    """What a reference points to, None when that is nothing."""
    from referencing.exceptions import Unresolvable

    try:
        return resolver.lookup(reference).contents
    except (Unresolvable, TypeError, ValueError):  # a step into a number or a list: it has no such key
        return None


def _is_schema(target: Any, schemas: Collection[int]) -> bool:
    return isinstance(target, bool) or id(target) in schemas


def _searches(pattern: str, text: str) -> bool:
    import re2

    return re2.search(pattern, searchable(text), options(case_sensitive=True)) is not None


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Any:
    from jsonschema.exceptions import ValidationError

    if isinstance(instance, str) and not _searches(pattern, instance):
        yield ValidationError(f"does not match {pattern!r}")


def _pattern_properties(validator: Any, patterns: Any, instance: Any, schema: Any) -> Any:
    if not isinstance(instance, dict):
        return
    for pattern, subschema in patterns.items():
        for key, value in instance.items():
            if _searches(pattern, key):
                yield from validator.descend(value, subschema, path=key, schema_path=pattern)


def _additional_properties(validator: Any, allowed: Any, instance: Any, schema: Any) -> Any:
    from jsonschema.exceptions import ValidationError

    if not isinstance(instance, dict):
        return
    for key, value in instance.items():
        if key in schema.get("properties", ()) or any(_searches(p, key) for p in schema.get("patternProperties", ())):
            continue
        if allowed is False:
            yield ValidationError("an unknown field")
        else:
            yield from validator.descend(value, allowed, path=key)


def _unique_items(validator: Any, wanted: bool, instance: Any, schema: Any) -> Any:
    """The library's own compares each item with each other."""
    from jsonschema.exceptions import ValidationError

    if wanted and isinstance(instance, list) and len(set(map(_identity, instance))) < len(instance):
        yield ValidationError("items that are equal")


def _identity(value: Any) -> Hashable:
    """The same for values that JSON takes for equal: 1 and 1.0 are, 1 and true are not."""
    match value:
        case bool():
            return (bool, value)
        case list():
            return (list, *map(_identity, value))
        case dict():
            return frozenset((key, _identity(item)) for key, item in value.items())
    return value  # type: ignore[no-any-return]  # a text, a number or null


def _worded(error: Any) -> str:
    return _short(f"answer{_place(error)}: {_without_value(error)}")


def _place(error: Any) -> str:
    """Where in the answer; fields that the schema does not name are text of the answer."""
    named = set(error.absolute_schema_path)
    keys = (repr(key) if isinstance(key, int) or key in named else "…" for key in error.absolute_path)
    return "".join(f"[{key}]" for key in keys)


def _without_value(error: Any) -> str:
    """What a validator says, without the offending value: answers do not belong into records."""
    expected = error.validator_value
    match error.validator:
        case "required":
            missing = [name for name in expected if name not in error.instance]
            return f"{', '.join(map(repr, missing))} is missing"
        case "type":
            return f"not of the type {expected}"
        case "additionalProperties" | "unevaluatedProperties":
            return "holds a field that the schema does not know"
        case "enum" | "const":
            return f"not one of {expected}"
        case None:
            return "not allowed by the schema"
        case _:
            return f"does not satisfy {error.validator}: {expected!r}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _short(text: str) -> str:
    text = searchable(text).decode()  # schemas may quote half of a surrogate pair, which nobody could print
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"
