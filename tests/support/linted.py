"""Small policies for lint, every request that can tell their routes apart, and edits applied to texts."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import Any

from hypothesis import strategies as st

from route_run.errors import Edit, Finding
from route_run.lint.check import lint
from route_run.lint.facts import Facts
from route_run.policy import Capability
from route_run.table import Attributes, Loaded
from support import matches
from support.reading import loaded_from

FRESH = "\uffff"
TAGS: Mapping[str, dict[str, Any]] = {
    "a": {"values": ["x", "y", "z"], "required": True},
    "b": {"values": ["x", "y"]},
    "c": {},
}
SPACE: Mapping[str, list[Any]] = {
    "a": ["x", "y", "z"],
    "b": [None, "x", "y"],
    "c": [None, "p", "pq", f"p{FRESH}", FRESH],
    "tokens": [5, 10, 11, 2000],
    "needs": [frozenset(), frozenset({Capability.TOOLS})],
}
REQUESTS = [
    Attributes({t: v for t, v in zip("abc", tags, strict=True) if v is not None}, None, tokens, needs)
    for *tags, tokens, needs in itertools.product(*SPACE.values())
]
"""Every request that can tell two of the matches below apart."""

ENDPOINT = '{dialect: openai, base_url: "https://%s.example/v1", serves: {m: {}}, labels: %s}'
ENDPOINTS = [{"region": "eu", "vendor": "one"}, {"region": "us", "vendor": "one"}, {"region": "us", "vendor": "two"}]


def _conditions(values: list[str]) -> st.SearchStrategy[Any]:
    lists = st.lists(st.sampled_from(values), min_size=1, max_size=2, unique=True)
    return st.sampled_from(values) | lists | lists.map(lambda inner: {"not": inner}) | st.just({"present": True})


def small_matches() -> st.SearchStrategy[dict[str, Any]]:
    """Matches over ``TAGS``; small sets, so that they cover each other often."""
    tags = st.fixed_dictionaries(
        {},
        optional={
            "a": _conditions(["x", "y", "z"]),
            "b": _conditions(["x", "y"]),
            "c": _conditions(["p", "pq"]) | st.just({"prefix": "p"}),
        },
    )
    tokens = st.sampled_from([{"max": 10}, {"min": 11}])
    needs = st.booleans().map(lambda wanted: {"tools": wanted})
    written = st.fixed_dictionaries({}, optional={"tags": tags, "prompt_tokens": tokens, "needs": needs})
    return st.just({}) | tags.map(lambda inner: {"tags": inner}) | written


def members(match: Mapping[str, Any]) -> frozenset[int]:
    """The requests that a match means, by number."""
    return _members(json.dumps(match, sort_keys=True))


@lru_cache(maxsize=4096)
def _members(written: str) -> frozenset[int]:
    match = json.loads(written)
    return frozenset(number for number, request in enumerate(REQUESTS) if matches.holds(match, request))


def beats(one: tuple[Any, int], other: tuple[Any, int]) -> bool:
    """Whether a route surely wins over another: by precedence, else by a strictly narrower match."""
    return one[1] > other[1] or (one[1] == other[1] and members(one[0]) < members(other[0]))


@st.composite
def ranked_routes(draw: st.DrawFn) -> list[tuple[Any, int]]:
    """Routes as (match, precedence), each two of which can be ranked, and none of which is empty."""
    kept: list[tuple[Any, int]] = []
    for route in draw(st.lists(st.tuples(small_matches(), st.sampled_from([0, 0, 0, 1, 5])), min_size=1, max_size=8)):
        overlapping = [other for other in kept if members(route[0]) & members(other[0])]
        if members(route[0]) and all(beats(route, other) or beats(other, route) for other in overlapping):
            kept.append(route)
    return kept


def policy_of(routes: list[tuple[Any, int]], bounds: Iterable[tuple[Any, Any]] = (), **fields: Any) -> Loaded:
    """A policy of routes `r0`, `r1`, … and bounds `b0`, `b1`, … (a match and allowed labels each)."""
    text = json.dumps(
        {
            "version": 1,
            "tags": dict(TAGS),
            "routes": {
                f"r{n}": {"match": match, "precedence": precedence, "upstream": "all", **fields}
                for n, (match, precedence) in enumerate(routes)
            },
            "bounds": {f"b{n}": {"match": match, "targets": labels} for n, (match, labels) in enumerate(bounds)},
        }
    )
    return loaded_from({"base.yaml": BASE, "policy.yaml": text})


BASE = "version: 1\nendpoints:\n" + "".join(
    f"  e{n}: {ENDPOINT % (f'e{n}', json.dumps(labels))}\n" for n, labels in enumerate(ENDPOINTS)
)
BASE += "models: {m: {context_window: 10000, max_output_tokens: 1000, capabilities: [tools]}}\n"
BASE += "upstreams: {all: {targets: [{endpoint: e0, model: m}, {endpoint: e1, model: m}, {endpoint: e2, model: m}]}}\n"


def linted(files: str | dict[str, str]) -> list[Finding]:
    """What lint has to say of a policy on one certain day."""
    return list(lint(loaded_from(files), today=date(2026, 11, 23)))


def named(findings: Iterable[Finding], *codes: str) -> list[Finding]:
    """The findings of some codes."""
    return [finding for finding in findings if finding.code.value in codes]


def facts_of(loaded: Loaded) -> Facts:
    """What rules are asked about."""
    return Facts(loaded)


def edited(text: str, edits: Iterable[Edit]) -> str:
    """A text with edits made, the last first."""
    lines = text.splitlines(keepends=True)
    starts = [0, *itertools.accumulate(map(len, lines))]
    for edit in sorted(edits, key=lambda edit: edit.span, reverse=True):
        start = starts[edit.span.start.line - 1] + edit.span.start.column - 1
        end = starts[edit.span.end.line - 1] + edit.span.end.column - 1
        text = text[:start] + edit.text + text[end:]
    return text
