"""Past requests asked again: which of them would go elsewhere, and what they would cost there.

Decides from what records keep: attributes, scores of guards, which targets failed, and usage. An endpoint that
failed then is taken to fail again, one that was not asked to answer. No text is kept, so a guard whose patterns
changed cannot be judged: such requests are counted, not guessed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from route_run.errors import LedgerError
from route_run.flow.outcome import Outcome, Usage
from route_run.flow.parameters import Note, judge
from route_run.flow.record import cost_of
from route_run.policy import Capability
from route_run.review.diff.behaviour import asked
from route_run.table import Attributes, RoutingTable, Target
from route_run.table.compare import Side, side_of

MOST_RECORDS = 100_000
"""Most records that are asked again, the newest first."""
_MOST_MOVES = 10


@dataclass(slots=True)
class Replayed:
    """Counts over past requests; costs in US dollars, of those whose cost is known on both sides."""

    requests: int = 0
    elsewhere: int = 0
    newly_refused: int = 0
    newly_answered: int = 0
    unjudged: int = 0
    by_other_policy: int = 0
    simulated_left_out: int = 0
    cost_before: Decimal = Decimal(0)
    cost_after: Decimal = Decimal(0)
    cost_unknown: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def share(self) -> float:
        """The share of requests that would go elsewhere."""
        return self.elsewhere / self.requests if self.requests else 0.0

    def as_json(self) -> dict[str, Any]:
        cost = {"before": _usd(self.cost_before), "after": _usd(self.cost_after), "unknown": self.cost_unknown}
        return {
            "requests": self.requests,
            "elsewhere": self.elsewhere,
            "share": round(self.share, 6),
            "newly_refused": self.newly_refused,
            "newly_answered": self.newly_answered,
            "moves": [{"before": b, "after": a, "requests": n} for (b, a), n in self._ordered()],
            "cost_usd": cost,
            "unjudged": self.unjudged,
            "by_other_policy": self.by_other_policy,
            "simulated_left_out": self.simulated_left_out,
        }

    def lines(self) -> Iterator[str]:
        """What was counted, in words."""
        left_out = f"; {self.simulated_left_out} simulated ones left out" if self.simulated_left_out else ""
        part = f"{self.elsewhere} of {self.requests} past requests ({self.share:.1%})"
        yield f"replay: {part} would go elsewhere{left_out}"
        if self.newly_refused or self.newly_answered:
            yield f"  newly refused {self.newly_refused}, newly answered {self.newly_answered}"
        for (before, after), count in self._ordered()[:_MOST_MOVES]:
            yield f"  {count} from {before} to {after}"
        if len(self.moves) > _MOST_MOVES:
            yield f"  and {len(self.moves) - _MOST_MOVES} more kinds of move"
        delta = self.cost_after - self.cost_before
        change = f" ({delta / self.cost_before:+.1%})" if self.cost_before else ""
        unknown = f"; not known for {self.cost_unknown}" if self.cost_unknown else ""
        yield f"  cost {_usd(self.cost_before)} → {_usd(self.cost_after)} USD{change}{unknown}"
        if self.unjudged:
            yield f"  {self.unjudged} could not be judged: a guard that looks at them is new or has other patterns"
        if self.by_other_policy:
            yield f"  {self.by_other_policy} were recorded under another policy than the first one here"

    def _ordered(self) -> list[tuple[tuple[str, str], int]]:
        return sorted(self.moves.items(), key=lambda item: (-item[1], item[0]))


@dataclass(frozen=True, slots=True)
class _Predicted:
    """Where a request would go: who would answer it, or why nobody."""

    words: str
    target: Target | None
    is_judged: bool = True


def replay(before: RoutingTable, after: RoutingTable, records: Iterable[Mapping[str, Any]]) -> Replayed:
    """Ask recorded requests of both tables; raises LedgerError for a record that is none."""
    found = Replayed()
    for record in records:
        try:
            _count(found, before, after, record)
        except (KeyError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
            raise LedgerError(f"a record of the ledger cannot be read ({error!r}); `route-run audit verify`") from error
    return found


def _count(found: Replayed, before: RoutingTable, after: RoutingTable, record: Mapping[str, Any]) -> None:
    at = _attributes(record["attributes"])
    called = _called(before, record, at)
    same = {name for name, scanner in before.scanners.items() if _finds(after, name) == scanner.patterns}
    old, new = (_predicted(table, record, at, called, same) for table in (before, after))
    found.requests += 1
    found.by_other_policy += record["policy"] != before.digest
    if not (old.is_judged and new.is_judged):
        found.unjudged += 1
        return
    if old.words != new.words:
        found.elsewhere += 1
        found.moves[old.words, new.words] += 1
        found.newly_refused += old.target is not None and new.target is None
        found.newly_answered += old.target is None and new.target is not None
    _add_cost(found, record, old.target, new.target)


def _add_cost(found: Replayed, record: Mapping[str, Any], old: Target | None, new: Target | None) -> None:
    reported = record["usage"]
    if reported is None:
        return
    usage = Usage(int(reported["prompt_tokens"]), int(reported["completion_tokens"]))
    costs = [Decimal(0) if target is None else cost_of(usage, target.price) for target in (old, new)]
    if costs[0] is None or costs[1] is None:
        found.cost_unknown += 1
        return
    found.cost_before += costs[0]
    found.cost_after += costs[1]


def _attributes(kept: Mapping[str, Any]) -> Attributes:
    needs = frozenset(Capability(need) for need in kept["needs"])
    tags = {str(tag): str(value) for tag, value in kept["tags"].items()}
    return Attributes(tags, kept["requested_model"], int(kept["prompt_tokens"]), needs)


def _called(table: RoutingTable, record: Mapping[str, Any], at: Attributes) -> str | None:
    """The route that the request called by name: one that neither its match nor a guard brought it to."""
    name = record["route"]
    matched = side_of(table, at).route
    by_guards = {verdict["then"] for verdict in record["guards"] if verdict["fired"]}
    if name is None or name in by_guards or (matched is not None and matched.name == name):
        return None
    route = table.routes.get(name)
    return str(name) if route is not None and route.callable else None


def _predicted(
    table: RoutingTable, record: Mapping[str, Any], at: Attributes, called: str | None, same: set[str]
) -> _Predicted:
    side = side_of(table, at)
    if side.bad_tag is not None:
        return _Predicted(f"{Outcome.REFUSED.value} for its tag {side.bad_tag}", None)
    route = side.route if called is None else table.routes.get(called)
    if route is None or (called is not None and not route.callable):
        return _Predicted(f"{Outcome.REFUSED.value}, no route", None)
    verdict = _by_guards(table, side, record, same)
    if isinstance(verdict, _Predicted):
        return verdict
    route = table.routes[verdict] if verdict else route
    judged = judge({}, route, side.bounds)
    if isinstance(judged, Note):
        return _Predicted(f"{Outcome.REFUSED.value} for its parameters", None)
    failed = {(attempt["endpoint"], attempt["model"]) for attempt in record["attempts"] if attempt["failure"]}
    weighed = [w.target for w in asked(route, side.bounds, at, judged) if w.with_schema]
    if not weighed:
        return _Predicted(f"{Outcome.REFUSED.value}, no target", None)
    left = [target for target in weighed if (target.endpoint, target.model) not in failed]
    return _Predicted(str(left[0]), left[0]) if left else _Predicted("nobody, all targets fail", None)


def _by_guards(table: RoutingTable, side: Side, record: Mapping[str, Any], same: set[str]) -> _Predicted | str:
    """Where guards send a request by the scores of its record: a route's name, empty, or the end of it."""
    scores = {verdict["guard"]: float(verdict["score"]) for verdict in record["guards"]}
    destinations: set[str] = set()
    for name in sorted({guard for bound in side.bounds for guard in bound.guards}):
        if name not in same or name not in scores:
            return _Predicted("not judged", None, is_judged=False)
        scanner = table.scanners[name]
        if scores[name] < scanner.threshold or scanner.action.value == "flag":
            continue
        if not scanner.destination:
            return _Predicted(f"{Outcome.REJECTED.value} by {name}", None)
        destinations.add(scanner.destination)
    if len(destinations) > 1:
        return _Predicted(f"{Outcome.REJECTED.value} by several guards", None)
    return destinations.pop() if destinations else ""


def _finds(table: RoutingTable, guard: str) -> object:
    scanner = table.scanners.get(guard)
    return scanner.patterns if scanner is not None else None


def _usd(amount: Decimal) -> str:
    return format(amount.normalize(), "f")
