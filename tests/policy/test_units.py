"""Written units to numbers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from route_run.policy.units import Rate, Spend, duration, rate, share, spend

DURATIONS = [("250ms", 0.25), ("5s", 5), ("1.5min", 90), ("2h", 7200), ("400d", 34_560_000), ("0s", 0), ("0.5s", 0.5)]
RATES = [("1/s", 1, 1), ("600/min", 600, 60), ("200k/min", 200_000, 60), ("1.5M/day", 1_500_000, 86_400)]
RATES += [("0.5k/h", 500, 3600)]
SPENDS = [("20 USD/day", "20", "day"), ("19.99 USD/month", "19.99", "month"), ("0.001 USD/h", "0.001", "h")]
SHARES = [("10%", 0.1), ("0%", 0), ("100%", 1), ("12.5%", 0.125)]
BAD = {
    duration: ["5", "5 s", "5S", "5sec", "-5s", ".5s", "5.s", "1e3s", "5m", "", "5s\n", "s", "٥s"],
    rate: ["600", "600/m", "600 /min", "600/month", "200K/min", "200kk/min", "-1/s", "/s", "600/min\n"],
    spend: ["20 USD", "20USD/day", "20 EUR/day", "20 USD/min", "20 usd/day", "-1 USD/day", "20 USD/day\n"],
    share: ["10", "0.1", "10 %", "-10%", "%", "10%\n"],
}


@pytest.mark.parametrize(("text", "seconds"), DURATIONS)
def test_a_duration_is_seconds(text, seconds):
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize(("text", "count", "seconds"), RATES)
def test_a_rate_is_a_count_per_seconds(text, count, seconds):
    assert rate(text) == Rate(count, seconds)


@pytest.mark.parametrize(("text", "usd", "period"), SPENDS)
def test_a_spend_is_exact_dollars_per_calendar_period(text, usd, period):
    assert spend(text) == Spend(Decimal(usd), period)


@pytest.mark.parametrize("text", [text for text, _, _ in RATES])
def test_a_rate_is_shown_as_it_is_written(text):
    assert rate(str(rate(text))) == rate(text)
    assert str(rate("200000/min")) == "200k/min"


@pytest.mark.parametrize("text", [text for text, _, _ in SPENDS])
def test_a_spend_is_shown_as_it_is_written(text):
    assert str(spend(text)) == text


@pytest.mark.parametrize(("text", "part"), SHARES)
def test_a_share_is_a_part_of_one(text, part):
    assert share(text) == pytest.approx(part)


@pytest.mark.parametrize(("parse", "text"), [(parse, text) for parse, texts in BAD.items() for text in texts])
def test_any_other_text_is_no_unit(parse, text):
    with pytest.raises(ValueError, match="not a written unit"):
        parse(text)
