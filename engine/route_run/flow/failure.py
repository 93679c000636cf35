"""What can go wrong with one exchange, as data: the cause, what the other side said, what it means."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Cause(Enum):
    """What was observed; `classify` says what it means."""

    UNSENDABLE = "unsendable"  # a bad URL, or a request that cannot be written to the wire
    EGRESS_DENIED = "egress_denied"
    TLS = "tls"
    DNS = "dns"
    REFUSED = "refused"
    CONNECT_TIMEOUT = "connect_timeout"
    POOL_TIMEOUT = "pool_timeout"
    STALE = "stale"  # a kept connection was closed before a byte of the answer came
    RESET = "reset"
    PROTOCOL = "protocol"
    STATUS = "status"
    ERROR_EVENT = "error_event"  # an error inside of a 200
    NO_ANSWER = "no_answer"  # a 200 that is no answer in the endpoint's dialect
    TRUNCATED = "truncated"
    FIRST_CONTENT_TIMEOUT = "first_content_timeout"
    IDLE_TIMEOUT = "idle_timeout"
    BYTE_IDLE_TIMEOUT = "byte_idle_timeout"
    TOTAL_TIMEOUT = "total_timeout"
    CONTENT_REFUSED = "content_refused"  # a proper end that says the content was refused
    INVALID_OUTPUT = "invalid_output"
    HELD_BACK = "held_back"  # not sent: a breaker, a cooldown or a limit of ours
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class Kind(Enum):
    """The kinds of failure that `fallback.when` speaks of, and those that never fall back."""

    UNUSABLE = "unusable"
    UNAVAILABLE = "unavailable"
    OVERLOADED = "overloaded"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    RATE_LIMITED = "rate_limited"
    OUT_OF_CREDIT = "out_of_credit"
    UNAUTHORIZED = "unauthorized"
    INVALID_OUTPUT = "invalid_output"
    TOO_LONG = "too_long"
    CONTENT_REFUSED = "content_refused"
    BAD_REQUEST = "bad_request"
    CANCELLED = "cancelled"
    INTERNAL = "internal"


class Action(Enum):
    """What a failure asks for; the machine decides whether it can be had."""

    NEXT = "next"
    SAME = "same"
    RECONNECT = "reconnect"
    REFRESH = "refresh"
    REPAIR = "repair"
    FAIL = "fail"


class Health(Enum):
    """What a failure says about the endpoint."""

    NONE = "none"
    COUNT = "count"
    COOL = "cool"
    OPEN = "open"
    QUOTA = "quota"


class Billed(Enum):
    """What is known of the cost of an exchange."""

    NONE = "none"
    EXACT = "exact"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed exchange. ``status`` 0 means that there was none; ``retry_after`` is in seconds.

    ``code`` is the provider's own error code or type, ``at_token`` says that the token endpoint was
    being asked, ``oauth2`` that a token can be refreshed, ``may_retry`` False that the server said
    (`x-should-retry: false`) that asking again is of no use.
    """

    cause: Cause
    message: str = ""
    status: int = 0
    code: str = ""
    retry_after: float | None = None
    at_token: bool = False
    oauth2: bool = False
    may_retry: bool = True


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a failure means: its kind, what it asks for, what it says of the endpoint, whether it cost."""

    kind: Kind
    action: Action
    health: Health
    billed: Billed
