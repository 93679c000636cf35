"""A request to go with attributes: made up, as plain as can be, and of exactly their size.

Decides what such a request says. It is asked of `decide`, so that what is claimed of a region is proved
by the engine itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from route_run.flow.request import ImagePart, Message, PromptRequest, ResponseFormat, TextPart
from route_run.policy import Capability
from route_run.table import BYTES_PER_TOKEN, TOKENS_PER_IMAGE, TOKENS_PER_MESSAGE, Attributes

MOST_TOKENS = 2_000_000
"""The largest prompt that is made up; a region that starts above it is shown without such proof."""

_WORDS = "lorem ipsum dolor sit amet "
_IMAGE = ImagePart(url="https://example.com/picture.png")


def request_of(attributes: Attributes, *, route: str | None = None) -> PromptRequest | None:
    """A request with these attributes; None when its prompt would have more than ``MOST_TOKENS``."""
    if attributes.prompt_tokens > MOST_TOKENS:
        return None
    return PromptRequest.of(
        **content(attributes), tags=dict(attributes.tags), requested_model=attributes.requested_model, route=route
    )


def content(attributes: Attributes) -> Mapping[str, Any]:
    """The fields of a request that make up its size and its needs."""
    wants_image = Capability.IMAGES in attributes.needs
    left = attributes.prompt_tokens - TOKENS_PER_MESSAGE - (TOKENS_PER_IMAGE if wants_image else 0)
    text = _text(left * BYTES_PER_TOKEN)
    fields: dict[str, Any] = {}
    if Capability.JSON in attributes.needs:
        fields["response_format"] = ResponseFormat(type="json")
    if wants_image or Capability.TOOLS in attributes.needs:
        parts = (*((TextPart(text=text),) if text else ()), *((_IMAGE,) if wants_image else ()))
        # an answer of a tool is the smallest content that needs tools
        is_tool = Capability.TOOLS in attributes.needs
        turn = (
            Message(role="tool", content=parts, tool_call_id="call") if is_tool else Message(role="user", content=parts)
        )
        return {**fields, "messages": (turn,)}
    return {**fields, "prompt": text}


def options(attributes: Attributes, route: str | None = None) -> Sequence[str]:
    """The options of `explain` and `run` that ask for these attributes; size and needs have none."""
    named = ["--route", route] if route is not None else []
    tags = [part for tag, value in sorted(attributes.tags.items()) for part in ("--tag", f"{tag}={value}")]
    model = ["--model", attributes.requested_model] if attributes.requested_model is not None else []
    return [*named, *tags, *model]


def _text(size: int) -> str:
    """A text of so many bytes, which ends in a letter."""
    repeated = (_WORDS * (size // len(_WORDS) + 1))[:size]
    return repeated[:-1] + "." if repeated.endswith(" ") else repeated
