"""The formats and units of the language that a JSON Schema cannot say: each a question about a text.

A checker gives None for a good value, else in words what is wrong and what to write.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from urllib.parse import SplitResult, urlsplit

REFERENCE = re.compile(r"\$\{(?:[A-Za-z_][A-Za-z0-9_]*|file:/[^{}\x00]+)\}\Z")
"""A reference as a whole scalar: `${NAME}` or `${file:/path}`."""

UNITS: Mapping[str, tuple[str, str]] = {
    "duration": ("5s", "a number and its unit: ms, s, min, h or d"),
    "rate": ("600/min", "a count per s, min, h or day, such as `600/min` or `200k/min`"),
    "spend": ("20 USD/day", "US dollars per h, day or month, such as `20 USD/day`"),
    "share": ("10%", "a percentage such as `10%`"),
    "amount": ("600 used", "an amount and whether it is used or left, such as `600 used` or `0 left`"),
    "whole": ("20 used", "a whole number and whether it is used or left, such as `20 used` or `0 left`"),
    "dollars": ("20 USD used", "US dollars and whether they are used or left, such as `20 USD used` or `0 USD left`"),
}
"""Per unit an example and what is expected, in words."""

_BARE_NUMBER_UNIT = {
    "duration": "{}s", "rate": "{}/min", "spend": "{} USD/day", "share": "{}%",
    "amount": "{} used", "whole": "{} used", "dollars": "{} USD used",
}  # fmt: skip
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?(?:Z|[+-][0-9]{2}:[0-9]{2})?\Z"
)
"""RFC 3339, section 5.6; ``datetime`` reads more forms than other readers of a policy do."""
_OWN_HEADERS = frozenset(
    (
        "host content-length content-type transfer-encoding connection accept accept-encoding authorization "
        "cookie user-agent webhook-id webhook-timestamp webhook-signature anthropic-version "
    ).split()
)


SECONDS_AT_MOST = 500
"""Bare durations below are seconds; from here on somebody may have meant milliseconds."""


def with_unit(unit: str, value: object, field: str = "") -> str:
    """What a bare number was probably meant to say; a share below 1 was meant as a fraction."""
    if unit == "duration" and field == "retention":
        return f"{value}d"
    if unit == "duration" and float(str(value)) >= SECONDS_AT_MOST:
        return f"{value}ms"
    if unit == "share" and 0 < float(str(value)) < 1:
        value = f"{float(str(value)) * 100:g}"
    return _BARE_NUMBER_UNIT[unit].format(value)


_SPELLED = {
    "duration": {
        "ms": "ms msec msecs millisecond milliseconds",
        "s": "s sec secs second seconds",
        "min": "min mins minute minutes",
        "h": "h hr hrs hour hours",
        "d": "d day days",
    },
    "share": {"%": "% percent pct"},
    "rate": {
        "/s": "/s /sec /second rps",
        "/min": "/min /minute rpm tpm",
        "/h": "/h /hr /hour rph",
        "/day": "/day /d rpd",
    },
    "spend": {
        " USD/h": "usd/h usd/hour $/h $/hour",
        " USD/day": "usd/day usd/d $/day $/d",
        " USD/month": "usd/month $/month",
    },
    "amount": {" used": "used usedup gone", " left": "left remaining free"},
    "whole": {" used": "used usedup gone", " left": "left remaining free"},
    "dollars": {" USD used": "usdused usdspent", " USD left": "usdleft usdremaining"},
}
_QUANTITY = re.compile(
    r"\$?\s*(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?P<thousands>[kKM](?![A-Za-z]))?\s*(?P<unit>[^0-9]*)\Z"
)


def respelled(unit: str, text: str) -> str | None:
    """A quantity whose unit is written in another way than ours, in ours; None when it is not sure what is meant."""
    found = _QUANTITY.match(text.strip())
    if found is None or (found["thousands"] and unit not in ("rate", "amount")):
        return None
    if unit == "whole" and "." in found["number"]:
        return None
    word = "".join(found["unit"].split()).casefold()
    if text.strip().startswith("$"):
        word = f"usd{word.removeprefix('usd')}"
    thousands = (found["thousands"] or "").replace("K", "k")
    for ours, theirs in _SPELLED[unit].items():
        if word in theirs.split():
            return f"{found['number']}{thousands}{ours}"
    return None


def url(text: str) -> str | None:
    """A base address: http or https, a host, nothing that belongs elsewhere."""
    if not text.isascii() or re.search(r"[\x00-\x20\x7f\\]", text):
        return "a URL has no blanks, control characters or backslashes; write international names in their ASCII form"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "the host is not one; an IPv6 address stands in brackets, such as `https://[::1]/v1`"
    if parts.scheme not in ("http", "https"):
        return "a URL starts with `https://` (or `http://`)"
    if "@" in parts.netloc:
        return "a URL carries no user or password; credentials belong in `auth`"
    if not parts.hostname:
        return "the URL names no host"
    if not _has_good_port(parts):
        return "a port is a number from 1 to 65535"
    if parts.fragment or parts.query or text.endswith(("#", "?")):
        return "a URL has no query and no fragment here"
    return None


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port != 0
    except ValueError:  # its words repeat the text, which can be a password
        return False


def network(text: str) -> str | None:
    """`loopback` or a network in CIDR notation."""
    if text == "loopback":
        return None
    try:
        ipaddress.ip_network(text)
    except ValueError as error:
        return f"not `loopback` and not a network in CIDR notation: {error}"
    return None


def instant(text: str) -> str | None:
    """A moment with its offset."""
    form = "write date, time and offset, such as `2026-12-01T22:00:00+01:00`"
    if not _INSTANT.match(text):
        return form
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return form
    if moment.tzinfo is None:
        return "the offset is missing; write `+01:00` or `Z` at the end"
    return None


def own_header(text: str) -> str | None:
    """A header that a policy may set: none that route-run sets itself."""
    if text.lower() in _OWN_HEADERS or text.lower().startswith("proxy-"):
        return f"`{text}` is set by route-run itself; credentials belong in `auth`"
    return None


FORMATS: Mapping[str, Callable[[str], str | None]] = {
    "url": url,
    "network": network,
    "instant": instant,
    "own_header": own_header,
}
"""The formats by the names that schemas use in `x-format`."""
