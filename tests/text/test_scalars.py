"""What one plain scalar means, and which are refused because readers of YAML disagree about them."""

from __future__ import annotations

import math

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from route_run.errors import Code, Severity
from route_run.text.scalar import MAX_DIGITS, Odd, resolve
from support.properties import examples

VALUES = [
    ("", None), ("~", None), ("null", None), ("Null", None), ("NULL", None),
    ("true", True), ("True", True), ("TRUE", True), ("false", False), ("False", False), ("FALSE", False),
    ("0", 0), ("-0", 0), ("+1", 1), ("42", 42), ("-7", -7), ("999999999999999999", 10**18 - 1),
    ("1.5", 1.5), ("-.5", -0.5), (".5", 0.5), ("5.", 5.0), ("1.10", 1.1), ("1e3", 1000.0), ("1.0e3", 1000.0),
    ("1.0e+3", 1000.0), ("1e-1", 0.1), ("2E2", 200.0),
]  # fmt: skip
TEXTS = [
    "support", "y", "n", "Y", "N", "none", "None", "nULL", "tRUE", "NaN", "nan", "inf", "1.2.3", "v1", "1a", "1-2",
    "-", "+", ".", "..", "1.2.3.4", "::1", "a:b", "=", "<<", "${NAME}", "2024-8", "5s", "600/min", "10%", "20 USD/day",
    "e3", "0x", "0xZZ", "grün", "日本", "1 2", "١٢",
]  # fmt: skip
BOOLEANS_OF_1_1 = ["yes", "Yes", "YES", "no", "No", "NO", "on", "On", "ON", "off", "Off", "OFF"]
BASE_60 = ["1:30", "22:22", "12:30:45.0", "-1:00", "190:20:30", "1:00:00"]
OTHER_BASES = ["010", "0o10", "08", "-010", "00", "0x1F", "0b11", "0x_f", "1_000", "1_000.5", "0_1"]
NOT_FINITE = [".nan", ".NaN", ".NAN", ".inf", "-.Inf", "+.INF"]
DATES = ["2024-01-01", "2024-8-6", "2024-13-45", "2024-01-01 10:00:00", "2001-12-14t21:59:43.10-05:00"]


@pytest.mark.parametrize(("token", "value"), VALUES, ids=[token or "empty" for token, _ in VALUES])
def test_a_token_has_its_value_of_yaml_1_2(token, value):
    found = resolve(token)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize("token", TEXTS)
def test_everything_else_is_text(token):
    assert resolve(token) == token


@pytest.mark.parametrize("token", BOOLEANS_OF_1_1)
def test_a_truth_value_of_yaml_1_1_is_refused_with_both_ways_to_write_it(token):
    odd = resolve(token)
    meaning = "true" if token.lower() in ("yes", "on") else "false"
    assert isinstance(odd, Odd)
    assert (odd.code, odd.severity) == (Code.AMBIGUOUS_SCALAR, Severity.ERROR)
    assert f"`{meaning}`" in odd.help
    assert f'`"{token}"`' in odd.help


@pytest.mark.parametrize("token", BASE_60)
def test_a_base_60_number_of_yaml_1_1_is_refused(token):
    odd = resolve(token)
    assert isinstance(odd, Odd)
    assert (odd.code, odd.help) == (Code.AMBIGUOUS_SCALAR, f'write `"{token}"`')
    assert "base-60" in odd.message


@pytest.mark.parametrize("token", OTHER_BASES)
def test_a_number_that_is_not_plainly_decimal_is_refused(token):
    odd = resolve(token)
    assert isinstance(odd, Odd)
    assert odd.code is Code.AMBIGUOUS_SCALAR
    assert "decimal" in odd.help


@pytest.mark.parametrize("token", NOT_FINITE)
def test_a_number_that_is_not_finite_is_refused(token):
    odd = resolve(token)
    assert isinstance(odd, Odd)
    assert (odd.code, odd.severity) == (Code.NUMBER, Severity.ERROR)


@pytest.mark.parametrize("token", DATES)
def test_a_date_stays_text_and_is_warned_of(token):
    odd = resolve(token)
    assert isinstance(odd, Odd)
    assert (odd.value, odd.code, odd.severity) == (token, Code.LOOKS_LIKE_A_DATE, Severity.WARNING)


def test_a_number_of_the_most_digits_is_read():
    assert resolve("1" * MAX_DIGITS) == int("1" * MAX_DIGITS)


@pytest.mark.parametrize(
    "token", ["1" * (MAX_DIGITS + 1), "-" + "1" * 5000, "0." + "1" * MAX_DIGITS], ids=["19", "5000", "fraction"]
)
def test_a_number_of_more_digits_is_refused(token):
    odd = resolve(token)
    assert isinstance(odd, Odd)
    assert odd.code is Code.NUMBER
    assert f"{MAX_DIGITS} digits" in odd.message


@pytest.mark.parametrize("token", ["1e400", "-1.0e400"])
def test_a_number_too_large_for_a_float_is_refused(token):
    odd = resolve(token)
    assert isinstance(odd, Odd)
    assert "too large" in odd.message


@pytest.mark.parametrize("token", ["01.5", "00.5", "1.5_0", ".5_0", "-01.0"])
def test_a_fraction_that_yaml_1_1_reads_as_a_number_is_not_silently_text(token):
    assert isinstance(resolve(token), Odd | float)


NUMBER_LIKE = st.text("0178._:+-exb", min_size=1, max_size=7)
WORD_LIKE = st.text("nNoOfFyYeEsStTrRuUlLaA~.", min_size=1, max_size=5)
RESOLVER = yaml.resolver.Resolver()


@examples(800)
@given(NUMBER_LIKE | WORD_LIKE)
def test_what_is_silently_text_is_text_to_a_yaml_1_1_reader_too(token):
    if resolve(token) == token:
        assert tag_of(token) in ("str", "merge", "value")


@examples(400)
@given(NUMBER_LIKE)
def test_a_number_that_a_yaml_1_1_reader_reads_too_is_the_same_number(token):
    value = resolve(token)
    if isinstance(value, int | float) and tag_of(token) in ("int", "float", "bool"):
        other = yaml.safe_load(token)
        assert math.isclose(other, value)


@examples(200)
@given(st.text(max_size=30))
def test_resolving_never_raises(token):
    resolve(token)


def tag_of(token: str) -> str:
    """What PyYAML, a reader of YAML 1.1, takes a plain scalar for."""
    return RESOLVER.resolve(yaml.ScalarNode, token, (True, False)).removeprefix("tag:yaml.org,2002:")
