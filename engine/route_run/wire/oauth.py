"""OAuth2 client credentials on the wire (RFC 6749, section 4.4): the token request and its answers."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode

from route_run.flow.failure import Cause, Failure
from route_run.wire.body import clean, decode, encode, page_title, problem_of_value

MAX_TOKEN_ANSWER = 64 << 10
"""Largest answer of a token endpoint in bytes."""
DEFAULT_LIFE = 300.0
LONGEST_LIFE = 86_400.0

_TOKEN = re.compile(r"[A-Za-z0-9\-._~+/]+=*\Z")


@dataclass(frozen=True, slots=True)
class Grant:
    """A token and how long it lives, in seconds; its repr does not show it."""

    token: str = field(repr=False)
    life: float


def encode_token_request(client_id: str, client_secret: str, scope: str | None) -> bytes:
    """The form of a token request, the secret in the body."""
    form = {"grant_type": "client_credentials", "client_id": client_id, "client_secret": client_secret}
    return urlencode(form | ({"scope": scope} if scope else {})).encode()


def decode_token_request(body: bytes) -> dict[str, str]:
    """The fields of a token request."""
    return dict(parse_qsl(body.decode("ascii", "replace"), keep_blank_values=True))


def encode_token(token: str, life: float, scope: str | None) -> bytes:
    """The answer that grants a token."""
    granted = {"access_token": token, "token_type": "Bearer", "expires_in": int(life)}
    return encode(granted | ({"scope": scope} if scope else {}))


def encode_token_error(code: str, description: str) -> bytes:
    """The answer that refuses one."""
    return encode({"error": code, "error_description": description})


def read_token_answer(status: int, content_type: str, body: bytes, scope: str | None) -> Grant | Failure:
    """The grant in a token endpoint's answer, or the failure it means. Bodies are never quoted whole."""
    value: dict[str, Any] | None
    try:
        value = decode(body, dict[str, Any])
    except ValueError:
        value = None
    if status != 200:
        return _failed(status, value, body)
    if value is None:
        return _no_token(status, "the token endpoint's answer is not a JSON object")
    if not value.get("access_token") and value.get("error"):
        return _failed(400, value, body)
    token, kind = value.get("access_token"), value.get("token_type", "Bearer")
    if not isinstance(token, str) or not _TOKEN.match(token):
        return _no_token(status, "the token endpoint's answer holds no usable `access_token`")
    if not isinstance(kind, str) or kind.lower() != "bearer":
        return _no_token(status, f"the token is of the type {clean(str(kind), 40)}, not Bearer")
    missing = _missing_scopes(scope, value.get("scope"))
    if missing:
        message = f"the token lacks the scope {clean(missing)}"
        return Failure(Cause.STATUS, message, 403, "insufficient_scope", at_token=True)
    return Grant(token, _life(value.get("expires_in")))


def _missing_scopes(asked: str | None, granted: object) -> str:
    """The scopes that were asked for and not granted; an answer without `scope` grants what was asked."""
    if not asked or not isinstance(granted, str):
        return ""
    return " ".join(scope for scope in asked.split() if scope not in granted.split())


def _life(written: object) -> float:
    """Seconds a token lives: 300 where nothing is said, 0 (for one use) where what is said is no number."""
    if written is None:
        return DEFAULT_LIFE
    if isinstance(written, str) and written.isascii() and written.isdigit():
        written = int(written[:12])
    if isinstance(written, bool) or not isinstance(written, int | float) or not written > 0:
        return 0.0
    return float(min(written, LONGEST_LIFE))


def _failed(status: int, value: dict[str, Any] | None, body: bytes) -> Failure:
    """A refusal in its own words where they have a place; a body without one is not quoted: it may repeat the form."""
    problem = problem_of_value(value)
    told = problem.message if problem is not None else page_title(body)
    words = f": {told}" if told else ""
    code = problem.code if problem is not None else ""
    return Failure(Cause.STATUS, f"the token endpoint refused{words}", status, code, at_token=True)


def _no_token(status: int, message: str) -> Failure:
    return Failure(Cause.NO_ANSWER, message, status, at_token=True)
