"""What rules are asked about: a loaded policy, and what several rules would otherwise compute again.

Decides nothing; holds the policy, the table and the text side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from route_run.errors import Code, Finding, Label, Span
from route_run.lint.contradiction import Contradiction, contradictions
from route_run.lint.destinations import Link, links_of
from route_run.lint.eligible import Eligible, Obstacle, Stranded
from route_run.lint.patterns import GuardPatterns, WrittenPattern, guards_of, patterns_of
from route_run.lint.reached import Reached, region_of
from route_run.lint.texts import Text, texts_of
from route_run.policy import Policy, placed_targets
from route_run.policy.model import Match, Target
from route_run.table import Attributes, Bound, Loaded, Region, Route, RoutingTable, ValueSet
from route_run.table.cover import Answer, Covered, Effort, NotProved, Open, cover
from route_run.text import Document
from route_run.text.nearest import listed

EFFORT = 200_000
"""How many comparisons of matches all questions about one policy may cost together."""
EFFORT_PER_ROUTE = 100


@dataclass(frozen=True)
class Facts:
    """A policy as far as it could be compiled. Whatever loading found fault with is left out of it."""

    loaded: Loaded
    _stranded: dict[str, Sequence[Stranded | NotProved]] = field(default_factory=dict, init=False, repr=False)

    @property
    def table(self) -> RoutingTable:
        return self.loaded.partial

    @property
    def policy(self) -> Policy:
        return self.loaded.partial.policy

    @property
    def documents(self) -> tuple[Document, ...]:
        """Every file as far as the reader could read it, whatever else is wrong with it."""
        return self.loaded.reading.documents

    @cached_property
    def texts(self) -> tuple[Text, ...]:
        """Every key and every text of all documents."""
        return tuple(texts_of(self.documents))

    @cached_property
    def links(self) -> tuple[Link, ...]:
        """Every URL of endpoints and webhooks that is written out."""
        return tuple(links_of(self.documents))

    @cached_property
    def patterns(self) -> tuple[WrittenPattern, ...]:
        """Every pattern of the policy's own guards and packs that can be used."""
        unusable = {finding.span for finding in self.loaded.findings if finding.code is Code.BAD_PATTERN}
        return tuple(patterns_of(self.documents, unusable))

    @cached_property
    def guards(self) -> tuple[GuardPatterns, ...]:
        """Every guard with all that it searches for, packs included."""
        return tuple(guards_of(self.documents, self.patterns))

    def found_within(self, span: Span) -> tuple[Finding, ...]:
        """What loading has already found fault with inside of a span."""
        return tuple(f for f in self.loaded.findings if f.is_error and _overlap(f.span, span))

    # -- what is said of the whole policy only when nothing of it was left out ---------------------------

    @cached_property
    def is_whole(self) -> bool:
        """Whether no item was left out, so that what is missing is missing indeed."""
        table, policy = self.table, self.policy
        return (
            policy.reading.is_complete
            and all(getattr(policy, section).keys() == names for section, names in policy.names.items())
            and len(table.routes) == len(policy.routes)
            and len(table.matched) == sum(route.match is not None for route in policy.routes.values())
            and len(table.bounds) == len(policy.bounds)
        )

    # -- what the algebra of matches proves ----------------------------------------------------------------

    @cached_property
    def effort(self) -> Effort:
        """What is left to spend on proofs."""
        return Effort(EFFORT + EFFORT_PER_ROUTE * len(self.table.routes))

    @cached_property
    def reached(self) -> Reached:
        """Which requests land on which route."""
        return Reached(self.table, self.effort)

    @cached_property
    def eligible(self) -> Eligible:
        """Which targets those requests can be sent to."""
        return Eligible(self.table, self.reached, self.effort)

    def is_catch_all(self, route: Route) -> bool:
        """Whether a route's match is written without any condition."""
        return self.policy.routes[route.name].match == Match()

    @cached_property
    def unserved(self) -> Sequence[tuple[str, str]]:
        """Tags and those of their declared values that no route with a match takes; none when nothing is whole."""
        routes = self.table.matched
        if not routes or not self.is_whole:
            return ()
        found: list[tuple[str, str]] = []
        for tag, declared in sorted(self.policy.tags.items()):
            if declared.values is None:
                continue
            domain = self.table.vocabulary.domains[tag]
            regions = [route.region for route in routes if route.region is not None]
            if not any(region.values[tag] is domain for region in regions):
                taken = ValueSet.any_of(region.values[tag] for region in regions)
                found += [(tag, value) for value in declared.values if value not in taken]
        return found

    @cached_property
    def left_by_all(self) -> Answer:
        """A request that no route takes although all of its values have routes; or that there is none."""
        routes = self.table.matched
        if not routes or not self.is_whole:
            return Covered(())
        domains = dict(self.eligible.everything.values)
        for tag, value in self.unserved:
            domains[tag] = domains[tag] & ~ValueSet.of([value])
        served = Region(domains, self.eligible.everything.tokens, {})
        if served.is_empty:
            return Covered(())
        quick = served.witness()
        if self.table.route_for(quick) is None:
            return Open(quick)
        return cover(served, [region_of(route) for route in routes], effort=self.effort)

    @cached_property
    def contradictions(self) -> Sequence[Contradiction]:
        """Bounds that together leave no endpoint of the policy."""
        return list(contradictions(self.eligible, self.effort)) if self.is_whole else []

    def stranded(self, route: Route) -> Sequence[Stranded | NotProved]:
        """Requests of a route that bounds leave without a target, where they do not contradict each other anyway."""
        if route.name not in self._stranded:
            taken = [contradiction.region for contradiction in self.contradictions]
            self._stranded[route.name] = list(self.eligible.stranded(route, taken))
        return self._stranded[route.name]

    # -- places ------------------------------------------------------------------------------------------

    @cached_property
    def routes_of(self) -> Mapping[str, Sequence[Route]]:
        """The routes of every upstream that has any, by name."""
        found: dict[str, list[Route]] = {}
        for _, route in sorted(self.table.routes.items()):
            found.setdefault(route.upstream.name, []).append(route)
        return found

    @cached_property
    def target_keys(self) -> Mapping[str, Sequence[tuple[str | int, ...]]]:
        """Of every upstream, where its targets stand, in the order of the compiled ones."""
        return {
            name: [placed.keys for placed in placed_targets(upstream)]
            for name, upstream in self.policy.upstreams.items()
        }

    def written_targets(self, upstream: str) -> Sequence[Target]:
        """The targets of an upstream as they are written, in the order of the compiled ones."""
        return [placed.target for placed in placed_targets(self.policy.upstreams[upstream])]

    def bound(self, name: str) -> Bound:
        """The compiled bound of a name."""
        return next(bound for bound in self.table.bounds if bound.name == name)

    def before(self, upstream: str, number: int) -> Sequence[int]:
        """The positions of the targets that one can stand in for: those before it, and the others of its group."""
        keys = self.target_keys[upstream]
        return [n for n, other in enumerate(keys) if n != number and (n < number or _is_grouped(other, keys[number]))]

    def name_span(self, section: str, name: str) -> Span:
        """Where the name of an item stands."""
        return self.policy.origin(section, name).key_span()

    def target_span(self, upstream: str, target: int, *keys: str) -> Span:
        """Where a target of an upstream stands, or a value within it."""
        return self.policy.origin("upstreams", upstream).span(*self.target_keys[upstream][target], *keys)

    def example_of(self, route: Route) -> Attributes:
        """A request that comes to a route."""
        if route.region is not None and isinstance(reach := self.reached.of(route), Open):
            return reach.witness
        return next(self.eligible.entries(route)).region.witness()

    def bound_labels(self, obstacles: Sequence[Obstacle]) -> tuple[Label, ...]:
        """The places of the bounds that stand in the way, each once."""
        bounds = {o.bound.name: o.bound for o in obstacles if o.bound is not None}
        return self.allowing([bound for _, bound in sorted(bounds.items())])

    def allowing(self, bounds: Sequence[Bound]) -> tuple[Label, ...]:
        """The places of bounds, with what they allow."""
        return tuple(
            Label(self.name_span("bounds", bound.name), f"`{bound.name}` allows {_allowed(bound)}") for bound in bounds
        )


def _allowed(bound: Bound) -> str:
    """What a bound allows, in words: labels first, then parameters."""
    words = [f"the {label} {listed(values)}" for label, values in sorted(bound.labels.items())]
    words += [f"{parameter.value} {rule.range}" for parameter, rule in bound.rules.items()]
    return " and ".join(words)


def _is_grouped(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    """Whether two targets stand in the same group, where either may come first."""
    return len(one) > 2 and one[:2] == other[:2]


def _overlap(one: Span, other: Span) -> bool:
    return one.path == other.path and one.start < other.end and other.start < one.end
