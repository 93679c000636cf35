"""A plan in words: where a request would go, why, and why not elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from route_run.errors import Finding
from route_run.flow.parameters import shown
from route_run.flow.plan import Plan, Reason, Stage
from route_run.guard import Action
from route_run.policy import Parameter
from route_run.table import Deliver, Route, RoutingTable

_WIDTH = 11


def explanation(plan: Plan, table: RoutingTable, deferred: Sequence[Finding] = ()) -> str:
    """The plan as text, with the places in the policy that decided; ``deferred`` marks what is not enforced yet."""
    return "\n".join(_lines(plan, table, deferred))


def _lines(plan: Plan, table: RoutingTable, deferred: Sequence[Finding]) -> Iterator[str]:
    yield _row("request", str(plan.attributes))
    yield from _rows("", (f"{r.subject}: {r.text}" for r in _reasons(plan, Stage.TAGS)))
    yield from _rows("route", _route(plan, table))
    yield from _rows("bounds", (f"{name}  ({table.span('bounds', name)})" for name in plan.bounds))
    yield from _rows("guards", _guards(plan))
    yield from _rows(
        "parameters", (f"{r.text}  ({r.subject})" if r.subject else r.text for r in _reasons(plan, Stage.PARAMETERS))
    )
    yield from _rows("targets", _targets(plan))
    if plan.route is not None and plan.stop is None:
        yield _row("upstream", _upstream(plan.route))
    yield from _rows("deferred", (f"{finding.message}  ({finding.span})" for finding in deferred))
    yield _row("policy", plan.policy)
    if plan.stop is not None:
        yield _row(plan.stop.outcome.value, plan.stop.message)


def _route(plan: Plan, table: RoutingTable) -> Iterator[str]:
    for reason in _reasons(plan, Stage.ROUTE):
        place = f"  ({table.span('routes', reason.subject)})" if reason.subject in table.routes else ""
        yield f"{reason.subject}: {reason.text}{place}" if reason.subject else reason.text


def _guards(plan: Plan) -> Iterator[str]:
    flagging = {verdict.guard for verdict in plan.verdicts if verdict.fired and verdict.action is Action.FLAG}
    for reason in _reasons(plan, Stage.GUARDS):
        yield f"{reason.subject}: {reason.text}" + ("; flagged" if reason.subject in flagging else "")


def _targets(plan: Plan) -> Iterator[str]:
    number = 0
    for planned in plan.targets:
        if planned.skipped:
            yield f"-  {planned.target}: skipped, {'; '.join(planned.skipped)}"
            continue
        number += 1
        sent = ", ".join(f"{p.value} {shown(planned.parameters[p])}" for p in Parameter if p in planned.parameters)
        yield f"{number}. {planned.target}" + (f"  with {sent}" if sent else "")


def _upstream(route: Route) -> str:
    timeouts = route.upstream.timeouts
    delivered = "once verified" if route.deliver is Deliver.VERIFIED else "as it streams"
    if route.repairs:
        delivered += ", repaired once if need be"
    if route.upstream.restarts:
        delivered += "; an answer that breaks off starts over if the caller allows it"
    return (
        f"{route.upstream.name}: first content within {timeouts.first_content:g} s, "
        f"all within {timeouts.total:g} s; delivered {delivered}"
    )


def _reasons(plan: Plan, stage: Stage) -> list[Reason]:
    found = [reason for reason in plan.why if reason.stage is stage]
    # the last reason of a plan that stops is the stop itself, which has a row of its own
    return found[:-1] if plan.stop is not None and plan.stop.stage is stage else found


def _rows(title: str, texts: Iterator[str]) -> Iterator[str]:
    for text in texts:
        yield _row(title, text)
        title = ""


def _row(title: str, text: str) -> str:
    return f"{title:<{_WIDTH}} {text}".rstrip()
