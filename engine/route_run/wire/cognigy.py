"""The dialect of the NICE Cognigy LLM gateway: always a stream, text only."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from route_run.flow.request import Message
from route_run.policy import Parameter
from route_run.wire.answer import Answer, AnswerDecoder, Problem
from route_run.wire.body import decode, encode
from route_run.wire.call import ModelCall
from route_run.wire.decoding import choose_decoder
from route_run.wire.frames import encode_frame
from route_run.wire.openai import OpenAIEvents, read_completion, usage_out
from route_run.wire.openai_request import Conversation, parameters_out

_CARRIED = (Parameter.TEMPERATURE, Parameter.TOP_P, Parameter.MAX_TOKENS)


class _Request(Conversation, kw_only=True):
    model: str = ""


class CognigyCodec:
    """The gateway's inference call in four halves.

    The answer comes as server-sent events or bare JSON lines; the usage object, `[DONE]` or a
    finish_reason is its proper end.
    """

    headers: Mapping[str, str] = {}

    def encode_request(self, call: ModelCall) -> bytes:
        body: dict[str, Any] = {
            "model": call.model,
            "messages": [{"role": message.role, "content": message.text} for message in call.messages],
        }
        if call.context_window is not None:
            body["context_window"] = call.context_window
        body |= parameters_out({p: call.parameters[p] for p in _CARRIED if p in call.parameters})
        body["stream"] = True
        return encode(body)

    def decode_request(self, body: bytes) -> ModelCall:
        wanted = decode(body, _Request)
        given = wanted.parameters()
        return ModelCall(
            model=wanted.model,
            messages=tuple(Message(role=turn.role, content=turn.text) for turn in wanted.turns()),
            parameters={p: given[p] for p in _CARRIED if p in given},
            context_window=wanted.context_window,
            stream=True,
        )

    def decoder(self, content_type: str, *, streamed: bool) -> AnswerDecoder:
        return choose_decoder(content_type, True, OpenAIEvents(usage_ends=True), read_completion)

    def encode_stream(self, answer: Answer) -> Iterable[bytes]:
        for text in answer.text_pieces():
            yield encode_frame(encode({"choices": [{"delta": {"content": text}}]}))
        if answer.usage is not None:
            yield encode_frame(encode({"usage": usage_out(answer.usage)}))
        yield encode_frame(b"[DONE]")

    def encode_plain(self, answer: Answer) -> bytes:
        return b"".join(self.encode_stream(answer))

    def encode_problem(self, problem: Problem) -> bytes:
        return encode({"error": {"message": problem.message}})

    def encode_problem_event(self, problem: Problem) -> bytes:
        return encode_frame(self.encode_problem(problem))
