"""What a failed exchange means: one pure function over one table.

Decides the kind of a failure and what it asks for. Providers put the same meaning into statuses,
codes and words; all of their spellings are listed here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from route_run.flow.failure import Action, Billed, Cause, Failure, Health, Kind, Verdict

_NEXT, _SAME, _FAIL = Action.NEXT, Action.SAME, Action.FAIL
_UNPAID, _UNKNOWN, _PAID = Billed.NONE, Billed.UNKNOWN, Billed.EXACT

_BAD_REQUEST = Verdict(Kind.BAD_REQUEST, _FAIL, Health.NONE, _UNPAID)
_TOO_LONG = Verdict(Kind.TOO_LONG, _FAIL, Health.NONE, _UNPAID)
_CONTENT_REFUSED = Verdict(Kind.CONTENT_REFUSED, _FAIL, Health.NONE, _UNPAID)
_UNUSABLE = Verdict(Kind.UNUSABLE, _NEXT, Health.OPEN, _UNPAID)
_UNREACHED = Verdict(Kind.UNAVAILABLE, _NEXT, Health.COUNT, _UNPAID)
_UNAVAILABLE = Verdict(Kind.UNAVAILABLE, _NEXT, Health.COUNT, _UNKNOWN)
_OVERLOADED = Verdict(Kind.OVERLOADED, _NEXT, Health.COOL, _UNPAID)
_RATE_LIMITED = Verdict(Kind.RATE_LIMITED, _NEXT, Health.COOL, _UNPAID)
_OUT_OF_CREDIT = Verdict(Kind.OUT_OF_CREDIT, _NEXT, Health.QUOTA, _UNPAID)
_UNAUTHORIZED = Verdict(Kind.UNAUTHORIZED, _NEXT, Health.OPEN, _UNPAID)
_NO_TOKEN_NOW = Verdict(Kind.UNAUTHORIZED, _NEXT, Health.COOL, _UNPAID)
_TOKEN_REFUSED = Verdict(Kind.UNAUTHORIZED, Action.REFRESH, Health.OPEN, _UNPAID)
_BROKEN = Verdict(Kind.BROKEN, _NEXT, Health.COUNT, _UNKNOWN)
_TIMEOUT = Verdict(Kind.TIMEOUT, _NEXT, Health.COUNT, _UNKNOWN)

BY_CAUSE: Mapping[Cause, Verdict] = {
    Cause.UNSENDABLE: _UNUSABLE,
    Cause.EGRESS_DENIED: _UNUSABLE,
    Cause.TLS: _UNUSABLE,
    Cause.DNS: _UNREACHED,
    Cause.REFUSED: _UNREACHED,
    Cause.CONNECT_TIMEOUT: _UNREACHED,
    Cause.POOL_TIMEOUT: Verdict(Kind.OVERLOADED, _NEXT, Health.NONE, _UNPAID),
    Cause.STALE: Verdict(Kind.BROKEN, Action.RECONNECT, Health.NONE, _UNKNOWN),
    Cause.RESET: _BROKEN,
    Cause.PROTOCOL: _BROKEN,
    Cause.NO_ANSWER: _BROKEN,
    Cause.TRUNCATED: _BROKEN,
    Cause.FIRST_CONTENT_TIMEOUT: _TIMEOUT,
    Cause.IDLE_TIMEOUT: _TIMEOUT,
    Cause.BYTE_IDLE_TIMEOUT: _TIMEOUT,
    Cause.TOTAL_TIMEOUT: Verdict(Kind.TIMEOUT, _FAIL, Health.NONE, _UNKNOWN),
    Cause.CONTENT_REFUSED: Verdict(Kind.CONTENT_REFUSED, _FAIL, Health.NONE, _PAID),
    Cause.INVALID_OUTPUT: Verdict(Kind.INVALID_OUTPUT, Action.REPAIR, Health.NONE, _PAID),
    Cause.HELD_BACK: Verdict(Kind.OVERLOADED, _NEXT, Health.NONE, _UNPAID),
    Cause.CANCELLED: Verdict(Kind.CANCELLED, _FAIL, Health.NONE, _UNKNOWN),
    Cause.INTERNAL: Verdict(Kind.INTERNAL, _FAIL, Health.NONE, _UNKNOWN),
}
"""The meaning of everything that has no status."""

BY_STATUS: Mapping[int, Verdict] = {
    401: _UNAUTHORIZED,
    402: _OUT_OF_CREDIT,
    403: _UNAUTHORIZED,
    404: _UNUSABLE,
    408: Verdict(Kind.TIMEOUT, _SAME, Health.COUNT, _UNKNOWN),
    409: Verdict(Kind.UNAVAILABLE, _SAME, Health.NONE, _UNKNOWN),
    410: _UNUSABLE,
    413: _TOO_LONG,
    421: Verdict(Kind.UNAVAILABLE, _SAME, Health.NONE, _UNKNOWN),
    425: Verdict(Kind.UNAVAILABLE, _SAME, Health.NONE, _UNKNOWN),
    429: _RATE_LIMITED,
    451: _CONTENT_REFUSED,
    500: Verdict(Kind.UNAVAILABLE, _SAME, Health.COUNT, _UNKNOWN),
    501: _UNUSABLE,
    503: _OVERLOADED,
    505: _UNUSABLE,
    529: _OVERLOADED,
}
"""The meaning of a status whose body says nothing more particular; others by their class."""

_MONEY = frozenset(
    (
        "insufficient_quota credit_balance_exhausted enforced_spend_limit_reached billing_hard_limit_reached "
        "billing_not_active billing_error insufficient_credits "
    ).split()
)
_CONTEXT = frozenset(
    (
        "context_length_exceeded exceed_context_size_error request_too_large string_above_max_length "
        "model_max_prompt_tokens_exceeded "
    ).split()
)
_CONTENT = frozenset(
    (
        "content_filter content_policy_violation moderation_blocked responsibleaipolicyviolation "
        "content_policy refusal prompt_blocked "
    ).split()
)
_UNSUPPORTED = frozenset(
    (
        "unsupported_parameter unsupported_value model_not_found unknown_model model_not_supported "
        "deployment_not_found unsupported_model invalid_model "
    ).split()
)
_MONEY_WORDS = re.compile(
    r"credit balance is too low|exceeded your current quota|specified api usage limits|"
    r"insufficient (?:credits|funds)|spend(?:ing)? limit"
)
_CONTEXT_WORDS = re.compile(
    r"prompt is too long|maximum context length|context (?:window|length|size|limit)|"
    r"exceeds? the (?:model'?s )?(?:max|token)|too many (?:input )?tokens|input is too long"
)
_CONTENT_WORDS = re.compile(r"content (?:filtering|management|safety) policy")
_UNSUPPORTED_WORDS = re.compile(
    r"not support.{0,40}(?:parameter|prefill|tool|image|response_format)|"
    r"unsupported (?:parameter|value|tool|response_format)"
)

STATUS_OF_CODE: Mapping[str, int] = {
    "overloaded_error": 529,
    "overloaded": 529,
    "engine_overloaded": 503,
    "unavailable_error": 503,
    "service_unavailable": 503,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "slow_down": 429,
    "too_many_requests": 429,
    "insufficient_quota": 429,
    "billing_error": 402,
    "api_error": 500,
    "server_error": 500,
    "internal_server_error": 500,
    "internal_error": 500,
    "timeout_error": 504,
    "invalid_request_error": 400,
    "bad_request": 400,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
}
"""The status that providers give an error which they also send inside of a 200."""
_UNKNOWN_EVENT = 502


def classify(failure: Failure) -> Verdict:
    """The meaning of one failure; total over every failure there can be."""
    if failure.at_token:
        return _classify_token(failure)
    if failure.cause is Cause.STATUS:
        return _classify_status(failure, failure.status)
    if failure.cause is Cause.ERROR_EVENT:
        return _classify_status(failure, status_of_event(failure))
    return BY_CAUSE[failure.cause]


def status_of_event(failure: Failure) -> int:
    """The status an error inside of a 200 would have had: its own, its code's, or a general 502."""
    if 400 <= failure.status <= 599:
        return failure.status
    if failure.code.isascii() and failure.code.isdigit() and 400 <= int(failure.code[:4]) <= 599:
        return int(failure.code[:4])
    code = failure.code.lower()
    if code in _CONTEXT or code in _CONTENT or code in _UNSUPPORTED:
        return 400
    return STATUS_OF_CODE.get(code, 402 if code in _MONEY else _UNKNOWN_EVENT)


