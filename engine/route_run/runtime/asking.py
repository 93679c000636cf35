"""What a request may do and what its attempts ask: the course for the machine, the clocks, the call.

Decides nothing; puts together what plan, route and request say.
"""

from __future__ import annotations

from route_run.flow.machine import Course
from route_run.flow.plan import Plan, PlannedTarget
from route_run.flow.repair import Conversation
from route_run.flow.request import PromptRequest
from route_run.runtime.exchange import Clocks
from route_run.table import Route, Upstream
from route_run.wire.call import ModelCall


def course_of(plan: Plan, route: Route, request: PromptRequest) -> Course:
    """What the plan allows."""
    upstream = route.upstream
    return Course(
        targets=len(plan.eligible),
        attempts=upstream.attempts,
        fallback_kinds=upstream.fallback_kinds,
        backoff_first=upstream.backoff_first,
        backoff_max=upstream.backoff_max,
        total=upstream.timeouts.total,
        due=tuple(planned.after for planned in plan.eligible),
        repairs=route.repairs,
        may_restart=upstream.restarts and request.allow_restart,
    )


def clocks_of(upstream: Upstream, began: float) -> Clocks:
    """How long each part of an attempt may take; ``began`` is when the request did."""
    timeouts = upstream.timeouts
    return Clocks(
        connect=timeouts.connect,
        first_content=timeouts.first_content,
        idle=timeouts.idle,
        byte_idle=upstream.byte_idle,
        total_at=began + timeouts.total,
    )


def call_of(request: PromptRequest, planned: PlannedTarget, messages: Conversation, *, streamed: bool) -> ModelCall:
    """The call of a target, with this conversation."""
    target = planned.target
    return ModelCall(
        model=target.sent_as,
        messages=messages,
        parameters=planned.parameters,
        tools=request.tools,
        tool_choice=request.tool_choice,
        response_format=request.response_format,
        context_window=target.context_window,
        stream=streamed or target.traits.always_streams,
    )
