"""Requests out: the exact body each dialect is sent, and that it can be read back."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.request import ImagePart, Message, PromptRequest, ResponseFormat, TextPart, Tool, ToolCall
from route_run.policy import Dialect, Parameter
from route_run.wire.call import ModelCall
from route_run.wire.dialect import codec
from support.recorded import ANTHROPIC, COGNIGY, OPENAI

PIXEL = "data:image/png;base64,iVBORw0KGgo="
PHOTO = "https://example.com/a.png"
SCHEMA = {"type": "object", "properties": {"colour": {"type": "string"}}}
USER = Message(role="user", content="Name a colour.")
SYSTEM = Message(role="system", content="Be brief.")
WEATHER = Tool(name="weather", description="The weather somewhere", parameters=SCHEMA)
CALL = ToolCall(id="call_1", name="weather", arguments='{"city": "Rome"}')
TOOL_TURNS = (
    USER,
    Message(role="assistant", tool_calls=(CALL,)),
    Message(role="tool", tool_call_id="call_1", content="31 degrees"),
)
ALL_PARAMETERS = {
    Parameter.TEMPERATURE: 0.2,
    Parameter.TOP_P: 0.9,
    Parameter.MAX_TOKENS: 8,
    Parameter.STOP: ("END", "STOP"),
    Parameter.SEED: 7,
    Parameter.PRESENCE_PENALTY: 0.5,
    Parameter.FREQUENCY_PENALTY: -0.5,
}


def body(dialect: Dialect, call: ModelCall) -> dict[str, object]:
    return json.loads(codec(dialect).encode_request(call))


# -- the gateway of Cognigy --------------------------------------------------------------------------


def test_the_body_of_cognigy_is_as_its_gateway_documents_it():
    call = ModelCall(
        "cognigy-llm-v2",
        (USER,),
        {Parameter.TEMPERATURE: 0.2, Parameter.MAX_TOKENS: 8, Parameter.TOP_P: 0.9},
        context_window=4096,
    )
    assert body(COGNIGY, call) == {
        "model": "cognigy-llm-v2",
        "messages": [{"role": "user", "content": "Name a colour."}],
        "context_window": 4096,
        "temperature": 0.2,
        "max_tokens": 8,
        "top_p": 0.9,
        "stream": True,
    }


def test_the_body_of_cognigy_leaves_out_what_is_not_set():
    assert body(COGNIGY, ModelCall("m", (USER,))) == {
        "model": "m",
        "messages": [{"role": "user", "content": "Name a colour."}],
        "stream": True,
    }


def test_cognigy_always_streams():
    assert body(COGNIGY, ModelCall("m", (USER,), stream=False))["stream"] is True


def test_cognigy_is_sent_only_the_parameters_it_has():
    assert body(COGNIGY, ModelCall("m", (USER,), ALL_PARAMETERS)).keys() == {
        "model",
        "messages",
        "temperature",
        "max_tokens",
        "top_p",
        "stream",
    }


def test_cognigy_is_sent_the_text_of_parts():
    parts = (TextPart(text="one"), TextPart(text="two"))
    sent = body(COGNIGY, ModelCall("m", (SYSTEM, Message(role="user", content=parts))))
    assert sent["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "one\ntwo"},
    ]


def test_documents_are_user_messages_before_the_prompt():
    request = PromptRequest.of(
        messages=[{"role": "system", "content": "S"}, {"role": "user", "content": "Q"}], documents=["D1", "D2"]
    )
    sent = body(COGNIGY, ModelCall("m", request.conversation))
    assert [(m["role"], m["content"]) for m in sent["messages"]] == [
        ("system", "S"),
        ("user", "D1"),
        ("user", "D2"),
        ("user", "Q"),
    ]


# -- chat completions --------------------------------------------------------------------------------


def test_the_body_of_a_streamed_completion():
    call = ModelCall("m", (SYSTEM, USER), {Parameter.TEMPERATURE: 0.2})
    assert body(OPENAI, call) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Name a colour."},
        ],
        "temperature": 0.2,
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_the_body_of_a_plain_completion():
    sent = body(OPENAI, ModelCall("m", (USER,), stream=False))
    assert sent == {"model": "m", "messages": [{"role": "user", "content": "Name a colour."}], "stream": False}


def test_a_completion_has_every_parameter_under_its_own_name():
    sent = body(OPENAI, ModelCall("m", (USER,), ALL_PARAMETERS))
    assert {parameter.value: sent[parameter.value] for parameter in Parameter} == {
        "temperature": 0.2,
        "top_p": 0.9,
        "max_tokens": 8,
        "stop": ["END", "STOP"],
        "seed": 7,
        "presence_penalty": 0.5,
        "frequency_penalty": -0.5,
    }


def test_tools_of_a_completion_and_their_results():
    call = ModelCall("m", TOOL_TURNS, tools=(WEATHER,), tool_choice="required", stream=False)
    assert body(OPENAI, call) == {
        "model": "m",
        "messages": [
            {"role": "user", "content": "Name a colour."},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                    }
                ],
            },
            {"role": "tool", "content": "31 degrees", "tool_call_id": "call_1"},
        ],
        "stream": False,
        "tools": [
            {
                "type": "function",
                "function": {"name": "weather", "description": "The weather somewhere", "parameters": SCHEMA},
            }
        ],
        "tool_choice": "required",
    }


def test_images_of_a_completion():
    parts = (TextPart(text="What is this?"), ImagePart(url=PHOTO), ImagePart(url=PIXEL))
    sent = body(OPENAI, ModelCall("m", (Message(role="user", content=parts),)))
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": PHOTO}},
        {"type": "image_url", "image_url": {"url": PIXEL}},
    ]


def test_an_empty_message_of_a_completion_has_empty_content():
    sent = body(OPENAI, ModelCall("m", (USER, Message(role="assistant"))))
    assert sent["messages"][1] == {"role": "assistant", "content": ""}


FORMATS = {
    "json": (ResponseFormat(type="json"), {"type": "json_object"}),
    "schema": (
        ResponseFormat(type="json_schema", json_schema=SCHEMA, name="colour"),
        {"type": "json_schema", "json_schema": {"name": "colour", "schema": SCHEMA}},
    ),
}


@pytest.mark.parametrize(("wanted", "written"), FORMATS.values(), ids=FORMATS)
def test_the_format_of_a_completion(wanted, written):
    assert body(OPENAI, ModelCall("m", (USER,), response_format=wanted))["response_format"] == written


# -- messages ----------------------------------------------------------------------------------------


def test_the_body_of_a_message():
    call = ModelCall("c", (SYSTEM, USER), {Parameter.MAX_TOKENS: 8, Parameter.TEMPERATURE: 0.2})
    assert body(ANTHROPIC, call) == {
        "model": "c",
        "messages": [{"role": "user", "content": "Name a colour."}],
        "system": "Be brief.",
        "temperature": 0.2,
        "max_tokens": 8,
        "stream": True,
    }


def test_messages_have_a_version_header_and_the_others_none():
    assert codec(ANTHROPIC).headers == {"anthropic-version": "2023-06-01"}
    assert codec(OPENAI).headers == {}
    assert codec(COGNIGY).headers == {}


def test_messages_have_no_word_for_what_they_cannot_carry():
    sent = body(ANTHROPIC, ModelCall("c", (USER,), ALL_PARAMETERS))
    assert sent.keys() == {"model", "messages", "temperature", "top_p", "max_tokens", "stop_sequences", "stream"}
    assert sent["stop_sequences"] == ["END", "STOP"]


def test_system_turns_are_joined_wherever_they_stand():
    call = ModelCall("c", (SYSTEM, USER, Message(role="system", content="In French.")))
    sent = body(ANTHROPIC, call)
    assert sent["system"] == "Be brief.\n\nIn French."
    assert [turn["role"] for turn in sent["messages"]] == ["user"]


def test_neighbours_of_one_role_become_one_turn():
    call = ModelCall("c", (Message(role="user", content="D1"), Message(role="user", content="D2"), USER))
    assert body(ANTHROPIC, call)["messages"] == [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "D1"},
                {"type": "text", "text": "D2"},
                {"type": "text", "text": "Name a colour."},
            ],
        }
    ]


def test_tools_of_a_message_and_their_results():
    call = ModelCall("c", TOOL_TURNS, tools=(WEATHER,), tool_choice="required", stream=False)
    assert body(ANTHROPIC, call) == {
        "model": "c",
        "messages": [
            {"role": "user", "content": "Name a colour."},
            {
                "role": "assistant",
                "content": [{"type": "tool_use", "id": "call_1", "name": "weather", "input": {"city": "Rome"}}],
            },
            {
                "role": "user",
                "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "31 degrees"}],
            },
        ],
        "stream": False,
        "tools": [{"name": "weather", "description": "The weather somewhere", "input_schema": SCHEMA}],
        "tool_choice": {"type": "any"},
    }


def test_a_result_and_the_question_after_it_are_one_turn():
    turns = body(ANTHROPIC, ModelCall("c", (*TOOL_TURNS, USER)))["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert [block["type"] for block in turns[2]["content"]] == ["tool_result", "text"]


def test_empty_arguments_are_an_empty_input():
    turn = Message(role="assistant", tool_calls=(CALL.model_copy(update={"arguments": ""}),))
    turns = body(ANTHROPIC, ModelCall("c", (USER, turn)))["messages"]
    assert turns[1]["content"][0]["input"] == {}


CHOICES = {"auto": {"type": "auto"}, "none": {"type": "none"}, "required": {"type": "any"}}


@pytest.mark.parametrize(("choice", "written"), CHOICES.items(), ids=CHOICES)
def test_the_choice_of_tools_of_a_message(choice, written):
    sent = body(ANTHROPIC, ModelCall("c", (USER,), tools=(WEATHER,), tool_choice=choice))
    assert sent["tool_choice"] == written


def test_images_of_a_message():
    parts = (TextPart(text="What is this?"), ImagePart(url=PHOTO), ImagePart(url=PIXEL))
    sent = body(ANTHROPIC, ModelCall("c", (Message(role="user", content=parts),)))
    assert sent["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image", "source": {"type": "url", "url": PHOTO}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
    ]


def test_the_schema_of_a_message():
    call = ModelCall("c", (USER,), response_format=ResponseFormat(type="json_schema", json_schema=SCHEMA))
    assert body(ANTHROPIC, call)["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}


# -- every dialect -----------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda dialect: dialect.value)
def test_equal_calls_are_equal_bytes_whatever_the_order_of_their_parameters(dialect):
    call = ModelCall("m", (USER,), ALL_PARAMETERS)
    turned = replace(call, parameters=dict(reversed(ALL_PARAMETERS.items())))
    assert codec(dialect).encode_request(call) == codec(dialect).encode_request(turned)


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda dialect: dialect.value)
def test_letters_are_written_as_they_are(dialect):
    call = ModelCall("m", (Message(role="user", content="Grüße\n\u2028\x00🙂"),))
    sent = codec(dialect).encode_request(call)
    assert "🙂".encode() in sent
    assert json.loads(sent)["messages"][0]["content"] == "Grüße\n\u2028\x00🙂"


# -- and back ----------------------------------------------------------------------------------------

TEXTS = st.text(st.characters(codec="utf-8"), max_size=12)
SAID = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
SCALARS = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | TEXTS
OBJECTS = st.dictionaries(TEXTS, SCALARS | st.lists(SCALARS, max_size=2), max_size=3)
TEXT_PARTS = SAID.map(lambda text: TextPart(text=text))
IMAGES = st.sampled_from([PHOTO, PIXEL]).map(lambda url: ImagePart(url=url))
TALK = SAID | st.lists(TEXT_PARTS | IMAGES, min_size=1, max_size=3).map(tuple)
CALL_OF_ANY_KIND = st.builds(ToolCall, id=SAID, name=SAID, arguments=OBJECTS.map(json.dumps) | st.just(""))
CALLS = st.lists(CALL_OF_ANY_KIND, max_size=2).map(tuple)
SOME_CALLS = st.lists(CALL_OF_ANY_KIND, min_size=1, max_size=2).map(tuple)
USER_TURNS = st.builds(Message, role=st.just("user"), content=TALK)
RESULTS = st.builds(Message, role=st.just("tool"), content=TEXTS, tool_call_id=SAID)
ASKING = st.builds(Message, role=st.just("assistant"), content=SAID, tool_calls=CALLS) | st.builds(
    Message, role=st.just("assistant"), tool_calls=SOME_CALLS
)
SYSTEM_TURNS = st.builds(Message, role=st.just("system"), content=SAID)
TOOLS = st.lists(
    st.builds(Tool, name=st.text("abc", min_size=1, max_size=5), description=TEXTS, parameters=OBJECTS), max_size=2
).map(tuple)
NUMBERS = st.floats(0, 2)
PARAMETERS = st.fixed_dictionaries(
    {},
    optional={
        Parameter.TEMPERATURE: NUMBERS,
        Parameter.TOP_P: NUMBERS,
        Parameter.MAX_TOKENS: st.integers(1, 10**6),
        Parameter.STOP: st.lists(SAID, min_size=1, max_size=3).map(tuple),
        Parameter.SEED: st.integers(-(2**60), 2**60),
        Parameter.PRESENCE_PENALTY: NUMBERS,
        Parameter.FREQUENCY_PENALTY: NUMBERS,
    },
)
CARRIED = {
    COGNIGY: {Parameter.TEMPERATURE, Parameter.TOP_P, Parameter.MAX_TOKENS},
    OPENAI: set(Parameter),
    ANTHROPIC: {Parameter.TEMPERATURE, Parameter.TOP_P, Parameter.MAX_TOKENS, Parameter.STOP},
}


@st.composite
def rounds(draw: st.DrawFn) -> tuple[Message, ...]:
    """A conversation as the Messages API can hold it: one system turn, users and assistants in turn."""
    turns = draw(st.lists(SYSTEM_TURNS, max_size=1))
    turns.append(draw(USER_TURNS))
    for _ in range(draw(st.integers(0, 2))):
        turns.append(draw(ASKING))
        answers = draw(st.lists(RESULTS, max_size=2))
        turns += answers
        turns += [] if answers and draw(st.booleans()) else [draw(USER_TURNS)]
    return tuple(turns)


@st.composite
def calls(draw: st.DrawFn, dialect: Dialect) -> ModelCall:
    """Any call that a dialect can carry whole."""
    given_ = {p: value for p, value in draw(PARAMETERS).items() if p in CARRIED[dialect]}
    if dialect is COGNIGY:
        roles = st.sampled_from(["system", "user", "assistant"])
        turns = draw(st.lists(st.builds(Message, role=roles, content=TEXTS), min_size=1, max_size=4))
        return ModelCall(draw(SAID), tuple(turns), given_, context_window=draw(st.none() | st.integers(1, 10**6)))
    formats = st.none() | st.builds(ResponseFormat, type=st.just("json_schema"), json_schema=OBJECTS)
    if dialect is OPENAI:
        formats |= st.just(ResponseFormat(type="json"))
    turns = draw(
        rounds()
        if dialect is ANTHROPIC
        else st.lists(SYSTEM_TURNS | USER_TURNS | ASKING | RESULTS, min_size=1, max_size=5).map(tuple)
    )
    tools = draw(TOOLS)
    return ModelCall(
        model=draw(SAID),
        messages=turns,
        parameters=given_,
        tools=tools,
        tool_choice=draw(st.sampled_from([None, "auto", "none", "required"])) if tools else None,
        response_format=draw(formats),
        stream=draw(st.booleans()),
    )


def meaning(message: Message) -> tuple[object, ...]:
    """What a message says: one text or a list of one part are the same, so is the layout of arguments."""
    content = (TextPart(text=message.content),) if isinstance(message.content, str) else message.content
    parts = [part for part in content if not isinstance(part, TextPart) or part.text]
    asked = [(call.id, call.name, json.loads(call.arguments or "{}")) for call in message.tool_calls]
    return message.role, parts, asked, message.tool_call_id


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda dialect: dialect.value)
@given(st.data())
def test_a_request_read_back_is_the_call_it_was(dialect, choice):
    call = choice.draw(calls(dialect))
    read = codec(dialect).decode_request(codec(dialect).encode_request(call))
    assert [meaning(message) for message in read.messages] == [meaning(message) for message in call.messages]
    assert replace(read, messages=()) == replace(call, messages=())


@pytest.mark.parametrize("dialect", list(Dialect), ids=lambda dialect: dialect.value)
@given(st.data())
def test_what_was_read_back_is_written_as_it_was(dialect, choice):
    speaks = codec(dialect)
    written = speaks.encode_request(choice.draw(calls(dialect)))
    again = speaks.encode_request(speaks.decode_request(written))
    assert json.loads(again) == json.loads(written)


STOPS = {"one": ("END", ("END",)), "several": (["END", "STOP"], ("END", "STOP"))}


@pytest.mark.parametrize(("written", "stop"), STOPS.values(), ids=STOPS)
def test_stop_may_be_one_text_or_several(written, stop):
    """Chat completions take both; every stop of ours is several."""
    data = {"model": "m", "messages": [{"role": "user", "content": "a"}], "stop": written}
    assert codec(OPENAI).decode_request(json.dumps(data).encode()).parameters == {Parameter.STOP: stop}


# -- what cannot be read -----------------------------------------------------------------------------

HELLO = {"role": "user", "content": "Hello"}
MALFORMED = {
    "not-json": b"hello",
    "not-an-object": b"[]",
    "null": b"null",
    "no-messages": {"model": "m"},
    "empty-messages": {"model": "m", "messages": []},
    "messages-of-another-kind": {"model": "m", "messages": 5},
    "a-message-that-is-a-number": {"model": "m", "messages": [5]},
    "an-unknown-role": {"model": "m", "messages": [{"role": "wizard", "content": "a"}]},
    "content-of-another-kind": {"model": "m", "messages": [{"role": "user", "content": 5}]},
    "a-part-that-is-a-number": {"model": "m", "messages": [{"role": "user", "content": [5]}]},
    "a-part-without-type": {"model": "m", "messages": [{"role": "user", "content": [{}]}]},
}
MALFORMED_OPENAI = {
    "no-model": {"messages": [HELLO]},
    "model-of-another-kind": {"model": 5, "messages": [HELLO]},
    "an-image-without-url": {"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]},
    "a-tool-without-function": {"model": "m", "messages": [HELLO], "tools": [{}]},
    "tools-of-another-kind": {"model": "m", "messages": [HELLO], "tools": 5},
    "a-call-without-function": {"model": "m", "messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]},
    "a-format-without-schema": {"model": "m", "messages": [HELLO], "response_format": {"type": "json_schema"}},
    "an-unknown-tool-choice": {"model": "m", "messages": [HELLO], "tools": [], "tool_choice": "any"},
    "temperature-in-words": {"model": "m", "messages": [HELLO], "temperature": "hot"},
}
MALFORMED_ANTHROPIC = {
    "no-role": {"model": "m", "messages": [{"content": "a"}]},
    "an-image-without-source": {"model": "m", "messages": [{"role": "user", "content": [{"type": "image"}]}]},
    "a-result-without-call": {"model": "m", "messages": [{"role": "user", "content": [{"type": "tool_result"}]}]},
    "a-tool-without-name": {"model": "m", "messages": [HELLO], "tools": [{}]},
    "tool-choice-of-another-kind": {"model": "m", "messages": [HELLO], "tool_choice": "any"},
    "output-config-of-another-kind": {"model": "m", "messages": [HELLO], "output_config": 5},
}
EACH_MALFORMED = [
    pytest.param(dialect, value, id=f"{dialect.value}-{name}")
    for dialect, own in ((COGNIGY, {}), (OPENAI, MALFORMED_OPENAI), (ANTHROPIC, MALFORMED_ANTHROPIC))
    for name, value in (MALFORMED | own).items()
]


@pytest.mark.parametrize(("dialect", "value"), EACH_MALFORMED)
def test_a_malformed_request_raises_a_value_error(dialect, value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    with pytest.raises(ValueError):
        codec(dialect).decode_request(data)
