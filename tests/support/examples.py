"""Examples of what one request leaves: attempts, records and results, each plausible as a whole."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from route_run.flow.classify import classify
from route_run.flow.decide import decide
from route_run.flow.event import Result
from route_run.flow.failure import Billed, Cause, Failure
from route_run.flow.outcome import Outcome, Usage
from route_run.flow.plan import Plan
from route_run.flow.record import Attempt, Measured, Record
from route_run.flow.request import PromptRequest
from route_run.flow.snapshot import Snapshot
from support.tables import table_of

POLICY = """\
version: 1
tags: {desk: {values: [support, sales]}}
endpoints:
  first: {dialect: openai, base_url: "https://first.test/v1", serves: {m: {}}}
  second: {dialect: openai, base_url: "https://second.test/v1", serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 0.5, output: 1.5}, capabilities: [json]}
upstreams:
  main: {targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]}
guards:
  secrets: {patterns: [{id: codename, regex: zephyr, score: 1}]}
bounds:
  baseline: {match: {}, guards: [secrets]}
routes:
  support: {match: {tags: {desk: support}}, upstream: main}
"""

BEGAN = 1_795_423_852.25
OVERLOADED = Failure(Cause.STATUS, "the engine is overloaded", 503)
CUT = Failure(Cause.TRUNCATED, "the answer broke off before its proper end", 200)


def planned(prompt: str = "Hello", *, desk: str = "support", **fields: Any) -> Plan:
    """The plan for a request of the policy above; the word `zephyr` is rejected, the desk `sales` has no route."""
    request = PromptRequest.of(prompt=prompt, tags={"desk": desk}, **fields)
    return decide(table_of(POLICY), request, Snapshot(BEGAN), seed=7)


def attempt(number: int = 1, **fields: Any) -> Attempt:
    """An attempt that gave the answer; with ``failure`` one that did not."""
    failure = fields.get("failure")
    known: dict[str, Any] = {"status": 200, "usage": Usage(12, 20), "cost": Decimal("0.000036")}
    if failure is not None:
        verdict = classify(failure)
        known = {
            "status": failure.status,
            "verdict": verdict,
            "billed": verdict.billed,
            "cost": Decimal(0) if verdict.billed is Billed.NONE else None,
        }
    endpoint = "first" if number == 1 else "second"
    return Attempt(number, endpoint, "m", BEGAN + number, 250.5, **(known | fields))


def record(outcome: Outcome = Outcome.COMPLETED, **fields: Any) -> Record:
    """A record of one answered attempt; arguments replace what differs."""
    known: dict[str, Any] = {
        "request_id": "req_01ka6y8m1x0000000000000000",
        "started_at": BEGAN,
        "ended_at": BEGAN + 1.25,
        "plan": planned(),
        "attempts": (attempt(),),
        "measured": Measured(5, 80),
        "first_content_ms": 380.5,
        "usage": Usage(12, 20),
        "cost": Decimal("0.000036"),
        "finish_reason": "stop",
    }
    return Record(outcome=outcome, **(known | fields))


def records() -> dict[str, Record]:
    """One record per way a request can end."""
    nothing = {"attempts": (), "usage": None, "cost": Decimal(0), "first_content_ms": None, "finish_reason": None}
    failed = attempt(failure=OVERLOADED)
    interrupted = attempt(failure=CUT, first_content_ms=100.0, usage=Usage(12, 3))
    return {
        "completed": record(),
        "completed-after-a-fallback": record(attempts=(failed, attempt(2))),
        "completed-with-everything": record(
            attempts=(attempt(first_content_ms=380.5, provider_request_id="req-9", usage=Usage(12, 20, 5)),),
            measured=Measured(5, 80, "a" * 64, "b" * 64),
            git_revision="0123abc",
            webhooks=(("msg_01ka6y8m1x0000000000000000", "ops", "completed"),),
            text={"prompt": "Hello", "completion": "Hello!"},
        ),
        "completed-without-usage": record(
            attempts=(attempt(usage=None, cost=None, billed=Billed.UNKNOWN),), usage=None, cost=None
        ),
        "simulated": record(simulated=True, cost=Decimal(0)),
        "failed": record(Outcome.FAILED, **nothing | {"attempts": (failed,), "error": "first: overloaded"}),
        "rejected": record(Outcome.REJECTED, **nothing | {"plan": planned("about Zephyr"), "error": "rejected"}),
        "refused-without-a-route": record(Outcome.REFUSED, **nothing | {"plan": planned(desk="sales")}),
        "refused-for-a-tag": record(Outcome.REFUSED, **nothing | {"plan": planned(desk="hr"), "error": "no"}),
        "refused-for-a-need": record(Outcome.REFUSED, **nothing | {"plan": planned(tools=[{"name": "f"}])}),
        "interrupted": record(Outcome.INTERRUPTED, attempts=(interrupted,), usage=Usage(12, 3), cost=None),
        "output-invalid": record(
            Outcome.OUTPUT_INVALID, attempts=(attempt(failure=Failure(Cause.INVALID_OUTPUT, "not JSON", 200)),)
        ),
        "cancelled": record(Outcome.CANCELLED, **nothing | {"attempts": (attempt(failure=Failure(Cause.CANCELLED)),)}),
    }


def result(kept: Record, **fields: Any) -> Result:
    """The result that goes with a record."""
    known: dict[str, Any] = {
        "request_id": kept.request_id,
        "outcome": kept.outcome,
        "text": "Hello!",
        "tool_calls": (),
        "usage": kept.usage,
        "cost": kept.cost,
        "error": kept.error,
        "advice": None,
        "record": kept,
    }
    return Result(**(known | fields))
