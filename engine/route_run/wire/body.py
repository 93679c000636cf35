"""JSON bodies from outside: decoded with types and caps, errors found in whatever shape they have."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, TypeVar

import msgspec

from route_run.flow.classify import STATUS_OF_CODE, is_known_code
from route_run.flow.record import MOST_TOKENS
from route_run.wire.answer import Problem

MAX_ERROR_TEXT = 300
"""Longest text of a provider's error that is kept, in characters."""

_T = TypeVar("_T")
_TAG = re.compile(r"<[^>]{0,500}>")
_TITLE = re.compile(r"<title[^>]{0,200}>([^<]{0,200})</title", re.IGNORECASE)


def decode(data: bytes, shape: type[_T]) -> _T:
    """JSON of a shape; raises ValueError for anything else. Bytes that are not UTF-8 become U+FFFD."""
    try:
        return msgspec.json.decode(data, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            data.decode()
        except UnicodeDecodeError:
            return decode(data.decode("utf-8", "replace").encode(), shape)
        raise ValueError(str(error)) from error
    except RecursionError as error:
        raise ValueError("nested too deep") from error


def encode(value: Any) -> bytes:
    """A value as compact JSON."""
    return msgspec.json.encode(value)


def problem_in(body: bytes, content_type: str = "") -> Problem:
    """The error a body tells of: any provider's JSON shape, an HTML page, or plain text."""
    try:
        value = decode(body, Any)
    except ValueError:
        return Problem(_words(body, content_type))
    return problem_of_value(value) or Problem(clean(body.decode("utf-8", "replace")))


def problem_of_value(value: Any) -> Problem | None:
    """The error in decoded JSON, or None when there is none."""
    if not isinstance(value, dict):
        return None
    inner = value.get("error")
    if isinstance(inner, dict):
        return _problem(inner)
    if isinstance(inner, str) and inner:
        described = value.get("error_description") or value.get("message") or inner
        return Problem(clean(_text(described)), clean(inner))
    if value.get("object") == "error" or value.get("type") == "error":
        return _problem(value)
    for key in ("message", "detail", "errors"):
        if value.get(key):
            return Problem(clean(_text(value[key])), clean(_text(value.get("code") or "")))
    return None


def tokens(written: object) -> int | None:
    """A number of tokens as somebody reports it; None for what is none."""
    if isinstance(written, bool) or not isinstance(written, int | float) or not 0 <= written <= MOST_TOKENS:
        return None
    return int(written)


def clean(text: str, most: int = MAX_ERROR_TEXT) -> str:
    """Text from outside, fit to be kept and shown: no control characters, one line, capped."""
    printable = "".join(" " if unicodedata.category(c).startswith("C") else c for c in text[: most * 4])
    line = " ".join(printable.split())
    return line if len(line) <= most else line[: most - 1] + "…"


def _problem(error: dict[str, Any]) -> Problem:
    code = error.get("code")
    kind = error.get("type")
    status = code if isinstance(code, int) and not isinstance(code, bool) and 100 <= code <= 599 else 0
    named = kind if status or not isinstance(code, str) or not code else code
    name = clean(_text(named or ""))
    if isinstance(kind, str) and name != kind and not is_known_code(name):
        status = STATUS_OF_CODE.get(kind.lower(), status)  # a code of their own beside a type that everybody uses
    metadata = error.get("message") or error.get("detail") or error.get("description") or name
    return Problem(clean(_text(metadata)), name, status)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode("utf-8", "replace")


def page_title(body: bytes) -> str:
    """The title of an HTML page in words, empty for a body that is none."""
    text = body[:20_000].decode("utf-8", "replace")
    title = _TITLE.search(text)
    return clean(f"an HTML page: {title.group(1)}") if title else ""


def _words(body: bytes, content_type: str) -> str:
    if title := page_title(body):
        return title
    text = body[:20_000].decode("utf-8", "replace")
    if "html" in content_type or text.lstrip()[:200].lower().startswith(("<!doctype", "<html", "<head", "<center")):
        return clean(f"an HTML page: {_TAG.sub(' ', text[:2_000])}")
    return clean(text)
