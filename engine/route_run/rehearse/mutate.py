"""Small changes of the policy that somebody might make by mistake: does any rehearsal notice?

Decides which changes are tried. A change that makes the policy invalid needs no rehearsal to be noticed.
"""

from __future__ import annotations

import copy
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any

from route_run.errors import Span
from route_run.policy import PlacedRehearsal
from route_run.policy.rehearsal import PARTS
from route_run.rehearse.clock import Backend
from route_run.rehearse.rehearsed import long_lived, rehearse_one
from route_run.table import Loaded, load_reading
from route_run.text import Document, Kind

Keys = tuple[str | int, ...]
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_NEVER = 1.0
"""A threshold that only the highest score reaches."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change: what it does in words, and where."""

    words: str
    span: Span
    change: Callable[[Any], None] = field(repr=False, compare=False)
    document: Document = field(repr=False, compare=False)


@dataclass(slots=True)
class Mutated:
    """What became of all changes: ``survivors`` are those that no rehearsal noticed."""

    tried: int = 0
    total: int = 0
    invalid: int = 0
    survivors: list[Mutant] = field(default_factory=list)
    is_cut: bool = False


def mutate(loaded: Loaded, backend: Backend, budget: float, clock: Callable[[], float] = time.monotonic) -> Mutated:
    """Try every change against the rehearsals of the policy, which have to hold without it."""
    mutants = list(mutants_of(loaded))
    mutated = Mutated(total=len(mutants))
    until = clock() + budget
    with long_lived():
        for mutant in mutants:
            if clock() >= until:
                mutated.is_cut = True
                break
            _try(loaded, mutant, mutated, backend)
    return mutated


def _try(loaded: Loaded, mutant: Mutant, mutated: Mutated, backend: Backend) -> None:
    mutated.tried += 1
    changed = _changed(loaded, mutant)
    if not changed.is_valid or changed.deferred:
        mutated.invalid += 1
        return
    if not _is_noticed(changed, loaded.rehearsals, backend):
        mutated.survivors.append(mutant)


def _is_noticed(changed: Loaded, rehearsals: Sequence[PlacedRehearsal], backend: Backend) -> bool:
    return any(not rehearse_one(changed, placed, backend).holds for placed in rehearsals)


def _changed(loaded: Loaded, mutant: Mutant) -> Loaded:
    """The policy with one change, compiled anew."""
    data = copy.deepcopy(mutant.document.data)
    mutant.change(data)
    documents = tuple(
        replace(document, data=data) if document is mutant.document else document
        for document in loaded.reading.documents
        if document.kind is not Kind.TEST
    )
    return load_reading(replace(loaded.reading, documents=documents))


# -- changes -----------------------------------------------------------------------------------------


def mutants_of(loaded: Loaded) -> Iterator[Mutant]:
    """Every change that is tried, in the order of the policy's lines."""
    labels: dict[str, set[str]] = {}
    for endpoint in loaded.partial.policy.endpoints.values():
        for label, value in endpoint.labels.items():
            labels.setdefault(label, set()).add(value)
    for document in loaded.reading.documents:
        if isinstance(document.data, dict) and document.kind is not Kind.TEST:
            yield from sorted(_of_document(document, document.data, labels), key=lambda mutant: mutant.span)


def _of_document(document: Document, data: Mapping[str, Any], labels: Mapping[str, set[str]]) -> Iterator[Mutant]:
    make = _Maker(document)
    if document.kind is Kind.PACK:
        yield from make.without_each(
            ("patterns",), data["patterns"], lambda pattern: f"drop the pattern {pattern['id']}"
        )
        return
    for name, endpoint in data.get("endpoints", {}).items():
        yield from _endpoint(make, name, endpoint)
    for name, model in data.get("models", {}).items():
        yield from _limits(make, ("models", name, "limits"), model.get("limits"), name)
    for name, upstream in data.get("upstreams", {}).items():
        yield from _upstream(make, name, upstream)
    for name, guard in data.get("guards", {}).items():
        yield from _guard(make, name, guard)
    for name, bound in data.get("bounds", {}).items():
        yield from _bound(make, name, bound, labels)
    for name, route in data.get("routes", {}).items():
        yield from _route(make, name, route)
    for name, webhook in data.get("webhooks", {}).items():
        keys = ("webhooks", name, "events")
        for number, event in enumerate(webhook["events"]):
            yield make.without((*keys, number), f"{name} is not told of {event}")


def _endpoint(make: _Maker, name: str, endpoint: Mapping[str, Any]) -> Iterator[Mutant]:
    yield from _limits(make, ("endpoints", name, "limits"), endpoint.get("limits"), name)
    for field_name, words in _PROTECTION.items():
        if endpoint.get(field_name):
            yield make.without(("endpoints", name, field_name), f"{name}: {words}")


_PROTECTION = {
    "breaker": "the usual breaker",
    "retry_budget": "the usual retry budget",
    "maintenance": "no maintenance",
    "drain": "not drained",
}


def _limits(make: _Maker, keys: Keys, limits: Mapping[str, Any] | None, owner: str) -> Iterator[Mutant]:
    """Each part ten times as large: a zero too many."""
    for part, value in (limits or {}).items():
        if part == "concurrent":
            yield make.with_value((*keys, part), value * 10, f"{owner}: ten times the {part}")
        elif part in PARTS:
            number, rest = _NUMBER.match(value), _NUMBER.sub("", value, count=1)
            tenfold = f"{Decimal(number[0]) * 10:f}{rest}" if number is not None else value
            yield make.with_value((*keys, part), tenfold, f"{owner}: ten times the {part}")
        elif part == "when_exceeded":
            yield make.without((*keys, part), f"{owner}: as usual where there is no room, not `{value}`")


