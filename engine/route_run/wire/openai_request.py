"""Requests of OpenAI's chat completions, out and in. Cognigy's are a part of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from route_run.flow.request import ImagePart, Message, ParameterValue, ResponseFormat, TextPart, Tool, ToolCall
from route_run.policy import Parameter
from route_run.wire.body import decode, encode
from route_run.wire.call import ModelCall

# -- out -----------------------------------------------------------------------------------------------


def encode_request(call: ModelCall) -> bytes:
    """The body of a request."""
    body: dict[str, Any] = {"model": call.model, "messages": [_message_out(message) for message in call.messages]}
    body |= parameters_out(call.parameters)
    body["stream"] = call.stream
    if call.stream:
        body["stream_options"] = {"include_usage": True}
    if call.tools:
        body["tools"] = [{"type": "function", "function": tool.model_dump()} for tool in call.tools]
    if call.tool_choice is not None:
        body["tool_choice"] = call.tool_choice
    if call.response_format is not None:
        body["response_format"] = _format_out(call.response_format)
    return encode(body)


def parameters_out(parameters: Mapping[Parameter, ParameterValue]) -> dict[str, Any]:
    """Parameters under their own names, in a fixed order."""
    return {p.value: parameters[p] for p in Parameter if p in parameters}


def _message_out(message: Message) -> dict[str, Any]:
    written: dict[str, Any] = {"role": message.role, "content": _content_out(message)}
    if message.tool_calls:
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    return written


def _content_out(message: Message) -> str | list[dict[str, Any]] | None:
    if isinstance(message.content, str):
        return message.content or (None if message.tool_calls else "")
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]


def _format_out(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.json_schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": wanted.name, "schema": wanted.json_schema}}


# -- in ------------------------------------------------------------------------------------------------


class _Url(msgspec.Struct):
    url: str


class _Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class _Image(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: _Url


class _CalledFunction(msgspec.Struct):
    name: str
    arguments: str = "{}"


class _Called(msgspec.Struct):
    id: str
    function: _CalledFunction


class _Message(msgspec.Struct):
    role: Literal["system", "user", "assistant", "tool"]
    content: str | list[_Text | _Image] | None = None
    tool_calls: list[_Called] | None = None
    tool_call_id: str | None = None


class _Function(msgspec.Struct):
    name: str
    description: str = ""
    parameters: dict[str, Any] | None = None


class _Tool(msgspec.Struct):
    function: _Function


class _Schema(msgspec.Struct):
    schema: dict[str, Any]
    name: str = "answer"


class _Format(msgspec.Struct):
    type: Literal["text", "json_object", "json_schema"]
    json_schema: _Schema | None = None


class Given(msgspec.Struct):
    """The parameters of a body."""

    temperature: float | None = None
    top_p: float | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None

    def parameters(self) -> dict[Parameter, ParameterValue]:
        found: dict[Parameter, ParameterValue] = {}
        for parameter in Parameter:
            written = getattr(self, parameter.value)
            if parameter is Parameter.STOP and written is not None:
                found[parameter] = (written,) if isinstance(written, str) else tuple(written)
            elif written is not None:
                found[parameter] = written
        return found


class Conversation(Given):
    """The part of a body that Cognigy's gateway knows too."""

    messages: list[_Message] = []  # a field's default, which msgspec copies
    context_window: int | None = None

    def turns(self) -> tuple[Message, ...]:
        """The messages; raises ValueError when there are none."""
        if not self.messages:
            raise ValueError("`messages` is missing")
        return tuple(_message_in(message) for message in self.messages)


class _Request(Conversation, kw_only=True):
    model: str = msgspec.field()
    tools: list[_Tool] | None = None
    tool_choice: Literal["auto", "none", "required"] | None = None
    response_format: _Format | None = None
    stream: bool = False


def decode_request(body: bytes) -> ModelCall:
    """The call a body asks for; raises ValueError that says what is wrong with it."""
    wanted = decode(body, _Request)
    tools = (Tool(**_tool_in(tool.function)) for tool in wanted.tools or ())
    return ModelCall(
        model=wanted.model,
        messages=wanted.turns(),
        parameters=wanted.parameters(),
        tools=tuple(tools),
        tool_choice=wanted.tool_choice,
        response_format=_format_in(wanted.response_format),
        stream=wanted.stream,
    )


def _tool_in(function: _Function) -> dict[str, Any]:
    written: dict[str, Any] = {"name": function.name, "description": function.description}
    return written | ({} if function.parameters is None else {"parameters": function.parameters})


def _message_in(written: _Message) -> Message:
    content = written.content or ""
    calls = (
        ToolCall(id=call.id, name=call.function.name, arguments=call.function.arguments)
        for call in written.tool_calls or ()
    )
    return Message(
        role=written.role,
        content=content if isinstance(content, str) else tuple(_part_in(part) for part in content),
        tool_calls=tuple(calls),
        tool_call_id=written.tool_call_id,
    )


def _part_in(part: _Text | _Image) -> TextPart | ImagePart:
    return TextPart(text=part.text) if isinstance(part, _Text) else ImagePart(url=part.image_url.url)


def _format_in(written: _Format | None) -> ResponseFormat | None:
    if written is None or written.type == "text":
        return None
    if written.type == "json_object":
        return ResponseFormat(type="json")
    if written.json_schema is None:
        raise ValueError("`response_format` of the type json_schema needs `json_schema`")
    return ResponseFormat(type="json_schema", json_schema=written.json_schema.schema, name=written.json_schema.name)
