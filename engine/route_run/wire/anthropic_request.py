"""Requests of Anthropic's Messages API, out and in."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import msgspec

from route_run.flow.request import ImagePart, Message, ParameterValue, ResponseFormat, TextPart, Tool, ToolCall
from route_run.policy import Parameter
from route_run.wire.body import decode, encode
from route_run.wire.call import ModelCall

_NAMES: Mapping[Parameter, str] = {
    Parameter.TEMPERATURE: "temperature",
    Parameter.TOP_P: "top_p",
    Parameter.MAX_TOKENS: "max_tokens",
    Parameter.STOP: "stop_sequences",
}

# -- out -----------------------------------------------------------------------------------------------


def encode_request(call: ModelCall) -> bytes:
    """The body of a request; system turns become its `system` text."""
    body: dict[str, Any] = {"model": call.model, "messages": list(_turns_out(call.messages))}
    system = "\n\n".join(message.text for message in call.messages if message.role == "system")
    if system:
        body["system"] = system
    body |= {name: call.parameters[p] for p, name in _NAMES.items() if p in call.parameters}
    body["stream"] = call.stream
    if call.tools:
        body["tools"] = [
            {"name": tool.name, "description": tool.description, "input_schema": tool.parameters} for tool in call.tools
        ]
    if call.tool_choice is not None:
        body["tool_choice"] = {"type": "any" if call.tool_choice == "required" else call.tool_choice}
    if call.response_format is not None and call.response_format.json_schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": call.response_format.json_schema}}
    return encode(body)


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


def _compact(blocks: list[dict[str, Any]]) -> Any:
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


# -- in ------------------------------------------------------------------------------------------------


class _UrlSource(msgspec.Struct, tag_field="type", tag="url"):
    url: str


class _DataSource(msgspec.Struct, tag_field="type", tag="base64"):
    media_type: str
    data: str


class _Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class _Image(msgspec.Struct, tag_field="type", tag="image"):
    source: _UrlSource | _DataSource


class _Used(msgspec.Struct, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: dict[str, Any]


class _Result(msgspec.Struct, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: str | list[_Text] = ""


class _Turn(msgspec.Struct):
    role: Literal["user", "assistant"]
    content: str | list[_Text | _Image | _Used | _Result]


class _Tool(msgspec.Struct):
    name: str
    input_schema: dict[str, Any]
    description: str = ""


class _Choice(msgspec.Struct):
    type: Literal["auto", "any", "none"]


class _Format(msgspec.Struct):
    schema: dict[str, Any]


class _OutputConfig(msgspec.Struct):
    format: _Format | None = None


class _Request(msgspec.Struct):
    model: str
    messages: list[_Turn]
    system: str | list[_Text] | None = None
    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop_sequences: list[str] | None = None
    tools: list[_Tool] | None = None
    tool_choice: _Choice | None = None
    output_config: _OutputConfig | None = None
    stream: bool = False


def decode_request(body: bytes) -> ModelCall:
    """The call a body asks for; raises ValueError that says what is wrong with it."""
    wanted = decode(body, _Request)
    if not wanted.messages:
        raise ValueError("`messages` is missing")
    choice = wanted.tool_choice.type if wanted.tool_choice is not None else None
    output = wanted.output_config.format if wanted.output_config is not None else None
    return ModelCall(
        model=wanted.model,
        messages=(*_system_in(wanted.system), *(message for turn in wanted.messages for message in _turn_in(turn))),
        parameters=_parameters_in(wanted),
        tools=tuple(
            Tool(name=tool.name, description=tool.description, parameters=tool.input_schema)
            for tool in wanted.tools or ()
        ),
        tool_choice="required" if choice == "any" else choice,
        response_format=ResponseFormat(type="json_schema", json_schema=output.schema) if output is not None else None,
        stream=wanted.stream,
    )


def _system_in(written: str | list[_Text] | None) -> Iterator[Message]:
    text = written if isinstance(written, str) else "\n\n".join(block.text for block in written or ())
    if text:
        yield Message(role="system", content=text)


def _turn_in(turn: _Turn) -> Iterator[Message]:
    if isinstance(turn.content, str):
        yield Message(role=turn.role, content=turn.content)
        return
    parts: list[TextPart | ImagePart] = []
    calls: list[ToolCall] = []
    for block in turn.content:
        match block:
            case _Result(tool_use_id, content):
                text = content if isinstance(content, str) else "\n".join(part.text for part in content)
                yield Message(role="tool", content=text, tool_call_id=tool_use_id)
            case _Text(text):
                parts.append(TextPart(text=text))
            case _Image(source):
                parts.append(ImagePart(url=_source_in(source)))
            case _Used(id_, name, arguments):
                calls.append(ToolCall(id=id_, name=name, arguments=json.dumps(arguments, ensure_ascii=False)))
    if parts or calls:
        yield Message(role=turn.role, content=tuple(parts), tool_calls=tuple(calls))


def _source_in(source: _UrlSource | _DataSource) -> str:
    return source.url if isinstance(source, _UrlSource) else f"data:{source.media_type};base64,{source.data}"


def _parameters_in(wanted: _Request) -> dict[Parameter, ParameterValue]:
    found: dict[Parameter, ParameterValue] = {}
    for parameter, name in _NAMES.items():
        written = getattr(wanted, name)
        if written:
            found[parameter] = tuple(written) if isinstance(written, list) else written
        elif written is not None and not isinstance(written, list):
            found[parameter] = written
    return found
