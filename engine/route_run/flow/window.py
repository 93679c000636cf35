"""Two counts over the last stretch of time, in constant space.

Decides how much of the past still counts: a stretch has ten slots, the one that is being filled
included, so between nine tenths of it and all of it. Knows no clock.
"""

from __future__ import annotations

SLOTS = 10

Window = tuple[tuple[int, int, int], ...]
"""Per slot its number and two counts; at most ``SLOTS``, in order of time."""

EMPTY: Window = ()


def counted(window: Window, now: float, within: float, first: int, second: int) -> Window:
    """The window with more counted at a moment; ``now`` never goes back, both times are in seconds."""
    slot = int(now / within * SLOTS)
    if window and window[-1][0] >= slot:
        number, a, b = window[-1]
        return (*window[:-1], (number, a + first, b + second))
    return (*(kept for kept in window if kept[0] > slot - SLOTS), (slot, first, second))


def sums(window: Window, now: float, within: float) -> tuple[int, int]:
    """Both counts as far as they still count."""
    oldest = int(now / within * SLOTS) - SLOTS
    first = second = 0
    for slot, a, b in window:
        if slot > oldest:
            first += a
            second += b
    return first, second
