"""The dialect of Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from route_run.flow.outcome import ToolPiece, Usage
from route_run.wire.answer import Answer, AnswerDecoder, Content, End, Piece, Problem, Progress
from route_run.wire.anthropic_request import decode_request, encode_request
from route_run.wire.body import decode, encode, problem_of_value, tokens
from route_run.wire.call import ModelCall
from route_run.wire.decoding import choose_decoder
from route_run.wire.frames import Frame, encode_frame

API_VERSION = "2023-06-01"
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class _Usage(msgspec.Struct):
    """Numbers as they were written: an odd one must not spoil an answer that was given and paid for."""

    input_tokens: Any = None
    output_tokens: Any = None
    cache_read_input_tokens: Any = None
    cache_creation_input_tokens: Any = None


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None
    stop_reason: str | None = None
    usage: _Usage | None = None


class _Event(msgspec.Struct):
    type: str = ""
    index: int = 0
    message: _Message | str | None = None
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: _Usage | None = None
    error: Any = None


class _Typed(msgspec.Struct):
    type: str


_EVENT_TYPES = frozenset(
    (
        "message_start content_block_start content_block_delta content_block_stop message_delta message_stop "
        "message error ping"
    ).split()
)


class _Events:
    """What the events of a message stream mean; `message_stop` alone is its proper end."""

    def __init__(self) -> None:
        self.progress = Progress.OPEN
        self._reported = _Usage()
        self._reason = ""
        self._tools: dict[int, int] = {}

    def read(self, frame: Frame, pieces: list[Piece]) -> None:
        event = _event(frame.data)
        if event.type == "error" or event.error is not None:
            pieces.append(_problem(frame.data))
            return
        match event.type:
            case "content_block_delta" if event.delta is not None:
                self._delta(event.index, event.delta, pieces)
            case "content_block_start" if event.content_block is not None:
                self._block(event.index, event.content_block, pieces)
            case "message_start" if isinstance(event.message, _Message):
                self._count(event.message.usage, pieces)
            case "message_delta":
                self._reason = (event.delta.stop_reason if event.delta else None) or self._reason
                self._count(event.usage, pieces)
            case "message_stop":
                self.progress = Progress.DONE
                pieces.append(End(self._reason))
            case "message":
                self.progress = Progress.DONE
                pieces += _read_message(frame.data)

    def _block(self, index: int, block: _Block, pieces: list[Piece]) -> None:
        if block.type == "tool_use":
            self._tools[index] = len(self._tools)
            pieces.append(ToolPiece(self._tools[index], block.id or "", block.name or ""))
        elif block.type == "text" and block.text:
            pieces.append(Content(block.text))

    def _delta(self, index: int, delta: _Delta, pieces: list[Piece]) -> None:
        if delta.type == "text_delta":
            if text := _given(delta.text, "text_delta", "text"):
                pieces.append(Content(text))
        elif delta.type == "input_json_delta" and _given(delta.partial_json, "input_json_delta", "partial_json"):
            pieces.append(ToolPiece(self._tools.get(index, index), arguments=delta.partial_json or ""))

    def _count(self, usage: _Usage | None, pieces: list[Piece]) -> None:
        """Counts are cumulative: the last of each holds, and one left out stays as it was."""
        if usage is None:
            return
        for name in usage.__struct_fields__:
            if (count := tokens(getattr(usage, name))) is not None:
                setattr(self._reported, name, count)
        pieces.append(_usage_in(self._reported))


class AnthropicCodec:
    """Messages in four halves."""

    headers: Mapping[str, str] = {"anthropic-version": API_VERSION}

    def encode_request(self, call: ModelCall) -> bytes:
        return encode_request(call)

    def decode_request(self, body: bytes) -> ModelCall:
        return decode_request(body)

    def decoder(self, content_type: str, *, streamed: bool) -> AnswerDecoder:
        return choose_decoder(content_type, streamed, _Events(), _read_message)

    def encode_stream(self, answer: Answer) -> Iterable[bytes]:
        for event in _events_out(answer):
            yield encode_frame(encode(event), event["type"].encode())

    def encode_plain(self, answer: Answer) -> bytes:
        blocks: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
        blocks += [_tool_block(piece, json.loads(piece.arguments or "{}")) for piece in answer.tool_calls]
        return encode(_message_out(answer, blocks, _STOP_REASONS.get(answer.reason, answer.reason)))

    def encode_problem(self, problem: Problem) -> bytes:
        return encode({"type": "error", "error": {"type": problem.code or "api_error", "message": problem.message}})

    def encode_problem_event(self, problem: Problem) -> bytes:
        return encode_frame(self.encode_problem(problem), b"error")


# -- answers in ---------------------------------------------------------------------------------------


def _event(data: bytes) -> _Event:
    """An event; one of a type that is not known is empty, whatever its fields look like."""
    try:
        return decode(data, _Event)
    except ValueError:
        if decode(data, _Typed).type in _EVENT_TYPES:
            raise
        return _Event()


def _read_message(body: bytes) -> list[Piece]:
    event = decode(body, _Event)
    if event.type == "error" or event.error is not None:
        return [_problem(body)]
    message = decode(body, _Message)
    if message.content is None:
        raise ValueError("there is no `content` in it")
    pieces: list[Piece] = []
    for block in message.content:
        if block.type == "text":
            if text := _given(block.text, "block of text", "text"):
                pieces.append(Content(text))
        elif block.type == "tool_use":
            index = sum(isinstance(piece, ToolPiece) for piece in pieces)
            pieces.append(ToolPiece(index, block.id or "", block.name or "", _arguments(block)))
    if message.usage is not None:
        pieces.append(_usage_in(message.usage))
    return [*pieces, End(message.stop_reason or "")]


def _given(value: str | None, what: str, name: str) -> str:
    """What carries the answer must be there: a part that is passed over unseen would make it another answer."""
    if value is None:
        raise ValueError(f"a {what} without `{name}`")
    return value


def _arguments(block: _Block) -> str:
    """The arguments of a whole tool call as they stand: always an object, whatever the tool."""
    written = bytes(block.input).decode("utf-8", "replace").strip()
    if written == "null":  # none where the tool takes none
        return "{}"
    if not written.startswith("{"):
        raise ValueError("the `input` of a tool call is no object")
    return written


def _problem(body: bytes) -> Problem:
    return problem_of_value(decode(body, dict[str, Any])) or Problem("an error without words")


def _usage_in(usage: _Usage) -> Usage:
    """What was read from the cache or written to it is part of the prompt; `input_tokens` leaves it out."""
    cached = tokens(usage.cache_read_input_tokens) or 0
    written = tokens(usage.cache_creation_input_tokens) or 0
    prompt = (tokens(usage.input_tokens) or 0) + cached + written
    return Usage(prompt, tokens(usage.output_tokens) or 0, cached)


# -- answers out --------------------------------------------------------------------------------------


def _events_out(answer: Answer) -> Iterator[dict[str, Any]]:
    usage = answer.usage or Usage(0, 0)
    yield {"type": "message_start", "message": _message_out(answer, [], None) | {"usage": _usage_out(usage, 0)}}
    index = 0
    if answer.text or not answer.tool_calls:
        yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
        for text in answer.text_pieces():
            yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}
        yield {"type": "content_block_stop", "index": 0}
        index = 1
    for piece in answer.tool_calls:
        yield {"type": "content_block_start", "index": index, "content_block": _tool_block(piece, {})}
        delta = {"type": "input_json_delta", "partial_json": piece.arguments}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
        index += 1
    reason = _STOP_REASONS.get(answer.reason, answer.reason)
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": reason, "stop_sequence": None},
        "usage": {"output_tokens": usage.completion},
    }
    yield {"type": "message_stop"}


def _message_out(answer: Answer, content: list[dict[str, Any]], reason: str | None) -> dict[str, Any]:
    usage = answer.usage or Usage(0, 0)
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": None,
        "usage": _usage_out(usage, usage.completion),
    }


def _usage_out(usage: Usage, completion: int) -> dict[str, int]:
    """Messages report the prompt without what came from the cache."""
    reported = {"input_tokens": usage.prompt - usage.cached, "output_tokens": completion}
    return reported | ({"cache_read_input_tokens": usage.cached} if usage.cached else {})


def _tool_block(piece: ToolPiece, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": piece.id, "name": piece.name, "input": arguments}
