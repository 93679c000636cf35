"""How long a server asks us to wait: every header that says so, and every text that may be in one."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.delay import LONGEST, server_delay

NOW = 1_795_422_704.0  # Mon, 23 Nov 2026 08:31:44 GMT
DATE = "Mon, 23 Nov 2026 08:31:44 GMT"

RETRY_AFTER = {
    # seconds
    "0": 0.0,
    "1": 1.0,
    "30": 30.0,
    "007": 7.0,
    "1.5": 1.5,
    "0.25": 0.25,
    "5.": 5.0,
    " 5 ": 5.0,
    "\t5": 5.0,
    "900": 900.0,
    "901": 900.0,
    "86400": 900.0,
    "999999999999": 900.0,
    # dates (RFC 9110): counted from the response's own Date
    "Mon, 23 Nov 2026 08:31:44 GMT": 0.0,
    "Mon, 23 Nov 2026 08:32:14 GMT": 30.0,
    "Mon, 23 Nov 2026 08:46:43 GMT": 899.0,
    "Mon, 23 Nov 2026 09:31:44 GMT": 900.0,
    "Tue, 24 Nov 2026 08:31:44 GMT": 900.0,
    "Mon, 23 Nov 2026 08:31:43 GMT": 0.0,
    "Sun, 06 Nov 1994 08:49:37 GMT": 0.0,
    "Thu, 01 Jan 1970 00:00:00 GMT": 0.0,
    "Fri, 31 Dec 9999 23:59:59 GMT": 900.0,
    # written durations
    "1s": 1.0,
    "1.5s": 1.5,
    "500ms": 0.5,
    "6m0s": 360.0,
    "1m30.5s": 90.5,
    "2m": 120.0,
    "1h": 900.0,
    "1h0m1s": 900.0,
    "1s250ms": 1.25,
    # RFC 3339 instants
    "2026-11-23T08:31:54Z": 10.0,
    "2026-11-23T08:31:54.5Z": 10.5,
    "2026-11-23t08:31:54+00:00": 10.0,
    "2026-11-23T09:31:54+01:00": 10.0,
    "2026-11-23T08:31:54": 10.0,
    "2020-01-01T00:00:00Z": 0.0,
    "9999-12-31T23:59:59Z": 900.0,
    # nothing usable
    "": None,
    " ": None,
    "-1": None,
    "-0": None,
    "+5": None,
    ".5": None,
    "1e3": None,
    "0x10": None,
    "1_000": None,
    "1,5": None,
    "1.2.3": None,
    "5 s": None,
    "soon": None,
    "nan": None,
    "inf": None,
    "infinity": None,
    "-inf": None,
    "٣": None,
    "５": None,
    "²": None,
    "1٣": None,
    "5\x00": None,
    "5\n6": None,
    "5; 6": None,
    "s": None,
    "ms": None,
    "-5s": None,
    "5d": None,
    "s5": None,
    "Mon, 32 Nov 2026 08:31:44 GMT": None,
    "Mon, 23 Nov 2026 08:31:60 GMT": None,
    "Mon, 23 Nov 2026 25:00:00 GMT": None,
    "Mon, 23 Nov 0000 08:31:44 GMT": 0.0,  # long past, however such a year is read
    "Mon, 23 Nov 99999 08:31:44 GMT": None,
    "Mon, 23 Foo 2026 08:31:44 GMT": None,
    "Mon, 23 Nov 2026 08:31:44 PST": None,
    "Mon, 23 Nov 2026 08:31:44": None,
    "Monday, 23-Nov-26 08:31:44 GMT": None,
    "2026-13-01T00:00:00Z": None,
    "2026-11-23T99:00:00Z": None,
    "2026-11-23": None,
    "99999-01-01T00:00:00Z": None,
    "0000-01-01T00:00:00Z": None,
    "0001-01-01T00:00:00+23:59": 0.0,
    "9999-12-31T23:59:59-23:59": 900.0,
}


@pytest.mark.parametrize(("text", "seconds"), RETRY_AFTER.items(), ids=[repr(text) for text in RETRY_AFTER])
def test_retry_after(text, seconds):
    assert server_delay({"retry-after": text, "date": DATE}, now=0.0) == seconds


FORMS = {
    # several headers at once; the most exact one that can be read wins
    "milliseconds": ({"retry-after-ms": "1500"}, 1.5),
    "milliseconds-before-seconds": ({"retry-after-ms": "250", "retry-after": "30"}, 0.25),
    "broken-milliseconds": ({"retry-after-ms": "soon", "retry-after": "30"}, 30.0),
    "milliseconds-capped": ({"retry-after-ms": "99999999"}, 900.0),
    "fraction-of-a-millisecond": ({"retry-after-ms": "0.5"}, 0.0005),
    "negative-milliseconds": ({"retry-after-ms": "-5"}, None),
    "openai-requests": ({"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "1s"}, 1.0),
    "openai-tokens": ({"x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"}, 360.0),
    "openai-both-the-longer-counts": (
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "1s",
            "x-ratelimit-remaining-tokens": "0",
            "x-ratelimit-reset-tokens": "90ms",
        },
        1.0,
    ),
    "something-remains": ({"x-ratelimit-remaining-requests": "5", "x-ratelimit-reset-requests": "1s"}, None),
    "remaining-not-said": ({"x-ratelimit-reset-requests": "1s"}, None),
    "remaining-is-garbage": ({"x-ratelimit-remaining-requests": "none", "x-ratelimit-reset-requests": "1s"}, None),
    "only-what-is-used-up-counts": (
        {
            "x-ratelimit-remaining-requests": "0",
            "x-ratelimit-reset-requests": "2s",
            "x-ratelimit-remaining-tokens": "100",
            "x-ratelimit-reset-tokens": "6m0s",
        },
        2.0,
    ),
    "retry-after-before-resets": (
        {"retry-after": "3", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
        3.0,
    ),
    "broken-retry-after-leaves-resets": (
        {"retry-after": "soon", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "6m0s"},
        360.0,
    ),
    "anthropic-requests": (
        {
            "anthropic-ratelimit-requests-remaining": "0",
            "anthropic-ratelimit-requests-reset": "2026-11-23T08:32:44Z",
        },
        60.0,
    ),
    "anthropic-tokens": (
        {
            "anthropic-ratelimit-tokens-remaining": "0",
            "anthropic-ratelimit-tokens-reset": "2026-11-23T08:31:59Z",
        },
        15.0,
    ),
    "anthropic-input-tokens": (
        {
            "anthropic-ratelimit-input-tokens-remaining": "0",
            "anthropic-ratelimit-input-tokens-reset": "2026-11-23T08:31:45Z",
        },
        1.0,
    ),
    "anthropic-output-tokens-in-the-past": (
        {
            "anthropic-ratelimit-output-tokens-remaining": "0",
            "anthropic-ratelimit-output-tokens-reset": "2026-11-23T08:00:00Z",
        },
        0.0,
    ),
    "nothing": ({}, None),
    "other-headers": ({"content-type": "text/html", "server": "nginx"}, None),
}


@pytest.mark.parametrize(("headers", "seconds"), FORMS.values(), ids=FORMS)
def test_every_header_that_says_so(headers, seconds):
    assert server_delay({"date": DATE, **headers}, now=0.0) == seconds


def test_a_date_counts_from_the_servers_clock_not_from_ours():
    headers = {"retry-after": "Mon, 23 Nov 2026 08:32:14 GMT", "date": DATE}
    assert server_delay(headers, now=NOW + 3600) == 30.0
    assert server_delay(headers, now=NOW - 3600) == 30.0


@pytest.mark.parametrize("date", [None, "", "yesterday", "Mon, 23 Nov 2026 08:31:44 CET"])
def test_without_a_usable_date_our_clock_stands_in(date):
    headers = {"retry-after": "Mon, 23 Nov 2026 08:32:14 GMT"} | ({} if date is None else {"date": date})
    assert server_delay(headers, now=NOW) == 30.0


NAMES = [
    "date", "retry-after-ms", "retry-after",
    "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests",
    "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens",
    "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset",
    "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset",
    "anthropic-ratelimit-input-tokens-remaining", "anthropic-ratelimit-input-tokens-reset",
    "anthropic-ratelimit-output-tokens-remaining", "anthropic-ratelimit-output-tokens-reset",
]  # fmt: skip
DIGITS = st.text("0123456789٣５²_.+-eE", max_size=30)
NEARLY = st.sampled_from(sorted(RETRY_AFTER)).flatmap(
    lambda text: st.tuples(st.integers(0, len(text)), st.text(max_size=2)).map(
        lambda change: text[: change[0]] + change[1] + text[change[0] :]
    )
)
BYTES_LIKE = st.binary(max_size=20).map(lambda raw: raw.decode("latin-1"))
YEARS = st.integers(-(10**6), 10**6).map(lambda year: f"Mon, 01 Jan {year:04} 00:00:00 GMT")
INSTANTS = st.integers(0, 10**6).map(lambda year: f"{year:04}-01-01T00:00:00+23:59")
VALUES = st.text(max_size=20) | DIGITS | NEARLY | BYTES_LIKE | YEARS | INSTANTS


@given(st.dictionaries(st.sampled_from(NAMES), VALUES), st.floats(0, 4e9))
def test_whatever_the_headers_say_the_delay_is_none_or_at_most_a_quarter_of_an_hour(headers, now):
    delay = server_delay(headers, now)
    assert delay is None or (0 <= delay <= LONGEST and math.isfinite(delay))


@given(st.integers(0, 10**9))
def test_whole_seconds_are_taken_as_they_are_up_to_the_cap(seconds):
    assert server_delay({"retry-after": str(seconds)}, NOW) == min(seconds, LONGEST)
