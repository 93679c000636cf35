"""The output checker: is an answer JSON, and does a schema accept it?

Decides the verdict over a whole answer. Schemas cannot reach files or hosts, their patterns run on a
linear-time engine, and an answer that is too deep to be read is simply not accepted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, NoReturn

from route_run.guard.scanner import problem_of

MAX_MESSAGE = 300
"""Longest reason in characters: it goes into records and onto terminals."""


@dataclass(frozen=True)
class OutputCheck:
    """A compiled `verify`; ``schema`` None asks for any JSON value."""

    schema: Any = None
    _validator: Any = field(default=None, repr=False, compare=False)

    def reason(self, answer: str) -> str | None:
        """Why an answer is not accepted, in words; None when it is."""
        try:
            value = json.loads(answer, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as error:
            return _short(f"not JSON: {error}")
        if self._validator is None:
            return None
        try:
            found = next(iter(self._validator.iter_errors(value)), None)
        except RecursionError:
            return "nested too deep to be checked"
        if found is None:
            return None
        place = "".join(f"[{key!r}]" for key in found.absolute_path)
        return _short(f"answer{place}: {_without_value(found)}")

    def sample(self) -> str:
        """An answer that a simulation can give: the schema's first example, or an empty object."""
        examples = self.schema.get("examples") if isinstance(self.schema, dict) else None
        return json.dumps(examples[0] if examples else {}, ensure_ascii=False)


def compile_schema(content: bytes) -> OutputCheck | str:
    """The check for a JSON Schema file, or in words why it cannot be used."""
    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import extend
    from referencing import Registry

    try:
        schema = json.loads(content)
        Draft202012Validator.check_schema(schema)
    except (ValueError, RecursionError) as error:
        return _short(f"not a JSON document: {error}")
    except SchemaError as error:
        return _short(f"not a JSON Schema: {error.message}")
    if (problem := _problem_in(schema, schema)) is not None:
        return problem
    kind = extend(  # type: ignore[no-untyped-call]  # its stub leaves types out
        Draft202012Validator, {"pattern": _pattern, "patternProperties": _pattern_properties}
    )
    return OutputCheck(schema, kind(schema, registry=Registry()))


def _problem_in(node: Any, root: Any) -> str | None:
    """The first reference or pattern of a schema that cannot be used."""
    stack = [node]
    while stack:
        here = stack.pop()
        if isinstance(here, list):
            stack += here
        if not isinstance(here, dict):
            continue
        for keyword in ("$ref", "$dynamicRef"):
            reference = here.get(keyword)
            if isinstance(reference, str) and not _resolves(reference, root):
                return _short(f"`{keyword}: {reference}` does not point into the schema itself")
        for pattern in [here.get("pattern"), *(here.get("patternProperties") or {})]:
            if isinstance(pattern, str) and (problem := problem_of(pattern)):
                return _short(f"the pattern `{pattern}` cannot be used: {problem}")
        stack += here.values()
    return None


def _resolves(reference: str, root: Any) -> bool:
    if reference == "#":
        return True
    if not reference.startswith("#/"):
        return False
    node = root
    for part in reference[2:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list) and key.isdigit() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            return False
    return True


def _searches(pattern: str, text: str) -> bool:
    import re2

    return re2.search(pattern, text) is not None


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
        case _:
            return f"does not satisfy {error.validator}: {expected!r}"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _short(text: str) -> str:
    return text if len(text) <= MAX_MESSAGE else text[: MAX_MESSAGE - 1] + "…"
