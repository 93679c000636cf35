"""How long a server asks us to wait: every header that says so, read without trust.

Decides the seconds of a delay, or None where there is no usable one. Never raises: providers send
seconds, fractions, dates, durations and garbage. A date counts from the response's own ``Date``
(RFC 9110, section 10.2.3), because our clock need not agree with theirs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST = 900.0
"""Delays are cut to a quarter of an hour."""

_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{0,9})?\Z", re.ASCII)
_WRITTEN = re.compile(
    r"(?=.)(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m(?!s))?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)s)?(?:([0-9]{1,9}(?:\.[0-9]{1,9})?)ms)?\Z",
    re.ASCII,
)
_IMF_DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT\Z", re.ASCII)
_RESETS = (
    ("x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"),
    ("x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"),
    ("anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"),
    ("anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"),
    ("anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset"),
    ("anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset"),
)


def server_delay(headers: Mapping[str, str], now: float) -> float | None:
    """Seconds between 0 and ``LONGEST`` that a response asks us to wait, or None.

    ``headers`` have lower-case names; ``now`` (seconds since 1970) stands in for a missing ``Date``.
    """
    sent = _date(headers.get("date", "").strip())
    base = now if sent is None else sent
    milliseconds = _number(headers.get("retry-after-ms", "").strip())
    if milliseconds is not None:
        return _capped(milliseconds / 1000)
    if "retry-after" in headers and (delay := _delay(headers["retry-after"].strip(), base)) is not None:
        return delay
    resets = (
        _delay(headers[reset].strip(), base)
        for remaining, reset in _RESETS
        if reset in headers and _number(headers.get(remaining, "").strip()) == 0
    )
    return max((delay for delay in resets if delay is not None), default=None)


def _delay(text: str, base: float) -> float | None:
    if (seconds := _number(text)) is not None:
        return _capped(seconds)
    moment = _date(text)
    if moment is None:
        moment = _instant(text)
    if moment is not None:
        return _capped(moment - base)
    return _written(text)


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.match(text) else None


def _written(text: str) -> float | None:
    found = _WRITTEN.match(text)
    if found is None or not any(found.groups()):
        return None
    hours, minutes, seconds, milliseconds = (float(group or 0) for group in found.groups())
    return _capped(hours * 3600 + minutes * 60 + seconds + milliseconds / 1000)


def _date(text: str) -> float | None:
    if not _IMF_DATE.match(text):
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError, TypeError):
        return None


def _instant(text: str) -> float | None:
    """An RFC 3339 instant, as Anthropic sends."""
    if not text.isascii() or not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt]", text):
        return None
    try:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None


def _capped(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST)
