"""The routing table: the compiled, immutable policy, and what it answers about one request."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from route_run.errors import Span
from route_run.guard import OutputCheck, Scanner
from route_run.policy import Capability, Dialect, Parameter, Policy, Range, Traits
from route_run.policy.model import Price, Timeouts
from route_run.table.attributes import Attributes
from route_run.table.index import Index
from route_run.table.limit import Limit, Quota
from route_run.table.match import Region, Vocabulary


class Outside(Enum):
    """What happens to a value outside of a range."""

    CLAMP = "clamp"
    REJECT = "reject"


class Deliver(Enum):
    """When the text of an answer reaches the caller."""

    STREAMED = "streamed"
    VERIFIED = "verified"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route or bound says about a parameter; ``source`` names it for messages."""

    source: str
    range: Range
    outside: Outside
    default: float | tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Maintenance:
    """A window in which nothing new is sent: ``start`` and ``end`` in seconds since 1970; the end is outside."""

    start: float
    end: float
    words: str

    def __contains__(self, at: float) -> bool:
        return self.start <= at < self.end


@dataclass(frozen=True, slots=True)
class Target:
    """An endpoint and a model, with all that eligibility asks about them.

    ``ranges`` are the model's within the dialect's; ``price`` is in US dollars per million tokens.
    """

    endpoint: str
    model: str
    sent_as: str
    dialect: Dialect
    traits: Traits
    labels: Mapping[str, str]
    drained: bool
    maintenance: tuple[Maintenance, ...]
    context_window: int
    max_output_tokens: int
    capabilities: frozenset[Capability]
    ranges: Mapping[Parameter, Range]
    price: Price | None
    limits: tuple[Limit, ...]

    def __str__(self) -> str:
        return f"{self.endpoint}/{self.model}"


class Balance(Enum):
    """How the targets of a group are put into an order for each request."""

    WEIGHTED = "weighted"
    FASTEST = "fastest"
    LEAST_BUSY = "least_busy"
    CHEAPEST = "cheapest"


@dataclass(frozen=True, slots=True)
class Group:
    """Targets of equal rank: as many as ``weights``, from the place ``first`` on; ``hash_on`` is a tag."""

    first: int
    balance: Balance
    hash_on: str | None
    weights: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Upstream:
    """Targets in order of priority, those of ``groups`` in the order that is written; times in seconds.

    ``restarts``: an answer that breaks off may start over.
    """

    name: str
    targets: tuple[Target, ...]
    groups: tuple[Group, ...]
    fallback_kinds: frozenset[str]
    attempts: int
    backoff_first: float
    backoff_max: float
    hedge_after: float | None
    timeouts: Timeouts
    restarts: bool

    @property
    def is_measured(self) -> bool:
        """Whether its order asks how fast or busy targets are."""
        return any(group.balance in (Balance.FASTEST, Balance.LEAST_BUSY) for group in self.groups)

    @property
    def byte_idle(self) -> float:
        return self.timeouts.idle if self.timeouts.byte_idle is None else self.timeouts.byte_idle


@dataclass(frozen=True, slots=True)
class Route:
    """A compiled route; ``region`` None means that it is reached by name or by a guard only.

    ``region`` is for comparing matches, ``condition`` (what is written, the domains of tags left out)
    for asking a request whose tags have been checked. ``repairs`` is how often a target is asked to
    correct an answer that did not pass.
    """

    name: str
    region: Region | None
    condition: Region | None
    precedence: int
    callable: bool
    upstream: Upstream
    rules: Mapping[Parameter, Rule]
    output_check: OutputCheck | None
    deliver: Deliver
    repairs: int


@dataclass(frozen=True, slots=True)
class Bound:
    """A compiled bound: guards, allowed label values, parameter ranges, limits."""

    name: str
    region: Region
    condition: Region
    guards: tuple[str, ...]
    labels: Mapping[str, frozenset[str]]
    rules: Mapping[Parameter, Rule]
    quota: Quota


@dataclass(frozen=True, slots=True)
class Hook:
    """Which requests a webhook hears of, and which events."""

    name: str
    condition: Region
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class RoutingTable:
    """All that is decided from. ``matched`` are the routes with a match, in the order of their rank."""

    policy: Policy
    vocabulary: Vocabulary
    routes: Mapping[str, Route]
    matched: Sequence[Route]
    bounds: Sequence[Bound]
    hooks: Sequence[Hook]
    scanners: Mapping[str, Scanner]
    route_index: Index
    bound_index: Index
    hook_index: Index

    @property
    def digest(self) -> str:
        """The policy's digest, 64 hex digits."""
        return self.policy.digest

    def route_for(self, request: Attributes) -> Route | None:
        """The one route that decides, or None when nothing matches."""
        winner = len(self.matched)
        for entries in self.route_index.candidates(request):
            for entry in entries:
                if entry >= winner:
                    break  # lists are in the order of rank
                condition = self.matched[entry].condition
                if condition is not None and request in condition:
                    winner = entry
                    break
        return self.matched[winner] if winner < len(self.matched) else None

    def bounds_for(self, request: Attributes) -> tuple[Bound, ...]:
        """Every bound that holds for a request, by name."""
        return tuple(self.bounds[e] for e in _inside(self.bound_index, self.bounds, request))

    def hooks_for(self, request: Attributes) -> tuple[Hook, ...]:
        """Every webhook that hears of a request, by name."""
        return tuple(self.hooks[e] for e in _inside(self.hook_index, self.hooks, request))

    def span(self, section: str, name: str, *keys: str | int) -> Span:
        """Where the policy says something."""
        return self.policy.origin(section, name).span(*keys)


def _inside(index: Index, members: Sequence[Bound] | Sequence[Hook], request: Attributes) -> Iterator[int]:
    entries = [e for found in index.candidates(request) for e in found]
    return (e for e in sorted(entries) if request in members[e].condition)
