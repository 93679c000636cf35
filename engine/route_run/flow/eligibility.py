"""Why a target will not do for a request: needs, labels, size, drained or taken to be down.

Decides about one target; knows nothing of guards, routes or the order of targets.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from route_run.flow.parameters import Fitted
from route_run.policy import Capability, Parameter
from route_run.table import Attributes, Bound, Target
from route_run.text.nearest import listed


def obstacles(
    target: Target,
    fitted: Fitted,
    attributes: Attributes,
    bounds: Sequence[Bound],
    *,
    has_schema: bool,
    down: Collection[str] = (),
) -> Iterator[str]:
    """The reasons for which a target is skipped, in words; none when it may be asked.

    ``has_schema`` says that the JSON which is asked for has a schema; ``down`` names endpoints.
    """
    if target.endpoint in down:
        yield f"the endpoint `{target.endpoint}` is taken to be down"
    if target.drained:
        yield f"the endpoint `{target.endpoint}` is drained"
    for need in sorted(attributes.needs, key=lambda n: n.value):
        if need not in target.capabilities:
            yield f"the model `{target.model}` has no {need.value}"
        elif not _is_carried(need, target, has_schema=has_schema):
            yield f"the dialect {target.dialect.value} cannot carry {need.value}"
    for bound in bounds:
        yield from _broken_labels(bound, target)
    answer = largest_answer(target, fitted)
    if attributes.prompt_tokens + answer > target.context_window:
        yield (
            f"{attributes.prompt_tokens} estimated prompt tokens and an answer of {answer} exceed the "
            f"context window of {target.context_window}"
        )


def largest_answer(target: Target, fitted: Fitted) -> int:
    """The tokens that are kept free for the answer: max_tokens as it would be sent, else the model's maximum."""
    answer = fitted.values.get(Parameter.MAX_TOKENS)
    return answer if isinstance(answer, int) else target.max_output_tokens


def _is_carried(need: Capability, target: Target, *, has_schema: bool) -> bool:
    if need not in target.traits.carries:
        return False
    return need is not Capability.JSON or has_schema or not target.traits.json_needs_schema


def _broken_labels(bound: Bound, target: Target) -> Iterator[str]:
    for label, allowed in sorted(bound.labels.items()):
        value = target.labels.get(label)
        if value not in allowed:
            has = f"has {label} {value}" if value is not None else f"has no label {label}"
            yield f"the endpoint `{target.endpoint}` {has}; the bound `{bound.name}` allows {listed(allowed)}"
