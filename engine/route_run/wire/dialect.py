"""What every dialect can do: requests out and in, answers in and out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Protocol

from route_run.policy import Dialect
from route_run.wire.answer import Answer, AnswerDecoder, Problem
from route_run.wire.call import ModelCall


class Codec(Protocol):
    """One dialect, in four halves. The engine uses the way out and back; the simulator and the gateway the inverses."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers that every request of the dialect carries, beside those of its body."""
        ...

    def encode_request(self, call: ModelCall) -> bytes:
        """The body of a request."""
        ...

    def decode_request(self, body: bytes) -> ModelCall:
        """The call a body asks for; raises ValueError that says what is wrong with it."""
        ...

    def decoder(self, content_type: str, *, streamed: bool) -> AnswerDecoder:
        """A decoder for the answer that such headers announce, to a request that asked for a stream or not."""
        ...

    def encode_stream(self, answer: Answer) -> Iterable[bytes]:
        """A streamed answer as the chunks a server would send, its proper end last."""
        ...

    def encode_plain(self, answer: Answer) -> bytes:
        """An answer as one body."""
        ...

    def encode_problem(self, problem: Problem) -> bytes:
        """The body of an error."""
        ...

    def encode_problem_event(self, problem: Problem) -> bytes:
        """An error inside of a stream."""
        ...


def codec(dialect: Dialect) -> Codec:
    """The codec of a dialect."""
    # imported here: a command that sends nothing should not pay for all of them
    from route_run.wire.anthropic import AnthropicCodec
    from route_run.wire.cognigy import CognigyCodec
    from route_run.wire.openai import OpenAICodec

    codecs: Mapping[Dialect, type[Codec]] = MappingProxyType(
        {Dialect.COGNIGY: CognigyCodec, Dialect.OPENAI: OpenAICodec, Dialect.ANTHROPIC: AnthropicCodec}
    )
    return codecs[dialect]()
