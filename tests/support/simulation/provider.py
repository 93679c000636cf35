"""How a provider writes its answers: bytes of every dialect, and which byte completes what.

No encoder of ours takes part. A `Script` is one exchange as the provider plays it, with the truth that the
laws compare with: what it said, where its proper end is, and whether it counts the exchange on its bill.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from route_run.policy import Dialect
from support.scripted import Step

STREAM: Mapping[str, str] = {"content-type": "text/event-stream"}
JSON: Mapping[str, str] = {"content-type": "application/json"}


@dataclass(frozen=True)
class Piece:
    """Bytes that belong together: what they say, whether they are the proper end, whether a comment."""

    data: bytes
    text: str = ""
    arguments: str = ""
    is_end: bool = False


@dataclass(frozen=True)
class Said:
    """What one exchange answers, different from every other: its texts, a tool call, what it costs."""

    texts: tuple[str, ...]
    tool: tuple[str, str, tuple[str, ...]] | None
    prompt: int
    completion: int
    reason: str = "stop"

    @property
    def text(self) -> str:
        return "".join(self.texts)

    @property
    def arguments(self) -> str:
        return "".join(self.tool[2]) if self.tool else ""


@dataclass
class Script:
    """One exchange as the provider plays it."""

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    head: Sequence[Step] = ()
    body: Sequence[Step] = ()
    pieces: Sequence[Piece] = ()
    """What the bytes of the body mean, in their order; bytes that mean nothing belong to the piece they precede."""
    is_billed: bool = False

    @property
    def waits(self) -> float:
        """Seconds that pass between its bytes."""
        return sum(step for step in self.body if isinstance(step, float | int))


def said(number: int, dice: Random, *, tools: bool, json_text: bool) -> Said:
    """An answer that names its exchange in every piece, with letters that careless readers cut or break."""
    odd = ("", " ü", "🙂", "\u2028", "\u0085", "\x1f", "\\n", "\r\n", "data: ", "[DONE]")
    words = [f"<{number}.{n}{dice.choice(odd)}>" for n in range(dice.randint(int(json_text), 6))]
    tool = None
    if tools and dice.random() < 0.3:
        arguments = json.dumps({"exchange": number, "q": dice.choice(odd)})
        cut = dice.randint(0, len(arguments))
        tool = (f"call_{number}", "look_up", (arguments[:cut], arguments[cut:]))
    if json_text:
        whole = json.dumps({"said": "".join(words)}, ensure_ascii=False)
        cut = dice.randint(1, len(whole) - 1)
        words, tool = [whole[:cut], whole[cut:]], None
    return Said(tuple(words), tool, dice.randint(1, 5000), dice.randint(1, 900))


def written(dialect: Dialect, answer: Said, *, lines: bool = False, end: bytes = b"\n") -> list[Piece]:
    """A whole streamed answer; ``lines`` writes bare JSON lines, ``end`` is how a line ends."""
    if dialect is Dialect.ANTHROPIC:
        return [_event(value, text, part, is_end, end) for value, text, part, is_end in _messages(answer)]
    values = _gateway(answer) if dialect is Dialect.COGNIGY else _completions(answer)
    found = [
        Piece(_json(value) + end, text, part, is_end) if lines else _frame(_json(value), text, part, is_end, end)
        for value, text, part, is_end in values
    ]
    return found if lines else [*found, Piece(b"data: [DONE]" + end * 2)]


def whole(dialect: Dialect, answer: Said) -> Piece:
    """A plain answer in one body."""
    value = _message(answer) if dialect is Dialect.ANTHROPIC else _completion(answer)
    return Piece(_json(value), answer.text, answer.arguments, is_end=True)


def error_body(dialect: Dialect, message: str, code: str) -> bytes:
    """An error in the shape of its dialect."""
    if dialect is Dialect.ANTHROPIC:
        return _json({"type": "error", "error": {"type": code or "api_error", "message": message}})
    if dialect is Dialect.COGNIGY:
        return _json({"error": {"message": message} | ({"code": code} if code else {})})
    return _json({"error": {"message": message, "type": code or None, "code": code or None}})


def error_event(dialect: Dialect, message: str, code: str, *, lines: bool = False) -> bytes:
    """An error inside of a stream."""
    body = error_body(dialect, message, code)
    if lines:
        return body + b"\n"
    return (b"event: error\n" if dialect is Dialect.ANTHROPIC else b"") + b"data: " + body + b"\n\n"


_Valued = tuple[dict[str, Any], str, str, bool]


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


def _frame(data: bytes, text: str, part: str, is_end: bool, end: bytes) -> Piece:
    return Piece(b"data: " + data + end * 2, text, part, is_end)


def _event(value: dict[str, Any], text: str, part: str, is_end: bool, end: bytes) -> Piece:
    return Piece(b"event: " + value["type"].encode() + end + b"data: " + _json(value) + end * 2, text, part, is_end)


def _completions(answer: Said) -> list[_Valued]:
    def chunk(delta: dict[str, Any], reason: str | None = None) -> dict[str, Any]:
        return {"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]}

    found: list[_Valued] = [(chunk({"role": "assistant", "content": ""}), "", "", False)]
    found += [(chunk({"content": text}), text, "", False) for text in answer.texts]
    if answer.tool:
        identity, name, parts = answer.tool
        call = {"index": 0, "id": identity, "type": "function", "function": {"name": name, "arguments": ""}}
        found.append((chunk({"tool_calls": [call]}), "", "", False))
        for part in parts:
            call = {"index": 0, "function": {"arguments": part}}
            found.append((chunk({"tool_calls": [call]}), "", part, False))
    found.append((chunk({}, "tool_calls" if answer.tool else answer.reason), "", "", True))
    return [*found, ({"choices": [], "usage": _tokens(answer)}, "", "", False)]


def _gateway(answer: Said) -> list[_Valued]:
    found: list[_Valued] = [({"choices": [{"delta": {"content": text}}]}, text, "", False) for text in answer.texts]
    return [*found, ({"usage": _tokens(answer)}, "", "", True)]


def _messages(answer: Said) -> list[_Valued]:
    head = {"type": "message_start", "message": {"id": "m", "type": "message", "role": "assistant", "content": [],
        "stop_reason": None, "usage": {"input_tokens": answer.prompt, "output_tokens": 1}}}  # fmt: skip
    found: list[_Valued] = [(head, "", "", False), ({"type": "ping"}, "", "", False)]
    found.append(({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        "", "", False))  # fmt: skip
    for text in answer.texts:
        delta = {"type": "text_delta", "text": text}
        found.append(({"type": "content_block_delta", "index": 0, "delta": delta}, text, "", False))
    found.append(({"type": "content_block_stop", "index": 0}, "", "", False))
    if answer.tool:
        identity, name, parts = answer.tool
        block = {"type": "tool_use", "id": identity, "name": name, "input": {}}
        found.append(({"type": "content_block_start", "index": 1, "content_block": block}, "", "", False))
        for part in parts:
            delta = {"type": "input_json_delta", "partial_json": part}
            found.append(({"type": "content_block_delta", "index": 1, "delta": delta}, "", part, False))
        found.append(({"type": "content_block_stop", "index": 1}, "", "", False))
    reason = "tool_use" if answer.tool else "end_turn"
    delta = {"stop_reason": reason, "stop_sequence": None}
    found.append(({"type": "message_delta", "delta": delta, "usage": {"output_tokens": answer.completion}},
        "", "", False))  # fmt: skip
    return [*found, ({"type": "message_stop"}, "", "", True)]


def _completion(answer: Said) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
    if answer.tool:
        identity, name, parts = answer.tool
        function = {"name": name, "arguments": "".join(parts)}
        message["tool_calls"] = [{"id": identity, "type": "function", "function": function}]
    return {"choices": [{"message": message, "finish_reason": answer.reason}], "usage": _tokens(answer)}


def _message(answer: Said) -> dict[str, Any]:
    blocks: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.texts else []
    if answer.tool:
        identity, name, parts = answer.tool
        blocks.append({"type": "tool_use", "id": identity, "name": name, "input": json.loads("".join(parts))})
    usage = {"input_tokens": answer.prompt, "output_tokens": answer.completion}
    return {"type": "message", "content": blocks, "stop_reason": "end_turn", "usage": usage}


def _tokens(answer: Said) -> dict[str, int]:
    return {"prompt_tokens": answer.prompt, "completion_tokens": answer.completion}
