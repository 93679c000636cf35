"""Who is asked, of the targets that may be: breakers and cooldowns.

Decides order and reasons from a snapshot. It never makes an ineligible target eligible: where every
breaker is open, the eligible ones are probed in the order of priority.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from route_run.flow.breaker import Phase
from route_run.flow.plan import PlannedTarget
from route_run.flow.snapshot import UNKNOWN, Snapshot, TargetState

_JITTER = 1 << 20


def lined_up(
    targets: Sequence[PlannedTarget], snapshot: Snapshot, total: float, seed: int
) -> tuple[tuple[PlannedTarget, ...], list[tuple[PlannedTarget, str]]]:
    """The targets with what the snapshot says of them, and what is to be said about those that are asked.

    ``total`` is how long the request may take, in seconds.
    """
    if not snapshot.targets:
        return tuple(targets), []
    states = [snapshot.targets.get(str(planned.target), UNKNOWN) for planned in targets]
    holds = [_hold(state) for state in states]
    is_free = any(planned.is_eligible and not hold for planned, hold in zip(targets, holds, strict=True))
    lined: list[PlannedTarget] = []
    notes: list[tuple[PlannedTarget, str]] = []
    for planned, state, hold in zip(targets, states, holds, strict=True):
        if not planned.is_eligible or (not hold and state.breaker is Phase.CLOSED):
            lined.append(planned)
        elif not hold:
            lined.append(planned)
            notes.append((planned, "probes whether its breaker can close"))
        elif is_free:
            lined.append(replace(planned, skipped=(hold,)))
        else:
            judged, note = _held(planned, state, hold, total, seed)
            lined.append(judged)
            notes += [(judged, note)] if note else []
    # who is waited for comes after those who can be asked now
    return tuple(sorted(lined, key=lambda planned: planned.after)), notes


def _held(
    planned: PlannedTarget, state: TargetState, hold: str, total: float, seed: int
) -> tuple[PlannedTarget, str | None]:
    """A target that is better left alone, where no other is left: probed, waited for, or left alone all the same."""
    if state.breaker is Phase.PROBING:
        return replace(planned, skipped=(hold,)), None
    if state.cools_for and state.asked:
        wait = state.cools_for * (1 + (seed % _JITTER) / _JITTER / 10)
        if wait >= total:
            return replace(planned, skipped=(f"{hold}; the whole request has {total:g} s",)), None
        return replace(planned, after=round(wait, 3), early=True), f"asked after {wait:.3g} s: {hold}"
    return replace(planned, early=True), f"asked although {hold}: no other target is left"


def _hold(state: TargetState) -> str:
    """Why a target is better left alone; empty when it can be asked."""
    held = []
    if state.breaker is Phase.OPEN:
        held.append(f"its breaker is open for another {state.probe_in:.3g} s")
    elif state.breaker is Phase.PROBING:
        held.append("its breaker is open and a probe is under way")
    if state.cools_for:
        after = f" after {state.because}" if state.because else ""
        held.append(f"its endpoint is cooling for another {state.cools_for:.3g} s{after}")
    return " and ".join(held)
