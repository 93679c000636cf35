"""What a target is asked when its answer did not pass: its answer, what is wrong with it, and whether that fits."""

from __future__ import annotations

import pytest

from route_run.flow.plan import PlannedTarget
from route_run.flow.repair import MAX_SHOWN, repairing
from route_run.flow.request import PromptRequest
from route_run.policy import Parameter
from support.examples import planned

REQUEST = PromptRequest.of(prompt="Hello", documents=["a document"])
(TARGET, *_) = planned().targets


def asked(answer: str, reason: str = "not JSON", request: PromptRequest = REQUEST, target: PlannedTarget = TARGET):
    messages = repairing(request, target, answer, reason)
    assert messages is not None
    assert messages[: len(request.conversation)] == request.conversation
    return [(message.role, message.text) for message in messages[len(request.conversation) :]]


def test_the_answer_and_what_is_wrong_with_it_follow_the_conversation():
    (role, shown), (other, question) = asked('{"a": ', "answer: 'b' is missing")
    assert (role, shown, other) == ("assistant", '{"a": ', "user")
    assert "answer: 'b' is missing" in question
    assert "JSON" in question


@pytest.mark.parametrize("answer", ["", " \n"])
def test_an_answer_of_nothing_is_not_quoted(answer):
    assert [role for role, _ in asked(answer)] == ["user"]


def test_a_long_answer_is_cut_where_that_is_said():
    shown = asked("x" * (MAX_SHOWN + 1))[0][1]
    assert shown == "x" * MAX_SHOWN + " [the rest is left out]"
    assert asked("x" * MAX_SHOWN)[0][1] == "x" * MAX_SHOWN


def test_what_cannot_be_written_as_utf_8_is_replaced():
    assert asked("\ud83e no", "a \ud800")[0][1] == "? no"


def fits(prompt_bytes: int, answer_bytes: int, max_tokens: int | None = None) -> bool:
    parameters = {} if max_tokens is None else {Parameter.MAX_TOKENS: max_tokens}
    target = PlannedTarget(TARGET.target, parameters)
    request = PromptRequest.of(prompt="x" * prompt_bytes)
    return repairing(request, target, "y" * answer_bytes, "not JSON") is not None


def test_what_exceeds_the_context_window_cannot_be_asked():
    """The window holds 10,000 tokens of three bytes; the model's longest answer is 1,000."""
    sizes = [size for size in range(10_000, 14_000) if fits(15_000, size)]
    assert sizes == list(range(10_000, 10_000 + len(sizes)))
    assert 11_000 < 10_000 + len(sizes) < 12_000
    assert fits(15_000, 10_000 + len(sizes) + 2_000, max_tokens=100)
    assert not fits(27_000, 0)
    assert fits(26_000, 0)
