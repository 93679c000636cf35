"""A request as a caller makes it, and the attributes it is matched by.

Decides what a well-formed request is. Knows nothing of policies.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, NoReturn

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    model_validator,
)

from route_run.errors import RequestError
from route_run.policy import Capability, Parameter
from route_run.table import BYTES_PER_TOKEN, TOKENS_PER_IMAGE, TOKENS_PER_MESSAGE

ParameterValue = float | int | tuple[str, ...]


def _encodable(text: str) -> str:
    """Texts come from command lines and other decoders; what cannot be written as UTF-8 cannot be sent."""
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError("half of a surrogate pair is not a character") from error
    return text


def _is_json_object(text: str) -> str:
    try:
        value = json.loads(text or "{}", parse_constant=_refuse_constant)
    except RecursionError as error:
        raise ValueError("the arguments are nested too deep") from error
    if not isinstance(value, dict):
        raise ValueError("the arguments of a tool call are a JSON object")  # noqa: TRY004  # pydantic wants it
    return text


def _is_json(value: Mapping[str, Any]) -> Mapping[str, Any]:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise ValueError("this cannot be written as JSON") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _shape_of_content(value: object) -> str:
    return _ONE_TEXT if isinstance(value, str) else _PARTS


_ONE_TEXT, _PARTS = "<text>", "<parts>"
UtfText = Annotated[str, AfterValidator(_encodable)]
Json = Annotated[Mapping[str, Any], AfterValidator(_is_json)]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class TextPart(_Part):
    """A piece of text in a message."""

    type: Literal["text"] = "text"
    text: UtfText


class ImagePart(_Part):
    """An image in a message: an https URL that the provider fetches, or a `data:` URL."""

    type: Literal["image"] = "image"
    url: str = Field(pattern=r"^(https://|data:image/[a-z0-9.+-]+;base64,)")


class ToolCall(_Part):
    """A call that the model asked for; ``arguments`` is JSON as text."""

    id: UtfText
    name: UtfText
    arguments: Annotated[UtfText, AfterValidator(_is_json_object)]


_Parts = tuple[Annotated[TextPart | ImagePart, Field(discriminator="type")], ...]
_Content = Annotated[
    Annotated[UtfText, Tag(_ONE_TEXT)] | Annotated[_Parts, Tag(_PARTS)], Discriminator(_shape_of_content)
]


class Message(_Part):
    """One turn; ``tool_call_id`` says which call a `tool` message answers."""

    role: Literal["system", "user", "assistant", "tool"]
    content: _Content = ""
    tool_calls: tuple[ToolCall, ...] = ()
    tool_call_id: UtfText | None = None

    @property
    def text(self) -> str:
        """All text of the message, its parts joined by newlines."""
        if isinstance(self.content, str):
            return self.content
        return "\n".join(part.text for part in self.content if isinstance(part, TextPart))

    @property
    def images(self) -> tuple[ImagePart, ...]:
        if isinstance(self.content, str):
            return ()
        return tuple(part for part in self.content if isinstance(part, ImagePart))


class Tool(_Part):
    """A function the model may call; ``parameters`` is a JSON Schema."""

    name: UtfText = Field(min_length=1, max_length=128)
    description: UtfText = ""
    parameters: Json = Field(default_factory=lambda: {"type": "object", "properties": {}})


class ResponseFormat(_Part):
    """A structured answer: any JSON, or JSON that ``json_schema`` accepts."""

    type: Literal["json", "json_schema"]
    json_schema: Json | None = None
    name: UtfText = "answer"


class Parameters(_Part):
    """What a caller may set; what is left out takes the route's default or is not sent."""

    temperature: float | None = Field(default=None, allow_inf_nan=False)
    top_p: float | None = Field(default=None, allow_inf_nan=False)
    max_tokens: int | None = None
    stop: tuple[UtfText, ...] | None = None
    seed: int | None = None
    presence_penalty: float | None = Field(default=None, allow_inf_nan=False)
    frequency_penalty: float | None = Field(default=None, allow_inf_nan=False)

    def given(self) -> dict[Parameter, ParameterValue]:
        """The parameters that were set."""
        found = ((parameter, getattr(self, parameter.value)) for parameter in Parameter)
        return {parameter: value for parameter, value in found if value is not None}


