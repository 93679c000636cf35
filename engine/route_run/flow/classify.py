"""What a failed exchange means: one pure function over one table.

Decides the kind of a failure and what it asks for. Providers put the same meaning into statuses,
codes and words; all of their spellings are listed here and nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Container, Mapping
from dataclasses import dataclass, replace

from route_run.flow.failure import Action, Billed, Cause, Failure, Health, Kind, Verdict


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table: failures it speaks of, and what they mean. What is left out is not asked for.

    Where ``codes`` or ``words`` are given, one of them has to be in what the provider says; ``is_timed``
    asks that it says when to come back.
    """

    verdict: Verdict
    causes: Container[Cause]
    statuses: Container[int] | None = None
    codes: frozenset[str] = frozenset()
    words: re.Pattern[str] | None = None
    at_token: bool = False
    oauth2: bool = False
    is_timed: bool = False


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

_NEXT, _SAME, _FAIL = Action.NEXT, Action.SAME, Action.FAIL
_UNPAID, _UNKNOWN, _PAID = Billed.NONE, Billed.UNKNOWN, Billed.EXACT

_BAD_REQUEST = Verdict(Kind.BAD_REQUEST, _FAIL, Health.NONE, _UNPAID)
_TOO_LONG = Verdict(Kind.TOO_LONG, _FAIL, Health.NONE, _UNPAID)
_CONTENT_REFUSED = Verdict(Kind.CONTENT_REFUSED, _FAIL, Health.NONE, _UNPAID)
_UNUSABLE = Verdict(Kind.UNUSABLE, _NEXT, Health.OPEN, _UNPAID)
_UNAVAILABLE = Verdict(Kind.UNAVAILABLE, _NEXT, Health.COUNT, _UNKNOWN)
_OVERLOADED = Verdict(Kind.OVERLOADED, _NEXT, Health.COOL, _UNPAID)
_OUT_OF_CREDIT = Verdict(Kind.OUT_OF_CREDIT, _NEXT, Health.QUOTA, _UNPAID)
_UNAUTHORIZED = Verdict(Kind.UNAUTHORIZED, _NEXT, Health.OPEN, _UNPAID)

_ANSWERED = frozenset({Cause.STATUS, Cause.ERROR_EVENT})
_NOT_SENDABLE = frozenset({Cause.UNSENDABLE, Cause.EGRESS_DENIED, Cause.TLS})
_ANY_CAUSE = frozenset(Cause)
_REFUSED_FOR_GOOD = frozenset(range(400, 500)) - {408, 429}
_REDIRECTS, _CALLERS_FAULTS = range(300, 400), range(400, 500)

