"""A loopback upstream for benchmarks: answers at once with a plain body or a burst of events. Run as a script."""

from __future__ import annotations

import asyncio
import json
import sys

CHUNKS = 100


def _event(content: str) -> bytes:
    chunk = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1795423852,
        "model": "bench",
        "choices": [{"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": None}],
    }
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _plain() -> bytes:
    message = {"role": "assistant", "content": "word " * 120}
    usage = {"prompt_tokens": 250, "completion_tokens": 120, "total_tokens": 370}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    return json.dumps({"id": "chatcmpl-bench", "model": "bench", "choices": [choice], "usage": usage}).encode()


def _response(body: bytes, content_type: bytes) -> bytes:
    head = b"HTTP/1.1 200 OK\r\ncontent-type: " + content_type + b"\r\ncontent-length: %d\r\n\r\n" % len(body)
    return head + body


_END = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
_USAGE = b'data: {"choices":[],"usage":{"prompt_tokens":250,"completion_tokens":100}}\n\ndata: [DONE]\n\n'
PLAIN = _response(_plain(), b"application/json")
STREAM = _response(b"".join(_event(f"word{n} ") for n in range(CHUNKS)) + _END + _USAGE, b"text/event-stream")


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            body = await reader.readexactly(length)
            writer.write(STREAM if b'"stream":true' in body else PLAIN)
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
