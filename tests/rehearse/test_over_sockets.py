"""The same act through the in-process transport and over a real socket: the same attempts, outcome and record."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Any

import anyio
import pytest

from route_run.flow.failure import Cause
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.policy import Dialect
from route_run.rehearse.clock import Backend
from route_run.rehearse.performance import Asked, Pause, Performance, perform
from route_run.rehearse.play import DEFAULT_AT, Run, play
from route_run.runtime.clock import LoopClock
from route_run.runtime.engine import Engine
from route_run.table import load
from route_run.transport.simulate import usual_answer
from route_run.wire.dialect import codec
from support.engines import records
from support.policies import write_policy
from support.rehearsals import loaded_with, rehearsal
from support.server import Do, Server, answer

POLICY = """\
version: 1
endpoints:
  first: {{dialect: {dialect}, base_url: '{first}', allow_networks: [loopback], serves: {{m: {{}}}}}}
  second: {{dialect: openai, base_url: '{second}', allow_networks: [loopback], serves: {{m: {{}}}}}}
models:
  m: {{context_window: 10000, max_output_tokens: 1000, price: {{input: 1, output: 2}}}}
upstreams:
  main:
    targets: [{{endpoint: first, model: m}}, {{endpoint: second, model: m}}]
    retry: {{attempts: 2, backoff: {{first: 1ms, max: 1ms}}}}
    timeouts: {{connect: 5s, first_content: 2s, idle: 1500ms, total: 15s}}
routes:
  rest: {{match: {{}}, upstream: main}}
webhooks:
  ops:
    match: {{}}
    events: [completed, failed, fell_back, interrupted]
    url: '{hook}/hook'
    allow_networks: [loopback]
