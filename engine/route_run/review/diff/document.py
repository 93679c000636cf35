"""A difference as JSON data: stable, sorted, complete."""

from __future__ import annotations

from typing import Any

from route_run.flow.plan import Plan, attributes_as_json
from route_run.review.diff.difference import Difference, Group, Witness
from route_run.review.diff.replay import Replayed
from route_run.review.sample import options
from route_run.table import MODEL, Region, ValueSet


def as_json(found: Difference, names: tuple[str, str], replayed: Replayed | None = None) -> dict[str, Any]:
    """The whole difference; ``complete`` false means that there may be more groups."""
    return {
        "version": 1,
        "base": {"name": names[0], "policy": found.before.digest},
        "head": {"name": names[1], "policy": found.after.digest},
        "changed": bool(found.groups),
        "complete": found.is_complete,
        "risks": [risk.value for risk in found.risks],
        "groups": [_group(group, found) for group in found.groups],
        "replay": replayed.as_json() if replayed is not None else None,
    }


def _group(group: Group, found: Difference) -> dict[str, Any]:
    return {
        "risks": [risk.value for risk in group.risks],
        "changes": [
            {
                "area": change.topic.area.value,
                "item": change.topic.item or None,
                "before": change.before and change.before.text,
                "after": change.after and change.after.text,
            }
            for change in group.changes
        ],
        "requests": [
            {
                "way": str(requests.way),
                "regions": [{"words": found.words(region), **_region(region)} for region in requests.regions],
            }
            for requests in group.requests
        ],
        "witness": _witness(group.witness),
    }


def _region(region: Region) -> dict[str, Any]:
    return {
        "tags": {name: _values(allowed) for name, allowed in sorted(region.values.items()) if name != MODEL},
        "requested_model": _values(region.values[MODEL]) if MODEL in region.values else None,
        "prompt_tokens": {"min": region.tokens[0], "max": region.tokens[1]},
        "needs": {need.value: wanted for need, wanted in sorted(region.needs.items(), key=lambda n: n[0].value)},
    }


def _values(allowed: ValueSet) -> dict[str, Any]:
    return {
        "absent": allowed.absent,
        "others": allowed.rest,
        "prefixes": dict(sorted(allowed.prefixes)),
        "exact": dict(sorted(allowed.exact)),
    }


def _witness(witness: Witness) -> dict[str, Any]:
    return {
        "attributes": attributes_as_json(witness.attributes),
        "way": str(witness.way),
        "options": list(options(witness.attributes, witness.way.called)),
        "before": _plan(witness.before),
        "after": _plan(witness.after),
    }


def _plan(plan: Plan | None) -> dict[str, Any] | None:
    if plan is None:
        return None
    return {
        "route": plan.route and plan.route.name,
        "targets": [str(planned.target) for planned in plan.eligible] if plan.stop is None else [],
        "stop": plan.stop and {"outcome": plan.stop.outcome.value, "message": plan.stop.message},
    }
