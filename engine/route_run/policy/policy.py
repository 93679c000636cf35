"""The policy: what all documents together say, with the place of everything said."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from route_run.errors import Span
from route_run.policy.model import Bound, Endpoint, Guard, LanguageModel, Ledger, Pack, Route, Tag, Upstream, Webhook
from route_run.policy.shape import Model
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


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an item stands: its document and the keys that lead to it."""

    document: Document
    keys: tuple[str | int, ...]

    def span(self, *keys: str | int) -> Span:
        """The span of a value inside the item; of the item's name when no key is given."""
        return self.document.span_of((*self.keys, *keys)) if keys else self.document.span_of_key(self.keys)

    def key_span(self, *keys: str | int) -> Span:
        """The span of a key inside the item."""
        return self.document.span_of_key((*self.keys, *keys))


@dataclass(frozen=True, slots=True)
class Policy:
    """All items that could be decoded, by section and name.

    ``names`` also holds items that were skipped for findings of their own, so that what refers to
    them is not blamed. ``files`` are the files that items name, by section, item and field.
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
