"""An engine from open to close: what it refuses, what it lets through unchanged, many requests at once."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest

from route_run.errors import LedgerError, MisuseError, PolicyError
from route_run.flow.event import Finished, Planned
from route_run.flow.request import PromptRequest
from route_run.ledger import EntryKind, Filter, LedgerReader, MemoryLedger
from route_run.runtime.clock import LoopClock
from route_run.runtime.engine import Engine
from route_run.table import Loaded
from route_run.transport.simulate import SimulatedTransport
from support.engines import (
    BEGAN,
    RefusingLedger,
    completed_result,
    events_of,
    opened,
    policy,
    records,
    streamed_result,
    text_of,
)
from support.policies import write_policy
from support.scripted import STALL, Reply, ScriptedTransport, content, plain, problem, stream, streamed

PolicyOf = Callable[..., Loaded]

pytestmark = pytest.mark.anyio
virtual = pytest.mark.usefixtures("virtual_time")

HELLO = PromptRequest.of(prompt="Hello")
GUARDED = """\
guards:
  codename: {patterns: [{id: zephyr, regex: zephyr, score: 1.0}], then: reject}
bounds:
  baseline: {match: {}, guards: [codename]}
"""


# -- opening ------------------------------------------------------------------------------------------


async def test_a_policy_is_opened_from_its_folder_with_a_ledger_of_its_own(tmp_path: Path) -> None:
    write_policy(tmp_path / "routes", policy())
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    url = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    async with Engine.open(tmp_path / "routes", ledger=url, environ={}, transport=transport) as engine:
        await streamed_result(engine)

    with LedgerReader(tmp_path / "ledger.sqlite3") as reader:
        assert [record["outcome"] for record in reader.records(Filter(), 5)] == ["completed"]


async def test_the_environment_says_where_the_ledger_is(tmp_path: Path) -> None:
    write_policy(tmp_path / "routes", policy())
    path = tmp_path / "elsewhere" / "ledger.sqlite3"
    environ = {"ROUTE_RUN_LEDGER": f"sqlite:///{path}"}
    async with Engine.open(str(tmp_path / "routes"), environ=environ, transport=ScriptedTransport({})):
        pass

    assert await anyio.Path(path).exists()


async def test_several_folders_are_one_policy(tmp_path: Path) -> None:
    whole = policy()
    head, _, routes = whole.partition("routes:")
    write_policy(tmp_path / "common", head)
    write_policy(tmp_path / "prod", f"version: 1\nroutes:{routes}")
    folders = [tmp_path / "common", tmp_path / "prod"]
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    async with Engine.open(folders, ledger=MemoryLedger(), environ={}, transport=transport) as engine:
        assert (await streamed_result(engine)).text == "Hello"


async def test_an_invalid_policy_is_refused_with_all_of_its_findings(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy().replace("upstream: main", "upstream: mian").replace("version: 1", "version: 2"))
    with pytest.raises(PolicyError) as raised:
        async with opened(loaded, ScriptedTransport({})):
            pass

    assert len(raised.value.findings) >= 2
    assert "mian" in str(raised.value)


async def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="nowhere"):
        async with Engine.open(tmp_path / "nowhere", ledger=MemoryLedger(), environ={}):
            pass


DEFERRED = {
    "after_content": ("upstream", "fallback: {after_content: restart}"),
}


@pytest.mark.usefixtures("restart_deferred")
@pytest.mark.parametrize(("argument", "text"), DEFERRED.values(), ids=DEFERRED.keys())
async def test_what_is_not_enforced_yet_is_refused_with_its_line(policy_of: PolicyOf, argument: str, text: str) -> None:
    written = policy(**{argument: text})
    line = next(n for n, row in enumerate(written.splitlines(), start=1) if text in row)
    with pytest.raises(PolicyError) as raised:
        async with opened(policy_of(written), ScriptedTransport({})):
            pass

    assert f"policy.yaml:{line}:" in str(raised.value)


@pytest.mark.usefixtures("restart_deferred")
async def test_what_is_not_enforced_yet_is_refused_in_simulation_too(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="fallback: {after_content: restart}"))
    with pytest.raises(PolicyError, match="after_content"):
        async with opened(loaded, SimulatedTransport(loaded.table)):
            pass


async def test_values_that_are_today_s_behaviour_pass(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(first="drain: false, maintenance: []"))
    async with opened(loaded, ScriptedTransport({})):
        pass


@pytest.mark.parametrize("url", ["postgresql://h/d", "ledger.db", "sqlite:///"])
async def test_a_ledger_that_is_no_file_url_is_refused(policy_of: PolicyOf, url: str) -> None:
    with pytest.raises(LedgerError, match="sqlite:///FILE"):
        async with opened(policy_of(policy()), ScriptedTransport({}), url):
            pass


async def test_a_ledger_that_cannot_be_opened_is_refused_and_the_transport_untouched(
    policy_of: PolicyOf, tmp_path: Path
) -> None:
    transport = ScriptedTransport({})
    with pytest.raises(LedgerError, match=str(tmp_path)):
        async with opened(policy_of(policy()), transport, f"sqlite:///{tmp_path}"):
            pass

    assert transport.calls == []


async def test_retention_removes_old_records_when_the_engine_is_opened(policy_of: PolicyOf, tmp_path: Path) -> None:
    loaded = policy_of(policy(more="ledger: {retention: 1d}"))
    url = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    for day in (0, 5):
        transport = ScriptedTransport({"first": [streamed("Hello")]})
        clock = LoopClock(BEGAN + day * 86_400)
        async with Engine.open(loaded, ledger=url, environ={}, transport=transport, clock=clock) as engine:
            await streamed_result(engine)

    with LedgerReader(tmp_path / "ledger.sqlite3") as reader:
        assert len(reader.records(Filter(), 5)) == 1
        assert list(reader.broken_links()) == []


# -- closing ------------------------------------------------------------------------------------------


@virtual
async def test_a_closed_engine_refuses_requests(policy_of: PolicyOf) -> None:
    async with opened(policy_of(policy()), ScriptedTransport({})) as engine:
        pass

    with pytest.raises(MisuseError, match="closed"):
        await engine.complete(HELLO)
    with pytest.raises(MisuseError, match="closed"):
        await events_of(engine)
    assert "closed" in repr(engine)


@virtual
async def test_closing_closes_the_transport(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({})
    async with opened(policy_of(policy()), transport):
        assert not transport.is_closed
    assert transport.is_closed


@virtual
async def test_a_request_that_is_under_way_when_the_engine_closes_still_ends_with_a_record(
    policy_of: PolicyOf,
) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [stream(content("a"), 3, content("b"), STALL)]})
    outcomes: list[str] = []

    async def request(engine: Engine) -> None:
        outcomes.append((await streamed_result(engine)).outcome.value)

    async with anyio.create_task_group() as tasks, opened(policy_of(policy()), transport, ledger) as engine:
        tasks.start_soon(request, engine)
        await anyio.sleep(1)

    assert [record["outcome"] for record in records(ledger)] == outcomes


@virtual
async def test_the_repr_of_an_engine_names_its_policy_and_nothing_else(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy())
    async with opened(loaded, ScriptedTransport({})) as engine:
        assert repr(engine) == f"<Engine policy={loaded.table.digest[:12]} open>"


# -- exceptions of the caller -------------------------------------------------------------------------


class OfTheCaller(Exception):
    """Raised by a caller's block."""


