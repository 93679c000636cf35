"""Matches that are looked through one by one

Why: a decision takes the same few microseconds with ten routes or ten thousand, as long as each names an exact
    value of a tag or the requested model that few others share: such matches are found by their value. Matches with
    prefixes, with `not`, with ranges alone or with more than 64 values, and those that share one value, are asked
    one after the other, at about half a microsecond each. A hundred of them take five times as long as a whole
    decision is meant to.

Bad:
    version: 1
    tags: {desk: {}}
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes:
      everything-else: {match: {}, upstream: main}
      desk-000: {match: {tags: {desk: {prefix: desk-000-}}}, upstream: main}
      desk-001: {match: {tags: {desk: {prefix: desk-001-}}}, upstream: main}
      desk-002: {match: {tags: {desk: {prefix: desk-002-}}}, upstream: main}
      desk-003: {match: {tags: {desk: {prefix: desk-003-}}}, upstream: main}
      desk-004: {match: {tags: {desk: {prefix: desk-004-}}}, upstream: main}
      desk-005: {match: {tags: {desk: {prefix: desk-005-}}}, upstream: main}
      desk-006: {match: {tags: {desk: {prefix: desk-006-}}}, upstream: main}
      desk-007: {match: {tags: {desk: {prefix: desk-007-}}}, upstream: main}
      desk-008: {match: {tags: {desk: {prefix: desk-008-}}}, upstream: main}
      desk-009: {match: {tags: {desk: {prefix: desk-009-}}}, upstream: main}
      desk-010: {match: {tags: {desk: {prefix: desk-010-}}}, upstream: main}
      desk-011: {match: {tags: {desk: {prefix: desk-011-}}}, upstream: main}
      desk-012: {match: {tags: {desk: {prefix: desk-012-}}}, upstream: main}
      desk-013: {match: {tags: {desk: {prefix: desk-013-}}}, upstream: main}
      desk-014: {match: {tags: {desk: {prefix: desk-014-}}}, upstream: main}
      desk-015: {match: {tags: {desk: {prefix: desk-015-}}}, upstream: main}
      desk-016: {match: {tags: {desk: {prefix: desk-016-}}}, upstream: main}
      desk-017: {match: {tags: {desk: {prefix: desk-017-}}}, upstream: main}
      desk-018: {match: {tags: {desk: {prefix: desk-018-}}}, upstream: main}
      desk-019: {match: {tags: {desk: {prefix: desk-019-}}}, upstream: main}
      desk-020: {match: {tags: {desk: {prefix: desk-020-}}}, upstream: main}
      desk-021: {match: {tags: {desk: {prefix: desk-021-}}}, upstream: main}
      desk-022: {match: {tags: {desk: {prefix: desk-022-}}}, upstream: main}
      desk-023: {match: {tags: {desk: {prefix: desk-023-}}}, upstream: main}
      desk-024: {match: {tags: {desk: {prefix: desk-024-}}}, upstream: main}
      desk-025: {match: {tags: {desk: {prefix: desk-025-}}}, upstream: main}
      desk-026: {match: {tags: {desk: {prefix: desk-026-}}}, upstream: main}
      desk-027: {match: {tags: {desk: {prefix: desk-027-}}}, upstream: main}
      desk-028: {match: {tags: {desk: {prefix: desk-028-}}}, upstream: main}
      desk-029: {match: {tags: {desk: {prefix: desk-029-}}}, upstream: main}
      desk-030: {match: {tags: {desk: {prefix: desk-030-}}}, upstream: main}
      desk-031: {match: {tags: {desk: {prefix: desk-031-}}}, upstream: main}
      desk-032: {match: {tags: {desk: {prefix: desk-032-}}}, upstream: main}
      desk-033: {match: {tags: {desk: {prefix: desk-033-}}}, upstream: main}
      desk-034: {match: {tags: {desk: {prefix: desk-034-}}}, upstream: main}
      desk-035: {match: {tags: {desk: {prefix: desk-035-}}}, upstream: main}
      desk-036: {match: {tags: {desk: {prefix: desk-036-}}}, upstream: main}
      desk-037: {match: {tags: {desk: {prefix: desk-037-}}}, upstream: main}
      desk-038: {match: {tags: {desk: {prefix: desk-038-}}}, upstream: main}
      desk-039: {match: {tags: {desk: {prefix: desk-039-}}}, upstream: main}
      desk-040: {match: {tags: {desk: {prefix: desk-040-}}}, upstream: main}
      desk-041: {match: {tags: {desk: {prefix: desk-041-}}}, upstream: main}
      desk-042: {match: {tags: {desk: {prefix: desk-042-}}}, upstream: main}
      desk-043: {match: {tags: {desk: {prefix: desk-043-}}}, upstream: main}
      desk-044: {match: {tags: {desk: {prefix: desk-044-}}}, upstream: main}
      desk-045: {match: {tags: {desk: {prefix: desk-045-}}}, upstream: main}
      desk-046: {match: {tags: {desk: {prefix: desk-046-}}}, upstream: main}
      desk-047: {match: {tags: {desk: {prefix: desk-047-}}}, upstream: main}
      desk-048: {match: {tags: {desk: {prefix: desk-048-}}}, upstream: main}
      desk-049: {match: {tags: {desk: {prefix: desk-049-}}}, upstream: main}
      desk-050: {match: {tags: {desk: {prefix: desk-050-}}}, upstream: main}
      desk-051: {match: {tags: {desk: {prefix: desk-051-}}}, upstream: main}
      desk-052: {match: {tags: {desk: {prefix: desk-052-}}}, upstream: main}
      desk-053: {match: {tags: {desk: {prefix: desk-053-}}}, upstream: main}
      desk-054: {match: {tags: {desk: {prefix: desk-054-}}}, upstream: main}
      desk-055: {match: {tags: {desk: {prefix: desk-055-}}}, upstream: main}
      desk-056: {match: {tags: {desk: {prefix: desk-056-}}}, upstream: main}
      desk-057: {match: {tags: {desk: {prefix: desk-057-}}}, upstream: main}
      desk-058: {match: {tags: {desk: {prefix: desk-058-}}}, upstream: main}
      desk-059: {match: {tags: {desk: {prefix: desk-059-}}}, upstream: main}
      desk-060: {match: {tags: {desk: {prefix: desk-060-}}}, upstream: main}
      desk-061: {match: {tags: {desk: {prefix: desk-061-}}}, upstream: main}
      desk-062: {match: {tags: {desk: {prefix: desk-062-}}}, upstream: main}
      desk-063: {match: {tags: {desk: {prefix: desk-063-}}}, upstream: main}
      desk-064: {match: {tags: {desk: {prefix: desk-064-}}}, upstream: main}
      desk-065: {match: {tags: {desk: {prefix: desk-065-}}}, upstream: main}
      desk-066: {match: {tags: {desk: {prefix: desk-066-}}}, upstream: main}
      desk-067: {match: {tags: {desk: {prefix: desk-067-}}}, upstream: main}
      desk-068: {match: {tags: {desk: {prefix: desk-068-}}}, upstream: main}
      desk-069: {match: {tags: {desk: {prefix: desk-069-}}}, upstream: main}
      desk-070: {match: {tags: {desk: {prefix: desk-070-}}}, upstream: main}
      desk-071: {match: {tags: {desk: {prefix: desk-071-}}}, upstream: main}
      desk-072: {match: {tags: {desk: {prefix: desk-072-}}}, upstream: main}
      desk-073: {match: {tags: {desk: {prefix: desk-073-}}}, upstream: main}
      desk-074: {match: {tags: {desk: {prefix: desk-074-}}}, upstream: main}
      desk-075: {match: {tags: {desk: {prefix: desk-075-}}}, upstream: main}
      desk-076: {match: {tags: {desk: {prefix: desk-076-}}}, upstream: main}
      desk-077: {match: {tags: {desk: {prefix: desk-077-}}}, upstream: main}
      desk-078: {match: {tags: {desk: {prefix: desk-078-}}}, upstream: main}
      desk-079: {match: {tags: {desk: {prefix: desk-079-}}}, upstream: main}
      desk-080: {match: {tags: {desk: {prefix: desk-080-}}}, upstream: main}
      desk-081: {match: {tags: {desk: {prefix: desk-081-}}}, upstream: main}
      desk-082: {match: {tags: {desk: {prefix: desk-082-}}}, upstream: main}
      desk-083: {match: {tags: {desk: {prefix: desk-083-}}}, upstream: main}
      desk-084: {match: {tags: {desk: {prefix: desk-084-}}}, upstream: main}
      desk-085: {match: {tags: {desk: {prefix: desk-085-}}}, upstream: main}
      desk-086: {match: {tags: {desk: {prefix: desk-086-}}}, upstream: main}
      desk-087: {match: {tags: {desk: {prefix: desk-087-}}}, upstream: main}
      desk-088: {match: {tags: {desk: {prefix: desk-088-}}}, upstream: main}
      desk-089: {match: {tags: {desk: {prefix: desk-089-}}}, upstream: main}
      desk-090: {match: {tags: {desk: {prefix: desk-090-}}}, upstream: main}
      desk-091: {match: {tags: {desk: {prefix: desk-091-}}}, upstream: main}
      desk-092: {match: {tags: {desk: {prefix: desk-092-}}}, upstream: main}
      desk-093: {match: {tags: {desk: {prefix: desk-093-}}}, upstream: main}
      desk-094: {match: {tags: {desk: {prefix: desk-094-}}}, upstream: main}
      desk-095: {match: {tags: {desk: {prefix: desk-095-}}}, upstream: main}
      desk-096: {match: {tags: {desk: {prefix: desk-096-}}}, upstream: main}
      desk-097: {match: {tags: {desk: {prefix: desk-097-}}}, upstream: main}
      desk-098: {match: {tags: {desk: {prefix: desk-098-}}}, upstream: main}
      desk-099: {match: {tags: {desk: {prefix: desk-099-}}}, upstream: main}
      desk-100: {match: {tags: {desk: {prefix: desk-100-}}}, upstream: main}

Good:
    version: 1
    tags: {desk: {}}
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
      second: {dialect: openai, base_url: "https://second.example.net/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    routes:
      everything-else: {match: {}, upstream: main}
      desk-000: {match: {tags: {desk: desk-000}}, upstream: main}
      desk-001: {match: {tags: {desk: desk-001}}, upstream: main}
      desk-002: {match: {tags: {desk: desk-002}}, upstream: main}

Effect: each request waits for as many comparisons as there are such matches.

Fix: name an exact value in each match, such as a tag with declared values, that few other matches name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.policy.model import Match
from route_run.table.attributes import MODEL
from route_run.table.index import Index

SEVERITY = Severity.INFO
CONFIDENCE = Confidence.PROVED
MOST = 100
"""How many matches one request may be held against: about 50 µs, a seventh of what a request may cost in all."""


def check(facts: Facts) -> Iterator[Finding]:
    """Routes, and bounds with a condition, of which a single request may have to be held against very many."""
    table, policy = facts.table, facts.policy
    routes = [route.name for route in table.matched]
    bounds = [bound.name for bound in table.bounds]
    conditional = [name for name in bounds if policy.bounds[name].match != Match()]
    yield from _crowded(facts, "routes", table.route_index, routes, routes)
    yield from _crowded(facts, "bounds", table.bound_index, bounds, conditional)


def _crowded(
    facts: Facts, section: str, index: Index, names: Sequence[str], counted: Sequence[str]
) -> Iterator[Finding]:
    alike = [("name no exact value", index.rest)]
    for dimension, values in sorted(index.files.items()):
        value, entries = max(values.items(), key=lambda item: (len(item[1]), item[0] is not None, item[0] or ""))
        alike.append((f"name {_named(dimension, value)}", entries))
    wanted = set(counted)
    crowds = [(how, [names[entry] for entry in entries if names[entry] in wanted]) for how, entries in alike]
    together = sum(len(crowd) for _, crowd in crowds)
    if together <= MOST:
        return
    how, largest = max(crowds, key=lambda crowd: len(crowd[1]))
    places = sorted((facts.name_span(section, name), name) for name in largest)
    (first, _), (last, name) = places[0], places[-1]
    yield Finding(
        Code.LOOKED_THROUGH,
        first,
        f"one request may be held against {together} {section}, one by one: {len(largest)} of them {how}",
        severity=SEVERITY,
        labels=(Label(last, f"`{name}` is the last of them"),),
        help="give each match an exact value that few others share, such as one value of a declared tag",
        effect=f"a decision takes about {together / 2:.0f} µs instead of a few, and more with each of them",
    )


def _named(dimension: str, value: str | None) -> str:
    which = "the requested model" if dimension == MODEL else f"the tag `{dimension}`"
    return f"`{value}` as {which}" if value is not None else f"the absence of {which}"
