"""What a request is: what is refused and where, the conversation, needs, the estimate, what is scanned."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.errors import RequestError
from route_run.flow.request import ImagePart, Message, PromptRequest, TextPart, Tool
from route_run.policy import Capability, Parameter
from route_run.table import smallest_prompt

PIXEL = "data:image/png;base64,iVBORw0KGgo="
HELLO = {"role": "user", "content": "Hello"}


def asked(**call: object) -> dict[str, object]:
    """An assistant turn that asked for one tool call."""
    written = {"id": "call_1", "name": "weather", "arguments": "{}"} | call
    return {"role": "assistant", "tool_calls": [written]}


def turn(*parts: dict[str, object]) -> dict[str, object]:
    return {"role": "user", "content": list(parts)}


def deeply_nested(depth: int) -> dict[str, object]:
    nested: dict[str, object] = {}
    for _ in range(depth):
        nested = {"a": nested}
    return nested


# -- what is refused ---------------------------------------------------------------------------------

REFUSED = {
    "nothing": ({}, "request"),
    "prompt-and-messages": ({"prompt": "a", "messages": [HELLO]}, "request"),
    "no-messages": ({"messages": []}, "request"),
    "empty-prompt": ({"prompt": ""}, "request"),
    "blank-prompt": ({"prompt": " \n\t"}, "request"),
    "documents-alone": ({"documents": ["a"]}, "request"),
    "only-system": ({"messages": [{"role": "system", "content": "Be brief."}]}, "request"),
    "only-empty-turns": ({"messages": [{"role": "user", "content": ""}, asked()]}, "request"),
    "prompt-is-a-number": ({"prompt": 5}, "prompt"),
    "unknown-field": ({"promt": "a"}, "promt"),
    "unknown-field-inside": ({"messages": [HELLO | {"name": "x"}]}, "messages.0.name"),
    "unknown-role": ({"messages": [HELLO, {"role": "wizard", "content": "a"}]}, "messages.1.role"),
    "document-is-null": ({"prompt": "a", "documents": ["b", None]}, "documents.1"),
    "tag-is-a-number": ({"prompt": "a", "tags": {"desk": 5}}, "tags.desk"),
    "empty-route": ({"prompt": "a", "route": ""}, "route"),
    "empty-model": ({"prompt": "a", "requested_model": ""}, "requested_model"),
    "unknown-parameter": ({"prompt": "a", "parameters": {"top_k": 1}}, "parameters.top_k"),
    "temperature-nan": ({"prompt": "a", "parameters": {"temperature": float("nan")}}, "parameters.temperature"),
    "penalty-infinite": (
        {"prompt": "a", "parameters": {"presence_penalty": float("inf")}},
        "parameters.presence_penalty",
    ),
    "max-tokens-fraction": ({"prompt": "a", "parameters": {"max_tokens": 10.5}}, "parameters.max_tokens"),
    "stop-is-text": ({"prompt": "a", "parameters": {"stop": "END"}}, "parameters.stop"),
    "tool-without-name": ({"prompt": "a", "tools": [{"name": ""}]}, "tools.0.name"),
    "tool-name-too-long": ({"prompt": "a", "tools": [{"name": "f" * 129}]}, "tools.0.name"),
    "tool-parameters-text": ({"prompt": "a", "tools": [{"name": "f", "parameters": "x"}]}, "tools.0.parameters"),
    "unknown-tool-choice": ({"prompt": "a", "tools": [{"name": "f"}], "tool_choice": "any"}, "tool_choice"),
    "tool-choice-alone": ({"prompt": "a", "tool_choice": "auto"}, "request"),
    "unknown-format": ({"prompt": "a", "response_format": {"type": "xml"}}, "response_format.type"),
    "schema-format-without-schema": ({"prompt": "a", "response_format": {"type": "json_schema"}}, "request"),
    "arguments-not-json": ({"messages": [HELLO, asked(arguments="{")]}, "messages.1.tool_calls.0.arguments"),
    "arguments-a-list": ({"messages": [HELLO, asked(arguments="[1]")]}, "messages.1.tool_calls.0.arguments"),
    "arguments-too-deep": ({"messages": [HELLO, asked(arguments="[" * 10**5)]}, "messages.1.tool_calls.0.arguments"),
    "arguments-huge-number": (
        {"messages": [HELLO, asked(arguments="1" * 5000)]},
        "messages.1.tool_calls.0.arguments",
    ),
    "arguments-nan": ({"messages": [HELLO, asked(arguments='{"a":NaN}')]}, "messages.1.tool_calls.0.arguments"),
}


@pytest.mark.parametrize(("fields", "field"), REFUSED.values(), ids=REFUSED)
def test_a_malformed_request_is_refused_with_the_name_of_its_field(fields, field):
    with pytest.raises(RequestError) as refused:
        PromptRequest.of(**fields)
    assert refused.value.field == field


PARTS_REFUSED = {
    "http-image": ({"type": "image", "url": "http://example.com/a.png"}, "url"),
    "file-image": ({"type": "image", "url": "file:///etc/passwd"}, "url"),
    "svg-without-base64": ({"type": "image", "url": "data:image/svg+xml,<svg/>"}, "url"),
    "part-without-text": ({"type": "text"}, "text"),
}


@pytest.mark.parametrize(("part", "named"), PARTS_REFUSED.values(), ids=PARTS_REFUSED)
def test_a_malformed_part_is_refused_by_its_own_place(part, named):
    """Not by the other shape that content might have had: `content` was never meant to be one text."""
    with pytest.raises(RequestError) as refused:
        PromptRequest.of(messages=[turn({"type": "text", "text": "see"}, part)])
    assert refused.value.field.startswith("messages.0.content.1")
    assert refused.value.field.endswith(named)


NOT_JSON = {
    "an-object": {"a": object()},
    "a-set": {"a": {1, 2}},
    "lone-surrogate": {"a": "\ud800"},
    "too-deep": deeply_nested(20_000),
}


@pytest.mark.parametrize("schema", NOT_JSON.values(), ids=NOT_JSON)
def test_a_tool_whose_parameters_cannot_be_written_as_json_is_refused(schema):
    with pytest.raises(RequestError):
        PromptRequest.of(prompt="a", tools=[{"name": "f", "parameters": schema}])


NOT_UTF_8 = {
    "prompt": {"prompt": "caf\ud800"},
    "message": {"messages": [{"role": "user", "content": "caf\ud800"}]},
    "part": {"messages": [turn({"type": "text", "text": "caf\udfff"})]},
    "document": {"prompt": "a", "documents": ["\udc80"]},
}


@pytest.mark.parametrize("fields", NOT_UTF_8.values(), ids=NOT_UTF_8)
def test_a_text_with_half_a_surrogate_pair_is_refused(fields):
    """Command lines and broken decoders make such texts; no dialect can write them, nothing can count them."""
    with pytest.raises(RequestError):
        PromptRequest.of(**fields)


def test_the_error_says_what_is_wrong_in_words():
    with pytest.raises(RequestError, match=r"^request: give either `prompt` or `messages`$"):
        PromptRequest.of()


def test_a_refusal_does_not_repeat_what_was_given():
    with pytest.raises(RequestError) as refused:
        PromptRequest.of(prompt="a", tags={"desk": ["my secret"]})
    assert "my secret" not in str(refused.value)


# -- what is taken -----------------------------------------------------------------------------------

TAKEN = {
    "prompt": {"prompt": "Hello"},
    "names-of-one-letter": {"prompt": "a", "route": "r", "requested_model": "m", "tools": [{"name": "f"}]},
    "an-image-alone": {"messages": [turn({"type": "image", "url": "https://example.com/a.png"})]},
    "data-image": {"messages": [turn({"type": "image", "url": PIXEL})]},
    "empty-arguments": {"messages": [HELLO, asked(arguments="")]},
    "tool-result": {"messages": [HELLO, asked(), {"role": "tool", "tool_call_id": "call_1", "content": "{}"}]},
    "only-assistant-text": {"messages": [{"role": "assistant", "content": "Once upon"}]},
    "json-without-schema": {"prompt": "a", "response_format": {"type": "json"}},
}


@pytest.mark.parametrize("fields", TAKEN.values(), ids=TAKEN)
def test_a_well_formed_request_is_taken(fields):
    assert PromptRequest.of(**fields).conversation


def test_only_parameters_that_were_set_are_given():
    request = PromptRequest.of(prompt="a", parameters={"temperature": 0, "stop": ["END"]})
    assert request.parameters.given() == {Parameter.TEMPERATURE: 0.0, Parameter.STOP: ("END",)}


def test_a_request_cannot_be_changed():
    request = PromptRequest.of(prompt="a")
    with pytest.raises(ValueError, match="frozen"):
        request.prompt = "b"


# -- the conversation --------------------------------------------------------------------------------


def test_a_prompt_becomes_one_user_message():
    assert PromptRequest.of(prompt="Hello").conversation == (Message(role="user", content="Hello"),)


def test_documents_come_as_user_messages_before_the_prompt_in_their_order():
    request = PromptRequest.of(prompt="Compare.", documents=["first", "second"])
    assert [(m.role, m.text) for m in request.conversation] == [
        ("user", "first"),
        ("user", "second"),
        ("user", "Compare."),
    ]


def test_documents_come_after_all_system_turns_and_before_all_others():
    messages = [
        {"role": "system", "content": "S1"},
        {"role": "user", "content": "U1"},
        {"role": "assistant", "content": "A1"},
        {"role": "system", "content": "S2"},
        {"role": "user", "content": "U2"},
    ]
    request = PromptRequest.of(messages=messages, documents=["D"])
    assert [m.text for m in request.conversation] == ["S1", "S2", "D", "U1", "A1", "U2"]


def test_without_documents_messages_keep_their_order():
    messages = [HELLO, {"role": "system", "content": "late"}, {"role": "user", "content": "more"}]
    assert [m.text for m in PromptRequest.of(messages=messages).conversation] == ["Hello", "late", "more"]


def test_the_text_of_a_message_is_its_parts_joined_by_newlines():
    parts = (TextPart(text="one"), ImagePart(url=PIXEL), TextPart(text="two"))
    message = Message(role="user", content=parts)
    assert message.text == "one\ntwo"
    assert [image.url for image in message.images] == [PIXEL]


# -- needs -------------------------------------------------------------------------------------------

NEEDS = {
    "text": ({"prompt": "a"}, set()),
    "json": ({"prompt": "a", "response_format": {"type": "json"}}, {Capability.JSON}),
    "schema": (
        {"prompt": "a", "response_format": {"type": "json_schema", "json_schema": {}}},
        {Capability.JSON},
    ),
    "tools": ({"prompt": "a", "tools": [{"name": "f"}]}, {Capability.TOOLS}),
    "image": ({"messages": [turn({"type": "image", "url": PIXEL})]}, {Capability.IMAGES}),
    "image-in-an-earlier-turn": (
        {"messages": [turn({"type": "image", "url": PIXEL}), {"role": "user", "content": "What was it?"}]},
        {Capability.IMAGES},
    ),
    "all": (
        {
            "messages": [turn({"type": "image", "url": PIXEL})],
            "tools": [{"name": "f"}],
            "response_format": {"type": "json"},
        },
        {Capability.JSON, Capability.TOOLS, Capability.IMAGES},
    ),
    "a-call-without-tools": ({"messages": [HELLO, asked()]}, {Capability.TOOLS}),
    "a-result-without-tools": (
        {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "sunny"}]},
        {Capability.TOOLS},
    ),
}


@pytest.mark.parametrize(("fields", "needs"), NEEDS.values(), ids=NEEDS)
def test_needs_follow_from_the_content(fields, needs):
    assert PromptRequest.of(**fields).needs == needs


# -- estimate@1 --------------------------------------------------------------------------------------

# one tool as compact sorted JSON: [{"description":"","name":"f","parameters":{}}] has 47 bytes
BARE_TOOL = {"name": "f", "parameters": {}}

ESTIMATES = {
    # bytes of text, messages, images, and the sum by hand
    "one-byte": ({"prompt": "a"}, 1 + 4),
    "three-bytes": ({"prompt": "abc"}, 1 + 4),
    "four-bytes": ({"prompt": "abcd"}, 2 + 4),
    "six-bytes": ({"prompt": "abcdef"}, 2 + 4),
    "umlauts-count-by-bytes": ({"prompt": "äöü"}, 2 + 4),
    "emoji-has-four-bytes": ({"prompt": "🙂"}, 2 + 4),
    "combining-emoji": ({"prompt": "👩‍🚀"}, 4 + 4),  # 4 + 3 + 4 bytes
    "nine-hundred": ({"prompt": "a" * 900}, 300 + 4),
    # the sum is rounded up once, not message by message: 1 + 1 bytes are one token
    "two-messages": ({"messages": [{"role": "user", "content": "a"}, {"role": "user", "content": "b"}]}, 1 + 8),
    "system-counts-too": ({"messages": [{"role": "system", "content": "abc"}, HELLO]}, 3 + 8),  # 3 + 5 bytes
    "document": ({"prompt": "abc", "documents": ["defg"]}, 3 + 8),
    "two-documents": ({"prompt": "abc", "documents": ["abc", "abc"]}, 3 + 12),
    "empty-document-is-a-message": ({"prompt": "abc", "documents": [""]}, 1 + 8),
    "parts-are-joined-by-a-newline": (
        {"messages": [turn({"type": "text", "text": "ab"}, {"type": "text", "text": "c"})]},
        2 + 4,
    ),
    "image": ({"messages": [turn({"type": "image", "url": PIXEL})]}, 0 + 4 + 1000),
    "two-images-and-text": (
        {
            "messages": [
                turn({"type": "image", "url": PIXEL}, {"type": "text", "text": "abc"}, {"type": "image", "url": PIXEL})
            ]
        },
        1 + 4 + 2000,
    ),
    "bare-tool": ({"prompt": "a", "tools": [BARE_TOOL]}, 16 + 4),  # 1 + 47 = 48 bytes
    # [{"description":"dd","name":"fn","parameters":{"type":"object"}}] has 65 bytes
    "tool": (
        {"prompt": "ab", "tools": [{"name": "fn", "description": "dd", "parameters": {"type": "object"}}]},
        23 + 4,  # 2 + 65 = 67 bytes
    ),
    "tool-with-a-euro-sign": ({"prompt": "a", "tools": [BARE_TOOL | {"description": "€"}]}, 17 + 4),  # 51 bytes
    "two-tools": ({"prompt": "a", "tools": [BARE_TOOL, BARE_TOOL]}, 32 + 4),  # 1 + (45 + 1 + 45 + 2) = 94 bytes
    "arguments-of-a-call": ({"messages": [HELLO, asked(arguments='{"c":"Rom"}')]}, 6 + 8),  # 5 + 11 bytes
}


@pytest.mark.parametrize(("fields", "tokens"), ESTIMATES.values(), ids=ESTIMATES)
def test_the_estimate_is_as_computed_by_hand(fields, tokens):
    assert PromptRequest.of(**fields).prompt_tokens == tokens


def test_the_order_of_a_schemas_keys_does_not_change_the_estimate():
    one = PromptRequest.of(prompt="a", tools=[{"name": "f", "parameters": {"a": 1, "b": {"c": 2, "d": 3}}}])
    other = PromptRequest.of(prompt="a", tools=[{"parameters": {"b": {"d": 3, "c": 2}, "a": 1}, "name": "f"}])
    assert one.prompt_tokens == other.prompt_tokens


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60).filter(str.strip), st.integers(1, 50))
def test_repeating_a_text_never_lowers_the_estimate(text, times):
    once = PromptRequest.of(prompt=text).prompt_tokens
    often = PromptRequest.of(prompt=text * times).prompt_tokens
    assert once <= often <= once * times


# -- what is scanned ---------------------------------------------------------------------------------


def test_scanned_texts_leave_out_system_turns_and_hold_everything_else():
    messages = [
        {"role": "system", "content": "the house rules"},
        {"role": "user", "content": "a question"},
        {"role": "assistant", "content": "an answer"},
        {"role": "tool", "tool_call_id": "call_1", "content": "a result"},
    ]
    request = PromptRequest.of(messages=messages, documents=["a document"])
    assert request.scanned_texts == ("a document", "a question", "an answer", "a result")


def test_empty_texts_are_not_scanned():
    request = PromptRequest.of(messages=[HELLO, asked(), turn({"type": "image", "url": PIXEL})])
    assert request.scanned_texts == ("Hello",)


# -- the smallest prompts there can be ---------------------------------------------------------------

TEXTS = st.text(max_size=6)
IMAGE = st.just({"type": "image", "url": "https://a"})
PART = IMAGE | st.fixed_dictionaries({"type": st.just("text"), "text": TEXTS})
ROLES = st.sampled_from(["system", "user", "assistant", "tool"])
TURN = st.fixed_dictionaries({"role": ROLES, "content": TEXTS | st.lists(PART, max_size=3)})
TOOL = st.fixed_dictionaries(
    {"name": st.text(min_size=1, max_size=3)},
    optional={"description": TEXTS, "parameters": st.just({}) | st.dictionaries(TEXTS, st.integers(), max_size=2)},
)
REQUESTS = st.fixed_dictionaries(
    {"messages": st.lists(TURN, min_size=1, max_size=3)},
    optional={
        "documents": st.lists(TEXTS, max_size=2),
        "tools": st.lists(TOOL, max_size=2),
        "response_format": st.just({"type": "json"}),
    },
)


@given(REQUESTS)
def test_no_request_is_smaller_than_the_smallest_prompt_of_its_needs(fields):
    try:
        request = PromptRequest.of(**fields)
    except RequestError:
        return
    assert request.prompt_tokens >= smallest_prompt(request.needs)


SMALLEST = {
    "text": {"prompt": "a"},
    "json": {"prompt": "a", "response_format": {"type": "json"}},
    "tools": {"messages": [{"role": "tool", "tool_call_id": "call_1", "content": "a"}]},
    "images": {"messages": [turn({"type": "image", "url": "https://a"})]},
    "images-and-tools": {
        "messages": [asked(arguments="") | {"content": [{"type": "image", "url": "https://a"}]}],
    },
}


@pytest.mark.parametrize("fields", SMALLEST.values(), ids=SMALLEST)
def test_the_smallest_prompt_of_each_need_exists(fields):
    request = PromptRequest.of(**fields)
    assert request.prompt_tokens == smallest_prompt(request.needs)


def test_a_tool_has_an_open_schema_when_it_says_nothing():
    assert Tool(name="f").parameters == {"type": "object", "properties": {}}
