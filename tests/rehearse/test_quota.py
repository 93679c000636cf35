"""`quota`: what is used up when a rehearsal begins, by the engine's own counters; every mistake is a finding."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal

import anyio
import pytest

from route_run.flow.limits import Used
from route_run.flow.request import PromptRequest
from route_run.ledger import MemoryLedger
from route_run.policy.rehearsal import PARTS, QuotaScript
from route_run.rehearse.clock import Backend
from route_run.rehearse.play import DEFAULT_AT, play
from route_run.rehearse.quota import used_already
from route_run.runtime.clock import LoopClock
from route_run.runtime.engine import Engine
from route_run.table import load
from support.engines import records
from support.policies import write_policy
from support.rehearsals import loaded_with, only, rehearsal
from support.server import Do, Server, answer

LIMITED = """\
version: 1
tags: {tenant: {}, desk: {values: [support, sales]}}
endpoints:
  first:
    dialect: openai
    base_url: https://first.test/v1
    serves: {m: {}}
    limits: {requests: 60/min, tokens: 5k/min, concurrent: 2}
  second: {dialect: openai, base_url: 'https://second.test/v1', serves: {m: {}, n: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}}
  n: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}, limits: {spend: 1 USD/day}}
upstreams:
  main:
    targets:
      - {endpoint: first, model: m}
      - balance: cheapest
        targets: [{endpoint: second, model: n}, {endpoint: second, model: m, limits: {requests: 6/min}}]
bounds:
  everyone: {match: {}, limits: {requests: 100/min}}
  fair-share:
    match: {}
    per: tags.tenant
    limits: {spend: 20 USD/day, requests: 60/min}
    except: {acme: {requests: 600/min}, slow: {requests: 1/min, when_exceeded: wait, wait_at_most: 20s}}
  desks: {match: {}, per: tags.desk, limits: {concurrent: 5}}
