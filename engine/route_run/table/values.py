"""Sets of text values: what a condition allows, closed under and, or and not.

A set knows whether absence belongs to it, which prefixes are in or out, and which single values are
exceptions to that. Every question about it (is it empty, is it inside another, which value is in it)
is computed, never sampled.
"""

from __future__ import annotations

import sys
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import chain

from route_run.policy import Condition

_PLAIN_TEXTS = 100
"""How many made-up texts are tried that read well, before any letter is taken that will do."""


@dataclass(frozen=True, slots=True)
class ValueSet:
    """A set over all texts and absence, in a normal form: equal sets are equal objects.

    ``rest`` tells of texts that no rule names; ``prefixes`` of texts by their longest listed prefix;
    ``exact`` of single texts, before any prefix. A rule that repeats what would hold without it is
    never kept.
    """

    absent: bool
    rest: bool
    prefixes: tuple[tuple[str, bool], ...] = ()
    exact: tuple[tuple[str, bool], ...] = ()

    @classmethod
    def everything(cls) -> ValueSet:
        return cls(absent=True, rest=True)

    @classmethod
    def nothing(cls) -> ValueSet:
        return cls(absent=False, rest=False)

    @classmethod
    def of(cls, values: Iterable[str], *, absent: bool = False) -> ValueSet:
        """Just these texts, and absence if asked for."""
        return cls(absent, False, (), tuple(sorted((value, True) for value in set(values))))

    @classmethod
    def any_of(cls, sets: Iterable[ValueSet]) -> ValueSet:
        """The union of many sets, in one go for those of single texts."""
        texts: list[str] = []
        together, absent = cls.nothing(), False
        for one in sets:
            if one.rest or one.prefixes:
                together |= one
            else:
                texts += [text for text, _ in one.exact]
                absent |= one.absent
        return together | cls.of(texts, absent=absent)

    @classmethod
    def starting_with(cls, prefix: str) -> ValueSet:
        return cls(absent=False, rest=False, prefixes=((prefix, True),))

    def __contains__(self, value: str | None) -> bool:
        if value is None:
            return self.absent
        at = bisect_left(self.exact, value, key=_text)
        if at < len(self.exact) and self.exact[at][0] == value:
            return self.exact[at][1]
        return self.by_prefix(value)

    def __and__(self, other: ValueSet) -> ValueSet:
        if self is other or other.is_everything:
            return self
        few, many = (self, other) if len(self.exact) <= len(other.exact) else (other, self)
        if not few.rest and not few.prefixes:  # a few texts are asked one by one, however large the other set is
            return ValueSet.of((text for text, _ in few.exact if text in many), absent=few.absent and many.absent)
        return _combined(self, other, lambda a, b: a and b)

    def __or__(self, other: ValueSet) -> ValueSet:
        return _combined(self, other, lambda a, b: a or b)

    def __invert__(self) -> ValueSet:
        return ValueSet(
            not self.absent,
            not self.rest,
            tuple((prefix, not inside) for prefix, inside in self.prefixes),
            tuple((text, not inside) for text, inside in self.exact),
        )

    def __le__(self, other: ValueSet) -> bool:
        return (self & ~other).is_empty

    @property
    def is_empty(self) -> bool:
        return not self.absent and self.is_empty_of_texts

    @property
    def is_everything(self) -> bool:
        return self.absent and self.rest and not self.prefixes and not self.exact

    @property
    def finite(self) -> frozenset[str | None] | None:
        """All members (None stands for absence) when there are finitely many, else None."""
        if self.rest or self.prefixes:
            return None
        members: set[str | None] = {text for text, inside in self.exact if inside}
        return frozenset(members | {None} if self.absent else members)

    def pick(self) -> str | None:
        """One member, the plainest there is: absence, a listed text, a made-up one; the set must not be empty."""
        if self.absent:
            return None
        for text, inside in self.exact:
            if inside:
                return text
        for prefix, inside in self.prefixes:
            if inside:
                return self._fresh(prefix)
        return self._fresh("")

    def __str__(self) -> str:
        """The set in words: ``gold or silver``, ``anything but us``, ``eu-… or absent``."""
        if self.is_everything:
            return "anything"
        members = [f"{prefix}…" for prefix, inside in self.prefixes if inside is not self.rest]
        members += [text for text, inside in self.exact if inside is not self.rest]
        inner = [f"{prefix}…" for prefix, inside in self.prefixes if inside is self.rest]
        listed = " or ".join(members) or ("anything" if self.rest else "nothing")
        if self.rest and members:
            listed = f"anything but {listed}"
        if inner:
            listed += f" (but for {', '.join(inner)})"
        if self.absent is self.rest:
            return listed
        if self.absent:
            return "absent" if self.is_empty_of_texts else f"{listed} or absent"
        return "present" if listed == "anything" else f"{listed}, and present"

    @property
    def is_empty_of_texts(self) -> bool:
        return not self.rest and not any(inside for _, inside in (*self.prefixes, *self.exact))

    def _fresh(self, prefix: str) -> str:
        """A text that the rule of this very prefix (or no rule, for "") decides."""
        stem = prefix or "other"
        plain = (stem, *(f"{stem}{n}" for n in range(1, _PLAIN_TEXTS)))
        # a letter that no rule goes on with; there are more letters than a policy can have rules
        letters = (prefix + chr(n) for n in range(ord("a"), sys.maxunicode) if chr(n).isalnum())
        return next(text for text in chain(plain, letters) if text in self)

    def by_prefix(self, value: str) -> bool:
        for prefix, inside in self.prefixes:  # longest first
            if value.startswith(prefix):
                return inside
        return self.rest