async def raising_in_engine(loaded: Loaded, ledger: Any, error: BaseException) -> None:
    async with opened(loaded, ScriptedTransport({"first": [streamed("Hello")]}), ledger) as engine:
        await streamed_result(engine)
        raise error


async def raising_in_stream(loaded: Loaded, ledger: Any, error: BaseException) -> None:
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    async with opened(loaded, transport, ledger) as engine, engine.stream(HELLO) as events:
        await anext(events)
        raise error


@pytest.mark.parametrize("block", [raising_in_engine, raising_in_stream])
@pytest.mark.parametrize("kept", ["memory", "file"])
@pytest.mark.parametrize(
    "error", [OfTheCaller("mine"), ExceptionGroup("mine", [OfTheCaller("one")]), KeyboardInterrupt()], ids=repr
)
async def test_what_a_caller_raises_arrives_as_it_was_raised(
    policy_of: PolicyOf, tmp_path: Path, block: Any, kept: str, error: BaseException
) -> None:
    ledger = MemoryLedger() if kept == "memory" else f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    with pytest.raises(type(error)) as caught:
        await block(policy_of(policy()), ledger, error)

    assert caught.value is error


# -- requests that are never sent ---------------------------------------------------------------------


@virtual
@pytest.mark.parametrize("how", [streamed_result, completed_result])
async def test_a_rejected_prompt_reaches_no_endpoint(policy_of: PolicyOf, how: Any) -> None:
    transport, ledger = ScriptedTransport({}), MemoryLedger()
    async with opened(policy_of(policy(more=GUARDED)), transport, ledger) as engine:
        result = await how(engine, "Tell me about Zephyr")

    assert result.outcome.value == "rejected"
    assert transport.calls == []
    (record,) = records(ledger)
    assert (record["outcome"], record["attempts"], record["cost_usd"]) == ("rejected", [], "0")
    assert record["guards"][0]["fired"] is True


