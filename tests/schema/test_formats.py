"""The formats that a JSON Schema cannot say: each a table of good and bad texts."""

from __future__ import annotations

import pytest

from route_run.schema.formats import FORMATS, REFERENCE, UNITS, with_unit

GOOD = [
    ("url", "https://models.example.com/v1"),
    ("url", "http://127.0.0.1:8080"),
    ("url", "https://[::1]:8443/x/"),
    ("url", "https://xn--nder-goa.example"),
    ("network", "loopback"),
    ("network", "10.20.0.0/16"),
    ("network", "10.0.0.1"),
    ("network", "fd00::/8"),
    ("instant", "2026-12-01T22:00:00+01:00"),
    ("instant", "2026-12-01T22:00:00Z"),
    ("instant", "2026-12-01T22:00:00.25-05:30"),
    ("own_header", "X-Team"),
    ("own_header", "X-Authorization"),
]
BAD = [
    ("url", "ftp://x.example", "https://"),
    ("url", "//x.example", "https://"),
    ("url", "https:/x.example", "no host"),
    ("url", "https://x.example/?", "no query"),
    ("url", "https://x.example/#", "no query and no fragment"),
    ("url", "https://a:b@x.example", "no user or password"),
    ("url", "https://a@x.example", "no user or password"),
    ("url", "https://x.example:0", "from 1 to 65535"),
    ("url", "https://x.example:65536", "from 1 to 65535"),
    ("url", "https://x.example:kilo", "from 1 to 65535"),
    ("url", "https://[::1/v1", "brackets"),
    ("url", "https://x.example\\@evil.example", "backslashes"),
    ("url", "https://x.exa\tmple", "control characters"),
    ("url", "https://x.example\n", "control characters"),
    ("url", "https://\u0445.example", "ASCII"),
    ("network", "10.0.0.1/8", "host bits"),
    ("network", "localhost", "CIDR"),
    ("network", "*", "CIDR"),
    ("network", "Loopback", "CIDR"),
    ("instant", "2026-12-01T22:00:00", "offset"),
    ("instant", "2026-12-01", "offset"),
    ("instant", "tomorrow", "date, time and offset"),
    ("own_header", "Authorization", "`auth`"),
    ("own_header", "PROXY-Authorization", "route-run itself"),
    ("own_header", "webhook-signature", "route-run itself"),
    ("own_header", "Content-Length", "route-run itself"),
]


@pytest.mark.parametrize(("name", "text"), GOOD)
def test_a_good_text_has_no_problem(name, text):
    assert FORMATS[name](text) is None


@pytest.mark.parametrize(("name", "text", "words"), BAD)
def test_a_bad_text_is_explained(name, text, words):
    assert words in FORMATS[name](text)


@pytest.mark.parametrize("text", ["20261201T220000Z", "2026-W49-2T22:00:00Z", "2026-12-01 22:00:00,5+01:00"])
def test_an_instant_is_in_the_form_of_rfc_3339(text):
    assert FORMATS["instant"](text) is not None


@pytest.mark.parametrize("text", ["${A}", "${_a1}", "${file:/run/secrets/x}", "${file:/a b}"])
def test_a_reference_is_recognised(text):
    assert REFERENCE.match(text)


@pytest.mark.parametrize(
    "text", ["${}", "${1A}", "${A-B}", "$A", "${A}x", "x${A}", "${A}\n", "${file:}", "${file:rel}", "${file:/a}b}"]
)
def test_what_looks_like_a_reference_is_none(text):
    assert not REFERENCE.match(text)


@pytest.mark.parametrize("unit", UNITS)
def test_the_example_of_a_unit_is_what_a_bare_number_turns_into(unit):
    example, _ = UNITS[unit]
    digits = "".join(c for c in example if c.isdigit())
    assert with_unit(unit, digits) == example
