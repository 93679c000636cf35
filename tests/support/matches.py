"""Random matches, and what they mean by brute force: an evaluator that shares no code with the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from route_run.policy import Capability
from route_run.policy.model import Match, Tag
from route_run.table import Attributes, Region, Vocabulary

FRESH = "\uffff"
TAGS: Mapping[str, dict[str, Any]] = {
    "desk": {"values": ["support", "sales", "sell"], "required": True},
    "tier": {"values": ["gold", "silver"]},
    "tenant": {},
}
"""A closed required tag, a closed optional one, an open one."""
VALUES = {"desk": ["support", "sales", "sell"], "tier": ["gold", "silver"], "tenant": ["acme", "ac", "zeta"]}
PREFIXES = {"desk": ["s", "sa"], "tier": ["g"], "tenant": ["a", "ac", "other"]}
MODELS = ["fast", "fast-2"]
TOKENS = [0, 5, 6, 20, 21, 500, 1004, 1005, 2000]

SMALLEST = {
    frozenset(): 5,
    frozenset({Capability.TOOLS}): 5,
    frozenset({Capability.IMAGES}): 1004,
    frozenset({Capability.TOOLS, Capability.IMAGES}): 1004,
}
"""The smallest estimate of a request by its needs: 4 for its message, and one byte or an image.

A message in the role of a tool needs tools and holds one byte: tools by themselves make no request larger.
"""


def conditions(values: list[str], prefixes: list[str]) -> st.SearchStrategy[Any]:
    """Conditions as documents write them."""
    atoms = st.sampled_from(values) | st.sampled_from(prefixes).map(lambda prefix: {"prefix": prefix})
    lists = st.lists(atoms, min_size=1, max_size=3)
    present = st.booleans().map(lambda wanted: {"present": wanted})
    return atoms | lists | (atoms | lists).map(lambda inner: {"not": inner}) | present


def matches() -> st.SearchStrategy[dict[str, Any]]:
    """Matches as documents write them, over ``TAGS``."""
    tags = st.fixed_dictionaries({}, optional={tag: conditions(VALUES[tag], PREFIXES[tag]) for tag in TAGS})
    tokens = st.dictionaries(st.sampled_from(["min", "max"]), st.sampled_from(TOKENS), min_size=1)
    needs = st.dictionaries(st.sampled_from(["tools", "images"]), st.booleans(), min_size=1)
    return st.fixed_dictionaries(
        {},
        optional={
            "tags": tags,
            "requested_model": conditions(MODELS, ["fast", "f"]),
            "prompt_tokens": tokens,
            "needs": needs,
        },
    )


def region(match: Mapping[str, Any]) -> Region:
    """The engine's region of a written match, within the domains of ``TAGS``."""
    vocabulary = Vocabulary.of({name: Tag.decode(tag) for name, tag in TAGS.items()})
    return vocabulary.region(Match.decode(match))


SPACE: Mapping[str, list[Any]] = {
    "desk": VALUES["desk"],
    "tier": [None, *VALUES["tier"]],
    "tenant": [None, "", FRESH, *VALUES["tenant"], *(text + FRESH for text in ["a", "ac", "acme", "zeta", "other"])],
    "model": [None, "", FRESH, *MODELS, *(text + FRESH for text in ["f", "fast", "fast-2"])],
    "content": [
        (size, needs)
        for size in sorted({size + more for size in TOKENS for more in (-1, 0, 1)})
        for needs, smallest in SMALLEST.items()
        if size >= smallest
    ],
}
"""Per dimension every value that can tell two matches apart; size and needs depend on each other."""


def requests() -> st.SearchStrategy[Attributes]:
    """Requests that the vocabulary allows."""
    return st.fixed_dictionaries({dimension: st.sampled_from(values) for dimension, values in SPACE.items()}).map(
        lambda drawn: Attributes(
            {tag: drawn[tag] for tag in TAGS if drawn[tag] is not None}, drawn["model"], *drawn["content"]
        )
    )


def members(match: Mapping[str, Any]) -> tuple[frozenset[Any], ...]:
    """What a match allows in each dimension; a request is in it when it is in all of them."""
    tags = match.get("tags", {})
    found = [frozenset(v for v in SPACE[tag] if allows(tags[tag], v)) if tag in tags else frozenset(SPACE[tag])
             for tag in TAGS]  # fmt: skip
    wanted = match.get("requested_model", {"not": []})
    models = frozenset(value for value in SPACE["model"] if allows(wanted, value))
    contents = frozenset((size, needs) for size, needs in SPACE["content"] if _fits(match, size, needs))
    return (*found, models, contents)


def allows(condition: Any, value: str | None) -> bool:
    """Whether a written condition allows a value, None being absence."""
    if isinstance(condition, Mapping) and "present" in condition:
        return (value is not None) is condition["present"]
    if isinstance(condition, Mapping) and "not" in condition:
        return not allows(condition["not"], value)
    if isinstance(condition, list):
        return any(allows(atom, value) for atom in condition)
    if value is None:
        return False
    return value.startswith(condition["prefix"]) if isinstance(condition, Mapping) else value == condition


def holds(match: Mapping[str, Any], request: Attributes) -> bool:
    """Whether a written match means a request."""
    return (
        all(allows(condition, request.tags.get(tag)) for tag, condition in match.get("tags", {}).items())
        and ("requested_model" not in match or allows(match["requested_model"], request.requested_model))
        and _fits(match, request.prompt_tokens, request.needs)
    )


def _fits(match: Mapping[str, Any], size: int, needs: frozenset[Capability]) -> bool:
    limits = match.get("prompt_tokens", {})
    is_sized = limits.get("min", 0) <= size <= limits.get("max", size)
    return is_sized and all((Capability(need) in needs) is wanted for need, wanted in match.get("needs", {}).items())