@virtual
@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"route": "nowhere"}, "there is no route `nowhere`"),
        ({"parameters": {"temperature": 9.0}}, "temperature"),
        ({"parameters": {"max_tokens": 100_000}}, "max_tokens"),
        ({"prompt": "x" * 60_000}, "context window"),
    ],
)
async def test_a_refused_request_says_why_and_reaches_no_endpoint(
    policy_of: PolicyOf, fields: dict[str, Any], words: str
) -> None:
    transport, ledger = ScriptedTransport({}), MemoryLedger()
    loaded = policy_of(policy(route="match: {}, parameters: {temperature: {max: 1}, max_tokens: {max: 500}}"))
    async with opened(loaded, transport, ledger) as engine:
        events = await events_of(engine, **fields)

    assert [type(event) for event in events] == [Planned, Finished]
    last = events[-1]
    assert isinstance(last, Finished)
    assert last.result.outcome.value == "refused"
    assert words in (last.result.error or "")
    assert transport.calls == []
    assert records(ledger)[0]["outcome"] == "refused"


@virtual
async def test_a_drained_endpoint_is_passed_over(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"second": [streamed("Hello")]})
    async with opened(policy_of(policy(first="drain: true")), transport) as engine:
        result = await streamed_result(engine)

    assert transport.asked == ["second"]
    assert result.text == "Hello"


# -- ledgers that refuse ------------------------------------------------------------------------------


@virtual
@pytest.mark.parametrize("how", [streamed_result, completed_result])
async def test_nothing_is_sent_when_the_start_cannot_be_stored(policy_of: PolicyOf, how: Any) -> None:
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    async with opened(policy_of(policy()), transport, RefusingLedger(EntryKind.ATTEMPT)) as engine:
        with pytest.raises(LedgerError, match="the disk is full"):
            await how(engine)

    assert transport.calls == []


