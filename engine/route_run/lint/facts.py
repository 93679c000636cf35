"""What rules are asked about: a loaded policy, and what several rules would otherwise compute again.

Decides nothing; holds the policy, the table and the text side by side.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from route_run.errors import Code, Finding, Span
from route_run.lint.destinations import Link, links_of
from route_run.lint.patterns import GuardPatterns, WrittenPattern, guards_of, patterns_of
from route_run.lint.texts import Text, texts_of
from route_run.policy import Policy
from route_run.table import Loaded, RoutingTable
from route_run.text import Document


@dataclass(frozen=True)
class Facts:
    """A policy as far as it could be compiled. Whatever loading found fault with is left out of it."""

    loaded: Loaded

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


def _overlap(one: Span, other: Span) -> bool:
    return one.path == other.path and one.start < other.end and other.start < one.end
