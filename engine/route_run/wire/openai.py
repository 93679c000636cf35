"""The dialect of OpenAI's chat completions, as OpenAI, llama.cpp, vLLM, Ollama and many others speak it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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

DONE = b"[DONE]"


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _ToolCall(msgspec.Struct):
    index: int | None = None
    id: str | None = None
    function: _Function | None = None


class _TextPart(msgspec.Struct):
    text: str | None = None


class _Delta(msgspec.Struct):
    content: str | list[_TextPart] | None = None
    refusal: str | None = None
    tool_calls: list[_ToolCall] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    message: _Delta | None = None
    finish_reason: str | None = None


class _Details(msgspec.Struct):
    cached_tokens: int | None = None


class ReportedUsage(msgspec.Struct):
    """Usage as chat completions report it; None where a server leaves a number out."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: _Details | None = None

    def usage(self) -> Usage | None:
        if self.prompt_tokens is None and self.completion_tokens is None:
            return None
        cached = self.prompt_tokens_details.cached_tokens if self.prompt_tokens_details else None
        return Usage(self.prompt_tokens or 0, self.completion_tokens or 0, cached or 0)


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: ReportedUsage | None = None
    error: Any = None
    object: str | None = None


class OpenAIEvents:
    """What the events of a chat completion stream mean.

    The proper end is a finish_reason or `[DONE]`; usage may follow a finish_reason.
    ``usage_ends`` says that the usage object ends the answer too.
    """

    def __init__(self, *, usage_ends: bool = False) -> None:
        self.progress = Progress.OPEN
        self._usage_ends = usage_ends

    def read(self, frame: Frame, pieces: list[Piece]) -> None:
        data = frame.data
        if not data.startswith(b"{") and data.strip() == DONE:
            if self.progress is Progress.OPEN:
                pieces.append(End())
            self.progress = Progress.DONE
            return
        chunk = decode(data, _Chunk)
        if chunk.error is not None or chunk.object == "error":
            pieces.append(_problem_of(chunk, data))
            return
        if chunk.choices:
            choice = chunk.choices[0]
            _add_content(choice.delta or choice.message, pieces)
            if choice.finish_reason is not None:
                self._end(choice.finish_reason, pieces)
        if chunk.usage is not None and (usage := chunk.usage.usage()) is not None:
            pieces.append(usage)
            if self._usage_ends and not chunk.choices:
                self._end("", pieces)

    def _end(self, reason: str, pieces: list[Piece]) -> None:
        if reason == "error":
            pieces.append(Problem("the provider ended the answer with an error", "error"))
            return
        if self.progress is Progress.OPEN:
            pieces.append(End(reason))
        self.progress = Progress.ENDED


class OpenAICodec:
    """Chat completions in four halves."""

    headers: Mapping[str, str] = {}

    def encode_request(self, call: ModelCall) -> bytes:
        body: dict[str, Any] = {"model": call.model, "messages": [message_out(m) for m in call.messages]}
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

    def decode_request(self, body: bytes) -> ModelCall:
        value = decode(body, dict[str, Any])
        wanted = value.get("response_format")
        return ModelCall(
            model=_text_field(value, "model"),
            messages=messages_in(value),
            parameters=parameters_in(value),
            tools=tuple(Tool.model_validate(tool["function"]) for tool in value.get("tools") or ()),
            tool_choice=value.get("tool_choice"),
            response_format=_format_in(wanted) if isinstance(wanted, dict) else None,
            stream=bool(value.get("stream")),
        )

    def decoder(self, content_type: str, *, streamed: bool) -> AnswerDecoder:
        return choose_decoder(content_type, streamed, OpenAIEvents(), read_completion)

    def encode_stream(self, answer: Answer) -> Iterable[bytes]:
        for delta in _deltas(answer):
            yield encode_frame(encode(_chunk(answer, [{"index": 0, "delta": delta, "finish_reason": None}])))
        yield encode_frame(encode(_chunk(answer, [{"index": 0, "delta": {}, "finish_reason": answer.reason}])))
        if answer.usage is not None:
            yield encode_frame(encode(_chunk(answer, []) | {"usage": usage_out(answer.usage)}))
        yield encode_frame(DONE)

    def encode_plain(self, answer: Answer) -> bytes:
        message: dict[str, Any] = {"role": "assistant", "content": answer.text or None}
        if answer.tool_calls:
            message["tool_calls"] = [_tool_call_out(piece) for piece in answer.tool_calls]
        choice = {"index": 0, "message": message, "finish_reason": answer.reason}
        body = {"id": answer.id, "object": "chat.completion", "model": answer.model, "choices": [choice]}
        return encode(body | ({"usage": usage_out(answer.usage)} if answer.usage else {}))

    def encode_problem(self, problem: Problem) -> bytes:
        error = {"message": problem.message, "type": problem.code or "server_error", "code": problem.code or None}
        return encode({"error": error})

    def encode_problem_event(self, problem: Problem) -> bytes:
        return encode_frame(self.encode_problem(problem))


# -- answers in ---------------------------------------------------------------------------------------


