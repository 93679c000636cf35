"""The faults that exploration plays: one for each kind of failure, and for each way a failure is met.

Written as a rehearsal writes them, so that a script can be pasted.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from route_run.flow.failure import Kind
from route_run.policy.rehearsal import Act
from route_run.table import Route, RoutingTable


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: its kind of failure, and the act that plays it.

    ``after_content`` says that the caller has seen content before it fails.
    """

    kind: Kind
    written: Mapping[str, Any]
    after_content: bool = False

    @property
    def name(self) -> str:
        """The fault in one word, as in `stall` or `503`."""
        return str(self.written.get("fault") or self.written.get("status") or "bad output")

    @property
    def act(self) -> Act:
        return Act.decode(self.written)


_FAULTS = (
    Fault(Kind.UNAVAILABLE, {"fault": "refuse"}),
    Fault(Kind.UNAVAILABLE, {"status": 500}),
    Fault(Kind.OVERLOADED, {"status": 503}),
    Fault(Kind.TIMEOUT, {"fault": "stall"}),
    Fault(Kind.BROKEN, {"fault": "reset"}),
    Fault(Kind.BROKEN, {"fault": "stale"}),
    Fault(Kind.BROKEN, {"fault": "truncate"}, after_content=True),
    Fault(Kind.TIMEOUT, {"fault": "stall_mid"}, after_content=True),
    Fault(Kind.UNAVAILABLE, {"fault": "error_event", "code": "timeout_error"}),
    Fault(Kind.RATE_LIMITED, {"status": 429, "retry_after": "2s"}),
    Fault(Kind.OUT_OF_CREDIT, {"status": 402}),
    Fault(Kind.UNAUTHORIZED, {"status": 403}),
    Fault(Kind.UNUSABLE, {"status": 404}),
    Fault(Kind.TOO_LONG, {"status": 413}),
    Fault(Kind.CONTENT_REFUSED, {"status": 451}),
    Fault(Kind.BAD_REQUEST, {"status": 400}),
)
_EXPIRED = Fault(Kind.UNAUTHORIZED, {"fault": "expired_token"})
_BAD_OUTPUT = Fault(Kind.INVALID_OUTPUT, {"say": "this is not what was asked for"})


def faults_of(table: RoutingTable, route: Route, endpoint: str) -> Iterator[Fault]:
    """The faults that an endpoint can show to requests of a route."""
    yield from _FAULTS
    auth = table.policy.endpoints[endpoint].auth
    if auth is not None and auth.oauth2 is not None:
        yield _EXPIRED
    if route.output_check is not None:
        yield _BAD_OUTPUT
