"""route-run: routing policy for LLM prompts, checked, explained, and run.

    async with Engine.open("routes") as engine:
        async with engine.stream(PromptRequest.of(prompt="Hello")) as events:
            ...

What is exported here is the public API; everything else may move.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from route_run.errors import (
        Finding,
        LedgerError,
        MisuseError,
        PolicyError,
        RequestError,
        RouteRunError,
        UnresolvedReferences,
    )
    from route_run.flow.decide import decide
    from route_run.flow.event import (
        AttemptEnded,
        AttemptStarted,
        Event,
        Finished,
        Planned,
        Restarted,
        Result,
        Text,
        ToolCallPiece,
        UsageReported,
    )
    from route_run.flow.outcome import Outcome
    from route_run.flow.plan import Plan
    from route_run.flow.request import PromptRequest
    from route_run.runtime.engine import Engine
    from route_run.table import Loaded, RoutingTable, load
    from route_run.transport.simulate import SimulatedTransport

__version__ = "0.1.0"

_HOMES = {
    "route_run.errors": (
        "Finding",
        "LedgerError",
        "MisuseError",
        "PolicyError",
        "RequestError",
        "RouteRunError",
        "UnresolvedReferences",
    ),
    "route_run.flow.decide": ("decide",),
    "route_run.flow.event": (
        "AttemptEnded",
        "AttemptStarted",
        "Event",
        "Finished",
        "Planned",
        "Restarted",
        "Result",
        "Text",
        "ToolCallPiece",
        "UsageReported",
    ),
    "route_run.flow.outcome": ("Outcome",),
    "route_run.flow.plan": ("Plan",),
    "route_run.flow.request": ("PromptRequest",),
    "route_run.runtime.engine": ("Engine",),
    "route_run.table": ("Loaded", "RoutingTable", "load"),
    "route_run.transport.simulate": ("SimulatedTransport",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: PLE0604  # the names are those of the table above
    "__version__",
    *sorted(_HOME_OF),
]


def __getattr__(name: str) -> Any:
    """Imports a public name when it is first used, so that `route-run --help` does not pay for the engine."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