@virtual
async def test_success_is_not_reported_when_the_record_cannot_be_stored(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    async with opened(policy_of(policy()), transport, RefusingLedger(EntryKind.RECORD)) as engine:
        with pytest.raises(LedgerError, match="the disk is full"):
            await streamed_result(engine)

    assert transport.left_open == 0


@virtual
@pytest.mark.parametrize("refused", [EntryKind.ATTEMPT, EntryKind.RECORD])
async def test_a_policy_may_go_on_without_a_ledger_and_says_so(
    policy_of: PolicyOf, refused: EntryKind, caplog: pytest.LogCaptureFixture
) -> None:
    loaded = policy_of(policy(more="ledger: {on_failure: continue}"))
    transport = ScriptedTransport({"first": [streamed("Hello")]})
    async with opened(loaded, transport, RefusingLedger(refused)) as engine:
        result = await streamed_result(engine)

    assert (result.outcome.value, result.text) == ("completed", "Hello")
    assert f"request {result.request_id} goes on without a record: the disk is full" in caplog.text


@virtual
async def test_a_request_that_is_given_up_over_a_refusing_ledger_logs_what_was_not_stored(
    policy_of: PolicyOf, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    transport = ScriptedTransport({"first": [stream(content("a"), STALL)]})
    async with opened(policy_of(policy()), transport, RefusingLedger(EntryKind.RECORD)) as engine:
        with anyio.move_on_after(1):
            await streamed_result(engine)

    assert "the disk is full" in caplog.text
    assert transport.left_open == 0


# -- defects ------------------------------------------------------------------------------------------


@virtual
async def test_a_defect_is_not_swallowed_and_recorded_as_a_failure_of_ours(policy_of: PolicyOf) -> None:
    def defective(_: Any) -> Reply:
        raise ZeroDivisionError("a defect")

    ledger = MemoryLedger()
    async with opened(policy_of(policy()), ScriptedTransport({"first": defective}), ledger) as engine:
        with pytest.raises(ZeroDivisionError):
            await streamed_result(engine)

    (record,) = records(ledger)
    assert record["outcome"] == "failed"
    assert [a["failure"] for a in record["attempts"]] == ["internal"]


# -- many at once -------------------------------------------------------------------------------------


@virtual
async def test_two_hundred_requests_at_once_all_end_with_their_own_answer(policy_of: PolicyOf) -> None:
    dice = random.Random(3)
    ledger = MemoryLedger()

    def answer(call: Any) -> Reply:
        if dice.random() < 0.3:
            return problem(503)
        prompt = call.request.body.split(b"prompt-")[1][:3].decode()
        return stream(dice.random(), content(prompt[:1]), dice.random(), content(prompt[1:]), b"data: [DONE]\n\n")

    transport = ScriptedTransport({"first": answer, "second": answer, "third": answer})
    answers: dict[str, tuple[str, str]] = {}

    async def one(engine: Engine, number: int) -> None:
        events = await events_of(engine, f"prompt-{number:03}")
        last = events[-1]
        assert isinstance(last, Finished)
        answers[f"{number:03}"] = (last.result.outcome.value, text_of(events))

    async with opened(policy_of(policy(targets=3)), transport, ledger) as engine, anyio.create_task_group() as tasks:
        for number in range(200):
            tasks.start_soon(one, engine, number)

    assert all(text == number for number, (outcome, text) in answers.items() if outcome == "completed")
    assert sum(outcome == "completed" for outcome, _ in answers.values()) > 180
    assert len({record["request_id"] for record in records(ledger)}) == 200
    assert transport.left_open == 0


@virtual
async def test_two_engines_at_once_do_not_know_of_each_other(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy())
    one = ScriptedTransport({"first": [streamed("one")]})
    other = ScriptedTransport({"first": [streamed("other")]})
    ledgers = MemoryLedger(), MemoryLedger()
    async with opened(loaded, one, ledgers[0]) as first, opened(loaded, other, ledgers[1]) as second:
        texts = [(await streamed_result(engine)).text for engine in (first, second)]

    assert texts == ["one", "other"]
    assert [len(records(ledger)) for ledger in ledgers] == [1, 1]


async def test_two_engines_share_one_ledger_file(policy_of: PolicyOf, tmp_path: Path) -> None:
    loaded = policy_of(policy())
    url = f"sqlite:///{tmp_path / 'ledger.sqlite3'}"
    answers = {"first": lambda call: plain("Hello")}
    async with (
        opened(loaded, ScriptedTransport(answers), url) as first,
        opened(loaded, ScriptedTransport(answers), url, seed=2) as second,
        anyio.create_task_group() as tasks,
    ):
        for _ in range(20):
            tasks.start_soon(completed_result, first)
            tasks.start_soon(completed_result, second)

    with LedgerReader(tmp_path / "ledger.sqlite3") as reader:
        assert len(reader.records(Filter(), 100)) == 40
        assert list(reader.broken_links()) == []


# -- what is repeatable -------------------------------------------------------------------------------


@virtual
async def test_the_same_seed_gives_the_same_records(policy_of: PolicyOf) -> None:
    loaded = policy_of(policy(upstream="retry: {attempts: 2}"))
    heads = []
    for _ in range(2):
        ledger = MemoryLedger()
        transport = ScriptedTransport({"first": [problem(500), streamed("Hello"), streamed("again")]})
        async with opened(loaded, transport, ledger, seed=42) as engine:
            await streamed_result(engine)
            await streamed_result(engine)
        heads.append(ledger.head)

    assert heads[0] == heads[1]


@virtual
async def test_ids_of_requests_sort_by_time(policy_of: PolicyOf) -> None:
    transport = ScriptedTransport({"first": lambda call: streamed("Hello")})
    ids = []
    async with opened(policy_of(policy()), transport) as engine:
        for _ in range(5):
            ids.append((await streamed_result(engine)).request_id)
            await anyio.sleep(1)

    assert ids == sorted(ids)
    assert len(set(ids)) == 5


# -- what is kept of text -----------------------------------------------------------------------------


@virtual
async def test_no_text_is_kept_unless_the_policy_says_so(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed("the answer")]})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await streamed_result(engine, "the question")

    stored = repr(ledger.entries)
    assert "the answer" not in stored
    assert "the question" not in stored
    assert records(ledger)[0]["prompt_hash"] is None