def read_completion(body: bytes) -> list[Piece]:
    """What one whole completion means; raises ValueError when it is none."""
    chunk = decode(body, _Chunk)
    if chunk.error is not None or chunk.object == "error":
        return [_problem_of(chunk, body)]
    if not chunk.choices:
        raise ValueError("there is no `choices` in it")
    choice = chunk.choices[0]
    pieces: list[Piece] = []
    _add_content(choice.message or choice.delta, pieces)
    if chunk.usage is not None and (usage := chunk.usage.usage()) is not None:
        pieces.append(usage)
    return [*pieces, End(choice.finish_reason or "")]


def _problem_of(chunk: _Chunk, body: bytes) -> Problem:
    value = {"error": chunk.error} if chunk.error is not None else decode(body, dict[str, Any])
    return problem_of_value(value) or Problem("an error without words")


def _add_content(delta: _Delta | None, pieces: list[Piece]) -> None:
    if delta is None:
        return
    if isinstance(delta.content, str):
        if delta.content:
            pieces.append(Content(delta.content))
    elif delta.content:
        pieces += [Content(part.text) for part in delta.content if part.text]
    for position, call in enumerate(delta.tool_calls or ()):
        function = call.function or _Function()
        index = position if call.index is None else call.index
        pieces.append(ToolPiece(index, call.id or "", function.name or "", function.arguments or ""))


# -- requests out and in ------------------------------------------------------------------------------


def message_out(message: Message) -> dict[str, Any]:
    """A message as chat completions write it."""
    written: dict[str, Any] = {"role": message.role, "content": _content_out(message)}
    if message.tool_calls:
        written["tool_calls"] = [
            {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
            for call in message.tool_calls
        ]
    if message.tool_call_id is not None:
        written["tool_call_id"] = message.tool_call_id
    return written


def messages_in(value: Mapping[str, Any]) -> tuple[Message, ...]:
    """The messages of a body; raises ValueError when there are none."""
    written = value.get("messages")
    if not isinstance(written, list) or not written:
        raise ValueError("`messages` is missing")
    return tuple(_message_in(message) for message in written)


def parameters_out(parameters: Mapping[Parameter, ParameterValue]) -> dict[str, Any]:
    """Parameters under their own names, in a fixed order."""
    return {p.value: parameters[p] for p in Parameter if p in parameters}


def parameters_in(value: Mapping[str, Any]) -> dict[Parameter, ParameterValue]:
    """The parameters of a body."""
    found: dict[Parameter, ParameterValue] = {}
    for parameter in Parameter:
        written = value.get(parameter.value)
        if written is not None:
            found[parameter] = tuple(written) if isinstance(written, list) else written
    return found


def usage_out(usage: Usage) -> dict[str, Any]:
    """Usage as chat completions report it."""
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }


def _content_out(message: Message) -> str | list[dict[str, Any]] | None:
    if isinstance(message.content, str):
        return message.content or (None if message.tool_calls else "")
    return [
        {"type": "text", "text": part.text}
        if isinstance(part, TextPart)
        else {"type": "image_url", "image_url": {"url": part.url}}
        for part in message.content
    ]


def _message_in(written: Mapping[str, Any]) -> Message:
    content = written.get("content") or ""
    if isinstance(content, list):
        content = tuple(
            TextPart(text=part["text"]) if part.get("type") == "text" else ImagePart(url=part["image_url"]["url"])
            for part in content
        )
    calls = tuple(
        ToolCall(id=call["id"], name=call["function"]["name"], arguments=call["function"]["arguments"])
        for call in written.get("tool_calls") or ()
    )
    return Message(
        role=written.get("role", "user"), content=content, tool_calls=calls, tool_call_id=written.get("tool_call_id")
    )


def _format_out(wanted: ResponseFormat) -> dict[str, Any]:
    if wanted.json_schema is None:
        return {"type": "json_object"}
    return {"type": "json_schema", "json_schema": {"name": wanted.name, "schema": wanted.json_schema}}


def _format_in(written: Mapping[str, Any]) -> ResponseFormat | None:
    match written.get("type"):
        case "json_object":
            return ResponseFormat(type="json")
        case "json_schema":
            inner = written["json_schema"]
            return ResponseFormat(type="json_schema", json_schema=inner["schema"], name=inner.get("name", "answer"))
        case _:
            return None


def _text_field(value: Mapping[str, Any], name: str) -> str:
    text = value.get(name)
    if not isinstance(text, str) or not text:
        raise ValueError(f"`{name}` is missing")
    return text


# -- answers out --------------------------------------------------------------------------------------


def _deltas(answer: Answer) -> Iterable[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for text in answer.text_pieces():
        yield {"content": text}
    for piece in answer.tool_calls:
        yield {"tool_calls": [_tool_call_out(piece) | {"index": piece.index}]}


def _tool_call_out(piece: ToolPiece) -> dict[str, Any]:
    return {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": piece.arguments}}


def _chunk(answer: Answer, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": answer.id, "object": "chat.completion.chunk", "model": answer.model, "choices": choices}
