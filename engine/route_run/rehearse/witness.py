"""Requests to start a rehearsal from: one inside of a region and outside of others, found by the match algebra.

Decides whether there is such a request at all, within a bound on the search.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from route_run.flow.decide import decide
from route_run.flow.plan import Plan
from route_run.flow.request import PromptRequest
from route_run.policy import Capability
from route_run.policy.rehearsal import RequestScript
from route_run.rehearse.request import request_of
from route_run.table import Attributes, Region, Route, RoutingTable, ValueSet, smallest_prompt

MOST_STEPS = 5_000
"""Regions looked at before the search is given up."""
MOST_CANDIDATES = 50
"""Requests that are looked at for one that is sent somewhere."""
PROMPT = "Hello"
_PROMPT_TOKENS = 6
"""The estimate of ``PROMPT``."""
_CONTENT = ("prompt", "prompt_tokens", "messages")
_ANYTHING = ValueSet.everything()
_JSON_ANSWER = {"type": "json_schema", "json_schema": {"type": "object"}}
_TOOL = {"name": "look_up"}
_IMAGE = [
    {
        "role": "user",
        "content": [{"type": "text", "text": PROMPT}, {"type": "image", "url": "https://example.com/a.png"}],
    }
]


@dataclass(slots=True)
class _Search:
    """How much of the search is left."""

    left: int = MOST_STEPS


def outside(region: Region, others: Sequence[Region]) -> Attributes | None:
    """A request in a region and in none of the others; None when there is none, or none was found in time."""
    found = _narrowed(region, list(others), _Search())
    return None if found is None else found.witness()


def _narrowed(region: Region, others: list[Region], search: _Search) -> Region | None:
    search.left -= 1
    if search.left < 0:
        return None
    rival = next((other for other in others if (region & other) is not None), None)
    if rival is None:
        return region
    rest = [other for other in others if other is not rival]
    for part in _parts_outside(region, rival):
        found = _narrowed(part, rest, search)
        if found is not None:
            return found
    return None


def _parts_outside(region: Region, rival: Region) -> Iterator[Region]:
    """Parts of a region that lie outside of a rival; together all of what does."""
    for dimension, allowed in rival.values.items():
        left = region.values.get(dimension, _ANYTHING) & ~allowed
        if not left.is_empty:
            yield replace(region, values={**region.values, dimension: left})
    low, high = region.tokens
    rival_low, rival_high = rival.tokens
    if rival_high is not None and (high is None or high > rival_high):
        yield replace(region, tokens=(max(low, rival_high + 1), high))
    if low < rival_low and low < max(rival_low, smallest_prompt(frozenset())):
        yield replace(region, tokens=(low, rival_low - 1 if high is None else min(high, rival_low - 1)))
    for need, wanted in rival.needs.items():
        if need not in region.needs:
            needs = {**region.needs, need: not wanted}
            smallest = smallest_prompt(frozenset(n for n, is_needed in needs.items() if is_needed))
            if high is None or smallest <= high:
                yield replace(region, needs=needs, tokens=(max(low, smallest), high))


class Witnesses:
    """Finds requests for a table; each is proved by deciding it."""

    def __init__(self, table: RoutingTable) -> None:
        self._table = table
        self._everything = Region(dict(table.vocabulary.domains), (smallest_prompt(frozenset()), None), {})

    @property
    def everything(self) -> Region:
        """All requests there can be."""
        return self._everything

    def for_route(
        self, route: Route, within: Sequence[Region] = (), without: Sequence[Region] = ()
    ) -> Mapping[str, Any] | None:
        """A request that a route decides, in all of some regions and in none of others; as a rehearsal writes it."""
        if route.region is None and not route.callable:
            return None
        region: Region | None = self._everything
        rivals = list(without)
        name = None
        if route.callable:
            name = route.name
        elif route.region is not None:
            region = route.region & self._everything
            rivals += self._before(route)
        found = self._in(region, within, rivals)
        if found is None and route.callable and route.region is not None:
            return None
        return None if found is None else request_fields(found, name)

    def sent_to(self, route: Route, within: Sequence[Region] = ()) -> Mapping[str, Any] | None:
        """A request that a route decides, one that is sent somewhere if there is such a one."""
        restricting = [bound.region for bound in self._table.bounds if bound.labels]
        return self._best(self.for_route(route, within, without) for without in ((), restricting))

    def for_region(self, region: Region) -> Mapping[str, Any] | None:
        """A request of a region that some route takes, one that is sent somewhere if there is such a one."""
        return self._best(self.sent_to(route, [region]) for route in self._table.routes.values())

    def _best(self, candidates: Iterable[Mapping[str, Any] | None]) -> Mapping[str, Any] | None:
        first = None
        for fields in islice((fields for fields in candidates if fields is not None), MOST_CANDIDATES):
            if self.plan(fields).stop is None:
                return fields
            first = first or fields
        return first

    def for_guard(self, name: str) -> Mapping[str, Any] | None:
        """A request that makes a guard fire, from the texts that its patterns must match."""
        scanner = self._table.scanners[name]
        for pattern in scanner.patterns:
            for text in pattern.must_match:
                if scanner.scan([text]).fired:
                    return self.asking(name, text)
        together = " ".join(pattern.must_match[0] for pattern in scanner.patterns if pattern.must_match)
        return self.asking(name, together) if scanner.scan([together]).fired else None

    def asking(self, guard: str, text: str) -> Mapping[str, Any] | None:
        """A request with this prompt that a guard is asked about."""
        for bound in self._table.bounds:
            found = self.for_region(bound.region) if guard in bound.guards else None
            if found is not None:
                rest = {key: value for key, value in found.items() if key not in _CONTENT}
                return {"prompt": text, **rest}
        return None

    def plan(self, fields: Mapping[str, Any]) -> Plan:
        """What the policy decides for a request."""
        return decide(self._table, as_request(fields))

    def _before(self, route: Route) -> list[Region]:
        """The matches that win over a route's."""
        before: list[Region] = []
        for other in self._table.matched:
            if other.name == route.name:
                break
            if other.region is not None:
                before.append(other.region)
        return before

    def _in(self, region: Region | None, within: Sequence[Region], rivals: Sequence[Region]) -> Attributes | None:
        for part in within:
            if region is None:
                return None
            region = region & part
        return None if region is None else outside(region, rivals)


