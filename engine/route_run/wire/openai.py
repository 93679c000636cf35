"""The dialect of OpenAI's chat completions, as OpenAI, llama.cpp, vLLM, Ollama and many others speak it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import msgspec

from route_run.flow.outcome import ToolPiece, Usage
from route_run.wire.answer import Answer, AnswerDecoder, Content, End, Piece, Problem, Progress
from route_run.wire.body import decode, encode, problem_of_value, tokens
from route_run.wire.call import ModelCall
from route_run.wire.decoding import choose_decoder
from route_run.wire.frames import Frame, encode_frame
from route_run.wire.openai_request import decode_request, encode_request

DONE = b"[DONE]"
_ERROR = "error"
_ENDED_WITH_ERROR = Problem("the provider ended the answer with an error", _ERROR)


Count: TypeAlias = Any
"""A number of tokens as a server wrote it: an odd one must not spoil an answer that was given and paid for."""


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


class _ReportedUsage(msgspec.Struct):
    prompt_tokens: Count = None
    completion_tokens: Count = None
    prompt_tokens_details: Any = None

    def usage(self) -> Usage | None:
        prompt, completion = tokens(self.prompt_tokens), tokens(self.completion_tokens)
        if prompt is None and completion is None:
            return None
        details = self.prompt_tokens_details
        cached = tokens(details.get("cached_tokens")) if isinstance(details, dict) else None
        return Usage(prompt or 0, completion or 0, cached or 0)


class _Chunk(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _ReportedUsage | None = None
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
            pieces.append(_problem_of(data))
            return
        if chunk.choices:
            choice = chunk.choices[0]
            _add_content(choice.delta or choice.message, pieces)
            if choice.finish_reason or choice.message is not None:  # a whole message is an end of its own
                self._end(choice.finish_reason or "", pieces)
        if chunk.usage is not None and (usage := chunk.usage.usage()) is not None:
            pieces.append(usage)
            if self._usage_ends and not chunk.choices:
                self._end("", pieces)

    def _end(self, reason: str, pieces: list[Piece]) -> None:
        if reason == _ERROR:
            pieces.append(_ENDED_WITH_ERROR)
            return
        if self.progress is Progress.OPEN:
            pieces.append(End(reason))
        self.progress = Progress.ENDED


class OpenAICodec:
    """Chat completions in four halves."""

    headers: Mapping[str, str] = {}

    def encode_request(self, call: ModelCall) -> bytes:
        return encode_request(call)

    def decode_request(self, body: bytes) -> ModelCall:
        return decode_request(body)

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
        return [_problem_of(body)]
    if not chunk.choices:
        raise ValueError("there is no `choices` in it")
    choice = chunk.choices[0]
    pieces: list[Piece] = []
    _add_content(choice.message or choice.delta, pieces)
    if choice.finish_reason == _ERROR:
        return [*pieces, _ENDED_WITH_ERROR]
    if chunk.usage is not None and (usage := chunk.usage.usage()) is not None:
        pieces.append(usage)
    return [*pieces, End(choice.finish_reason or "")]


def _problem_of(body: bytes) -> Problem:
    """The error with what stands beside it: some say their words there."""
    return problem_of_value(decode(body, dict[str, Any])) or Problem("an error without words")


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


# -- answers out --------------------------------------------------------------------------------------


def _deltas(answer: Answer) -> Iterable[dict[str, Any]]:
    yield {"role": "assistant", "content": ""}
    for text in answer.text_pieces():
        yield {"content": text}
    for piece in answer.tool_calls:
        yield {"tool_calls": [_tool_call_out(piece) | {"index": piece.index}]}


def _tool_call_out(piece: ToolPiece) -> dict[str, Any]:
    return {"id": piece.id, "type": "function", "function": {"name": piece.name, "arguments": piece.arguments}}


def usage_out(usage: Usage) -> dict[str, Any]:
    """Usage as chat completions report it."""
    reported: dict[str, Any] = {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    }
    return reported | ({"prompt_tokens_details": {"cached_tokens": usage.cached}} if usage.cached else {})


def _chunk(answer: Answer, choices: list[dict[str, Any]]) -> dict[str, Any]:
    return {"id": answer.id, "object": "chat.completion.chunk", "model": answer.model, "choices": choices}
