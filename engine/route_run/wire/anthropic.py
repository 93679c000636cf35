"""The dialect of Anthropic's Messages API."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from route_run.flow.outcome import ToolPiece, Usage
from route_run.flow.request import ImagePart, Message, ParameterValue, ResponseFormat, TextPart, Tool, ToolCall
from route_run.policy import Parameter
from route_run.wire.answer import Answer, AnswerDecoder, Content, End, Piece, Problem, Progress
from route_run.wire.body import decode, encode, problem_of_value
from route_run.wire.call import ModelCall
from route_run.wire.decoding import choose_decoder
from route_run.wire.frames import Frame, encode_frame

API_VERSION = "2023-06-01"
_STOP_REASONS = {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use"}


class _Usage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None


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


class _Events:
    """What the events of a message stream mean; `message_stop` alone is its proper end."""

    def __init__(self) -> None:
        self.progress = Progress.OPEN
        self._reported = _Usage()
        self._reason = ""
        self._tools: dict[int, int] = {}

    def read(self, frame: Frame, pieces: list[Piece]) -> None:
        event = decode(frame.data, _Event)
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
        if delta.type == "text_delta" and delta.text:
            pieces.append(Content(delta.text))
        elif delta.type == "input_json_delta" and delta.partial_json:
            pieces.append(ToolPiece(self._tools.get(index, index), arguments=delta.partial_json))

    def _count(self, usage: _Usage | None, pieces: list[Piece]) -> None:
        """Counts are cumulative: the last of each holds, and one left out stays as it was."""
        if usage is None:
            return
        for name in usage.__struct_fields__:
            if (count := getattr(usage, name)) is not None:
                setattr(self._reported, name, count)
        pieces.append(_usage_in(self._reported))


class AnthropicCodec:
    """Messages in four halves."""

    headers: Mapping[str, str] = {"anthropic-version": API_VERSION}

    def encode_request(self, call: ModelCall) -> bytes:
        body: dict[str, Any] = {"model": call.model, "messages": list(_turns_out(call.messages))}
        system = "\n\n".join(message.text for message in call.messages if message.role == "system")
        if system:
            body["system"] = system
        body |= _parameters_out(call.parameters)
        body["stream"] = call.stream
        if call.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in call.tools
            ]
        if call.tool_choice is not None:
            body["tool_choice"] = {"type": "any" if call.tool_choice == "required" else call.tool_choice}
        if call.response_format is not None and call.response_format.json_schema is not None:
            wanted = {"type": "json_schema", "schema": call.response_format.json_schema}
            body["output_config"] = {"format": wanted}
        return encode(body)

    def decode_request(self, body: bytes) -> ModelCall:
        value = decode(body, dict[str, Any])
        choice = (value.get("tool_choice") or {}).get("type")
        wanted = (value.get("output_config") or {}).get("format")
        return ModelCall(
            model=str(value.get("model", "")),
            messages=tuple(_turns_in(value)),
            parameters=_parameters_in(value),
            tools=tuple(
                Tool(name=t["name"], description=t.get("description", ""), parameters=t["input_schema"])
                for t in value.get("tools") or ()
            ),
            tool_choice="required" if choice == "any" else choice,
            response_format=ResponseFormat(type="json_schema", json_schema=wanted["schema"]) if wanted else None,
            stream=bool(value.get("stream")),
        )

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


def _read_message(body: bytes) -> list[Piece]:
    event = decode(body, _Event)
    if event.type == "error" or event.error is not None:
        return [_problem(body)]
    message = decode(body, _Message)
    if message.content is None:
        raise ValueError("there is no `content` in it")
    pieces: list[Piece] = []
    for block in message.content:
        if block.type == "text" and block.text:
            pieces.append(Content(block.text))
        elif block.type == "tool_use":
            index = sum(isinstance(piece, ToolPiece) for piece in pieces)
            pieces.append(ToolPiece(index, block.id or "", block.name or "", bytes(block.input).decode()))
    if message.usage is not None:
        pieces.append(_usage_in(message.usage))
    return [*pieces, End(message.stop_reason or "")]


def _problem(body: bytes) -> Problem:
    return problem_of_value(decode(body, dict[str, Any])) or Problem("an error without words")


def _usage_in(usage: _Usage) -> Usage:
    """What was read from the cache or written to it is part of the prompt; `input_tokens` leaves it out."""
    cached = usage.cache_read_input_tokens or 0
    prompt = (usage.input_tokens or 0) + cached + (usage.cache_creation_input_tokens or 0)
    return Usage(prompt, usage.output_tokens or 0, cached)


# -- requests out and in ------------------------------------------------------------------------------


def _turns_out(messages: Iterable[Message]) -> Iterator[dict[str, Any]]:
    """User and assistant turns; results of tools are user turns here, and neighbours of one role are one turn."""
    role = ""
    blocks: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "system":
            continue
        turn = "assistant" if message.role == "assistant" else "user"
        if turn != role and blocks:
            yield {"role": role, "content": _compact(blocks)}
            blocks = []
        role = turn
        blocks += _blocks_out(message)
    if blocks:
        yield {"role": role, "content": _compact(blocks)}


def _compact(blocks: list[dict[str, Any]]) -> str | list[dict[str, Any]]:
    return blocks[0]["text"] if len(blocks) == 1 and blocks[0]["type"] == "text" else blocks


def _blocks_out(message: Message) -> Iterator[dict[str, Any]]:
    if message.role == "tool":
        yield {"type": "tool_result", "tool_use_id": message.tool_call_id or "", "content": message.text}
        return
    parts = (TextPart(text=message.content),) if isinstance(message.content, str) else message.content
    for part in parts:
        if isinstance(part, TextPart):
            if part.text:
                yield {"type": "text", "text": part.text}
        else:
            yield {"type": "image", "source": _source_out(part)}
    for call in message.tool_calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments or "{}")}


def _source_out(image: ImagePart) -> dict[str, str]:
    if not image.url.startswith("data:"):
        return {"type": "url", "url": image.url}
    media_type, _, data = image.url.removeprefix("data:").partition(";base64,")
    return {"type": "base64", "media_type": media_type, "data": data}


def _turns_in(value: Mapping[str, Any]) -> Iterator[Message]:
    if value.get("system"):
        yield Message(role="system", content=value["system"])
    written = value.get("messages")
    if not isinstance(written, list) or not written:
        raise ValueError("`messages` is missing")
    for turn in written:
        content = turn.get("content", "")
        yield from (
            [Message(role=turn["role"], content=content)]
            if isinstance(content, str)
            else _turn_in(turn["role"], content)
        )


def _turn_in(role: Any, blocks: list[dict[str, Any]]) -> Iterator[Message]:
    for block in blocks:
        if block["type"] == "tool_result":
            yield Message(role="tool", content=block.get("content", ""), tool_call_id=block["tool_use_id"])
    parts: list[TextPart | ImagePart] = []
    for block in blocks:
        if block["type"] == "text":
            parts.append(TextPart(text=block["text"]))
        elif block["type"] == "image":
            parts.append(ImagePart(url=_source_in(block["source"])))
    calls = tuple(
        ToolCall(id=block["id"], name=block["name"], arguments=json.dumps(block["input"]))
        for block in blocks
        if block["type"] == "tool_use"
    )
    if parts or calls:
        yield Message(role=role, content=tuple(parts), tool_calls=calls)


def _source_in(source: Mapping[str, str]) -> str:
    return source["url"] if source["type"] == "url" else f"data:{source['media_type']};base64,{source['data']}"


def _parameters_out(parameters: Mapping[Parameter, ParameterValue]) -> dict[str, Any]:
    names = {Parameter.STOP: "stop_sequences"}
    carried = (Parameter.TEMPERATURE, Parameter.TOP_P, Parameter.MAX_TOKENS, Parameter.STOP)
    return {names.get(p, p.value): parameters[p] for p in carried if p in parameters}


def _parameters_in(value: Mapping[str, Any]) -> dict[Parameter, ParameterValue]:
    found: dict[Parameter, ParameterValue] = {
        p: value[p.value] for p in (Parameter.TEMPERATURE, Parameter.TOP_P, Parameter.MAX_TOKENS) if p.value in value
    }
    if value.get("stop_sequences"):
        found[Parameter.STOP] = tuple(value["stop_sequences"])
    return found


# -- answers out --------------------------------------------------------------------------------------


def _events_out(answer: Answer) -> Iterator[dict[str, Any]]:
    usage = answer.usage or Usage(0, 0)
    yield {
        "type": "message_start",
        "message": _message_out(answer, [], None) | {"usage": {"input_tokens": usage.prompt, "output_tokens": 0}},
    }
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
        "usage": {"input_tokens": usage.prompt, "output_tokens": usage.completion},
    }


def _tool_block(piece: ToolPiece, arguments: Any) -> dict[str, Any]:
    return {"type": "tool_use", "id": piece.id, "name": piece.name, "input": arguments}
