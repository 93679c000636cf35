"""Streams in the shapes that real servers send (see `rig/transcripts`), with texts of our own.

Each is cut into what comes before its proper end, the bytes that are the end, and what follows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from route_run.flow.outcome import Usage
from route_run.policy import Dialect
from support.answers import JSON, STREAM, chunk, json_lines, named_sse, said, sse

OPENAI, ANTHROPIC, COGNIGY = Dialect.OPENAI, Dialect.ANTHROPIC, Dialect.COGNIGY
DONE = b"[DONE]"


@dataclass(frozen=True, slots=True)
class Recorded:
    """One streamed answer and what is in it; ``end`` completes it, ``after`` may still hold usage."""

    dialect: Dialect
    before: bytes
    end: bytes
    after: bytes = b""
    text: str = ""
    calls: tuple[tuple[str, str, str], ...] = ()
    usage: Usage | None = None
    reason: str = "stop"
    content_type: str = STREAM

    @property
    def whole(self) -> bytes:
        return self.before + self.end + self.after


def _llama(*parts: object) -> dict[str, object]:
    """llama.cpp names the choice's fields in its own order and adds some of its own."""
    delta, reason = parts
    choice = {"finish_reason": reason, "index": 0, "delta": delta}
    return {"choices": [choice], "created": 1, "id": "chatcmpl-x", "model": "tiny", "system_fingerprint": "b0"}


_USAGE = {"completion_tokens": 3, "prompt_tokens": 34, "total_tokens": 37}
_CACHED = _USAGE | {"prompt_tokens_details": {"cached_tokens": 33}}


def _call(index: int | None, arguments: str, identity: str | None = None, name: str | None = None) -> dict[str, object]:
    call: dict[str, object] = {"function": {"arguments": arguments} | ({"name": name} if name else {})}
    if identity is not None:
        call |= {"id": identity, "type": "function"}
    return {"tool_calls": [call | ({} if index is None else {"index": index})]}


def _start(**usage: int) -> dict[str, object]:
    message = {"id": "msg_1", "type": "message", "role": "assistant", "content": [], "model": "c", "usage": usage}
    return {"type": "message_start", "message": message | {"stop_reason": None, "stop_sequence": None}}


def _text(text: str, index: int = 0) -> dict[str, object]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": "text_delta", "text": text}}


def _block(index: int, kind: str, **fields: object) -> dict[str, object]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


def _close(index: int) -> dict[str, object]:
    return {"type": "content_block_stop", "index": index}


def _input(index: int, fragment: str) -> dict[str, object]:
    return {
        "type": "content_block_delta",
        "index": index,
        "delta": {"type": "input_json_delta", "partial_json": fragment},
    }


def _delta(reason: str, **usage: int) -> dict[str, object]:
    return {"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": None}, "usage": usage}


_STOP = {"type": "message_stop"}