"""

ACTS: list[list[dict[str, Any]]] = [
    [{"say": "Sure, here it is."}],
    [{"pieces": ["a", "b"], "between": "20ms", "usage": {"prompt": 9, "completion": 2}}],
    [{"status": 429, "retry_after": "30s"}],
    [{"status": 429, "retry_after": "30s", "retry_after_as": "date"}],
    [{"status": 429, "retry_after": "30s", "retry_after_as": "milliseconds"}],
    [{"status": 500}, {"say": "again"}],
    [{"status": 503}],
    [{"status": 401}],
    [{"status": 402, "message": "Your credit balance is too low"}],
    [{"status": 404, "body": "<html><title>Not here</title></html>"}],
    [{"status": 400, "body": {"error": {"message": "no", "code": "bad"}}}],
    [{"status": 413}],
    [{"fault": "refuse"}],
    [{"fault": "reset"}],
    [{"fault": "stall"}],
    [{"fault": "stall_before_content"}],
    [{"fault": "stall_mid"}],
    [{"fault": "reset_mid"}],
    [{"fault": "truncate"}],
    [{"fault": "truncate", "after_pieces": 0}],
    [{"fault": "malformed"}],
    [{"fault": "error_mid"}],
    [{"fault": "error_event"}],
    [{"fault": "html"}],
    [{"fault": "bad_json"}],
    [{"content_type": "text/html"}],
]
OFTEN = ("reset_mid", "truncate", "error_event", "retry_after", "say")
"""Acts that every dialect and plain answers are tried with each time; all others with --long."""


def _cases():
    for dialect, streamed in (
        (Dialect.OPENAI, True),
        (Dialect.COGNIGY, True),
        (Dialect.ANTHROPIC, True),
        (Dialect.OPENAI, False),
    ):
        for acts in ACTS:
            act = acts[0]
            if not streamed and act.get("fault", "").startswith("stall"):
                continue  # a plain answer that stalls ends with the total; the streams show the stall
            is_often = (dialect is Dialect.OPENAI and streamed) or any(
                word in OFTEN for word in (act.get("fault"), *act)
            )
            marks = () if is_often else pytest.mark.long
            yield pytest.param(acts, dialect, streamed, marks=marks, id=f"{dialect.value}-{streamed}-{act}")


_SAME = "outcome route bounds guards finish_reason usage cost_usd endpoint model attributes prompt_bytes".split()
_SAME_OF_ATTEMPTS = "number endpoint model status failure cause usage cost_usd billed".split()


def _comparable(record: dict[str, Any], text: str) -> dict[str, Any]:
    """All of a record but ids, moments and the words of the transport."""
    return {
        **{name: record[name] for name in _SAME},
        "attempts": [{name: attempt[name] for name in _SAME_OF_ATTEMPTS} for attempt in record["attempts"]],
        "webhooks": [(told["webhook"], told["event"]) for told in record["webhooks"]],
        "text": text,
    }


def _performances(run: Run, loaded: Any) -> dict[str, list[Performance]]:
    """What each endpoint did with each exchange, as bytes and times."""
    found: dict[str, list[Performance]] = {}
    table = loaded.table
    for name, wanted, act in run.noted.asked:
        speaks = codec(table.policy.endpoints[name].dialect)

        class _Call:
            destination, route = name, "rest"

        usual = usual_answer(table, _Call, wanted)
        asked = Asked(name, speaks, wanted, usual, DEFAULT_AT.timestamp(), 1.0)
        found.setdefault(name, []).append(perform(act, asked))
    return found


def _script(performance: Performance) -> list[Any]:
    """A performance as the steps of the socket server; the end of the body is told by its chunks."""
    if Cause.RESET in performance.head:
        return [Do.READ, Do.RESET]
    if Pause.FOREVER in performance.head:
        return [Do.READ, Do.STALL]
    named = "".join(f"{name}: {value}\r\n" for name, value in performance.headers.items())
    head = f"HTTP/1.1 {performance.status} Scripted\r\n{named}transfer-encoding: chunked\r\nconnection: close\r\n\r\n"
    steps: list[Any] = [Do.READ, *performance.head, head.encode()]
    for step in performance.body:
        if isinstance(step, bytes):
            steps.append(b"%x\r\n%s\r\n" % (len(step), step))
        elif step is Cause.RESET:
            return [*steps, 0.05, Do.RESET]  # what was sent has to arrive before the reset overtakes it
        elif step is Pause.FOREVER:
            return [*steps, Do.STALL]
        else:
            steps.append(step)
    return [*steps, b"0\r\n\r\n", Do.CLOSE]


def _closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


async def _over_sockets(folder: Any, performances: dict[str, list[Performance]], dialect: Dialect, streamed: bool):
    """The same request over HTTP, to servers that play the same performances."""
    with ExitStack() as stack:
        urls = {}
        for name in ("first", "second"):
            played = performances.get(name, [])
            if any(Cause.REFUSED in performance.head for performance in played) or not played:
                urls[name] = f"http://127.0.0.1:{_closed_port()}"
            else:
                urls[name] = stack.enter_context(Server(*map(_script, played))).url
        urls["hook"] = stack.enter_context(Server([Do.READ, answer(204), Do.CLOSE])).url
        path = write_policy(folder / "http", POLICY.format(dialect=dialect.value, **urls))
        kept = MemoryLedger()
        clock = LoopClock(DEFAULT_AT.timestamp())
        opened = Engine.open(load([path]), ledger=kept, environ={}, clock=clock, seed=0)
        text = ""
        async with opened as engine:
            request = PromptRequest.of(prompt="Hello")
            if streamed:
                async with engine.stream(request) as events:
                    async for event in events:
                        text += getattr(event, "text", "") if type(event).__name__ == "Text" else ""
            else:
                text = (await engine.complete(request)).text
            return records(kept)[0], text


@pytest.mark.parametrize(("acts", "dialect", "streamed"), list(_cases()))
def test_an_act_is_the_same_over_a_socket(tmp_path, acts, dialect, streamed):
    urls = {name: f"https://{name}.test" for name in ("first", "second", "hook")}
    policy = POLICY.format(dialect=dialect.value, **urls)
    fields = {"request": {"prompt": "Hello", "stream": streamed}, "endpoints": {"first": acts}}
    loaded = loaded_with(tmp_path, [rehearsal(**fields)], policy)
    (run,) = play(loaded, loaded.rehearsals[0].written, Backend.ASYNCIO).runs
    record, text = anyio.run(_over_sockets, tmp_path, _performances(run, loaded), dialect, streamed)
    assert _comparable(record, text) == _comparable(dict(run.record), run.text)
