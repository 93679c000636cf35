"""Matches as sets of requests: a product of one set per attribute.

Decides containment, overlap and emptiness of matches, and finds a request inside one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from route_run.policy import Capability
from route_run.policy.model import Match, Tag
from route_run.table.attributes import MODEL, Attributes, smallest_prompt
from route_run.table.values import ValueSet, from_condition

_EVERYTHING = ValueSet.everything()


class Relation(Enum):
    """How two matches lie to each other."""

    DISJOINT = "disjoint"
    EQUAL = "equal"
    INSIDE = "inside"
    AROUND = "around"
    CROSSING = "crossing"


@dataclass(frozen=True, slots=True)
class Region:
    """A set of requests: all of its dimensions hold together.

    ``values`` holds the dimensions that are restricted at all; ``tokens`` the smallest and the
    largest estimate (None is open); ``needs`` what must be needed (True) or must not be (False).
    """

    values: Mapping[str, ValueSet]
    tokens: tuple[int, int | None]
    needs: Mapping[Capability, bool]

    def __contains__(self, request: Attributes) -> bool:
        for dimension, allowed in self.values.items():
            if request.value(dimension) not in allowed:
                return False
        low, high = self.tokens
        if request.prompt_tokens < low or (high is not None and request.prompt_tokens > high):
            return False
        return all((need in request.needs) is wanted for need, wanted in self.needs.items())

    def misses(self, request: Attributes) -> tuple[str, ...]:
        """The conditions that a request fails, in words; empty for a request of the region."""
        failed = [
            f"{dimension or 'requested model'} {allowed}"
            for dimension, allowed in self.values.items()
            if request.value(dimension) not in allowed
        ]
        low, high = self.tokens
        if request.prompt_tokens < low:
            failed.append(f"at least {low} prompt tokens")
        if high is not None and request.prompt_tokens > high:
            failed.append(f"at most {high} prompt tokens")
        failed += [
            f"{need.value} {'needed' if wanted else 'not needed'}"
            for need, wanted in self.needs.items()
            if (need in request.needs) is not wanted
        ]
        return tuple(failed)

    @property
    def is_empty(self) -> bool:
        low, high = self.tokens
        return (high is not None and low > high) or any(v.is_empty for v in self.values.values())

    def __and__(self, other: Region) -> Region | None:
        """The requests in both; None when there are none."""
        needs = {**self.needs, **other.needs}
        if any(needs[need] is not wanted for need, wanted in self.needs.items()):
            return None
        values = dict(self.values)
        for dimension, allowed in other.values.items():
            values[dimension] = values[dimension] & allowed if dimension in values else allowed
            if values[dimension].is_empty:
                return None
        highs = [high for high in (self.tokens[1], other.tokens[1]) if high is not None]
        low = max(self.tokens[0], other.tokens[0], smallest_prompt(_wanted(needs)))
        region = Region(values, (low, min(highs, default=None)), needs)
        return None if region.is_empty else region

    def __le__(self, other: Region) -> bool:
        """Whether every request of this region is in the other; this one must not be empty."""
        if any(self._asks(need) is not wanted for need, wanted in other.needs.items()):
            return False
        if any(not self.values.get(d, _EVERYTHING) <= allowed for d, allowed in other.values.items()):
            return False
        (low, high), (other_low, other_high) = self.tokens, other.tokens
        return low >= other_low and (other_high is None or (high is not None and high <= other_high))

    def _asks(self, need: Capability) -> bool | None:
        """What is asked of a need; prompts that are too small for it do not have it, said or not."""
        high = self.tokens[1]
        is_too_small = high is not None and high < smallest_prompt(frozenset({need}))
        return False if is_too_small else self.needs.get(need)

    def relation(self, other: Region) -> Relation:
        """How this region lies to another; neither may be empty."""
        if (self & other) is None:
            return Relation.DISJOINT
        inside, around = self <= other, other <= self
        if inside and around:
            return Relation.EQUAL
        if inside:
            return Relation.INSIDE
        return Relation.AROUND if around else Relation.CROSSING

    def witness(self) -> Attributes:
        """One request of the region; the region must not be empty."""
        picked = {dimension: allowed.pick() for dimension, allowed in self.values.items()}
        tags = {d: value for d, value in picked.items() if d != MODEL and value is not None}
        return Attributes(tags, picked.get(MODEL), self.tokens[0], _wanted(self.needs))


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The domains of declared tags: what values a request can have at all."""

    domains: Mapping[str, ValueSet]

    @classmethod
    def of(cls, tags: Mapping[str, Tag]) -> Vocabulary:
        return cls({name: _domain(tag) for name, tag in tags.items()})

    def region(self, match: Match) -> Region:
        """The requests a written match means, within the domains of the tags; it may be empty."""
        written = as_written(match)
        # closed and required tags restrict every request, so also a match that does not name them
        values = {d: v for d, v in self.domains.items() if not v.is_everything}
        for dimension, allowed in written.values.items():
            values[dimension] = allowed & self.domains.get(dimension, _EVERYTHING)
        return Region(values, written.tokens, written.needs)


def as_written(match: Match) -> Region:
    """The requests a match means by its own conditions alone, whatever the domains of the tags."""
    values = {name: from_condition(condition) for name, condition in match.tags.items()}
    if match.requested_model is not None:
        values[MODEL] = from_condition(match.requested_model)
    asked = {
        Capability.JSON: match.needs.json_,
        Capability.TOOLS: match.needs.tools,
        Capability.IMAGES: match.needs.images,
    }
    needs = {need: wanted for need, wanted in asked.items() if wanted is not None}
    low = max(match.prompt_tokens.min or 0, smallest_prompt(_wanted(needs)))
    return Region(values, (low, match.prompt_tokens.max), needs)


def _domain(tag: Tag) -> ValueSet:
    if tag.values is not None:
        return ValueSet.of(tag.values, absent=not tag.required)
    return ValueSet(absent=not tag.required, rest=True)


def _wanted(needs: Mapping[Capability, bool]) -> frozenset[Capability]:
    return frozenset(need for need, wanted in needs.items() if wanted)
