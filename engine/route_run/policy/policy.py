"""The policy: what all documents together say, with the place of everything said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from route_run.errors import Span
from route_run.policy.model import Bound, Endpoint, Guard, LanguageModel, Ledger, Pack, Route, Tag, Upstream, Webhook
from route_run.policy.shape import Model, fields_of
from route_run.text import Document, Reading

SECTIONS: Mapping[str, type[Model]] = {
    "tags": Tag,
    "endpoints": Endpoint,
    "models": LanguageModel,
    "upstreams": Upstream,
    "guards": Guard,
    "bounds": Bound,
    "routes": Route,
    "webhooks": Webhook,
}
"""The sections that hold named items, with the model of one item."""
_SECTION_OF = {model: section for section, model in SECTIONS.items()}
T = TypeVar("T", bound=Model)


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item stands: its document and the keys that lead to it."""

    document: Document
    keys: tuple[str | int, ...]

    def span(self, *keys: str | int) -> Span:
        """The span of a value inside the item; of the item's name when no key is given."""
        return self.document.span_of((*self.keys, *keys)) if keys else self.document.span_of_key(self.keys)

    @property
    def raw(self) -> Any:
        """What the document holds there; None where that is nothing."""
        node: Any = self.document.data
        for key in self.keys:
            node = node.get(key) if isinstance(node, dict) else None
        return node

    def key_span(self, *keys: str | int) -> Span:
        """The span of a key inside the item."""
        return self.document.span_of_key((*self.keys, *keys))


LEFT_OUT = "\x00"
"""What stands for a name or a text that was found fault with: it is not to be judged."""


@dataclass(frozen=True, slots=True)
class Partial:
    """An item with an error, read without it.

    ``touched`` are the fields with an error, an empty name for one of the item itself; ``written``
    are all fields that stand there, known ones or not.
    """

    item: Any
    touched: frozenset[str]
    written: frozenset[str]

    def tells(self, *fields: str) -> bool:
        """Whether what the item says in some fields, or leaves out, is what its author meant."""
        known = {field.key for field in fields_of(type(self.item)).values()}
        may_be_misspelt = not self.touched <= known
        return not self.touched & set(fields) and (self.written >= set(fields) or not may_be_misspelt)


@dataclass(frozen=True, slots=True)
class Policy:
    """All items that could be decoded, by section and name.

    ``names`` also holds items that were skipped for findings of their own, so that what refers to
    them is not blamed; ``partial`` holds what could be read of them. ``files`` are the files that
    items name, by section, item and field.
    """

    reading: Reading
    tags: Mapping[str, Tag]
    endpoints: Mapping[str, Endpoint]
    models: Mapping[str, LanguageModel]
    upstreams: Mapping[str, Upstream]
    guards: Mapping[str, Guard]
    bounds: Mapping[str, Bound]
    routes: Mapping[str, Route]
    webhooks: Mapping[str, Webhook]
    ledger: Ledger
    packs: Mapping[str, Pack]
    names: Mapping[str, frozenset[str]]
    origins: Mapping[tuple[str, str], Origin]
    files: Mapping[tuple[str, str, str], bytes] = field(default_factory=dict)
    digest: str = ""
    partial: Mapping[str, Mapping[str, Partial]] = field(default_factory=dict)

    def read(self, model: type[T]) -> Iterator[tuple[str, T]]:
        """The items of a section, told by its model, with their names: what could be read of faulty ones comes last."""
        section = _SECTION_OF[model]
        yield from getattr(self, section).items()
        for name, partial in self.partial.get(section, {}).items():
            yield name, partial.item

    def find(self, model: type[T], name: str, *fields: str) -> T | None:
        """An item of which some fields at least are as they were meant; None when there is none."""
        section = _SECTION_OF[model]
        if not self.tells(section, name, *fields):
            return None
        items: Mapping[str, T] = getattr(self, section)
        return items[name] if name in items else self.partial[section][name].item

    def tells(self, section: str, name: str, *fields: str) -> bool:
        """Whether an item was read, and some of its fields without an error."""
        partial = self.partial.get(section, {}).get(name)
        return name in getattr(self, section) if partial is None else partial.tells(*fields)

    def origin(self, section: str, name: str) -> Origin:
        """Where an item stands; raises KeyError for a name the section does not have."""
        return self.origins[section, name]


def digest_of(merged: Mapping[str, Any], files: Mapping[tuple[str, str, str], bytes]) -> str:
    """The SHA-256 of a merged policy as canonical JSON plus the files it names, in hex.

    Comments, order and the places of things in files do not count; a reference counts by its text.
    """
    named = {"/".join(where): hashlib.sha256(content).hexdigest() for where, content in files.items()}
    canonical = json.dumps(
        {"policy": merged, "files": named}, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
