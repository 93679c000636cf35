"""The retry budget of an endpoint: how many revisits and hedges it may receive.

Decides from counts alone. A first visit is always free; what comes on top may be a share of the visits
of the last while, and never less than a floor, so that retries cannot multiply an outage.
"""

from __future__ import annotations

from route_run.flow.window import Window, counted, sums
from route_run.policy.model import RetryBudget

Budget = Window
"""First visits, and what drew on the budget."""


def visited(budget: Budget, rules: RetryBudget, now: float) -> Budget:
    """The budget after a first visit."""
    return counted(budget, now, rules.within, 1, 0)


def drawn(budget: Budget, rules: RetryBudget, now: float) -> Budget | None:
    """The budget after a revisit or a hedge, None when there is none left for it."""
    visits, extra = sums(budget, now, rules.within)
    if extra + 1 > rules.floor + rules.share * visits:
        return None
    return counted(budget, now, rules.within, 0, 1)