def is_known_code(code: str) -> bool:
    """Whether a provider's code has a meaning of its own here."""
    known = (STATUS_OF_CODE, _MONEY, _CONTEXT, _CONTENT, _UNSUPPORTED)
    return any(code.lower() in codes for codes in known)


def _classify_token(failure: Failure) -> Verdict:
    """The token endpoint: a refusal stands until somebody acts, everything else passes."""
    refused = failure.cause is Cause.STATUS and 400 <= failure.status < 500 and failure.status not in (408, 429)
    unusable = failure.cause in (Cause.UNSENDABLE, Cause.EGRESS_DENIED, Cause.TLS)
    if failure.cause in (Cause.TOTAL_TIMEOUT, Cause.CANCELLED, Cause.INTERNAL):
        return BY_CAUSE[failure.cause]
    return _UNAUTHORIZED if refused or unusable else _NO_TOKEN_NOW


def _classify_status(failure: Failure, status: int) -> Verdict:
    particular = _by_body(failure, status)
    if particular is not None:
        return particular
    if status == 401 and failure.oauth2:
        return _TOKEN_REFUSED
    if status == 402 and failure.retry_after is not None:
        return Verdict(Kind.OUT_OF_CREDIT, _NEXT, Health.COOL, _UNPAID)
    verdict = BY_STATUS.get(status) or _by_class(status)
    if verdict.action is _SAME and not failure.may_retry:
        return Verdict(verdict.kind, _NEXT, verdict.health, verdict.billed)
    return verdict


def _by_body(failure: Failure, status: int) -> Verdict | None:
    """What the body says beyond the status, where the status leaves it open."""
    code, words = failure.code.lower(), failure.message.lower()
    if status in (400, 402, 403, 429) and (code in _MONEY or _MONEY_WORDS.search(words)):
        return None if status == 402 else _OUT_OF_CREDIT
    if status in (400, 403, 422) and (code in _CONTENT or _CONTENT_WORDS.search(words)):
        return _CONTENT_REFUSED
    if status in (400, 422) and (code in _CONTEXT or _CONTEXT_WORDS.search(words)):
        return _TOO_LONG
    if status in (400, 422) and (code in _UNSUPPORTED or _UNSUPPORTED_WORDS.search(words)):
        return _UNUSABLE
    return None


def _by_class(status: int) -> Verdict:
    if 300 <= status < 400:
        return _UNUSABLE
    return _BAD_REQUEST if 400 <= status < 500 else _UNAVAILABLE