RECORDED: Mapping[str, Recorded] = {
    # -- chat completions --
    "openai": Recorded(
        OPENAI,
        sse(chunk({"role": "assistant", "content": ""}, usage=None), said("Good"), said(" morning"), said(".")),
        sse(chunk({}, "stop")),
        sse(chunk(usage=_USAGE), DONE),
        text="Good morning.",
        usage=Usage(34, 3),
    ),
    "llama.cpp": Recorded(
        OPENAI,
        sse(_llama({"role": "assistant", "content": None}, None), _llama({"content": "Rain"}, None)),
        sse(_llama({}, "length")),
        sse({"choices": [], "usage": _CACHED, "timings": {"cache_n": 33, "prompt_ms": 1.5}}, DONE),
        text="Rain",
        usage=Usage(34, 3, 33),
        reason="length",
    ),
    "llama.cpp-without-usage": Recorded(
        OPENAI,
        sse(_llama({"role": "assistant", "content": None}, None), _llama({"content": "Sun"}, None)),
        sse(_llama({}, "stop")),
        sse(DONE),
        text="Sun",
    ),
    "llama.cpp-with-pings": Recorded(
        OPENAI,
        b":\n\n:\n\n" + sse(_llama({"role": "assistant", "content": None}, None)) + b":\n\n" + sse(said("Fog")),
        sse(_llama({}, "stop")),
        sse(DONE),
        text="Fog",
    ),
    "azure": Recorded(
        OPENAI,
        sse(chunk(prompt_filter_results=[{"prompt_index": 0}]), chunk({"role": "assistant"}), said("Snow")),
        sse(chunk({}, "stop", content_filter_results={})),
        sse(chunk(usage=_USAGE), DONE),
        text="Snow",
        usage=Usage(34, 3),
    ),
    "vllm-end-with-the-last-text": Recorded(
        OPENAI,
        sse(
            chunk({"role": "assistant", "content": ""}), said("Ha", usage={"prompt_tokens": 34, "completion_tokens": 1})
        ),
        sse(said("il", "stop", stop_reason=None)),
        sse(DONE),
        text="Hail",
        usage=Usage(34, 1),
    ),
    "openrouter-comments": Recorded(
        OPENAI,
        b": OPENROUTER PROCESSING\n\n: OPENROUTER PROCESSING\n\n" + sse(said("Dew")),
        sse(chunk({"content": ""}, "stop", usage=_USAGE)),
        sse(DONE),
        text="Dew",
        usage=Usage(34, 3),
    ),
    "reasoning-before-content": Recorded(
        OPENAI,
        sse(chunk({"content": None, "reasoning_content": "hmm"}), chunk({"reasoning": "so"}), said("Ice")),
        sse(chunk({}, "stop")),
        sse(DONE),
        text="Ice",
    ),
    "content-in-parts": Recorded(
        OPENAI,
        sse(chunk({"content": [{"type": "text", "text": "Cloud"}, {"type": "text", "text": "s"}]})),
        sse(chunk({}, "stop")),
        sse(DONE),
        text="Clouds",
    ),
    "end-without-done": Recorded(OPENAI, sse(said("Mist")), sse(chunk({}, "stop")), text="Mist"),
    "done-alone": Recorded(OPENAI, sse(said("Haze")), sse(DONE), text="Haze", reason=""),
    "carriage-returns": Recorded(
        OPENAI,
        sse(said("Gale"), end=b"\r\n"),
        sse(chunk({}, "stop"), end=b"\r\n"),
        sse(DONE, end=b"\r\n"),
        text="Gale",
    ),
    "byte-order-mark": Recorded(OPENAI, b"\xef\xbb\xbf" + sse(said("Frost")), sse(chunk({}, "stop")), text="Frost"),
    "other-letters": Recorded(
        OPENAI,
        'data: {"choices":[{"delta":{"content":"Föhn 🌬\u2028\u0085"}}]}\n\n'.encode(),
        sse(chunk({}, "stop")),
        text="Föhn 🌬\u2028\u0085",
    ),
    "nothing-said": Recorded(
        OPENAI, sse(chunk({"role": "assistant", "content": ""})), sse(chunk({}, "stop")), sse(DONE), text=""
    ),
    "tool-call": Recorded(
        OPENAI,
        sse(
            chunk({"role": "assistant", "content": None}),
            chunk(_call(0, "", "call_1", "weather")),
            chunk(_call(0, '{"city"')),
            chunk(_call(0, ':"Rome"}')),
        ),
        sse(chunk({}, "tool_calls")),
        sse(chunk(usage=_USAGE), DONE),
        calls=(("call_1", "weather", '{"city":"Rome"}'),),
        usage=Usage(34, 3),
        reason="tool_calls",
    ),
    "two-tool-calls-after-text": Recorded(
        OPENAI,
        sse(
            said("Let me look."),
            chunk(_call(0, "{}", "call_1", "weather")),
            chunk(_call(1, "", "call_2", "time")),
            chunk(_call(1, '{"zone":1}')),
        ),
        sse(chunk({}, "tool_calls")),
        sse(DONE),
        text="Let me look.",
        calls=(("call_1", "weather", "{}"), ("call_2", "time", '{"zone":1}')),
        reason="tool_calls",
    ),
    "tool-call-without-index": Recorded(
        OPENAI,
        sse(chunk(_call(None, '{"city":"Rome"}', "call_1", "weather"))),
        sse(chunk({}, "tool_calls")),
        sse(DONE),
        calls=(("call_1", "weather", '{"city":"Rome"}'),),
        reason="tool_calls",
    ),
    # -- messages --
    "anthropic": Recorded(
        ANTHROPIC,
        named_sse(
            _start(input_tokens=34, output_tokens=1),
            _block(0, "text", text=""),
            {"type": "ping"},
            _text("Good "),
            _text("evening."),
            _close(0),
            _delta("end_turn", output_tokens=3),
        ),
        named_sse(_STOP),
        text="Good evening.",
        usage=Usage(34, 3),
        reason="end_turn",
    ),
    "anthropic-of-llama.cpp": Recorded(
        ANTHROPIC,
        named_sse(
            _start(cache_read_input_tokens=33, input_tokens=1, output_tokens=0),
            _block(0, "text", text=""),
            _text("Rain"),
            _close(0),
            _delta("max_tokens", output_tokens=3),
        ),
        named_sse(_STOP),
        text="Rain",
        usage=Usage(34, 3, 33),
        reason="max_tokens",
    ),
    "anthropic-without-event-names": Recorded(
        ANTHROPIC,
        sse(_start(input_tokens=34, output_tokens=0), _text("Sun"), _delta("end_turn", output_tokens=3)),
        sse(_STOP),
        text="Sun",
        usage=Usage(34, 3),
        reason="end_turn",
    ),
    "anthropic-thinking": Recorded(
        ANTHROPIC,
        named_sse(
            _start(input_tokens=34, output_tokens=1),
            _block(0, "thinking", thinking="", signature=""),
            {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
            {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "Eq"}},
            _close(0),
            _block(1, "text", text=""),
            _text("Dew", 1),
            {"type": "content_block_delta", "index": 1, "delta": {"type": "citations_delta", "citation": {}}},
            _close(1),
            _delta("end_turn", output_tokens=30),
        ),
        named_sse(_STOP),
        text="Dew",
        usage=Usage(34, 30),
        reason="end_turn",
    ),
    "anthropic-tools": Recorded(
        ANTHROPIC,
        named_sse(
            _start(input_tokens=34, output_tokens=1),
            _block(0, "text", text="Let me "),
            _text("look."),
            _close(0),
            _block(1, "tool_use", id="toolu_1", name="weather", input={}),
            _input(1, ""),
            _input(1, '{"city": "Ro'),
            _input(1, 'me"}'),
            _close(1),
            _block(2, "tool_use", id="toolu_2", name="now", input={}),
            _close(2),
            _delta("tool_use", output_tokens=20),
        ),
        named_sse(_STOP),
        text="Let me look.",
        calls=(("toolu_1", "weather", '{"city": "Rome"}'), ("toolu_2", "now", "")),
        usage=Usage(34, 20),
        reason="tool_use",
    ),
    "anthropic-nothing-said": Recorded(
        ANTHROPIC,
        named_sse(_start(input_tokens=34, output_tokens=0), _delta("end_turn", output_tokens=0)),
        named_sse(_STOP),
        usage=Usage(34, 0),
        reason="end_turn",
    ),
    # -- the gateway of Cognigy --
    "cognigy": Recorded(
        COGNIGY,
        sse(_llama({"role": "assistant", "content": None}, None), _llama({"content": "Good"}, None), said(" night.")),
        sse(_llama({}, "stop")),
        sse({"choices": [], "usage": _USAGE}, DONE),
        text="Good night.",
        usage=Usage(34, 3),
    ),
    "cognigy-ended-by-usage": Recorded(
        COGNIGY,
        sse({"choices": [{"delta": {"content": "Rain"}}]}),
        sse({"usage": _USAGE}),
        sse(DONE),
        text="Rain",
        usage=Usage(34, 3),
        reason="",
    ),
    "cognigy-ended-by-done": Recorded(
        COGNIGY, sse({"choices": [{"delta": {"content": "Sun"}}]}), sse(DONE), text="Sun", reason=""
    ),
    "cognigy-json-lines": Recorded(
        COGNIGY,
        json_lines({"choices": [{"delta": {"content": "Hail"}}]}, {"choices": [{"delta": {"content": "!"}}]}),
        json_lines({"usage": _USAGE}),
        text="Hail!",
        usage=Usage(34, 3),
        reason="",
        content_type="application/x-ndjson",
    ),
    "cognigy-json-lines-said-to-be-json": Recorded(
        COGNIGY,
        json_lines({"choices": [{"delta": {"content": "Sleet"}}]}),
        json_lines({"choices": [{"delta": {}, "finish_reason": "stop"}]}),
        json_lines({"usage": _USAGE}),
        text="Sleet",
        usage=Usage(34, 3),
        content_type=JSON,
    ),
    "cognigy-json-lines-said-to-be-text": Recorded(
        COGNIGY,
        json_lines({"choices": [{"delta": {"content": "Thaw"}}]}),
        json_lines({"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": _USAGE}),
        text="Thaw",
        usage=Usage(34, 3),
        content_type="text/plain; charset=utf-8",
    ),
}
"""Streamed answers by name."""
