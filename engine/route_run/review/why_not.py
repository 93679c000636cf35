"""Why a request does not go to a route, and the nearest request that would.

Decides the first condition that fails, with its place, and searches the change with the fewest parts. What is
found is proved: the changed request is decided like any other.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from route_run.errors import Span
from route_run.flow.decide import attributes_of, decide
from route_run.flow.plan import Plan, Snapshot, Stage
from route_run.flow.request import PromptRequest
from route_run.guard import Action
from route_run.policy import Capability
from route_run.review.sample import MOST_TOKENS, content
from route_run.table import MODEL, Attributes, Region, Route, RoutingTable, ValueSet, smallest_prompt
from route_run.table.pieces import without
from route_run.text.nearest import nearest

MOST_STEPS = 5000
"""How many regions are looked at for the nearest change."""


@dataclass(frozen=True, slots=True)
class Obstacle:
    """One reason for which the route does not take the request, and where the policy says so."""

    text: str
    span: Span | None


@dataclass(frozen=True, slots=True)
class Change:
    """The nearest request that goes to the route: what is different, and the plan that proves it."""

    steps: tuple[str, ...]
    plan: Plan


@dataclass(frozen=True, slots=True)
class WhyNot:
    """The answer: no obstacles when the request does go there; ``given_up`` when the search was cut short."""

    route: str
    obstacles: tuple[Obstacle, ...]
    change: Change | None
    given_up: bool = False

    def as_json(self) -> dict[str, Any]:
        change = self.change
        return {
            "route": self.route,
            "obstacles": [{"text": o.text, "place": o.span and str(o.span)} for o in self.obstacles],
            "nearest": change and {"changes": list(change.steps), "plan": change.plan.as_json()},
            "given_up": self.given_up,
        }


def why_not(table: RoutingTable, request: PromptRequest, plan: Plan, name: str) -> WhyNot:
    """Why the plan of a request is not one for the route of this name; KeyError when there is no such route."""
    route = table.routes[name]
    if plan.route is route:
        return WhyNot(name, (), None)
    obstacles = tuple(_obstacles(table, request, plan, route))
    change, given_up = _nearest(table, request, plan, route)
    return WhyNot(name, obstacles, change, given_up)


def _obstacles(table: RoutingTable, request: PromptRequest, plan: Plan, route: Route) -> Iterator[Obstacle]:
    at = plan.attributes
    if plan.stop is not None and plan.stop.stage is Stage.TAGS:
        tag = plan.why[-1].subject
        yield Obstacle(
            f"the request is refused before any route is asked: {plan.stop.message}", table.span("tags", tag)
        )
    if route.region is None or route.condition is None:
        how = "it is called by name" if route.callable else "only a guard sends requests there"
        yield Obstacle(f"the route has no match: {how}", table.span("routes", route.name))
        return
    yield from _misses(table, route, at)
    if at in route.condition:
        yield from _beaten(table, request, plan, route)


def _misses(table: RoutingTable, route: Route, at: Attributes) -> Iterator[Obstacle]:
    """The conditions of the match that the request fails, in the order in which they are asked."""
    condition = route.condition
    assert condition is not None
    origin = table.policy.origin("routes", route.name)
    for dimension, allowed in condition.values.items():
        value = at.value(dimension)
        if value in allowed:
            continue
        keys = ("requested_model",) if dimension == MODEL else ("tags", dimension)
        what = "the requested model" if dimension == MODEL else f"the tag `{dimension}`"
        has = f"is `{value}`" if value is not None else "is absent"
        yield Obstacle(f"{what} {has}; the route asks for {allowed}", origin.span("match", *keys))
    for need, wanted in condition.needs.items():
        if (need in at.needs) is not wanted:
            has, asked = ("does not need", "that do") if wanted else ("needs", "that do not")
            text = f"the request {has} {need.value}; the route takes requests {asked}"
            yield Obstacle(text, origin.span("match", "needs", need.value))
    low, high = condition.tokens
    if at.prompt_tokens < low:
        text = f"the prompt has {at.prompt_tokens} estimated tokens; the route asks for at least {low}"
        yield Obstacle(text, origin.span("match", "prompt_tokens", "min"))
    if high is not None and at.prompt_tokens > high:
        text = f"the prompt has {at.prompt_tokens} estimated tokens; the route asks for at most {high}"
        yield Obstacle(text, origin.span("match", "prompt_tokens", "max"))


def _beaten(table: RoutingTable, request: PromptRequest, plan: Plan, route: Route) -> Iterator[Obstacle]:
    """What takes a request away that the match of the route allows."""
    if request.route is not None:
        yield Obstacle(f"the request calls the route `{request.route}` by name; no match is asked", None)
    winner = table.route_for(plan.attributes)
    if winner is not None and winner is not route:
        if winner.precedence > route.precedence:
            span = table.span("routes", winner.name, "precedence")
            text = f"`{winner.name}` matches too, with precedence {winner.precedence} over {route.precedence}"
        else:
            span = table.span("routes", winner.name)
            text = f"`{winner.name}` matches too, and is narrower"
        yield Obstacle(text, span)
    for verdict in plan.verdicts:
        if verdict.fired and verdict.action is not Action.FLAG:
            does = f"sends it to `{verdict.destination}`" if verdict.destination else "rejects it"
            text = f"the guard `{verdict.guard}` {does}: found {', '.join(verdict.hits) or verdict.problem}"
            yield Obstacle(text, table.span("guards", verdict.guard, "then"))


# -- the nearest change ------------------------------------------------------------------------------


def _nearest(table: RoutingTable, request: PromptRequest, plan: Plan, route: Route) -> tuple[Change | None, bool]:
    fired = any(verdict.fired and verdict.action is not Action.FLAG for verdict in plan.verdicts)
    found, given_up = (None, False) if route.region is None else nearest_of(table, route, plan.attributes)
    if found is not None:
        changed = _changed(request, plan.attributes, found, is_rewritten=fired)
        if changed is not None and (change := _proved(table, changed[0], changed[1], route, plan.snapshot)):
            return change, False
    if route.callable:
        named = request.model_copy(update={"route": route.name})
        steps = (f"--route {route.name}",)
        if change := _proved(table, named, steps, route, plan.snapshot):
            return change, False
    return _by_guard(table, request, route, plan.snapshot), given_up


def nearest_of(table: RoutingTable, route: Route, at: Attributes) -> tuple[Attributes | None, bool]:
    """The request nearest to ``at`` that the route wins, best first; True when the search was cut short."""
    assert route.region is not None
    order = count()
    waiting: list[tuple[tuple[int, float], int, Region, Attributes]] = []

    def add(region: Region) -> None:
        near = _closest(region, at)
        heapq.heappush(waiting, (_distance(at, near), next(order), region, near))

    add(route.region)
    for _ in range(MOST_STEPS):
        if not waiting:
            return None, False
        _, _, region, near = heapq.heappop(waiting)
        winner = table.route_for(near)
        if winner is route or winner is None or winner.region is None:
            return near, False
        for piece in without(region, winner.region):
            add(piece)
    return None, True


def _closest(region: Region, at: Attributes) -> Attributes:
    """The request of a region with the fewest differences."""
    values = {d: _closest_value(allowed, at.value(d)) for d, allowed in region.values.items()}
    tags = {tag: value for tag, value in at.tags.items() if tag not in values}
    tags |= {d: value for d, value in values.items() if d != MODEL and value is not None}
    low, high = region.tokens
    needs = (at.needs | {n for n, wanted in region.needs.items() if wanted}) - {
        n for n, wanted in region.needs.items() if not wanted
    }
    tokens = max(low, at.prompt_tokens) if high is None else min(max(low, at.prompt_tokens), high)
    if tokens < smallest_prompt(needs):
        needs -= {Capability.IMAGES}  # the region has no room for an image, so it does not ask for one
    return Attributes(tags, values.get(MODEL, at.requested_model), tokens, needs)


def _closest_value(allowed: ValueSet, value: str | None) -> str | None:
    if value in allowed:
        return value
    members = allowed.finite
    texts = sorted(member for member in members or () if member is not None)
    if value is not None and (similar := nearest(value, texts)) is not None:
        return similar
    return texts[0] if texts and not allowed.absent else allowed.pick()


def _distance(at: Attributes, near: Attributes) -> tuple[int, float]:
    """How many things differ; then how far the size is off."""
    dimensions = {*at.tags, *near.tags, MODEL}
    differing = sum(at.value(d) != near.value(d) for d in dimensions) + len(at.needs ^ near.needs)
    off = abs(at.prompt_tokens - near.prompt_tokens)
    return differing + (off > 0), off / max(at.prompt_tokens, near.prompt_tokens)


def _changed(
    request: PromptRequest, at: Attributes, near: Attributes, *, is_rewritten: bool
) -> tuple[PromptRequest, tuple[str, ...]] | None:
    """The request with other attributes, and its changes in words; None when its prompt would be too large."""
    if near.prompt_tokens > MOST_TOKENS:
        return None
    steps = list(_steps(request, at, near))
    fields: dict[str, Any] = {name: getattr(request, name) for name in type(request).model_fields}
    undeclared = {tag: value for tag, value in request.tags.items() if tag in at.undeclared}
    fields |= {"tags": {**near.tags, **undeclared}, "requested_model": near.requested_model, "route": None}
    if (near.prompt_tokens, near.needs) != (at.prompt_tokens, at.needs) or is_rewritten:
        made_up = {"prompt": None, "messages": (), "documents": (), "tools": (), "tool_choice": None}
        fields |= {**made_up, "response_format": None, **content(near)}
    if is_rewritten:
        steps.append("a prompt in which the guard finds nothing")
    return PromptRequest.of(**fields), tuple(steps)


def _steps(request: PromptRequest, at: Attributes, near: Attributes) -> Iterator[str]:
    if request.route is not None:
        yield "without --route"
    for tag in sorted({*at.tags, *near.tags}):
        if at.value(tag) != near.value(tag):
            yield f"--tag {tag}={near.value(tag)}" if near.value(tag) is not None else f"without the tag {tag}"
    if at.requested_model != near.requested_model:
        model = near.requested_model
        yield f"--model {model}" if model is not None else "without --model"
    for need in Capability:
        if (need in at.needs) is not (need in near.needs):
            yield f"a request that {'needs' if need in near.needs else 'does not need'} {need.value}"
    if at.prompt_tokens != near.prompt_tokens:
        yield f"a prompt of {near.prompt_tokens} estimated tokens"


def _by_guard(table: RoutingTable, request: PromptRequest, route: Route, snapshot: Snapshot) -> Change | None:
    """A prompt that a guard sends to the route: an example that one of its patterns carries."""
    for name, guard in sorted(table.policy.guards.items()):
        if name not in table.scanners or table.scanners[name].destination != route.name:
            continue
        for example in (text for pattern in guard.patterns for text in pattern.must_match):
            changed = PromptRequest.of(prompt=example, tags=dict(request.tags), requested_model=request.requested_model)
            if change := _proved(table, changed, (f"a prompt that the guard `{name}` finds",), route, snapshot):
                return change
    return None


def _proved(
    table: RoutingTable, request: PromptRequest, steps: tuple[str, ...], route: Route, snapshot: Snapshot
) -> Change | None:
    plan = decide(table, request, snapshot)
    assert plan.attributes == attributes_of(table, request)
    return Change(steps, plan) if plan.route is route else None
