"""Classes of risk: changes that somebody should look at before they ship.

Decides the class of a difference from its facts alone. Where it cannot be shown that a change is harmless
(another regular expression, a price that is no longer known), it counts as one of its class.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

from route_run.review.diff.fact import Area, Change


class Risk(Enum):
    """The classes, by the names that `--fail-on` takes."""

    RESIDENCY_WIDENED = "residency-widened"
    COST_CEILING_RAISED = "cost-ceiling-raised"
    INJECTION_LOOSENED = "injection-loosened"
    FALLBACK_REMOVED = "fallback-removed"
    LIMIT_LOWERED = "limit-lowered"
    DEFAULT_CHANGED = "default-changed"
    NEWLY_REFUSED = "newly-refused"


MEANING = {
    Risk.RESIDENCY_WIDENED: "requests may reach endpoints with labels they could not reach before",
    Risk.COST_CEILING_RAISED: "the dearest a request can be, or what may be spent, goes up",
    Risk.INJECTION_LOOSENED: "a guard is gone, finds less, or does less about it",
    Risk.FALLBACK_REMOVED: "fewer targets or fewer kinds of failure that are fallen back from",
    Risk.LIMIT_LOWERED: "callers may ask for less than before",
    Risk.DEFAULT_CHANGED: "requests that give no parameter are sent another one",
    Risk.NEWLY_REFUSED: "requests that were sent are refused",
}

SENT = "sent"
"""The outcome of requests for which there is somebody to ask."""


def risks(changes: Sequence[Change]) -> tuple[Risk, ...]:
    """The classes of a difference, in their order."""
    found = {risk for change in changes for risk in _risks(change)}
    return tuple(risk for risk in Risk if risk in found)


def _risks(change: Change) -> Iterator[Risk]:
    before: Any = change.before and change.before.data
    after: Any = change.after and change.after.data
    match change.topic.area:
        case Area.OUTCOME if before == SENT:
            yield Risk.NEWLY_REFUSED
        case Area.REACHES if before is not None and after is not None and after - before:
            yield Risk.RESIDENCY_WIDENED
        case Area.ALLOWED if before is not None and (after is None or after - before):
            yield Risk.RESIDENCY_WIDENED
        case Area.GUARD if _is_looser(before, after):
            yield Risk.INJECTION_LOOSENED
        case Area.TARGETS if after and len(after) < len(before or ()):
            yield Risk.FALLBACK_REMOVED
        case Area.UPSTREAM if change.topic.item == FALLBACK_KINDS and before - after:
            yield Risk.FALLBACK_REMOVED
        case Area.CEILING if before is not None and (after is None or after > before):
            yield Risk.COST_CEILING_RAISED
        case Area.RANGE | Area.MODEL_RANGE if _is_narrower(before, after):
            yield Risk.LIMIT_LOWERED
        case Area.MODEL if after < before:
            yield Risk.LIMIT_LOWERED
        case Area.LIMIT | Area.OWN_LIMIT:
            yield from _of_limit(change, before and before[0], after and after[0])
        case Area.DEFAULT | Area.SENT:
            yield Risk.DEFAULT_CHANGED


FALLBACK_KINDS = "falls back for"
"""The item of the upstream's fact that holds the kinds of failure."""


def _of_limit(change: Change, before: float | None, after: float | None) -> Iterator[Risk]:
    if after is not None and (before is None or after < before):
        yield Risk.LIMIT_LOWERED
    if change.topic.item.startswith("spend") and before is not None and (after is None or after > before):
        yield Risk.COST_CEILING_RAISED


def _is_narrower(before: Any, after: Any) -> bool:
    """Whether some value that was sent as it is would now be refused or moved."""
    if after is None:
        return False
    low, high = after[0]
    old_low, old_high = before[0] if before is not None else (None, None)
    is_raised = low is not None and (old_low is None or low > old_low)
    is_lowered = high is not None and (old_high is None or high < old_high)
    return is_raised or is_lowered or (before is not None and before[0] == after[0] and before[1:] < after[1:])


def _is_looser(before: Any, after: Any) -> bool:
    if before is None:
        return False
    if after is None:
        return True
    threshold, action, patterns = before
    new_threshold, new_action, new_patterns = after
    scores = {(name, regex): score for name, regex, score in new_patterns}
    finds_less = any(scores.get((name, regex), -1.0) < score for name, regex, score in patterns)
    does_less = action != new_action and action[0] == "reject"
    return bool(new_threshold > threshold or finds_less or does_less or new_action[0] == "flag" != action[0])
