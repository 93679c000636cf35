"""What is kept of a request: sizes, hashes, text where the policy says so, its error, the start of each attempt.

Decides the shape of it only; when it is stored is the request's business.
"""

from __future__ import annotations

from collections.abc import Sequence

from route_run.flow.failure import Failure
from route_run.flow.plan import Plan, PlannedTarget, attributes_as_json
from route_run.flow.record import Attempt, Measured, keyed_hash
from route_run.flow.request import PromptRequest


def start_body(
    request_id: str, plan: Plan, number: int, planned: PlannedTarget, started_at: float, before: Attempt | None
) -> dict[str, object]:
    """What is stored before an attempt is sent; ``before`` is the one that ended before it."""
    return {
        "request_id": request_id,
        "number": number,
        "route": plan.route.name if plan.route is not None else None,
        "endpoint": planned.target.endpoint,
        "model": planned.target.model,
        "started_at": started_at,
        "policy": plan.policy,
        "attributes": attributes_as_json(plan.attributes),
        "before": before.as_json() if before is not None else None,
    }


def measured(request: PromptRequest, answer: str, key: bytes | None) -> Measured:
    """Sizes of prompt and answer, with hashes where there is a key."""
    prompt = _prompt(request)
    return Measured(
        len(prompt.encode()),
        len(answer.encode()),
        keyed_hash(key, prompt),
        keyed_hash(key, answer) if answer else None,
    )


def captured(request: PromptRequest, answer: str, capture: str) -> dict[str, str] | None:
    """Prompt and answer as text, only where the policy captures them in full."""
    return {"prompt": _prompt(request), "completion": answer} if capture == "full" else None


def error_of(plan: Plan, attempts: Sequence[Attempt], failure: Failure | None, held_back: str) -> str | None:
    """Why there is no answer, in words; None when there is one. ``held_back`` is what kept it from going on."""
    if failure is None:
        return plan.stop.message if plan.stop is not None else None
    if not attempts:
        return failure.message
    many = f"{len(attempts)} attempts failed, the last at " if len(attempts) > 1 else ""
    then = f"; {held_back}" if held_back else ""
    return f"{many}{attempts[-1].endpoint}: {failure.message}{then}"


def _prompt(request: PromptRequest) -> str:
    return "\n".join(message.text for message in request.conversation)