def _upstream(make: _Maker, name: str, upstream: Mapping[str, Any]) -> Iterator[Mutant]:
    targets = upstream["targets"]
    keys = ("upstreams", name, "targets")
    for number in range(len(targets) - 1):
        first, second = (_target(targets[number + n]) for n in (0, 1))
        yield make.swapped(keys, number, f"{name}: ask {second} before {first}")
    yield from make.without_each(keys, targets, lambda target: f"{name}: drop the target {_target(target)}")
    for number, entry in enumerate(targets):
        inner = entry.get("targets", ())
        yield from make.without_each(
            (*keys, number, "targets"), inner, lambda target: f"{name}: drop the target {_target(target)}"
        )
        for place, target in ((("targets", n), t) for n, t in enumerate(inner)) if inner else (((), entry),):
            yield from _limits(make, (*keys, number, *place, "limits"), target.get("limits"), _target(target))
    if "hedge" in upstream:
        yield make.without(("upstreams", name, "hedge"), f"{name}: no hedge")
    for part in upstream.get("fallback", {}):
        yield make.without(("upstreams", name, "fallback", part), f"{name}: no `{part}` of the fallback")
    if upstream.get("retry", {}).get("attempts", 1) > 1:
        yield make.without(("upstreams", name, "retry"), f"{name}: never ask the same target again")
    for kind in upstream.get("timeouts", {}):
        yield make.with_value(("upstreams", name, "timeouts", kind), "10min", f"{name}: wait 10 minutes ({kind})")


def _target(target: Mapping[str, Any]) -> str:
    if "targets" in target:
        return f"({', '.join(map(_target, target['targets']))})"
    return f"{target.get('endpoint')}/{target.get('model')}"


def _guard(make: _Maker, name: str, guard: Mapping[str, Any]) -> Iterator[Mutant]:
    if isinstance(guard.get("patterns"), list):
        keys = ("guards", name, "patterns")
        yield from make.without_each(keys, guard["patterns"], lambda p: f"{name}: drop the pattern {p['id']}")
    yield from make.without_each(
        ("guards", name, "packs"), guard.get("packs", ()), lambda pack: f"{name}: drop the pack {pack}"
    )
    if guard.get("threshold", 0.8) < _NEVER:
        words = f"{name}: raise the threshold to {_NEVER:g}"
        yield make.with_value(("guards", name, "threshold"), _NEVER, words)
    if guard.get("then", "reject") != "flag":
        yield make.with_value(("guards", name, "then"), "flag", f"{name}: only flag what it finds")


def _bound(make: _Maker, name: str, bound: Mapping[str, Any], labels: Mapping[str, set[str]]) -> Iterator[Mutant]:
    yield make.without(("bounds", name), f"drop the bound {name}")
    for guard in range(len(bound.get("guards", ()))):
        words = f"{name}: do not ask the guard {bound['guards'][guard]}"
        yield make.without(("bounds", name, "guards", guard), words)
    for label, allowed in bound.get("targets", {}).items():
        every = sorted(labels.get(label, set()) | set(allowed))
        if every != sorted(allowed):
            yield make.with_value(("bounds", name, "targets", label), every, f"{name}: allow any {label}")
    for parameter in bound.get("parameters", {}):
        yield make.without(("bounds", name, "parameters", parameter), f"{name}: allow any {parameter}")
    yield from _limits(make, ("bounds", name, "limits"), bound.get("limits"), name)
    for value, limits in bound.get("except", {}).items():
        yield from _limits(make, ("bounds", name, "except", value), limits, f"{name} for {value}")
    if "per" in bound:
        yield make.without(("bounds", name, "per"), f"{name}: one share for all")


def _route(make: _Maker, name: str, route: Mapping[str, Any]) -> Iterator[Mutant]:
    for tag in (route.get("match") or {}).get("tags", {}):
        yield make.without(("routes", name, "match", "tags", tag), f"{name}: match any {tag}")
    for parameter, rule in route.get("parameters", {}).items():
        for field_name in rule:
            if field_name != "outside":
                keys = ("routes", name, "parameters", parameter, field_name)
                yield make.without(keys, f"{name}: no {field_name} of {parameter}")
    for field_name in ("verify", "precedence"):
        if field_name in route:
            yield make.without(("routes", name, field_name), f"{name}: no {field_name}")
    if (route.get("verify") or {}).get("repair"):
        yield make.without(("routes", name, "verify", "repair"), f"{name}: no repair")


class _Maker:
    """Makes changes of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document

    def without(self, keys: Keys, words: str) -> Mutant:
        def change(data: Any) -> None:
            del _at(data, keys[:-1])[keys[-1]]

        return self._mutant(words, keys, change)

    def without_each(self, keys: Keys, entries: Sequence[Any], words: Callable[[Any], str]) -> Iterator[Mutant]:
        for number, entry in enumerate(entries):
            yield self.without((*keys, number), words(entry))

    def swapped(self, keys: Keys, number: int, words: str) -> Mutant:
        def change(data: Any) -> None:
            entries = _at(data, keys)
            entries[number], entries[number + 1] = entries[number + 1], entries[number]

        return self._mutant(words, (*keys, number), change)

    def with_value(self, keys: Keys, value: object, words: str) -> Mutant:
        def change(data: Any) -> None:
            _at(data, keys[:-1])[keys[-1]] = value

        return self._mutant(words, keys, change)

    def _mutant(self, words: str, keys: Keys, change: Callable[[Any], None]) -> Mutant:
        return Mutant(words, self._document.span_of_key(keys), change, self._document)


def _at(data: Any, keys: Keys) -> Any:
    for key in keys:
        data = data[key]
    return data