@virtual
async def test_text_is_kept_where_the_policy_says_so(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed("the answer")]})
    async with opened(policy_of(policy(more="ledger: {capture: full}")), transport, ledger) as engine:
        await streamed_result(engine, "the question", documents=["a document"])

    assert records(ledger)[0]["text"] == {"prompt": "a document\nthe question", "completion": "the answer"}


@virtual
async def test_a_key_makes_hashes_that_tell_equal_texts_apart_from_others(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": lambda call: streamed("Hello")})
    loaded = policy_of(policy(more="ledger: {hash_key: '${KEY}'}"))
    async with opened(loaded, transport, ledger) as engine:
        for prompt in ("one", "one", "two"):
            await streamed_result(engine, prompt)

    one, again, two = (record["prompt_hash"] for record in records(ledger))
    assert one == again != two
    import hashlib
    import hmac

    assert one == hmac.new(b"key-of-the-first", b"one", hashlib.sha256).hexdigest()


@virtual
async def test_sizes_are_counted_in_bytes(policy_of: PolicyOf) -> None:
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed("☃")]})
    async with opened(policy_of(policy()), transport, ledger) as engine:
        await streamed_result(engine, "zwölf")

    (record,) = records(ledger)
    assert (record["prompt_bytes"], record["completion_bytes"]) == (6, 3)


@virtual
async def test_a_record_can_be_read_back_as_what_was_decided(policy_of: PolicyOf) -> None:
    tags = "tags:\n  desk: {values: [sales, support]}\n"
    ledger = MemoryLedger()
    transport = ScriptedTransport({"first": [streamed("Hello", used=(20, 10))]})
    async with opened(policy_of(policy(more=tags)), transport, ledger) as engine:
        result = await streamed_result(engine, tags={"desk": "sales", "other": "x"}, requested_model="gpt")

    (record,) = records(ledger)
    assert record["attributes"]["tags"] == {"desk": "sales"}
    assert record["attributes"]["undeclared_tags"] == ["other"]
    assert record["attributes"]["requested_model"] == "gpt"
    assert record["snapshot"]["at"] == BEGAN
    assert record["seed"] == result.record.plan.seed
    assert (record["endpoint"], record["model"], record["route"]) == ("first", "m", "all")
    assert record["usage"] == {"prompt_tokens": 20, "completion_tokens": 10, "cached_tokens": 0}
