"""What an act of a rehearsal looks like on the wire: status, headers, chunks, pauses, breaks.

Decides the bytes and their times. Knows nothing of who carries them: the in-process transport plays a
performance in virtual time, and a socket server could play the same one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import Enum
from typing import TypeAlias

from route_run.flow.failure import Cause
from route_run.flow.outcome import ToolPiece, Usage
from route_run.policy.rehearsal import Act
from route_run.transport.simulate import usual_usage
from route_run.wire.answer import Answer, Content, Problem
from route_run.wire.body import encode
from route_run.wire.call import ModelCall
from route_run.wire.dialect import Codec

JSON: Mapping[str, str] = {"content-type": "application/json"}
STREAM: Mapping[str, str] = {"content-type": "text/event-stream"}
_HTML = b"<html><head><title>Bad Gateway</title></head><body>rehearsed</body></html>"
_GARBAGE = b'data: {"choices": [{"rehearsed\n\n'
_OVERLOADED = "overloaded_error"


class Pause(Enum):
    """A step that never ends."""

    FOREVER = "forever"


Step: TypeAlias = bytes | float | Cause | Pause
"""A chunk; seconds that pass; a connection that breaks; silence."""


@dataclass(frozen=True, slots=True)
class Performance:
    """One answer: ``head`` is what happens before the status is seen, ``body`` what comes after it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    head: Sequence[Step] = ()
    body: Sequence[Step] = ()


@dataclass(frozen=True, slots=True)
class Asked:
    """One exchange as the endpoint sees it.

    ``usual`` is what it says when nobody wrote what; ``now`` the time of day. ``is_fresh`` says that the
    connection is new, ``has_fresh_token`` that the login is not the first that was granted.
    """

    endpoint: str
    speaks: Codec
    wanted: ModelCall
    usual: Answer
    now: float
    connect_timeout: float
    is_fresh: bool = False
    has_fresh_token: bool = False


_BROKEN_BEFORE: Mapping[str, tuple[Cause, str]] = {
    "refuse": (Cause.REFUSED, "refuses connections"),
    "dns": (Cause.DNS, "does not resolve"),
    "tls": (Cause.TLS, "shows a certificate that is not trusted"),
    "reset": (Cause.RESET, "breaks the connection off"),
}
_SPOILT: Mapping[str, Step | None] = {
    "stall_before_content": Pause.FOREVER,
    "stall_mid": Pause.FOREVER,
    "reset_mid": Cause.RESET,
    "truncate": None,
    "malformed": _GARBAGE,
}
"""Faults that spoil an answer: what comes instead of its rest."""


def perform(act: Act, asked: Asked) -> Performance:
    """What an endpoint does with one exchange."""
    head: list[Step] = [act.headers_after] if act.headers_after else []
    if act.status is not None:
        return _status(act, asked, head)
    if (broken := _broken(act, asked)) is not None:
        return Performance(head=[*head, *broken])
    match act.fault:
        case "expired_token" if not asked.has_fresh_token:
            refused = {**JSON, "www-authenticate": 'Bearer error="invalid_token"', **_written(act)}
            return Performance(401, refused, head, [asked.speaks.encode_problem(_problem(act, "token expired"))])
        case "html":
            return Performance(200, {"content-type": "text/html", **_written(act)}, head, [_HTML])
        case "bad_json":
            return Performance(200, {**JSON, **_written(act)}, head, [b'{"choices": [{"rehearsed'])
        case "error_event":
            return _error_inside(act, asked, head)
    return _answer(act, asked, head)


def _broken(act: Act, asked: Asked) -> Sequence[Step] | None:
    """What happens instead of an answer; None where a status comes."""
    match act.fault:
        case "refuse" | "dns" | "tls" | "reset":
            return [_BROKEN_BEFORE[act.fault][0]]
        case "connect_timeout":
            return [asked.connect_timeout, Cause.CONNECT_TIMEOUT]
        case "stale" if not asked.is_fresh:
            return [Cause.STALE]
        case "stall":
            return [Pause.FOREVER]
    return None


def words_of(cause: Cause) -> str:
    """How the transport names a break."""
    for found, words in _BROKEN_BEFORE.values():
        if found is cause:
            return f"it {words} (rehearsed)"
    return f"{cause.value.replace('_', ' ')} (rehearsed)"


# -- errors ------------------------------------------------------------------------------------------


def _problem(act: Act, words: str, code: str = "") -> Problem:
    return Problem(f"{words} (rehearsed)" if act.message is None else act.message, act.code or code)


def _status(act: Act, asked: Asked, head: Sequence[Step]) -> Performance:
    assert act.status is not None
    headers = {**JSON, **_asks_to_wait(act, asked.now), **_written(act)}
    if act.body is None:
        body = asked.speaks.encode_problem(_problem(act, f"status {act.status}"))
    elif isinstance(act.body, str):
        body = act.body.encode()
        if act.content_type is None and "content-type" not in act.headers:
            headers["content-type"] = _kind_of(act.body)
    else:
        body = encode(act.body)
    return Performance(act.status, headers, head, [body] if body else [])


def _kind_of(body: str) -> str:
    """What a body that is written as a text looks like."""
    start = body.lstrip()[:1]
    if start == "<":
        return "text/html"
    return "application/json" if start in ("{", "[") else "text/event-stream"


