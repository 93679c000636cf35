"""A request to a model, the same for every dialect; and the HTTP request it becomes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from route_run.flow.request import Message, ParameterValue, ResponseFormat, Tool
from route_run.policy import Parameter


@dataclass(frozen=True, slots=True)
class ModelCall:
    """What one target is asked: ``model`` is its name there, ``parameters`` are final."""

    model: str
    messages: tuple[Message, ...]
    parameters: Mapping[Parameter, ParameterValue] = field(default_factory=dict)
    tools: tuple[Tool, ...] = ()
    tool_choice: Literal["auto", "none", "required"] | None = None
    response_format: ResponseFormat | None = None
    context_window: int | None = None
    stream: bool = True


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request as bytes and names; header names are in lower case. Its repr shows no header values."""

    url: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    method: str = "POST"