def request_fields(attributes: Attributes, route: str | None = None) -> dict[str, Any]:
    """A request with these attributes, as a rehearsal writes it."""
    fields: dict[str, Any] = {}
    needs = attributes.needs
    if Capability.IMAGES in needs:
        fields["messages"] = _IMAGE
    elif attributes.prompt_tokens > _PROMPT_TOKENS:
        fields["prompt_tokens"] = attributes.prompt_tokens
    else:
        fields["prompt"] = PROMPT
    if attributes.tags:
        fields["tags"] = dict(sorted(attributes.tags.items()))
    if attributes.requested_model is not None:
        fields["requested_model"] = attributes.requested_model
    if route is not None:
        fields["route"] = route
    if Capability.JSON in needs:
        fields["response_format"] = _JSON_ANSWER
    if Capability.TOOLS in needs:
        fields["tools"] = [_TOOL]
    return fields


def as_request(fields: Mapping[str, Any]) -> PromptRequest:
    """The request that a rehearsal with these fields makes."""
    return request_of(RequestScript.decode(dict(fields)))


def as_yaml(value: Any) -> str:
    """A value in flow style: JSON with bare words where YAML reads them as the same text."""
    match value:
        case Mapping():
            return "{" + ", ".join(f"{as_yaml(str(key))}: {as_yaml(entry)}" for key, entry in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(map(as_yaml, value)) + "]"
        case str() if _is_bare(value):
            return value
        case _:
            return json.dumps(value, ensure_ascii=False)


_WORDS_WITH_A_MEANING = frozenset("true false null yes no on off y n none ~".split())


def _is_bare(text: str) -> bool:
    """Whether a text is itself in YAML without quotes: a plain word that nothing reads as something else."""
    plain = text.replace("-", "").replace("_", "")
    is_word = plain.isascii() and plain.isalnum() and text[:1].isalpha()
    return is_word and text.casefold() not in _WORDS_WITH_A_MEANING