class PromptRequest(BaseModel):
    """A prompt or messages with everything that may go along; make one with ``PromptRequest.of``.

    ``tags`` are claims about the request that routes match. ``documents`` are texts to be used in the
    answer: each is sent as a user message before the prompt. ``requested_model`` is what the caller
    asked for and only matches; ``route`` names a callable route. ``allow_restart`` says that the
    caller can discard text it was given.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    prompt: UtfText | None = None
    messages: tuple[Message, ...] = ()
    documents: tuple[UtfText, ...] = ()
    tags: Mapping[UtfText, UtfText] = Field(default_factory=dict)
    parameters: Parameters = Parameters()
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["auto", "none", "required"] | None = None
    response_format: ResponseFormat | None = None
    requested_model: UtfText | None = Field(default=None, min_length=1)
    route: UtfText | None = Field(default=None, min_length=1)
    allow_restart: bool = False

    @classmethod
    def of(cls, **fields: Any) -> PromptRequest:
        """A request from its fields; raises RequestError that names the first field that is wrong."""
        try:
            return cls.model_validate(fields)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False)[0]
            place = ".".join(str(key) for key in first["loc"] if key not in (_ONE_TEXT, _PARTS)) or "request"
            raise RequestError(place, first["msg"].removeprefix("Value error, ")) from error

    @model_validator(mode="after")
    def _whole(self) -> PromptRequest:
        if (self.prompt is None) == (not self.messages):
            raise ValueError("give either `prompt` or `messages`")
        if self.prompt is not None and not self.prompt.strip():
            raise ValueError("the prompt is empty")
        if self.messages and not any(m.text.strip() or m.images for m in self.messages if m.role != "system"):
            raise ValueError("no message has any content")
        asks_schema = self.response_format is not None and self.response_format.type == "json_schema"
        if asks_schema and self.response_format is not None and self.response_format.json_schema is None:
            raise ValueError("`response_format` of the type json_schema needs `json_schema`")
        if self.tool_choice is not None and not self.tools:
            raise ValueError("`tool_choice` needs `tools`")
        return self

    @cached_property
    def conversation(self) -> tuple[Message, ...]:
        """The messages that are sent: system turns, then documents, then the other turns."""
        turns = self.messages or (Message(role="user", content=self.prompt or ""),)
        documents = tuple(Message(role="user", content=text) for text in self.documents)
        if not documents:
            return turns
        systems = tuple(turn for turn in turns if turn.role == "system")
        return (*systems, *documents, *(turn for turn in turns if turn.role != "system"))

    @cached_property
    def needs(self) -> frozenset[Capability]:
        """What the content asks of a model beyond text."""
        needs = set()
        if self.response_format is not None:
            needs.add(Capability.JSON)
        if self.tools or any(message.tool_calls or message.role == "tool" for message in self.messages):
            needs.add(Capability.TOOLS)
        if any(message.images for message in self.messages):
            needs.add(Capability.IMAGES)
        return frozenset(needs)

    @cached_property
    def prompt_tokens(self) -> int:
        """The estimate of the prompt's size by ``estimate@1``."""
        size = sum(len(text.encode()) for text in self._counted_texts())
        images = sum(len(message.images) for message in self.messages)
        return -(-size // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE * len(self.conversation) + TOKENS_PER_IMAGE * images

    @cached_property
    def scanned_texts(self) -> tuple[str, ...]:
        """What guards look at: every message that is not the system's, and every document."""
        texts = (message.text for message in self.conversation if message.role != "system")
        return tuple(text for text in texts if text)

    def _counted_texts(self) -> Iterator[str]:
        for message in self.conversation:
            yield message.text
            for call in message.tool_calls:
                yield call.arguments
        if self.tools:
            tools = [tool.model_dump() for tool in self.tools]
            yield json.dumps(tools, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