TABLE: tuple[Row, ...] = (
    # -- ends of the request itself, whoever was being asked --
    Row(Verdict(Kind.TIMEOUT, _FAIL, Health.NONE, _UNKNOWN), {Cause.TOTAL_TIMEOUT}),
    Row(Verdict(Kind.CANCELLED, _FAIL, Health.NONE, _UNKNOWN), {Cause.CANCELLED}),
    Row(Verdict(Kind.INTERNAL, _FAIL, Health.NONE, _UNKNOWN), {Cause.INTERNAL}),
    # -- the token endpoint: a refusal stands until somebody acts, everything else passes --
    Row(_UNAUTHORIZED, {Cause.STATUS}, _REFUSED_FOR_GOOD, at_token=True),
    Row(_UNAUTHORIZED, _NOT_SENDABLE, at_token=True),
    Row(Verdict(Kind.UNAUTHORIZED, _NEXT, Health.COOL, _UNPAID), _ANY_CAUSE, at_token=True),
    # -- no answer --
    Row(_UNUSABLE, _NOT_SENDABLE),
    Row(
        Verdict(Kind.UNAVAILABLE, _NEXT, Health.COUNT, _UNPAID),
        {Cause.DNS, Cause.REFUSED, Cause.CONNECT_TIMEOUT},
    ),
    Row(Verdict(Kind.OVERLOADED, _NEXT, Health.NONE, _UNPAID), {Cause.POOL_TIMEOUT, Cause.HELD_BACK}),
    Row(Verdict(Kind.BROKEN, Action.RECONNECT, Health.NONE, _UNKNOWN), {Cause.STALE}),
    Row(
        Verdict(Kind.BROKEN, _NEXT, Health.COUNT, _UNKNOWN),
        {Cause.RESET, Cause.PROTOCOL, Cause.NO_ANSWER, Cause.TRUNCATED},
    ),
    Row(
        Verdict(Kind.TIMEOUT, _NEXT, Health.COUNT, _UNKNOWN),
        {Cause.FIRST_CONTENT_TIMEOUT, Cause.IDLE_TIMEOUT, Cause.BYTE_IDLE_TIMEOUT},
    ),
    # -- an answer that is none --
    Row(Verdict(Kind.CONTENT_REFUSED, _FAIL, Health.NONE, _PAID), {Cause.CONTENT_REFUSED}),
    Row(Verdict(Kind.INVALID_OUTPUT, Action.REPAIR, Health.NONE, _PAID), {Cause.INVALID_OUTPUT}),
    # -- what is said beside a status that leaves it open --
    Row(_OUT_OF_CREDIT, _ANSWERED, {400, 403, 429}, _MONEY, _MONEY_WORDS),
    Row(_CONTENT_REFUSED, _ANSWERED, {400, 403, 422}, _CONTENT, _CONTENT_WORDS),
    Row(_TOO_LONG, _ANSWERED, {400, 422}, _CONTEXT, _CONTEXT_WORDS),
    Row(_UNUSABLE, _ANSWERED, {400, 422}, _UNSUPPORTED, _UNSUPPORTED_WORDS),
    # -- statuses --
    Row(Verdict(Kind.UNAUTHORIZED, Action.REFRESH, Health.OPEN, _UNPAID), _ANSWERED, {401}, oauth2=True),
    Row(_UNAUTHORIZED, _ANSWERED, {401, 403}),
    Row(Verdict(Kind.OUT_OF_CREDIT, _NEXT, Health.COOL, _UNPAID), _ANSWERED, {402}, is_timed=True),
    Row(_OUT_OF_CREDIT, _ANSWERED, {402}),
    Row(_UNUSABLE, _ANSWERED, {404, 410, 501, 505}),
    Row(Verdict(Kind.TIMEOUT, _SAME, Health.COUNT, _UNKNOWN), _ANSWERED, {408}),
    Row(Verdict(Kind.UNAVAILABLE, _SAME, Health.NONE, _UNKNOWN), _ANSWERED, {409, 421, 425}),
    Row(_TOO_LONG, _ANSWERED, {413}),
    Row(Verdict(Kind.RATE_LIMITED, _NEXT, Health.COOL, _UNPAID), _ANSWERED, {429}),
    Row(_CONTENT_REFUSED, _ANSWERED, {451}),
    Row(Verdict(Kind.UNAVAILABLE, _SAME, Health.COUNT, _UNKNOWN), _ANSWERED, {500}),
    Row(_OVERLOADED, _ANSWERED, {503, 529}),
    Row(_UNUSABLE, _ANSWERED, _REDIRECTS),
    Row(_BAD_REQUEST, _ANSWERED, _CALLERS_FAULTS),
    Row(_UNAVAILABLE, _ANSWERED),
)
"""The meaning of every failure: the first row that speaks of it holds."""


def classify(failure: Failure) -> Verdict:
    """The meaning of one failure; total over every failure there can be."""
    status = status_of_event(failure) if failure.cause is Cause.ERROR_EVENT else failure.status
    verdict = next(row.verdict for row in TABLE if _speaks_of(row, failure, status))
    if verdict.action is _SAME and not failure.may_retry:
        return replace(verdict, action=_NEXT)
    return verdict


def _speaks_of(row: Row, failure: Failure, status: int) -> bool:
    return (
        failure.cause in row.causes
        and (row.statuses is None or status in row.statuses)
        and (failure.at_token or not row.at_token)
        and (failure.oauth2 or not row.oauth2)
        and (failure.retry_after is not None or not row.is_timed)
        and (not row.codes or _is_said(row, failure))
    )


def _is_said(row: Row, failure: Failure) -> bool:
    by_words = row.words is not None and row.words.search(failure.message.lower())
    return failure.code.lower() in row.codes or bool(by_words)


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
