"""The request of a rehearsal as the engine takes it, or what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from route_run.errors import Code, Finding, RequestError
from route_run.flow.request import PromptRequest
from route_run.policy import PlacedRehearsal
from route_run.policy.rehearsal import RequestScript
from route_run.table import BYTES_PER_TOKEN, TOKENS_PER_MESSAGE

_WORD = "word "


def request_of(script: RequestScript) -> PromptRequest:
    """The request that is made; raises RequestError for one that is malformed."""
    prompt = script.prompt if script.prompt_tokens is None else made_up_prompt(script.prompt_tokens)
    fields = {
        "prompt": prompt,
        "messages": script.messages,
        "documents": script.documents,
        "tags": script.tags,
        "parameters": script.parameters,
        "tools": script.tools,
        "tool_choice": script.tool_choice,
        "response_format": script.response_format,
        "requested_model": script.requested_model,
        "route": script.route,
        "allow_restart": script.allow_restart,
    }
    return PromptRequest.of(**fields)


def made_up_prompt(tokens: int) -> str:
    """A prompt of harmless words whose estimate is exactly this."""
    size = (tokens - TOKENS_PER_MESSAGE) * BYTES_PER_TOKEN
    return (_WORD * (size // len(_WORD) + 1))[: size - 1] + "."


def check_requests(rehearsals: Sequence[PlacedRehearsal]) -> list[Finding]:
    """A finding for every request that no caller could make."""
    return [finding for placed in rehearsals for finding in _problems(placed)]


def _problems(placed: PlacedRehearsal) -> Iterator[Finding]:
    for number, scene in enumerate(placed.written.scenes):
        try:
            request_of(scene.request)
        except RequestError as error:
            keys = (*placed.scene_keys(number), "request")
            named = tuple(int(part) if part.isdigit() else part for part in error.field.split("."))
            message = str(error) if error.field != "request" else str(error).partition(": ")[2]
            yield Finding(
                Code.BAD_REQUEST,
                placed.origin.span(*keys, *named),
                f"this is no request: {message}",
                help="correct it; the engine never sees such a request",
            )
