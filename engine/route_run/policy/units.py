"""Written units to numbers: durations, rates, spend, shares.

Each parser takes a text that its schema pattern has passed and raises ValueError for any other.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PERIODS = {"s": 1.0, "min": 60.0, "h": 3600.0, "day": 86400.0}
_PERIOD_OF = {seconds: period for period, seconds in _PERIODS.items()}
_COUNTS = {"": 1, "k": 1_000, "M": 1_000_000}

_DURATION = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|min|h|d)\Z")
_RATE = re.compile(r"([0-9]+(?:\.[0-9]+)?)([kM]?)/(s|min|h|day)\Z")
_SPEND = re.compile(r"([0-9]+(?:\.[0-9]+)?) USD/(h|day|month)\Z")
_SHARE = re.compile(r"([0-9]+(?:\.[0-9]+)?)%\Z")


@dataclass(frozen=True, slots=True)
class Rate:
    """``count`` per ``seconds``."""

    count: float
    seconds: float

    def __str__(self) -> str:
        for size, letter in ((1_000_000, "M"), (1_000, "k")):
            if self.count >= size and self.count % size == 0:
                return f"{self.count / size:g}{letter}/{_PERIOD_OF[self.seconds]}"
        return f"{self.count:.12g}/{_PERIOD_OF[self.seconds]}"


@dataclass(frozen=True, slots=True)
class Spend:
    """US dollars per calendar ``period`` in UTC: ``h``, ``day`` or ``month``."""

    usd: Decimal
    period: str

    def __str__(self) -> str:
        return f"{self.usd:f} USD/{self.period}"


def duration(text: str) -> float:
    """Seconds of a duration such as ``250ms``."""
    number, unit = _groups(_DURATION, text)
    return float(number) * _SECONDS[unit]


def rate(text: str) -> Rate:
    """A rate such as ``200k/min``."""
    number, thousands, period = _groups(_RATE, text)
    return Rate(float(number) * _COUNTS[thousands], _PERIODS[period])


def spend(text: str) -> Spend:
    """A spend such as ``20 USD/day``."""
    number, period = _groups(_SPEND, text)
    return Spend(Decimal(number), period)


def share(text: str) -> float:
    """A share between 0 and 1, from a percentage such as ``10%``."""
    (number,) = _groups(_SHARE, text)
    return float(number) / 100


def _groups(pattern: re.Pattern[str], text: str) -> tuple[str, ...]:
    found = pattern.match(text)
    if found is None:
        raise ValueError(f"not a written unit: {text!r}")
    return found.groups()
