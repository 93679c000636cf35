"""Parts of an answer that lack what they are for: an answer that went on without them would be another one."""

from __future__ import annotations

import json
from typing import Any

import pytest

from route_run.wire.answer import Content, Progress, Unreadable
from support.answers import JSON, named_sse, receive
from support.recorded import ANTHROPIC

SAID = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Rain"}}
STOP = {"type": "message_stop"}


@pytest.mark.parametrize(
    "delta",
    [{"type": "text_delta", "tExt": " again"}, {"type": "text_delta"}, {"type": "input_json_delta", "index": 1}],
    ids=["a-bit-that-flipped", "nothing", "arguments"],
)
def test_a_delta_without_its_content_makes_the_stream_unreadable(delta: dict[str, Any]) -> None:
    damaged = {"type": "content_block_delta", "index": 0, "delta": delta}
    received = receive(ANTHROPIC, named_sse(SAID, damaged, SAID, STOP))
    assert [type(piece) for piece in received.pieces] == [Content, Unreadable]
    assert "without" in received.unreadable[0].message
    assert received.progress is Progress.OPEN


@pytest.mark.parametrize(
    "block",
    [
        {"type": "text"},
        {"type": "tool_use", "id": "a", "name": "f", "input": "INVALID"},
        {"type": "tool_use", "id": "a", "name": "f", "input": ["Rome"]},
    ],
    ids=["text-without-text", "input-that-is-a-string", "input-that-is-a-list"],
)
def test_a_block_that_cannot_be_what_it_says_is_no_answer(block: dict[str, Any]) -> None:
    received = receive(ANTHROPIC, _message(block), JSON, streamed=False)
    assert [type(piece) for piece in received.pieces] == [Unreadable]
    assert received.progress is Progress.OPEN


def test_a_tool_without_arguments_is_called_with_none() -> None:
    block = {"type": "tool_use", "id": "a", "name": "f", "input": None}
    assert receive(ANTHROPIC, _message(block), JSON, streamed=False).calls == [("a", "f", "{}")]


def _message(block: dict[str, Any]) -> bytes:
    return json.dumps({"type": "message", "content": [block], "stop_reason": "end_turn"}).encode()