routes: {rest: {match: {}, upstream: main}}
"""
FIRST_FULL = {"endpoints": {"first": {"requests": "0 left"}}}
ACME = {"prompt": "Hello", "tags": {"tenant": "acme"}}
OTHER = {"prompt": "Hello", "tags": {"tenant": "other"}}

# what is used, what is asked, what has to happen
PLAYED = {
    "requests of an endpoint": (FIRST_FULL, {}, {"attempts": ["second"], "skipped": {"first": "60/min requests"}}),
    "requests of an endpoint but one": ({"endpoints": {"first": {"requests": "1 left"}}}, {}, {"attempts": ["first"]}),
    "requests of an endpoint, all used": (
        {"endpoints": {"first": {"requests": "60 used"}}}, {}, {"attempts": ["second"]},
    ),
    # an attempt may take 6 tokens of the prompt and 1,000 of the answer
    "tokens of an endpoint": (
        {"endpoints": {"first": {"tokens": "1005 left"}}}, {}, {"skipped": {"first": "5k/min tokens"}},
    ),
    "tokens of an endpoint, just enough": (
        {"endpoints": {"first": {"tokens": "3.994k used"}}}, {}, {"attempts": ["first"]},
    ),
    "concurrent of an endpoint": (
        {"endpoints": {"first": {"concurrent": "2 used"}}}, {}, {"skipped": {"first": "allows 2 at once"}},
    ),
    "spend of a model": (
        {**FIRST_FULL, "models": {"n": {"spend": "0.002005 USD left"}}},
        {},
        {"attempts": [{"endpoint": "second", "model": "m"}], "skipped": {"second": "0.997995 USD are spent"}},
    ),
    "spend of a model, just enough": (
        {**FIRST_FULL, "models": {"n": {"spend": "0.002006 USD left"}}},
        {},
        {"attempts": [{"endpoint": "second", "model": "n"}]},
    ),
    "requests of a target in a group": (
        {
            **FIRST_FULL,
            "models": {"n": {"spend": "1 USD used"}},
            "upstreams": {"main": {"second/m": {"requests": "0 left"}}},
        },
        {},
        {"outcome": "refused", "stopped_at": "eligibility"},
    ),
    "requests of a bound": (
        {"bounds": {"everyone": {"requests": "100 used"}}},
        {},
        {"outcome": "refused", "error_contains": "the bound `everyone` allows 100/min requests"},
    ),
    "spend of one value": (
        {"bounds": {"fair-share": {"per": {"other": {"spend": "19.998 USD used"}}}}},
        OTHER,
        {"outcome": "refused", "error_contains": "20 USD/day"},
    ),
    "spend of another value": (
        {"bounds": {"fair-share": {"per": {"another": {"spend": "20 USD used"}}}}}, OTHER, {"outcome": "completed"},
    ),
    "requests of a value with an exception": (
        {"bounds": {"fair-share": {"per": {"acme": {"requests": "60 used"}}}}}, ACME, {"outcome": "completed"},
    ),
    "all requests of a value with an exception": (
        {"bounds": {"fair-share": {"per": {"acme": {"requests": "0 left"}}}}},
        ACME,
        {"outcome": "refused", "error_contains": "600/min"},
    ),
    "requests of a value that waits": (
        {"bounds": {"fair-share": {"per": {"slow": {"requests": "0.75 left"}}}}},
        {"prompt": "Hello", "tags": {"tenant": "slow"}},
        {"attempts": [{"endpoint": "first", "begins_after": "15s", "begins_within": "15010ms"}]},
    ),
    "requests without the tag": (
        {"bounds": {"fair-share": {"absent": {"requests": "0 left"}}}}, {}, {"outcome": "refused"},
    ),
    "requests without the tag are not those of a value": (
        {"bounds": {"fair-share": {"absent": {"requests": "0 left"}}}}, OTHER, {"outcome": "completed"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("backend", Backend)
@pytest.mark.parametrize(("quota", "request_", "expect"), PLAYED.values(), ids=PLAYED)
def test_what_is_used_up_holds_requests_back(tmp_path, backend, quota, request_, expect):
    from route_run.rehearse.rehearsed import rehearse_one

    written = rehearsal(quota=quota, request=request_ or {"prompt": "Hello"}, expect=expect)
    loaded = loaded_with(tmp_path, [written], LIMITED)
    rehearsed = rehearse_one(loaded, only(loaded), backend)
    assert [(row.label, row.actual) for row in rehearsed.failures] == []


def test_every_part_of_a_limit_is_tried():
    written = " ".join(str(quota) for quota, _, _ in PLAYED.values())
    assert [part for part in PARTS if f"'{part}'" not in written] == []


def test_a_rate_runs_out_and_a_period_ends_as_they_always_do(tmp_path):
    minute = {"request": {"prompt": "Hello"}, "expect": {"within": "1d"}}
    acme = {"request": OTHER, "expect": {"within": "1d"}}
    quota = {**FIRST_FULL, "bounds": {"fair-share": {"per": {"other": {"spend": "0 USD left"}}}}}
    sequence = [minute, {"after": "1s", **minute}, acme, {"after": "30s", **acme}]
    loaded = loaded_with(
        tmp_path, [rehearsal(at="2026-12-31T23:59:30Z", quota=quota, sequence=sequence)], LIMITED
    )  # fmt: skip
    runs = play(loaded, only(loaded).written, Backend.TRIO).runs
    assert [run.record["endpoint"] for run in runs] == ["second", "first", None, "first"]


def test_amounts_become_what_the_engine_counts(tmp_path):
    table = loaded_with(tmp_path, [rehearsal()], LIMITED).table
    quota = QuotaScript.decode(
        {
            "endpoints": {"first": {"requests": "1 left", "tokens": "1.5k left", "concurrent": "1 used"}},
            "models": {"n": {"spend": "0.25 USD left"}, "m": {}},
            "upstreams": {"main": {"second/m": {"requests": "2.5 used"}}},
            "bounds": {"fair-share": {"per": {"acme": {"requests": "10 left"}}, "absent": {"spend": "3 USD used"}}},
        }
    )
    found = {limit.key: used for limit, used in used_already(table, quota)}
    assert found == {
        "endpoints.first": Used(requests=59, tokens=3500, live=1),
        "models.n": Used(spent=Decimal("0.75")),
        "upstreams.main.targets[1].targets[1]": Used(requests=2.5),
        "bounds.fair-share=acme": Used(requests=590),
        "bounds.fair-share": Used(spent=Decimal(3)),
    }


def findings_of(folder, quota):
    import yaml

    written = yaml.safe_dump({"version": 1, "rehearsals": [rehearsal(quota=quota)]}, sort_keys=False)
    return load([write_policy(folder / "policy", {"policy.yaml": LIMITED, "cases.test.yaml": written})]).findings


WRONG = [
    (
        {"endpoints": {"frist": {"requests": "0 left"}}},
        "RR701",
        "there is no endpoint `frist`",
        "did you mean `first`?",
    ),
    ({"models": {"o": {"requests": "0 left"}}}, "RR701", "there is no model `o`", "known: `m`, `n`"),
    ({"upstreams": {"mian": {"first/m": {"requests": "0 left"}}}}, "RR701", "there is no upstream `mian`", "did you"),
    (
        {"upstreams": {"main": {"first": {"requests": "0 left"}}}},
        "RR701",
        "the upstream `main` has no target `first`",
        "did you mean `first/m`? known: `first/m`, `second/m`, `second/n`",
    ),
    ({"bounds": {"fair": {"requests": "0 left"}}}, "RR701", "there is no bound `fair`", "did you mean `fair-share`?"),
    (
        {"bounds": {"desks": {"per": {"suport": {"concurrent": "0 left"}}}}},
        "RR701",
        "`suport` is not a declared value of the tag `desk`, by which the bound `desks` counts",
        "did you mean `support`?",
    ),
    (
        {"endpoints": {"first": {"spend": "0 USD left"}}},
        "RR704",
        "the endpoint `first` has no limit of spend",
        "it limits `concurrent`, `requests`, `tokens`",
    ),
    (
        {"endpoints": {"second": {"requests": "0 left"}}},
        "RR704",
        "the endpoint `second` has no limit",
        "it has no limits",
    ),
    (
        {"upstreams": {"main": {"second/m": {"spend": "0 USD left"}}}},
        "RR704",
        "the target second/m of `main` has no limit of spend",
        "it limits `requests`",
    ),
    (
        {"bounds": {"fair-share": {"requests": "0 left"}}},
        "RR704",
        "the bound `fair-share` counts per tags.tenant: its requests are those of one value",
        "write them in `per`",
    ),
    (
        {"bounds": {"everyone": {"per": {"acme": {"requests": "0 left"}}}}},
        "RR704",
        "the bound `everyone` has no `per`",
        "write the amounts right below its name",
    ),
    (
        {"bounds": {"fair-share": {"per": {"acme": {"spend": "0 USD left"}}}}},
        "RR704",
        "the bound `fair-share` for tenant=acme has no limit of spend",
        "it limits `requests`",
    ),
    (
        {"endpoints": {"first": {"requests": "61 used"}}},
        "RR705",
        "the endpoint `first` allows 60/min requests: no more than that can be used or left",
        "from 0 to 60; `0 left` uses all of it",
    ),
    ({"models": {"n": {"spend": "1.01 USD left"}}}, "RR705", "the model `n` allows 1 USD/day spend", "from 0 to 1"),
    ({"endpoints": {"first": {"concurrent": "3 used"}}}, "RR705", "the endpoint `first` allows 2 concurrent", "from 0"),
    ({"endpoints": {"first": {"requests": 60}}}, "RR107", "`60` has no unit", "write `60 used` if that is meant"),
    ({"endpoints": {"first": {"requests": "60"}}}, "RR107", "`60` has no unit", "write `60 used` if that is meant"),
    ({"models": {"n": {"spend": 1}}}, "RR107", "`1` has no unit", "write `1 USD used` if that is meant"),
    ({"models": {"n": {"spend": "$1 left"}}}, "RR107", "", "write `1 USD left`"),
    ({"endpoints": {"first": {"requests": "60/min used"}}}, "RR107", "", "write it like `600 used`"),
    ({"endpoints": {"first": {"requests": "0 Left"}}}, "RR107", "", "write `0 left`"),
    ({"endpoints": {"first": {"request": "0 left"}}}, "RR103", "unknown field `request`", "a similar field exists"),
    ({"first": {}}, "RR103", "unknown field `first`", "known fields: `bounds`, `endpoints`"),
    ({"endpoints": {"first": {}}}, "RR105", "", ""),
]


@pytest.mark.parametrize(("quota", "code", "message", "help_"), WRONG, ids=[f"{row[1]} {row[0]}" for row in WRONG])
def test_a_mistake_is_one_finding(tmp_path, quota, code, message, help_):
    (finding,) = findings_of(tmp_path, quota)
    assert (finding.code.value, finding.is_error) == (code, True)
    assert finding.message.startswith(message)
    assert help_ in finding.help
    assert finding.span.start.line > 3


def test_an_item_with_a_finding_of_its_own_is_not_blamed_twice(tmp_path):
    files = {
        "policy.yaml": LIMITED.replace("limits: {requests: 60/min, tokens", "limits: {requests: 60, tokens"),
        "cases.test.yaml": "version: 1\nrehearsals: [{name: a, request: {prompt: a}, expect: {outcome: completed},"
        " quota: {endpoints: {first: {requests: 0 left}}}}]\n",
    }
    assert {f.code.value for f in load([write_policy(tmp_path / "policy", files)]).findings} == {"RR107"}


@pytest.mark.parametrize("used", ["0 left", "1 used"])
def test_it_is_the_same_over_a_socket(tmp_path, used):
    """The engine over HTTP with the same counters asks the same endpoints."""
    quota = {"endpoints": {"first": {"concurrent": used}}}
    loaded = loaded_with(tmp_path, [rehearsal(quota=quota)], LIMITED)
    (run,) = play(loaded, only(loaded).written, Backend.ASYNCIO).runs
    asked = [attempt["endpoint"] for attempt in run.record["attempts"]]

    async def over_sockets():
        with ExitStack() as stack:
            body = b'{"choices": [{"message": {"content": "Sure."}, "finish_reason": "stop"}]}'
            policy = LIMITED
            for name, quote in (("first", ""), ("second", "'")):
                url = stack.enter_context(Server([Do.READ, answer(200, body), Do.CLOSE])).url
                near = "\n    allow_networks: [loopback]" if not quote else ", allow_networks: [loopback]"
                policy = policy.replace(f"{quote}https://{name}.test/v1{quote}", f"{quote}{url}{quote}{near}")
            http = load([write_policy(tmp_path / "http", policy)])
            kept = MemoryLedger()
            already = used_already(http.table, QuotaScript.decode(quota))
            clock = LoopClock(DEFAULT_AT.timestamp())
            async with Engine.open(http, ledger=kept, environ={}, clock=clock, seed=0, used=already) as engine:
                await engine.complete(PromptRequest.of(prompt="Hello"))
            return records(kept)[0]

    record = anyio.run(over_sockets)
    assert record["outcome"] == run.record["outcome"] == "completed"
    assert [attempt["endpoint"] for attempt in record["attempts"]] == asked
    assert record["snapshot"].get("limits") == run.record["snapshot"].get("limits")
