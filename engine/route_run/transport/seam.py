"""The seam between the engine and whatever carries bytes: a call goes out, status, headers and chunks come back.

No type of an HTTP library passes it. What goes wrong is a TransportError with its cause.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from route_run.errors import RouteRunError
from route_run.flow.failure import Cause
from route_run.wire.call import HttpRequest


class Purpose(Enum):
    """What a call is for."""

    INFERENCE = "inference"
    TOKEN = "token"
    WEBHOOK = "webhook"


@dataclass(frozen=True, slots=True)
class Way:
    """How one destination is reached; ``ca_pem`` empty means the system's authorities."""

    allow_networks: tuple[str, ...] = ()
    ca_pem: str = ""
    proxy: str | None = None


@dataclass(frozen=True, slots=True)
class Call:
    """One HTTP request to one destination of the policy.

    ``destination`` names the endpoint or webhook, ``route`` the route it is made for. The connect
    timeout is in seconds; all other clocks are the caller's. ``fresh`` asks for a new connection.
    """

    request: HttpRequest
    destination: str
    purpose: Purpose
    connect_timeout: float
    route: str = ""
    fresh: bool = False


class Response(Protocol):
    """An answer whose body is still to be read; header names are in lower case."""

    status: int
    headers: Mapping[str, str]

    async def read(self) -> bytes:
        """The next chunk, empty at the end; raises TransportError when the connection breaks."""
        ...

    async def aclose(self) -> None:
        """Give the connection back, or close it when the body was not read to its end."""
        ...


class Transport(Protocol):
    """Carries calls. One transport serves inference, tokens and webhooks alike.

    ``is_simulated`` says that nothing leaves the process: no reference is resolved for it, and records
    are marked. ``is_free`` says that its answers cost nothing: records show 0 instead of a price.
    """

    is_simulated: bool
    is_free: bool

    async def send(self, call: Call) -> Response:
        """Send a call and wait for the head of its answer; raises TransportError."""
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


class TransportError(RouteRunError):
    """Raised when a call gets no answer, or its answer breaks off."""

    def __init__(self, cause: Cause, message: str) -> None:
        self.cause = cause
        super().__init__(message)
