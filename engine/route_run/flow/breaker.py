"""The breaker of one endpoint and model, and the cooldown of an endpoint.

Decides when a target is left alone and when it is tried again. All times are seconds of a clock that
never goes back, and come in as arguments; so do the dice, numbers in [0, 1).

A breaker opens after failures in a row, or when their share is too large. Once its time is over it
lets one probe through; the probe holds a lease, so that one that is lost does not keep it shut for
ever. Each change starts a new generation: results of attempts of an older one say nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import NamedTuple

from route_run.flow.failure import Health, Kind, Verdict
from route_run.flow.window import EMPTY, Window, counted, sums
from route_run.policy.model import Breaker as Rules

LONGEST_OPEN = 300.0
LONGEST_COOLDOWN = 900.0
"""No server is left alone for longer, whatever it asks for."""
FIRST_COOLDOWN = 1.0
"""Where the server does not say for how long; doubles each time."""
LONGEST_UNASKED = 60.0
OUT_OF_CREDIT_FOR = 900.0


class Phase(Enum):
    """Where a breaker stands: ``READY`` waits for a probe, ``PROBING`` for the probe's end."""

    CLOSED = "closed"
    OPEN = "open"
    READY = "ready"
    PROBING = "probing"


class Result(Enum):
    """What the end of an attempt says about its target."""

    GOOD = "good"
    BAD = "bad"
    OUT = "out"  # no use asking again for a long while
    NOTHING = "nothing"


class Pass(NamedTuple):
    """The leave to make one attempt."""

    generation: int
    is_probe: bool


@dataclass(frozen=True, slots=True)
class Breaker:
    """``opened`` counts how often in a row it opened, 0 is closed; ``counts`` are good and bad results."""

    generation: int = 0
    row: int = 0
    counts: Window = EMPTY
    opened: int = 0
    until: float = 0.0
    leased_until: float = 0.0

    def phase(self, now: float) -> Phase:
        if not self.opened:
            return Phase.CLOSED
        if now < self.leased_until:
            return Phase.PROBING
        return Phase.OPEN if now < self.until else Phase.READY


CLOSED = Breaker()


def entered(breaker: Breaker, now: float, lease: float, *, early: bool = False) -> tuple[Breaker, Pass] | None:
    """Leave for an attempt, None while there is none.

    A probe's lease ends after ``lease`` seconds; ``early`` probes before the time, where nothing else is left.
    """
    phase = breaker.phase(now)
    if phase is Phase.CLOSED:
        return breaker, Pass(breaker.generation, is_probe=False)
    if phase is Phase.READY or (phase is Phase.OPEN and early):
        generation = breaker.generation + 1
        return replace(breaker, generation=generation, leased_until=now + lease), Pass(generation, is_probe=True)
    return None


def reported(breaker: Breaker, rules: Rules, leave: Pass, result: Result, now: float, dice: float) -> Breaker:
    """The breaker after an attempt has ended; a result of an older generation changes nothing."""
    if leave.generation != breaker.generation:
        return breaker
    if leave.is_probe:
        return _after_probe(breaker, rules, result, now, dice)
    match result:
        case Result.NOTHING:
            return breaker
        case Result.OUT:
            return _opened(breaker, LONGEST_OPEN, now, dice)
        case Result.GOOD:
            return replace(breaker, row=0, counts=counted(breaker.counts, now, rules.within, 1, 0))
        case Result.BAD:
            counts = counted(breaker.counts, now, rules.within, 0, 1)
            good, bad = sums(counts, now, rules.within)
            is_too_much = good + bad >= rules.of and bad >= rules.ratio * (good + bad)
            if is_too_much or breaker.row + 1 >= rules.consecutive:
                return _opened(breaker, rules.open, now, dice)
            return replace(breaker, row=breaker.row + 1, counts=counts)


def result_of(verdict: Verdict | None) -> Result:
    """What an attempt's verdict says about its target; None is an answer."""
    if verdict is None or verdict.kind in _ANSWERED:
        return Result.GOOD
    match verdict.health:
        case Health.COUNT:
            return Result.BAD
        case Health.OPEN:
            return Result.OUT
        case Health.NONE | Health.COOL | Health.QUOTA:
            return Result.NOTHING


_ANSWERED = frozenset({Kind.BAD_REQUEST, Kind.TOO_LONG, Kind.CONTENT_REFUSED, Kind.INVALID_OUTPUT})


def _after_probe(breaker: Breaker, rules: Rules, result: Result, now: float, dice: float) -> Breaker:
    match result:
        case Result.GOOD:
            return Breaker(generation=breaker.generation + 1)
        case Result.BAD:
            return _opened(breaker, rules.open, now, dice)
        case Result.OUT:
            return _opened(breaker, LONGEST_OPEN, now, dice)
        case Result.NOTHING:
            return replace(breaker, generation=breaker.generation + 1, leased_until=0.0)


def _opened(breaker: Breaker, first: float, now: float, dice: float) -> Breaker:
    """Open for first·2^k seconds and up to a tenth more, so that breakers do not all probe at one moment."""
    longest = min(LONGEST_OPEN, first * 2.0 ** min(breaker.opened, 32))
    until = now + min(LONGEST_OPEN, longest * (1 + dice / 10))
    return Breaker(generation=breaker.generation + 1, opened=breaker.opened + 1, until=until)


@dataclass(frozen=True, slots=True)
class Cooldown:
    """Until when an endpoint is better left alone; ``asked`` means that it said so itself.

    ``row`` counts cooldowns in a row that it did not ask for, ``because`` is what it answered.
    """

    until: float = 0.0
    asked: bool = False
    row: int = 0
    because: str = ""


WARM = Cooldown()


def cooled(cooldown: Cooldown, health: Health, asked: float | None, because: str, now: float, dice: float) -> Cooldown:
    """The cooldown after an attempt that asks for one; a shorter one never ends a longer that was asked for."""
    if asked is not None:
        until = now + min(asked, LONGEST_COOLDOWN)
        return Cooldown(max(until, cooldown.until) if cooldown.asked else until, True, cooldown.row, because)
    if cooldown.asked and cooldown.until > now:
        return cooldown
    unasked = min(LONGEST_UNASKED, FIRST_COOLDOWN * 2.0 ** min(cooldown.row, 32))
    seconds = OUT_OF_CREDIT_FOR if health is Health.QUOTA else unasked * (0.5 + dice / 2)
    return Cooldown(max(cooldown.until, now + seconds), False, cooldown.row + 1, because)


def warmed(cooldown: Cooldown) -> Cooldown:
    """The cooldown after an answer: what the endpoint asked for stands, what we assumed does not."""
    return replace(cooldown, row=0) if cooldown.asked else WARM
