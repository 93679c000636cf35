"""The 85 kinds of fault, each with what plays it: an endpoint's script, another part of the world, or why nothing can.

A script of an endpoint also says which causes an attempt that met it may end with; `ok` is an answer. What only
exists below the seam of the transport is played by real sockets (`runtime/simulation/test_sockets.py`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from route_run.flow.failure import Cause
from route_run.policy import Dialect
from support.scripted import STALL, Step
from support.simulation.provider import (
    JSON,
    STREAM,
    Piece,
    Said,
    Script,
    error_body,
    error_event,
    whole,
    written,
)


class Part(Enum):
    """Who plays a fault."""

    ENDPOINT = "endpoint"
    TOKENS = "token endpoint"
    LEDGER = "ledger"
    CALLER = "caller"
    CLOCK = "clock"
    SOCKET = "real sockets"
    ELSEWHERE = "a test of its own"
    NOT_YET = "nothing yet"


@dataclass(frozen=True)
class Play:
    """What a script can know of the exchange it plays."""

    dice: Random
    dialect: Dialect
    said: Said
    is_streamed: bool
    connect_timeout: float
    now: float
    """The time of day at the provider, for its dates."""

    def pieces(self, *, end: bytes = b"\n", lines: bool = False) -> list[Piece]:
        return written(self.dialect, self.said, end=end, lines=lines)

    def pause(self) -> float:
        """A wait between two chunks; seldom a long one."""
        return self.dice.choice((0, 0, 0, 0.01, 0.3, 2.0))


@dataclass(frozen=True)
class Kind:
    """One kind of fault. ``causes`` are how an attempt that met it may end; ``why`` names what plays it instead."""

    group: str
    name: str
    part: Part
    script: Callable[[Play], Script] | None = None
    causes: frozenset[str] = frozenset()
    why: str = ""


# -- bodies -------------------------------------------------------------------------------------------


def streamed(play: Play, pieces: Sequence[Piece], *more: Step, status: int = 200, billed: bool = True) -> Script:
    """Pieces in chunks: as they are, cut anywhere, byte by byte, or all at once."""
    data = b"".join(piece.data for piece in pieces)
    way = play.dice.random()
    chunks = [piece.data for piece in pieces if piece.data]
    if way < 0.35 and data:
        places = sorted(play.dice.randrange(len(data) + 1) for _ in range(play.dice.randint(1, 12)))
        edges = [0, *places, len(data)]
        chunks = [data[a:b] for a, b in itertools.pairwise(edges) if a < b]
    elif way < 0.4:
        chunks = [data[at : at + 1] for at in range(len(data))]
    elif way < 0.5:
        chunks = [data] if data else []
    steps: list[Step] = []
    for chunk in chunks:
        if len(chunks) < 60 and (wait := play.pause()):
            steps.append(wait)
        steps.append(chunk)
    return Script(status, STREAM, (), (*steps, *more), pieces, billed)


def healthy(play: Play) -> Script:
    """A whole answer, plain where that was asked for."""
    if play.is_streamed or play.dialect is Dialect.COGNIGY:
        lines = play.dialect is Dialect.COGNIGY and play.dice.random() < 0.4
        return streamed(play, play.pieces(lines=lines))
    script = streamed(play, [whole(play.dialect, play.said)])
    return Script(200, JSON, (), script.body, script.pieces, is_billed=True)


def _cut(play: Play, *more: Step) -> Script:
    """The beginning of an answer up to any byte before its proper end, and what happens then."""
    return streamed(play, _beginning(play), *more)


def _beginning(play: Play) -> list[Piece]:
    pieces = play.pieces()
    end = next(n for n, piece in enumerate(pieces) if piece.is_end)
    if play.dialect is Dialect.OPENAI or play.dice.random() < 0.5:
        return pieces[: play.dice.randint(0, end)]
    last = pieces[end]  # a part of the event that is the end
    return [*pieces[:end], Piece(last.data[: play.dice.randint(0, len(last.data) - 3)])]


def _around(data: bytes) -> Callable[[Play], Script]:
    """The same bytes somewhere between the events of a healthy answer."""

    def script(play: Play) -> Script:
        pieces = play.pieces()
        at = play.dice.randint(0, len(pieces))
        return streamed(play, [*pieces[:at], Piece(data), *pieces[at:]])

    return script


def _lines_end(end: bytes) -> Callable[[Play], Script]:
    return lambda play: streamed(play, play.pieces(end=end))


# -- before an answer ---------------------------------------------------------------------------------


def _breaks(cause: Cause, *before: float) -> Callable[[Play], Script]:
    return lambda play: Script(head=(*before, cause))


def _never_connects(play: Play) -> Script:
    return Script(head=(play.connect_timeout, Cause.CONNECT_TIMEOUT))


def _slow_head(play: Play) -> Script:
    script = healthy(play)
    script.head = (play.dice.choice((0.5, 3.0, 9.0, 29.0, 31.0, 90.0)),)
    return script


def _breaks_in_body(cause: Cause) -> Callable[[Play], Script]:
    return lambda play: _cut(play, cause)


def _encoded(play: Play) -> Script:
    return Script(200, {**STREAM, "content-encoding": "gzip"}, (), (Cause.NO_ANSWER,), (), is_billed=True)


def _more_than_announced(play: Play) -> Script:
    return _cut(play)  # what is beyond the announced length is never read: a clean end too early


# -- statuses -----------------------------------------------------------------------------------------


def _refusal(status: int, message: str, code: str = "", **headers: str) -> Callable[[Play], Script]:
    def script(play: Play) -> Script:
        body = error_body(play.dialect, message, code)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return Script(status, {**JSON, **named}, (), (body,), (), is_billed=status in (408, 500, 502, 504))

    return script


def _one_of(*scripts: Callable[[Play], Script]) -> Callable[[Play], Script]:
    return lambda play: play.dice.choice(scripts)(play)


def _no_answer(play: Play) -> Script:
    body, kind = play.dice.choice(
        ((b"<!doctype html><title>Sign in</title>", "text/html"), (b"", "application/json"), (b"", "text/html"),
         (b"\x89PNG", "image/png"), (b"[1, 2]", "application/json"), (b"{}", "application/json"))
    )  # fmt: skip
    return Script(200, {"content-type": kind}, (), (body,) if body else (), (), is_billed=True)


def _error_first(play: Play) -> Script:
    code = play.dice.choice(("overloaded_error", "server_error", "rate_limit_error", "api_error"))
    lines = play.dialect is Dialect.COGNIGY and play.dice.random() < 0.5
    return Script(200, STREAM, (), (error_event(play.dialect, "not now", code, lines=lines),), (), is_billed=False)


def _rated(text: Callable[[Play], str]) -> Callable[[Play], Script]:
    return lambda play: _refusal(429, "too many requests", "rate_limit_error", retry_after=text(play))(play)


def _date(play: Play, ahead: float) -> str:
    from email.utils import formatdate

    return formatdate(play.now + ahead, usegmt=True)


# -- streams ------------------------------------------------------------------------------------------


def _byte_order_mark(play: Play) -> Script:
    return streamed(play, [Piece(b"\xef\xbb\xbf"), *play.pieces()])


def _bad_utf8(play: Play) -> Script:
    changed = [
        replace(piece, data=piece.data.replace(b"<", b"\xff\xc3<", 1), text=piece.text.replace("<", "\ufffd\ufffd<", 1))
        if piece.text
        else piece
        for piece in play.pieces()
    ]
    return streamed(play, changed)


def _letters_cut(play: Play) -> Script:
    script = streamed(play, play.pieces())
    data = b"".join(piece.data for piece in script.pieces)
    script.body = [data[at : at + 1] for at in range(len(data))]
    return script


def _comments_alone(play: Play) -> Script:
    return Script(200, STREAM, (), (b": keep-alive\n\n",) * 3, (), is_billed=True)


def _pings_for_ever(play: Play) -> Script:
    steps: list[Step] = [step for _ in range(400) for step in (1.0, b": ping\n\n")]
    pieces = play.pieces()
    end = next(n for n, piece in enumerate(pieces) if piece.is_end)
    return streamed(play, pieces[: play.dice.randint(0, end)], *steps, STALL)


def _no_terminator(play: Play) -> Script:
    return _cut(play)


def _early_done(play: Play) -> Script:
    """`[DONE]` before the finish_reason: an end for chat completions, nothing at all for messages."""
    pieces = play.pieces()
    end = next(n for n, piece in enumerate(pieces) if piece.is_end)
    done = Piece(b"data: [DONE]\n\n", is_end=play.dialect is not Dialect.ANTHROPIC)
    return streamed(play, [*pieces[:end], done])


def _ends_twice(play: Play) -> Script:
    pieces = play.pieces()
    again = [Piece(piece.data) for piece in pieces if piece.is_end]
    return streamed(play, [*pieces, *again, *again])


def _error_object(play: Play) -> Script:
    pieces = _beginning(play)[:-1]
    return streamed(
        play, [*pieces, Piece(error_event(play.dialect, "it broke", play.dice.choice(("", "server_error"))))]
    )


def _huge_line(play: Play) -> Script:
    pieces = _beginning(play)[:-1]
    script = streamed(play, pieces)
    script.body = (*script.body, b"data: " + b"x" * ((1 << 20) + 10))
    return script


def _dribble(play: Play) -> Script:
    script = _letters_cut(play)
    script.body = [step for byte in script.body for step in (0.02, byte)]
    return script


def _tool_call_cut(play: Play) -> Script:
    pieces = play.pieces()
    arguments = [n for n, piece in enumerate(pieces) if piece.arguments]
    if not arguments:
        return _cut(play)
    return streamed(play, pieces[: arguments[0] + 1], *play.dice.choice(((), (Cause.RESET,), (Cause.PROTOCOL,))))


def _json_line_error(play: Play) -> Script:
    lines = play.pieces(lines=True) if play.dialect is not Dialect.ANTHROPIC else []
    end = next((n for n, piece in enumerate(lines) if piece.is_end), 0)
    return streamed(play, [*lines[: play.dice.randint(0, end)], Piece(b'{"error":"the model runner has stopped"}\n')])


def _kinds(*names: str) -> frozenset[str]:
    return frozenset(names)


_LATE = ("idle_timeout", "byte_idle_timeout", "first_content_timeout")
_OK = _kinds("ok")
_CUT = _kinds("truncated", "no_answer")
_E, _S = Part.ENDPOINT, Part.SOCKET


def _endpoint(group: str, scripts: Mapping[str, tuple[Callable[[Play], Script], frozenset[str]]]) -> list[Kind]:
    return [Kind(group, name, _E, script, causes) for name, (script, causes) in scripts.items()]


CATALOGUE: Sequence[Kind] = (
    *_endpoint("dns", {
        "no such name": (_breaks(Cause.DNS), _kinds("dns")),
        "a resolver that hangs": (_never_connects, _kinds("connect_timeout")),
        "a name that is bound again": (_breaks(Cause.EGRESS_DENIED), _kinds("egress_denied")),
        "an answer that mixes addresses": (_breaks(Cause.EGRESS_DENIED), _kinds("egress_denied")),
    }),
    *_endpoint("tcp and tls", {
        "refused": (_breaks(Cause.REFUSED), _kinds("refused")),
        "a black hole": (_never_connects, _kinds("connect_timeout")),
        "reset before the head": (_breaks(Cause.RESET, 0.2), _kinds("reset")),
        "reset inside of the head": (_breaks(Cause.PROTOCOL, 0.2), _kinds("protocol")),
        "closed early": (_breaks(Cause.RESET), _kinds("reset")),
        "a stale connection": (_breaks(Cause.STALE), _kinds("stale")),
        "a certificate that has expired": (_breaks(Cause.TLS), _kinds("tls")),
        "a certificate of another name": (_breaks(Cause.TLS), _kinds("tls")),
        "a handshake that stalls": (_never_connects, _kinds("connect_timeout")),
    }),
    *_endpoint("http", {
        "a slow head": (_slow_head, _OK | _kinds(*_LATE)),
        "a redirect": (_refusal(307, "", location="https://elsewhere.test"), _kinds("307")),
        "a huge header": (_breaks(Cause.PROTOCOL), _kinds("protocol")),
        "shorter than announced": (_breaks_in_body(Cause.PROTOCOL), _kinds("protocol")),
        "longer than announced": (_more_than_announced, _CUT),
        "a chunk that is cut": (_breaks_in_body(Cause.PROTOCOL), _kinds("protocol")),
        "a bad chunk": (_breaks_in_body(Cause.PROTOCOL), _kinds("protocol")),
        "a bomb": (_encoded, _kinds("no_answer")),
        "bad gzip": (_encoded, _kinds("no_answer")),
        "the end of the connection is the end": (healthy, _OK),
    }),
    Kind("http", "a stray 1xx", _S, why="below the seam: read by the HTTP client"),
    Kind("http", "a folded header", _S, why="below the seam: read by the HTTP client"),
    *_endpoint("statuses and bodies", {
        "400 malformed": (_refusal(400, "messages must alternate", "invalid_request_error"), _kinds("400")),
        "400 too long": (_refusal(400, "prompt is too long: 9 > 8", "context_length_exceeded"), _kinds("400")),
        "400 content": (_refusal(400, "content management policy", "content_filter"), _kinds("400")),
        "400 unsupported": (_refusal(400, "does not support tools", "unsupported_parameter"), _kinds("400")),
        "401": (_refusal(401, "who are you?", "authentication_error"), _kinds("401")),
        "402": (_refusal(402, "insufficient credits"), _kinds("402")),
        "403": (_refusal(403, "not you", "permission_error"), _kinds("403")),
        "404": (_refusal(404, "no such model", "not_found_error"), _kinds("404")),
        "408": (_refusal(408, "too slow"), _kinds("408")),
        "500": (_one_of(_refusal(500, "oh", "server_error"), _refusal(500, "oh", x_should_retry="false")),
                _kinds("500")),
        "502 to 504": (_one_of(*(_refusal(status, "gateway") for status in (502, 503, 504))),
                       _kinds("502", "503", "504")),
        "529": (_refusal(529, "overloaded", "overloaded_error"), _kinds("529")),
        "200 with an error": (_error_first, _kinds("error_event")),
        "200 with no answer": (_no_answer, _kinds("no_answer", "truncated")),
    }),
    *_endpoint("rate limits", {
        "seconds": (_rated(lambda play: str(play.dice.choice((0, 1, 7, 40)))), _kinds("429")),
        "a date": (_rated(lambda play: _date(play, play.dice.choice((1, 5, 30)))), _kinds("429")),
        "a date that is past": (_rated(lambda play: _date(play, -3600)), _kinds("429")),
        "for ever": (_rated(lambda _: "99999999999"), _kinds("429")),
        "garbage": (_rated(lambda play: play.dice.choice(("soon", "-1", "1e9", "NaN", "٣", ""))), _kinds("429")),
    }),
    *_endpoint("streams", {
        "a byte order mark": (_byte_order_mark, _OK),
        "carriage returns": (_lines_end(b"\r"), _OK),
        "CRLF that is cut": (_lines_end(b"\r\n"), _OK),
        "letters that are cut": (_letters_cut, _OK),
        "bytes that are not UTF-8": (_bad_utf8, _OK),
        "line separators of Unicode": (_around(": \u2028 \u0085\n\n".encode()), _OK),
        "comments alone": (_comments_alone, _CUT),
        "pings for ever": (_pings_for_ever, _kinds(*_LATE)),
        "events without data": (_around(b"event: ping\n\nid: 7\n\n"), _OK),
        "no terminator": (_no_terminator, _CUT),
        "an early [DONE]": (_early_done, _OK | _CUT),
        "two ends": (_ends_twice, _OK),
        "an error object": (_error_object, _kinds("error_event")),
        "empty choices": (_around(b'data: {"choices": [], "prompt_filter_results": []}\n\n'), _OK),
        "a huge line": (_huge_line, _kinds("no_answer")),
        "dribble": (_dribble, _OK | _kinds(*_LATE)),
        "an open tool call that is cut": (_tool_call_cut, _CUT | _kinds("reset", "protocol")),
        "an error as a JSON line": (_json_line_error, _kinds("error_event")),
    }),
    Kind("logins", "the token endpoint is down", Part.TOKENS),
    Kind("logins", "the token endpoint hangs", Part.TOKENS),
    Kind("logins", "an odd expiry", Part.TOKENS),
    Kind("logins", "a storm of 401", Part.TOKENS),
    Kind("logins", "a narrowed scope", Part.TOKENS),
    Kind("logins", "a rotated secret", Part.TOKENS),
    *(
        Kind("state", name, Part.NOT_YET, why="no state is shared between processes yet")
        for name in ("Redis is down", "Redis is slow", "Redis fails over", "Redis lost its scripts",
                     "PostgreSQL is down", "PostgreSQL finds a deadlock")
    ),
    Kind("state", "no space left", Part.LEDGER),
    Kind("state", "fsync fails", Part.LEDGER),
    Kind("state", "clocks that differ", Part.CLOCK),
    Kind("process", "SIGKILL", Part.ELSEWHERE, why="ledger/test_processes.py kills real processes"),
    Kind("process", "SIGTERM", Part.ELSEWHERE, why="cli/test_processes.py ends real processes"),
    Kind("process", "the caller leaves before the first byte", Part.CALLER),
    Kind("process", "the caller leaves after the first byte", Part.CALLER),
    Kind("process", "a slow reader", Part.CALLER),
    Kind("process", "a reload inside of a stream", Part.NOT_YET, why="an open engine keeps its policy"),
    Kind("process", "the time of day jumps by an hour", Part.CLOCK),
    Kind("process", "suspended", Part.CLOCK),
)  # fmt: skip


def _no_json(play: Play) -> Script:
    spoilt = [
        replace(piece, data=piece.data.replace(b'{\\"said', b"no", 1), text=piece.text.replace('{"said', "no", 1))
        for piece in play.pieces()
    ]
    return streamed(play, spoilt)


MORE: Sequence[Kind] = (
    Kind("answers", "an answer that fails its check", _E, _no_json, _OK | _kinds("invalid_output")),
    Kind("answers", "a connection that breaks", _E, _breaks_in_body(Cause.RESET), _kinds("reset")),
    Kind("answers", "silence", _E, lambda play: _cut(play, STALL), _kinds(*_LATE)),
    Kind("answers", "nothing at all", _E, lambda _: Script(head=(STALL,), is_billed=True), _kinds(*_LATE)),
    Kind("answers", "slow down", _E, _refusal(429, "slow down", "slow_down"), _kinds("429")),
    Kind("answers", "no quota", _E, _refusal(429, "no", "insufficient_quota"), _kinds("429")),
    Kind("answers", "misdirected", _E, _refusal(421, "not here"), _kinds("421")),
    Kind("answers", "a pool that is full", _E, _breaks(Cause.POOL_TIMEOUT, 5.0), _kinds("pool_timeout")),
)
"""Faults that the catalogue does not count, and that a provider has all the same."""
