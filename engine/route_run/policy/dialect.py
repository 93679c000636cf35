"""Facts about the dialects that the policy language and the decision rest on.

What each can carry, its default paths and its login header. How it writes bytes is not known here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType


class Dialect(Enum):
    """The wire formats an endpoint can speak."""

    COGNIGY = "cognigy"
    OPENAI = "openai"
    ANTHROPIC = "anthropic"


class Parameter(Enum):
    """The closed set of parameters that a request may carry."""

    __hash__ = object.__hash__  # members are single objects; Enum's own hash is written in Python and dear

    TEMPERATURE = "temperature"
    TOP_P = "top_p"
    MAX_TOKENS = "max_tokens"
    STOP = "stop"
    SEED = "seed"
    PRESENCE_PENALTY = "presence_penalty"
    FREQUENCY_PENALTY = "frequency_penalty"


class Capability(Enum):
    """What a request can need beyond text."""

    __hash__ = object.__hash__  # see Parameter

    JSON = "json"
    TOOLS = "tools"
    IMAGES = "images"


@dataclass(frozen=True, slots=True)
class Range:
    """The smallest and largest value of a number, both included; None is open."""

    min: float | None = None
    max: float | None = None

    def __contains__(self, value: float) -> bool:
        return (self.min is None or value >= self.min) and (self.max is None or value <= self.max)

    @property
    def is_empty(self) -> bool:
        return self.min is not None and self.max is not None and self.min > self.max

    def __and__(self, other: Range) -> Range:
        lows = [low for low in (self.min, other.min) if low is not None]
        highs = [high for high in (self.max, other.max) if high is not None]
        return Range(max(lows, default=None), min(highs, default=None))

    def clamp(self, value: float) -> float:
        """The nearest value inside; the range must not be empty."""
        if self.min is not None and value < self.min:
            return self.min
        if self.max is not None and value > self.max:
            return self.max
        return value

    def __str__(self) -> str:
        if self.min is None:
            return f"at most {self.max:g}" if self.max is not None else "any value"
        return f"{self.min:g} to {self.max:g}" if self.max is not None else f"at least {self.min:g}"


@dataclass(frozen=True, slots=True)
class Traits:
    """What a dialect can carry and where it is spoken by default.

    ``parameters`` are those it has a field for, with the range its protocol allows; ``needs_max_tokens``
    says that a request without it is refused, ``json_needs_schema`` that JSON can be asked for by a
    schema only, ``always_streams`` that there is no plain answer.
    """

    path: str
    key_header: str
    token_path: str
    parameters: Mapping[Parameter, Range]
    carries: frozenset[Capability]
    largest_context: int | None = None
    needs_max_tokens: bool = False
    json_needs_schema: bool = False
    always_streams: bool = False


_ANY = Range()
_TOKEN_PATH = "/api/v1/auth/token"

TRAITS: Mapping[Dialect, Traits] = MappingProxyType(
    {
        Dialect.COGNIGY: Traits(
            path="/api/v1/llm/gateway/inference",
            key_header="X-API-Key",
            token_path=_TOKEN_PATH,
            parameters={
                Parameter.TEMPERATURE: Range(0, 2),
                Parameter.TOP_P: Range(0, 1),
                Parameter.MAX_TOKENS: Range(1, 8192),
            },
            carries=frozenset(),
            largest_context=128_000,
            always_streams=True,
        ),
        Dialect.OPENAI: Traits(
            path="/chat/completions",
            key_header="Authorization",
            token_path=_TOKEN_PATH,
            parameters=dict.fromkeys(Parameter, _ANY),
            carries=frozenset(Capability),
        ),
        Dialect.ANTHROPIC: Traits(
            path="/v1/messages",
            key_header="x-api-key",
            token_path=_TOKEN_PATH,
            parameters={
                Parameter.TEMPERATURE: Range(0, 1),
                Parameter.TOP_P: Range(0, 1),
                Parameter.MAX_TOKENS: Range(1, None),
                Parameter.STOP: _ANY,
            },
            carries=frozenset(Capability),
            needs_max_tokens=True,
            json_needs_schema=True,
        ),
    }
)
"""Per dialect its traits. Cognigy's ranges are its gateway's; Anthropic's those of its Messages API."""
