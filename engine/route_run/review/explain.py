"""A plan in words: where a request would go, why, and why not elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from route_run.errors import Finding
from route_run.flow.parameters import shown
from route_run.flow.plan import Plan, Reason, Stage
from route_run.guard import Action
from route_run.policy import Parameter
from route_run.review.effective import effective
from route_run.review.why_not import WhyNot
from route_run.table import Deliver, Route, RoutingTable

_WIDTH = 11
_WIDEST_VALUE = 40


def explanation(plan: Plan, table: RoutingTable, deferred: Sequence[Finding] = (), answer: WhyNot | None = None) -> str:
    """The plan as text, with the places in the policy that decided.

    ``deferred`` marks what is not enforced yet; ``answer`` says why the request does not go to some route.
    """
    return "\n".join(_lines(plan, table, deferred, answer))


def _lines(plan: Plan, table: RoutingTable, deferred: Sequence[Finding], answer: WhyNot | None) -> Iterator[str]:
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
    yield from _rows("values", _values(plan, table))
    yield from _rows("deferred", (f"{finding.message}  ({finding.span})" for finding in deferred))
    yield _row("policy", plan.policy)
    if plan.stop is not None:
        yield _row(plan.stop.outcome.value, plan.stop.message)
    if answer is not None:
        yield from _rows("why not", _why_not(answer))
        yield from _rows("nearest", _nearest(answer))


def _why_not(answer: WhyNot) -> Iterator[str]:
    if not answer.obstacles:
        yield f"{answer.route}: it does go there"
    for number, obstacle in enumerate(answer.obstacles):
        place = f"  ({obstacle.span})" if obstacle.span is not None else ""
        yield f"{answer.route + ': ' if number == 0 else '  and '}{obstacle.text}{place}"


def _nearest(answer: WhyNot) -> Iterator[str]:
    if answer.change is not None:
        plan = answer.change.plan
        yield " ".join(answer.change.steps)
        does = f"is {plan.stop.outcome.value} there: {plan.stop.message}" if plan.stop else "is sent"
        first = f" to {plan.eligible[0].target}" if plan.stop is None else ""
        yield f"  then it goes to {answer.route} and {does}{first}; decided, not guessed"
    elif answer.given_up:
        yield "the search was cut short: too many other routes take requests from this one"
    elif answer.obstacles:
        yield "no change of tags, model, size or needs brings it there"


def _values(plan: Plan, table: RoutingTable) -> Iterator[str]:
    values = effective(table, plan)
    names = max((len(value.name) for value in values), default=0)
    widest = max((len(value.value) for value in values if len(value.value) <= _WIDEST_VALUE), default=0)
    for value in values:
        head = f"{value.name:<{names}}  {value.value:<{widest}}"
        for source in value.sources:
            yield f"{head}  {source}"
            head = " " * len(head)


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
