"""What has to hold for every request whatever fails: checked after each run of an exploration.

Decides whether a run broke a promise. The promises are the engine's and the policy's alike: a fallback
that a policy forbids is found here as well as one that the engine forgets.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from route_run.flow.event import Finished, Restarted, Text, ToolCallPiece
from route_run.flow.failure import Kind
from route_run.flow.limits import NOTHING, Used, lacks, need_of
from route_run.flow.plan import Plan, PlannedTarget
from route_run.ledger import EntryKind
from route_run.rehearse.play import Run
from route_run.table import Bound, Exceeded, Limit, Route, RoutingTable

_AFTER_THE_END = 0.1
"""Seconds that giving connections back may take beyond the total."""
_NEVER_ANSWERED = frozenset({Kind.BAD_REQUEST.value, Kind.TOO_LONG.value, Kind.CONTENT_REFUSED.value})
"""Kinds of failure that say something of the request: another endpoint need not be asked."""
_ENDS_EARLY = frozenset(
    {"truncate", "stall_mid", "reset_mid", "error_mid", "malformed", "stall", "stall_before_content"}
)


@dataclass(frozen=True, slots=True)
class Broken:
    """A promise that a run broke: its name, and what happened."""

    promise: str
    words: str


@dataclass(frozen=True, slots=True)
class Context:
    """What a run is held against."""

    table: RoutingTable
    route: Route
    run: Run
    record: Mapping[str, Any]

    @property
    def attempts(self) -> Sequence[Mapping[str, Any]]:
        found: Sequence[Mapping[str, Any]] = self.record["attempts"]
        return found

    @property
    def is_completed(self) -> bool:
        return bool(self.record["outcome"] == "completed")


def broken_promises(table: RoutingTable, route: Route, run: Run) -> list[Broken]:
    """Every promise that a run broke."""
    records = run.records
    if len(records) != 1:
        return [Broken("exactly one record", f"{len(records)} records were stored")]
    context = Context(table, route, run, records[0])
    return [Broken(name, words) for name, check in PROMISES.items() for words in check(context)]


def _one_attempt_a_byte(c: Context) -> Iterator[str]:
    """I1: each piece that is delivered belongs to one attempt, and those of two attempts never mix."""
    speaking: int | None = None
    for _, event in c.run.events:
        if isinstance(event, Restarted):
            speaking = None
        elif isinstance(event, Text | ToolCallPiece):
            if speaking is not None and event.number != speaking:
                yield f"attempt {event.number} goes on where attempt {speaking} had been heard"
                return
            speaking = event.number


def _one_terminal(c: Context) -> Iterator[str]:
    """I2: exactly one terminal event, the last."""
    finished = [number for number, (_, event) in enumerate(c.run.events) if isinstance(event, Finished)]
    if finished != [len(c.run.events) - 1]:
        yield f"{len(finished)} terminal events among {len(c.run.events)}"


def _proper_end(c: Context) -> Iterator[str]:
    """I3 and I4: an answer is a success only where the provider ended it; what broke off is none."""
    asked = c.run.noted.asked
    if c.is_completed and asked:
        # of two at once the one that answers need not be the last that was asked
        answering = min(c.attempts[-1]["number"], len(asked)) if c.attempts else len(asked)
        if (fault := asked[answering - 1][2].fault) in _ENDS_EARLY:
            yield f"completed, although the answer was cut by `{fault}`"
    last = c.run.events[-1][1] if c.run.events else None
    if c.is_completed and isinstance(last, Finished) and last.result.text != c.run.text:
        yield "the text of the result is not the text that was delivered"


def _one_at_a_time(c: Context) -> Iterator[str]:
    """I5: one exchange is open at a time, two where the upstream hedges, and none is left open."""
    noted = c.run.noted
    most = 1 if c.route.upstream.hedge_after is None else 2
    if noted.most_open > most or noted.open_now:
        yield f"{noted.most_open} answers were open at once, {noted.open_now} were left open"


def _whole_tool_calls(c: Context) -> Iterator[str]:
    """I6: a tool call that is reported as delivered is whole."""
    last = c.run.events[-1][1] if c.run.events else None
    if not c.is_completed or not isinstance(last, Finished):
        return
    for call in last.result.tool_calls:
        try:
            json.loads(call.arguments or "{}")
        except ValueError:
            yield f"the arguments of the call `{call.name}` are no JSON"


def _ledger_is_the_meter(c: Context) -> Iterator[str]:
    """I7: the ledger has a row for every exchange that an endpoint saw, and never calls an unknown cost 0."""
    started = sum(entry.kind is EntryKind.ATTEMPT for entry in c.run.noted.entries)
    seen = [name for name, _, _ in c.run.noted.asked]
    recorded = [attempt["endpoint"] for attempt in sorted(c.attempts, key=lambda attempt: attempt["number"])]
    if seen != recorded or started != len(recorded):
        yield f"endpoints saw {len(seen)} exchanges, the ledger has {started} begun and {len(recorded)} ended"
    for attempt in c.attempts:
        if attempt["billed"] == "unknown" and attempt["usage"] is None and attempt["cost_usd"] is not None:
            yield f"attempt {attempt['number']} may have cost something, the record says {attempt['cost_usd']} USD"


def _answer_if_one_can(c: Context) -> Iterator[str]:
    """A healthy target that may be asked gives the answer, unless content was delivered or the request is at fault.

    What was delivered does not count where the caller can discard it and the upstream starts over. What a limit
    may have held back is left aside, and a plain answer that took the total time: it has no other deadline.
    """
    plan = c.run.plan
    if c.is_completed or plan is None or plan.stop is not None or _is_over_with_content(c):
        return
    last = c.attempts[-1] if c.attempts else None
    if last is not None and (last["failure"] in _NEVER_ANSWERED or _took_all_the_time(c, last)):
        return
    if any(limit.exceeded is Exceeded.REJECT for planned in plan.eligible for limit in planned.target.limits):
        return  # the policy says that such a limit refuses the request
    failed = {attempt["endpoint"] for attempt in c.attempts}
    healthy = [p for p in plan.eligible if p.target.endpoint not in failed and not _may_be_full(c, p)]
    if healthy and last is None:
        yield f"{c.record['outcome']}, and {healthy[0].target} was not asked"
    elif healthy and last is not None:
        when = "" if last["cause"] != "total_timeout" else ", because the total time was over"
        how = f"{c.record['outcome']} by {last['failure']} at {last['endpoint']}"
        yield f"{how}, and {healthy[0].target} was not asked{when}"


def _took_all_the_time(c: Context, last: Mapping[str, Any]) -> bool:
    return bool(last["cause"] == "total_timeout") and not any(sent.stream for _, sent, _ in c.run.noted.asked)


def _is_over_with_content(c: Context) -> bool:
    """Whether content had come, and nothing says that the answer may start over."""
    outcome = c.record["outcome"]
    if outcome == "interrupted":
        return not (c.route.upstream.restarts and c.run.request.allow_restart)
    return outcome == "output_invalid" and any(isinstance(event, Text | ToolCallPiece) for _, event in c.run.events)


def _may_be_full(c: Context, wanted: PlannedTarget) -> bool:
    """Whether a limit of a target may have had no room: as if nothing that attempts reserved had come back."""
    plan = c.run.plan
    assert plan is not None
    planned = {(p.target.endpoint, p.target.model): p for p in plan.eligible}
    asked = [planned[attempt["endpoint"], attempt["model"]] for attempt in c.attempts]
    is_repaired = any(attempt["repair"] for attempt in c.attempts)  # a repair takes more than was planned
    return any(is_repaired or _is_full(limit, plan, asked, wanted) for limit in wanted.target.limits)


def _is_full(limit: Limit, plan: Plan, asked: Sequence[PlannedTarget], wanted: PlannedTarget) -> bool:
    tokens = plan.attributes.prompt_tokens
    same = [p for p in asked if any(own.key == limit.key for own in p.target.limits)]
    needs = [need_of(p.target, p.parameters, tokens) for p in same]
    already = plan.snapshot.limits.get(limit.key, NOTHING)
    used = Used(
        requests=already.requests + len(same),
        tokens=already.tokens,
        reserved=already.reserved + sum(need.tokens for need in needs),
        spent=already.spent + sum((need.cost or Decimal(0) for need in needs), Decimal(0)),
        live=already.live + len(same),
    )
    return lacks(limit, used, need_of(wanted.target, wanted.parameters, tokens), plan.snapshot.at) is not None


def _total_held(c: Context) -> Iterator[str]:
    """A request ends within the total of its upstream."""
    total = c.route.upstream.timeouts.total
    took = c.run.took
    if took is None or took > total + _AFTER_THE_END:
        yield f"it took {'for ever' if took is None else f'{took:g} s'}, the total is {total:g} s"


def _attempts_bounded(c: Context) -> Iterator[str]:
    """At most one exchange more than there are targets, beside one token refresh and one reconnect."""
    plan = c.run.plan
    eligible = len(plan.eligible) if plan is not None else 0
    refreshed = sum(attempt["status"] == 401 for attempt in c.attempts)
    reconnected = sum(attempt["cause"] == "stale" for attempt in c.attempts)
    most = eligible + 1 + min(1, refreshed) + min(1, reconnected)
    if len(c.attempts) > most:
        yield f"{len(c.attempts)} attempts, at most {most} are due"


def _bounds_hold(c: Context) -> Iterator[str]:
    """No target is asked, and no value sent, that a bound rules out."""
    holding = {bound.name: bound for bound in c.table.bounds if bound.name in c.record["bounds"]}
    for name, wanted, _ in c.run.noted.asked:
        labels = c.table.policy.endpoints[name].labels
        for bound in holding.values():
            yield from _broken_labels(bound, name, labels)
            for parameter, rule in bound.rules.items():
                value = wanted.parameters.get(parameter)
                if isinstance(value, int | float) and value not in rule.range:
                    yield f"{name} was sent {parameter.value} {value:g}, the bound `{bound.name}` allows {rule.range}"


def _broken_labels(bound: Bound, name: str, labels: Mapping[str, str]) -> Iterator[str]:
    for label, allowed in bound.labels.items():
        if labels.get(label) not in allowed:
            yield f"{name} was asked, whose {label} is {labels.get(label)}: the bound `{bound.name}` forbids it"


A_HEALTHY_TARGET_ANSWERS = "a healthy target answers"
"""The promise that says nothing where every endpoint fails for good."""
PROMISES: Mapping[str, Callable[[Context], Iterator[str]]] = {
    "a delivered byte belongs to one attempt": _one_attempt_a_byte,
    "exactly one terminal event": _one_terminal,
    "success only after the provider's own end": _proper_end,
    "one exchange at a time": _one_at_a_time,
    "tool calls are whole": _whole_tool_calls,
    "the ledger knows every exchange": _ledger_is_the_meter,
    A_HEALTHY_TARGET_ANSWERS: _answer_if_one_can,
    "the total holds": _total_held,
    "attempts are bounded": _attempts_bounded,
    "bounds hold on every fallback": _bounds_hold,
}
"""Every promise by its name; `exactly one record` comes before all of them."""
