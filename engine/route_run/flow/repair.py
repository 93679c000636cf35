"""Asking for a repair: the conversation that shows a model its own answer and what is wrong with it.

Decides the words, and whether they fit into the model's context window. What it is given is clean of
secrets already.
"""

from __future__ import annotations

from typing import TypeAlias

from route_run.flow.plan import PlannedTarget
from route_run.flow.request import Message, PromptRequest
from route_run.policy import Parameter
from route_run.table import BYTES_PER_TOKEN, TOKENS_PER_MESSAGE

Conversation: TypeAlias = tuple[Message, ...]

MAX_SHOWN = 16_000
"""Longest part of the answer that is shown again, in characters."""
_CUT = " [the rest is left out]"


def repairing(request: PromptRequest, planned: PlannedTarget, answer: str, reason: str) -> Conversation | None:
    """The request's conversation, the answer and why it is not accepted; None where that does not fit."""
    shown = answer if len(answer) <= MAX_SHOWN else answer[:MAX_SHOWN] + _CUT
    added = (
        *([Message(role="assistant", content=_encodable(shown))] if shown.strip() else ()),
        Message(role="user", content=_encodable(_question(reason))),
    )
    conversation = (*request.conversation, *added)
    more = more_tokens(request, conversation)
    wanted = planned.parameters.get(Parameter.MAX_TOKENS)
    longest = wanted if isinstance(wanted, int) else planned.target.max_output_tokens
    if request.prompt_tokens + more + longest > planned.target.context_window:
        return None
    return conversation


def more_tokens(request: PromptRequest, conversation: Conversation) -> int:
    """The estimated tokens of what a conversation adds to that of the request."""
    added = conversation[len(request.conversation) :]
    return sum(-(-len(message.text.encode()) // BYTES_PER_TOKEN) + TOKENS_PER_MESSAGE for message in added)


def _question(reason: str) -> str:
    return (
        f"Your answer was not accepted by an automatic check: {reason}. "
        "Give the whole answer again, corrected, as JSON and nothing else: no explanation, no code fence."
    )


def _encodable(text: str) -> str:
    """Half of a surrogate pair can come from a model and cannot be sent to one."""
    return text.encode("utf-8", "replace").decode()