def _asks_to_wait(act: Act, now: float) -> dict[str, str]:
    if act.retry_after is None:
        return {}
    match act.retry_after_as:
        case "milliseconds":
            return {"retry-after-ms": f"{act.retry_after * 1000:.0f}"}
        case "date":
            sent = int(now)
            return {
                "date": formatdate(sent, usegmt=True),
                "retry-after": formatdate(sent + act.retry_after, usegmt=True),
            }
        case "seconds":
            return {"retry-after": f"{act.retry_after:g}"}


def _written(act: Act) -> dict[str, str]:
    named = {name.lower(): value for name, value in act.headers.items()}
    return named if act.content_type is None else {**named, "content-type": act.content_type}


def _error_inside(act: Act, asked: Asked, head: Sequence[Step]) -> Performance:
    problem = _problem(act, "an error inside of a 200", _OVERLOADED)
    if asked.wanted.stream:
        return Performance(200, {**STREAM, **_written(act)}, head, [asked.speaks.encode_problem_event(problem)])
    return Performance(200, {**JSON, **_written(act)}, head, [asked.speaks.encode_problem(problem)])


# -- answers -----------------------------------------------------------------------------------------


def _said(act: Act, asked: Asked) -> Answer:
    usual = asked.usual
    text = act.say if act.say is not None else "".join(act.pieces) if act.pieces is not None else usual.text
    if act.tool_calls and act.say is None and act.pieces is None:
        text = ""
    if act.usage is False:
        usage = None
    elif act.usage is not None:
        usage = Usage(act.usage.prompt, act.usage.completion, act.usage.cached)
    else:
        usage = usual_usage(asked.wanted, text)
    return Answer(
        text=text,
        tool_calls=[ToolPiece(n, call.id, call.name, call.arguments) for n, call in enumerate(act.tool_calls)],
        usage=usage,
        reason=act.finish_reason,
        model=usual.model,
        pieces=act.pieces or (),
    )


def _answer(act: Act, asked: Asked, head: Sequence[Step]) -> Performance:
    answer = _said(act, asked)
    if not asked.wanted.stream:
        return _plain(act, asked, answer, head)
    chunks = list(asked.speaks.encode_stream(answer))
    headers = {**STREAM, **_written(act)}
    is_spoilt = act.fault in _SPOILT or act.fault == "error_mid"
    if not (is_spoilt or act.first_content or act.between):
        return Performance(200, headers, head, chunks)
    contents = _contents(asked, chunks)
    if is_spoilt:
        kept = 0 if act.fault == "stall_before_content" else act.after_pieces
        chunks = chunks[: _cut(contents, len(chunks), len(contents) // 2 if kept is None else kept)]
    body = list(_timed(act, chunks, contents))
    if is_spoilt:
        body += _instead(act, asked)
    return Performance(200, headers, head, body)


def _plain(act: Act, asked: Asked, answer: Answer, head: Sequence[Step]) -> Performance:
    """A plain answer comes when its last piece is said."""
    whole = asked.speaks.encode_plain(answer)
    waited = act.first_content + act.between * max(0, len(answer.text_pieces()) - 1) - act.headers_after
    body: list[Step] = [waited] if waited > 0 else []
    headers = {**JSON, **_written(act)}
    match act.fault:
        case "stall_before_content":
            return Performance(200, headers, head, [*body, Pause.FOREVER])
        case "error_mid":
            return Performance(
                200, headers, head, [*body, asked.speaks.encode_problem(_problem(act, "an error", _OVERLOADED))]
            )
        case "stall_mid" | "reset_mid" | "truncate" | "malformed":
            instead = _SPOILT[act.fault]
            body.append(whole[: len(whole) // 2])
            return Performance(200, headers, head, [*body, instead] if instead is not None else body)
    return Performance(200, headers, head, [*body, whole])


def _instead(act: Act, asked: Asked) -> list[Step]:
    if act.fault == "error_mid":
        return [asked.speaks.encode_problem_event(_problem(act, "an error in the answer", _OVERLOADED))]
    instead = _SPOILT[act.fault or ""]
    return [] if instead is None else [instead]


def _contents(asked: Asked, chunks: Sequence[bytes]) -> list[int]:
    """Which chunks carry content, told by the dialect's own decoder."""
    decoder = asked.speaks.decoder(STREAM["content-type"], streamed=True)
    return [
        number
        for number, chunk in enumerate(chunks)
        if any(isinstance(piece, Content | ToolPiece) for piece in decoder.feed(chunk))
    ]


def _cut(contents: Sequence[int], chunks: int, kept: int) -> int:
    """How many chunks come before an answer is spoilt: those up to the last piece of content that is kept."""
    if kept < len(contents):
        return contents[kept]
    return contents[-1] + 1 if contents else min(1, chunks)


def _timed(act: Act, chunks: Sequence[bytes], contents: Sequence[int]) -> Iterator[Step]:
    """Chunks with the pauses before those that carry content."""
    first = contents[0] if contents else len(chunks)
    later = frozenset(contents[1:])
    for number, chunk in enumerate(chunks):
        if number == first and act.first_content > act.headers_after:
            yield act.first_content - act.headers_after
        elif number in later and act.between:
            yield act.between
        yield chunk
