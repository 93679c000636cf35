"""Virtual time for tests, on both backends: the clocks of rehearsals."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from route_run.rehearse.clock import Backend, VirtualLoop, virtual_options

__all__ = ["VIRTUAL_BACKENDS", "VirtualLoop"]


VIRTUAL_BACKENDS: Mapping[str, Callable[[], tuple[str, dict[str, Any]]]] = {
    backend.value: lambda backend=backend: (backend.value, virtual_options(backend)) for backend in Backend
}
"""Backends for the `anyio_backend` fixture by name."""
