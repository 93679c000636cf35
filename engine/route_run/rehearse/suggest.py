"""A rehearsal to start from: a request and who fails, with what the engine really does as its expectation."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from route_run.policy.rehearsal import Rehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.play import play
from route_run.rehearse.witness import as_yaml
from route_run.table import Loaded

Acts = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A whole rehearsal as data."""

    name: str
    request: Mapping[str, Any]
    endpoints: Acts
    expect: Mapping[str, Any]

    def as_data(self) -> dict[str, Any]:
        """The rehearsal as a test file has it."""
        acts = {"endpoints": {name: list(acts) for name, acts in self.endpoints.items()}} if self.endpoints else {}
        return {"name": self.name, "request": dict(self.request), **acts, "expect": dict(self.expect)}

    def lines(self) -> Iterator[str]:
        """The rehearsal as YAML, to be pasted below `rehearsals:`."""
        for number, (key, value) in enumerate(self.as_data().items()):
            yield f"{'  ' if number else '- '}{key}: {as_yaml(value)}"


def suggestion(loaded: Loaded, name: str, request: Mapping[str, Any], endpoints: Acts, backend: Backend) -> Suggestion:
    """What happens now, written down as what is expected: read it before you keep it."""
    draft = Suggestion(name, request, endpoints, {"outcome": "completed"})
    run = play(loaded, Rehearsal.decode(draft.as_data()), backend).runs[0]
    if run.record is None:
        return draft
    expect: dict[str, Any] = {"route": run.record["route"]} if run.record["route"] else {}
    expect["outcome"] = run.record["outcome"]
    if run.record["attempts"]:
        expect["attempts"] = [attempt["endpoint"] for attempt in run.record["attempts"]]
    elif run.plan is not None and run.plan.stop is not None:
        expect["stopped_at"] = run.plan.stop.stage.value
    return Suggestion(name, request, endpoints, expect)
