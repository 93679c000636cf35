"""Suppressions as a table: what is set aside, why, since when and until when."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from route_run.errors import Span
from route_run.lint.suppression import Suppression

WrittenOn = Callable[[Span], date | None]
"""Asks when a line was written; None when nobody knows."""


@dataclass(frozen=True, slots=True)
class Debt:
    """One suppression with its age in days (None when unknown) and the days it has left (None: for ever)."""

    suppression: Suppression
    age: int | None
    left: int | None

    @property
    def row(self) -> tuple[str, str, str, str, str]:
        """Place, codes, age, end and reason, in words."""
        codes = " ".join(code for code, _ in self.suppression.codes)
        age = "unknown" if self.age is None else _days(self.age)
        if self.left is None:
            end = "no end"
        else:
            end = f"{_days(self.left)} left" if self.left >= 0 else f"expired {_days(-self.left)} ago"
        return str(self.suppression.span), codes, age, end, self.suppression.reason


HEAD = ("place", "codes", "age", "until", "reason")
"""The names of the columns of a row."""


def debts(suppressions: Sequence[Suppression], today: date, written_on: WrittenOn) -> tuple[Debt, ...]:
    """Every suppression with its age, in the order of their places."""
    return tuple(_debt(suppression, today, written_on) for suppression in suppressions)


def _debt(suppression: Suppression, today: date, written_on: WrittenOn) -> Debt:
    written = written_on(suppression.span)
    age = None if written is None else max(0, (today - written).days)
    return Debt(suppression, age, None if suppression.until is None else (suppression.until - today).days)


def _days(count: int) -> str:
    return f"{count} day{'' if count == 1 else 's'}"
