"""A document against its schema: findings with the place, the offender and the right answers.

Decides how each kind of schema error is worded and where it points. It never prints a value of a
field that takes secrets.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from route_run.errors import Code, Finding, Fix, Severity, Span
from route_run.schema.cut import MOST_ERRORS, MOST_UNKNOWN, is_cut, too_many
from route_run.schema.fixes import (
    NUMBER,
    choosing,
    fields_beside,
    has_one_unit,
    minutes_or_less,
    renaming,
    retyping,
    shaped_like,
)
from route_run.schema.formats import REFERENCE, UNITS, respelled, with_unit
from route_run.schema.quick import is_sound
from route_run.schema.shown import USER_INFO, dotted, shown
from route_run.text import Document
from route_run.text.nearest import listed, nearest

_Misspelt: TypeAlias = dict[tuple[str | int, ...], dict[str, str | None]]

_OF_ONE_KIND = frozenset(("enum", "const", "x-format"))
"""Keywords that judge a value of the right type; one of another type, or a reference, has its finding already."""

_TYPES = {
    "object": "a mapping", "array": "a list", "string": "text", "number": "a number", "integer": "a whole number",
    "boolean": "`true` or `false`", "null": "nothing",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Error:
    """One schema error with its place in the document worked out."""

    document: Document
    lines: Sequence[str]
    keys: tuple[str | int, ...]
    keyword: str
    expected: Any
    instance: Any
    node: Any
    detail: str
    is_name: bool

    @property
    def where(self) -> str:
        return f"`{dotted(self.keys)}`" if self.keys else "the document"

    @property
    def shown(self) -> str:
        """The offending value, short; never that of a field that takes secrets."""
        if "x-secret" in self.node and isinstance(self.instance, str | int | float):
            return "***"
        return shown(self.instance)

    @property
    def written(self) -> str:
        """The value as its document writes it; a value over several lines as data."""
        span = self.document.span_of(self.keys)
        if span.start.line != span.end.line or span.end.line > len(self.lines):
            return json.dumps(self.instance)
        return self.lines[span.start.line - 1][span.start.column - 1 : span.end.column - 1]


def check(document: Document) -> list[Finding]:
    """All findings of a document against the schema of its kind."""
    if not isinstance(document.data, dict):
        return []
    name = document.kind.value
    if is_sound(name, document.data):
        return []
    # imported here: a sound policy should not pay for it
    from route_run.schema.keywords import validator_for

    lines = document.text.splitlines()
    of_schema = list(islice(validator_for(name).iter_errors(document.data), MOST_ERRORS + 1))
    if len(of_schema) > MOST_ERRORS:
        return [too_many(document)]
    located = [_locate(document, lines, error) for error in of_schema]
    errors = list(_to_be_told(located))
    misspelt = _misspelt(errors)
    findings = [
        finding
        for error in errors
        for finding in _findings(error, misspelt)
        if _stands_anyhow(finding) or not (document.is_flawed(finding.span) or is_cut(document, error.keys))
    ]
    return list(dict.fromkeys(findings))


def _stands_anyhow(finding: Finding) -> bool:
    """Reports blot out what a literal secret covers, so its finding stands whatever else is wrong with the value."""
    return finding.code is Code.LITERAL_SECRET


def _to_be_told(errors: Sequence[_Error]) -> Iterator[_Error]:
    """Errors without those that follow from another: one fault, one finding."""
    of_another_kind = {error.keys for error in errors if error.keyword in ("type", "x-no-reference")}
    told = {error.keys: error for error in reversed(errors) if error.keyword == "type"}
    for error in errors:
        follows = error.keyword in _OF_ONE_KIND and error.keys in of_another_kind
        follows |= error.keyword == "type" and told[error.keys] is not error
        may_stand_after_the_break = error.keyword == "required" and not error.keys and not error.document.complete
        if not follows and not may_stand_after_the_break:
            yield error


def _misspelt(errors: Iterable[_Error]) -> _Misspelt:
    """For each object with unknown fields, the known ones that were most likely meant."""
    found: _Misspelt = {}
    for error in errors:
        if error.keyword == "additionalProperties":
            known = set(error.node.get("properties", {}))
            free = known - set(error.instance)
            unknown = [key for key in error.instance if key not in known]
            looked_at = unknown[:MOST_UNKNOWN]
            found[error.keys] = {key: nearest(key, free) or nearest(key, known) for key in looked_at}
    return found


def _locate(document: Document, lines: Sequence[str], error: Any) -> _Error:
    is_name = "propertyNames" in error.absolute_schema_path
    keys = tuple(error.absolute_path) + ((error.instance,) if is_name else ())
    return _Error(
        document,
        lines,
        keys,
        error.validator,
        error.validator_value,
        error.instance,
        error.schema,
        error.message,
        is_name,
    )


def _findings(error: _Error, misspelt: _Misspelt) -> Iterator[Finding]:
    match error.keyword:
        case "additionalProperties":
            yield from _unknown_fields(error, misspelt[error.keys])
        case "required":
            yield from _missing_fields(error, {field for field in misspelt.get(error.keys, {}).values() if field})
        case "type":
            yield _wrong_type(error)
        case "enum" | "const":
            yield _not_allowed(error)
        case "pattern" if "x-unit" in error.node:
            yield _bad_unit(error)
        case "pattern" | "x-format" | "x-partial-reference" | "x-no-reference":
            yield _bad_format(error)
        case "x-secret":
            yield _literal_secret(error.keys, _value_span(error))
        case "x-exclusive" | "maxProperties":
            yield _exclusive(error)
        case "uniqueItems":
            yield _repeated(error)
        case "x-deferred":
            yield _deferred(error)
        case _:
            yield _out_of_range(error)


def _unknown_fields(error: _Error, unknown: Mapping[str, str | None]) -> Iterator[Finding]:
    place = f" in {error.where}" if error.keys else ""
    known = listed(error.node.get("properties", {}))
    of_tags = "conditions on tags stand under `tags`; " if error.node.get("title") == "Match" else ""
    for key, similar in unknown.items():
        span = error.document.span_of_key((*error.keys, key))
        yield Finding(
            Code.UNKNOWN_FIELD,
            span,
            f"unknown field `{key}`{place}",
            help=f"a similar field exists: `{similar}`" if similar else f"{of_tags}known fields: {known}",
            fix=renaming(span, key, similar, set(error.node.get("properties", {})) - set(error.instance)),
        )
        if similar and _takes_secret(error.node["properties"][similar]) and _may_be_secret(error.instance[key]):
            yield _literal_secret((*error.keys, similar), error.document.span_of((*error.keys, key)))
    rest = [key for key in error.instance if key not in error.node.get("properties", {}) and key not in unknown]
    if rest:
        yield Finding(
            Code.UNKNOWN_FIELD,
            error.document.span_of_key((*error.keys, rest[0])),
            f"{len(rest):,} more unknown fields{place} from here on",
            help=f"known fields: {known}",
        )


def _takes_secret(node: Mapping[str, Any]) -> bool:
    return "x-secret" in node or node.get("$ref") == "#/$defs/secret"


def _may_be_secret(value: Any) -> bool:
    if isinstance(value, list):
        return any(_may_be_secret(entry) for entry in value)
    return value is not None and not (isinstance(value, str) and REFERENCE.match(value))


def _missing_fields(error: _Error, misspelt: Collection[str]) -> Iterator[Finding]:
    if error.keys and isinstance(error.keys[-1], str):
        span = error.document.span_of_key(error.keys)
    else:
        span = _first_position(error.document.span_of(error.keys))
    one_of_several = error.node.get("x-message")
    if one_of_several and misspelt:
        return
    for field in error.expected:
        if field in error.instance or field in misspelt:
            continue  # one fault, one finding: the misspelt field has its own
        message = one_of_several or f"{error.where} has no `{field}`"
        yield Finding(Code.MISSING_FIELD, span, message, help=_field_description(error, field))


def _field_description(error: _Error, field: str) -> str:
    node = error.node.get("properties", {}).get(field, {})
    return f"`{field}`: {node['description']}" if "description" in node else f"add `{field}`"


def _first_position(span: Span) -> Span:
    return Span(span.path, span.start, span.start)


def _wrong_type(error: _Error) -> Finding:
    span = _value_span(error)
    if "x-unit" in error.node:
        return _bad_unit(error)
    if "x-secret" in error.node and _may_be_secret(error.instance):
        return _literal_secret(error.keys, span)
    if error.node.get("x-quote") and isinstance(error.instance, bool | int | float):
        message = f"values are compared as text; {error.shown} is not text"
        quoted = f'"{error.written}"'
        return Finding(Code.TYPE, span, message, help=f"quote it: `{quoted}`", fix=Fix.writing(span, quoted))
    types = error.expected if isinstance(error.expected, list) else [error.expected]
    wanted = " or ".join(_TYPES[name] for name in types)
    message = f"{error.where} is {wanted}, not {error.shown}"
    fix = None if "x-secret" in error.node else retyping(span, error.instance, error.written, types)
    return Finding(Code.TYPE, span, message, help=_type_help(error, types), fix=fix)


def _type_help(error: _Error, types: list[str]) -> str:
    value = error.instance
    if isinstance(value, str) and any(odd in value for odd in ("\u00a0", "\uff1a")):
        return "a no-break space or full-width colon stands in it: use a plain blank and `:`"
    if types == ["string"] and isinstance(value, int | float) and "x-secret" not in error.node:
        return f'quote it: `"{error.written}"`'
    if value is None and (beside := fields_beside(error.document.data, error.keys, error.node)):
        return f"{listed(beside, most=4)} stand beside it: indent them further, so that they stand below it"
    if value is None and types == ["object"] and not {"required", "minProperties"} & set(error.node):
        return "write `{}` for an empty mapping, or remove the key"
    if value is None:
        return "give it a value, or remove the key"
    if isinstance(value, str) and NUMBER.match(value) and {"number", "integer"} & set(types):
        return "write the number without quotes"
    if value in ("true", "false") and "boolean" in types:
        return "write the truth value without quotes"
    return " ".join(filter(None, (error.node.get("description"), shaped_like(error.node, types))))


def _not_allowed(error: _Error) -> Finding:
    allowed = [error.expected] if error.keyword == "const" else list(error.expected)
    words = [str(a) for a in allowed]
    similar = nearest(str(error.instance), words)
    choice = f"allowed: {listed(words)}"
    return Finding(
        Code.NOT_ALLOWED,
        _value_span(error),
        f"{error.shown} is not a value of {error.where}",
        help=f"did you mean `{similar}`? {choice}" if similar and len(words) > 1 else choice,
        fix=None if error.is_name else choosing(_value_span(error), error.instance, similar, words),
    )


def _bad_unit(error: _Error) -> Finding:
    unit, span = error.node["x-unit"], _value_span(error)
    example, expected = UNITS[unit]
    is_number = isinstance(error.instance, int | float) and not isinstance(error.instance, bool)
    is_digits = isinstance(error.instance, str) and NUMBER.match(error.instance)
    if is_number or is_digits:
        meant = with_unit(unit, error.instance, str(error.keys[-1]))
        return Finding(
            Code.UNIT,
            span,
            f"{error.shown} has no unit",
            help=f"write `{meant}` if that is meant: {expected}",
            fix=Fix.writing(span, meant, is_safe=has_one_unit(unit, error.keys[-1], error.instance)),
        )
    ours = respelled(unit, error.instance) if isinstance(error.instance, str) else None
    fix = None if ours is None else Fix.writing(span, ours)
    help_text = (minutes_or_less(error.instance) or f"write it like `{example}`") if ours is None else f"write `{ours}`"
    return Finding(Code.UNIT, span, f"{error.shown} is not {expected}", help=help_text, fix=fix)


def _bad_format(error: _Error) -> Finding:
    span = error.document.span_of_key(error.keys) if error.is_name else _value_span(error)
    if error.keyword == "x-no-reference":
        return Finding(
            Code.FORMAT, span, f"{error.where} takes no reference", help="write the value itself; it is no secret"
        )
    has_login = isinstance(error.instance, str) and USER_INFO.search(error.instance)
    code = Code.LITERAL_SECRET if has_login else Code.FORMAT
    if error.keyword == "x-partial-reference":
        return Finding(
            code,
            span,
            "a reference is the whole value: `${NAME}` or `${file:/path}`",
            help="put the whole value into the environment",
        )
    wanted = error.detail if error.keyword == "x-format" else error.node.get("x-message", "")
    return Finding(code, span, f"{error.shown} does not fit {error.where}", help=wanted)


def _literal_secret(keys: tuple[str | int, ...], span: Span) -> Finding:
    return Finding(
        Code.LITERAL_SECRET,
        span,
        f"`{dotted(keys)}` takes a reference, never the secret itself",
        help="write `${NAME}` or `${file:/path}` and put the secret there",
        effect="the secret would be in git for ever; treat a real one as leaked",
    )


def _exclusive(error: _Error) -> Finding:
    span = error.document.span_of_key(error.keys) if error.keys else _value_span(error)
    if error.keyword == "x-exclusive":
        message = f"{error.where} cannot stand beside `{error.detail}`"
    else:
        message = error.node.get("x-message") or f"{error.where} has too many fields"
    return Finding(Code.EXCLUSIVE, span, message, help="keep one of them")


def _repeated(error: _Error) -> Finding:
    return Finding(
        Code.OUT_OF_RANGE,
        _value_span(error),
        f"{error.shown} stands a second time in `{dotted(error.keys[:-1])}`",
        help="remove one of them",
    )


def _deferred(error: _Error) -> Finding:
    return Finding(
        Code.DEFERRED,
        error.document.span_of_key(error.keys),
        f"{error.where} is not enforced by this release",
        Severity.WARNING,
        help="remove it until the release that enforces it",
        effect="the engine refuses to open this policy",
    )


def _out_of_range(error: _Error) -> Finding:
    expected = error.expected
    words = {
        "minimum": f"at least {expected}",
        "maximum": f"at most {expected}",
        "exclusiveMinimum": f"more than {expected}",
        "minItems": f"at least {expected} {'entry' if expected == 1 else 'entries'}",
        "maxItems": f"at most {expected} entries",
        "minLength": "not empty",
        "maxLength": f"at most {expected} characters",
        "minProperties": f"at least {expected} {'field' if expected == 1 else 'fields'}",
    }
    wanted = words.get(error.keyword)
    message = f"{error.where} is {error.shown}; it has to be {wanted}" if wanted else f"{error.where}: {error.detail}"
    known = error.node.get("properties")
    return Finding(
        Code.OUT_OF_RANGE, _value_span(error), message, help=f"known fields: {listed(known)}" if known else ""
    )


def _value_span(error: _Error) -> Span:
    return error.document.span_of(error.keys)