def _text(rule: tuple[str, bool]) -> str:
    return rule[0]


def from_condition(condition: Condition) -> ValueSet:
    """The set a written condition allows; absence belongs to `not` and `present: false` only."""
    if condition.present is not None:
        present = ValueSet(absent=False, rest=True)
        return present if condition.present else ~present
    allowed = ValueSet.nothing()
    for atom in condition.atoms:
        allowed |= ValueSet.starting_with(atom.text) if atom.is_prefix else ValueSet.of([atom.text])
    return ~allowed if condition.negated else allowed


def _combined(a: ValueSet, b: ValueSet, operation: Callable[[bool, bool], bool]) -> ValueSet:
    prefixes = {prefix for prefix, _ in (*a.prefixes, *b.prefixes)}
    texts = {text for text, _ in (*a.exact, *b.exact)}
    rest = operation(a.rest, b.rest)
    by_prefix = {p: operation(a.by_prefix(p), b.by_prefix(p)) for p in prefixes}
    kept = _needed_prefixes(by_prefix, rest)
    cones = ValueSet(False, rest, kept)
    named_a, named_b = dict(a.exact), dict(b.exact)
    exact = {
        text: operation(
            named_a[text] if text in named_a else a.by_prefix(text),
            named_b[text] if text in named_b else b.by_prefix(text),
        )
        for text in texts
    }
    exceptions = tuple(sorted((text, inside) for text, inside in exact.items() if cones.by_prefix(text) != inside))
    return ValueSet(operation(a.absent, b.absent), rest, kept, exceptions)


def _needed_prefixes(by_prefix: Mapping[str, bool], rest: bool) -> tuple[tuple[str, bool], ...]:
    kept: dict[str, bool] = {}
    for prefix in sorted(by_prefix, key=lambda p: (len(p), p)):
        above = max((p for p in kept if prefix.startswith(p)), key=len, default=None)
        if by_prefix[prefix] != (rest if above is None else kept[above]):
            kept[prefix] = by_prefix[prefix]
    return tuple(sorted(kept.items(), key=lambda item: (-len(item[0]), item[0])))
