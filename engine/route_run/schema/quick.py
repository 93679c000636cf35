"""Whether a document surely has nothing against its schema: the fast lane for what is valid.

Decides "surely sound" or "not sure", never what is wrong: whatever is not sure goes to the validator that
words the findings, so that a valid policy costs neither its import nor its time. Knows the keywords that
our schemas use; one it does not know makes every document "not sure".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from route_run.schema.formats import FORMATS, REFERENCE
from route_run.schema.store import schema

Sure = Callable[[Any], bool]

_WORDS = frozenset(
    "$schema $id $defs $comment title description examples default then else "
    "x-message x-quote x-unit x-reference".split()
)
"""Keywords that judge nothing by themselves."""
_KINDS: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}


class _Unknown(Exception):
    """Raised for a schema that uses a keyword in a way not known here."""


def is_sound(name: str, data: Any) -> bool:
    """Whether a document is sure to have no finding of its schema."""
    judge = _judge_for(name)
    return judge is not None and judge(data)


@cache
def _judge_for(name: str) -> Sure | None:
    try:
        return _Compiler(schema(name)).sure(schema(name))
    except _Unknown:
        return None


class _Compiler:
    """Schemas to functions; references are resolved once, so that recursion in a schema ends."""

    def __init__(self, root: Any) -> None:
        self._root = root
        self._known: dict[str, Sure] = {}

    def sure(self, node: Any) -> Sure:
        """The judge of one schema."""
        checks: list[Sure] = []
        for keyword, wanted in node.items():
            if keyword in _WORDS:
                continue
            if keyword not in _KEYWORDS:
                raise _Unknown(keyword)
            checks.append(_KEYWORDS[keyword](self, wanted, node))
        if len(checks) == 1:
            return checks[0]

        def holds(value: Any) -> bool:
            for check in checks:  # noqa: SIM110  # `all` over a generator costs twice as much
                if not check(value):
                    return False
            return True

        return holds

    def reference(self, pointer: str) -> Sure:
        if pointer not in self._known:
            self._known[pointer] = self._later(pointer)
            target = self._root
            for part in pointer.removeprefix("#/").split("/"):
                target = target[part]
            self._known[pointer] = self.sure(target)
        return self._known[pointer]

    def _later(self, pointer: str) -> Sure:
        """Stands in for a schema that is being compiled where it refers to itself."""

        def judge(value: Any) -> bool:
            return self._known[pointer](value)

        return judge


# -- keywords: each gives the judge of one; a value of another type is not its business --------------------


def _type(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    kinds = tuple(kind for name in ([wanted] if isinstance(wanted, str) else wanted) for kind in _KINDS[name])
    takes_references = bool(node.get("x-reference") or node.get("x-secret"))

    def is_of_type(value: Any) -> bool:
        if type(value) not in kinds:  # True is no number here
            return False
        if str in kinds and type(value) is str and "${" in value:
            return takes_references and REFERENCE.match(value) is not None
        return True

    return is_of_type


def _properties(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    judges = {key: compiler.sure(child) for key, child in wanted.items()}

    def are_sound(value: Any) -> bool:
        if type(value) is not dict:
            return True
        for key, inner in value.items():
            judge = judges.get(key)
            if judge is not None and not judge(inner):
                return False
        return True

    return are_sound


def _additional(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    known = frozenset(node.get("properties", ()))
    if wanted is False:
        return lambda value: type(value) is not dict or value.keys() <= known
    judge = compiler.sure(wanted)
    return lambda value: type(value) is not dict or all(judge(v) for key, v in value.items() if key not in known)


def _names(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    judge = compiler.sure(wanted)
    return lambda value: type(value) is not dict or all(map(judge, value))


def _required(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    return lambda value: type(value) is not dict or all(key in value for key in wanted)


def _items(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    judge = compiler.sure(wanted)
    return lambda value: type(value) is not list or all(map(judge, value))


def _enum(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    return lambda value: any(type(value) is type(one) and value == one for one in wanted)


def _const(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    return lambda value: type(value) is type(wanted) and bool(value == wanted)


def _pattern(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    search = re.compile(wanted).search
    takes_references = bool(node.get("x-reference") or node.get("x-secret"))

    def fits(value: Any) -> bool:
        if type(value) is not str or (takes_references and "${" in value):
            return True
        return not value.endswith("\n") and search(value) is not None

    return fits


def _number(holds: Callable[[Any, Any], bool]) -> Make:
    def make(_compiler: _Compiler, wanted: Any, _node: Any) -> Sure:
        return lambda value: type(value) not in (int, float) or holds(value, wanted)

    return make


def _length(kind: type[list[Any] | dict[str, Any] | str], holds: Callable[[int, int], bool]) -> Make:
    def make(_compiler: _Compiler, wanted: Any, _node: Any) -> Sure:
        def holds_for(value: Any) -> bool:
            return not isinstance(value, kind) or holds(len(value), wanted)

        return holds_for

    return make


def _unique(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    def differ(value: Any) -> bool:
        if type(value) is not list or not wanted:
            return True
        return all(type(entry) is str for entry in value) and len(set(value)) == len(value)

    return differ


def _all_of(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    judges = [compiler.sure(one) for one in wanted]
    return lambda value: all(judge(value) for judge in judges)


def _if(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    condition = _condition(wanted)
    then, other = compiler.sure(node.get("then", {})), compiler.sure(node.get("else", {}))
    return lambda value: then(value) if condition(value) else other(value)


def _condition(wanted: Any) -> Sure:
    """Whether a condition holds: here "not sure" will not do, so just the forms our schemas use."""
    match wanted:
        case {"required": [str(field)], **rest} if not rest:
            return lambda value: type(value) is not dict or field in value
        case {"type": "object", "required": [str(field)], **rest} if not rest:
            return lambda value: type(value) is dict and field in value
        case {"type": "object" | "array" as name, **rest} if not rest:
            return lambda value: type(value) in _KINDS[name]
        case {"type": "string", **rest} if not rest:
            return lambda value: type(value) is str and REFERENCE.match(value) is None
    raise _Unknown("if")


def _secret(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    return lambda value: type(value) is not str or REFERENCE.match(value) is not None


def _format(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    problem_of, takes_references = FORMATS[wanted], bool(node.get("x-reference"))

    def fits(value: Any) -> bool:
        return type(value) is not str or (takes_references and "${" in value) or problem_of(value) is None

    return fits


def _exclusive(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    return _never


def _never(_: Any) -> bool:
    return False


def _deferred(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    return _const(compiler, node["default"], node) if "default" in node else _never


def _reference(compiler: _Compiler, wanted: Any, node: Any) -> Sure:
    return compiler.reference(wanted)


Make = Callable[[_Compiler, Any, Any], Sure]

_KEYWORDS: Mapping[str, Make] = {
    "$ref": _reference,
    "additionalProperties": _additional,
    "allOf": _all_of,
    "const": _const,
    "enum": _enum,
    "exclusiveMinimum": _number(lambda value, limit: value > limit),
    "if": _if,
    "items": _items,
    "maxItems": _length(list, lambda count, limit: count <= limit),
    "maxLength": _length(str, lambda count, limit: count <= limit),
    "maxProperties": _length(dict, lambda count, limit: count <= limit),
    "maximum": _number(lambda value, limit: value <= limit),
    "minItems": _length(list, lambda count, limit: count >= limit),
    "minLength": _length(str, lambda count, limit: count >= limit),
    "minProperties": _length(dict, lambda count, limit: count >= limit),
    "minimum": _number(lambda value, limit: value >= limit),
    "pattern": _pattern,
    "properties": _properties,
    "propertyNames": _names,
    "required": _required,
    "type": _type,
    "uniqueItems": _unique,
    "x-deferred": _deferred,
    "x-exclusive": _exclusive,
    "x-format": _format,
    "x-secret": _secret,
}
