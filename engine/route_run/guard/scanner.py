"""The prompt scanner: scored patterns over texts, on a linear-time engine.

Decides whether a guard fires. RE2 finds in one pass which patterns match, in time linear in the text
whatever the patterns are; case is ignored.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from typing import Any

import re2

from route_run.guard.normalise import normalised
from route_run.policy.model import Pattern

_SENTINEL = "\x01route-run\x01"
_MEMORY = 64 << 20


class Action(Enum):
    """What happens when a guard fires."""

    REJECT = "reject"
    FLAG = "flag"
    ROUTE = "route"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one guard says about one request; ``hits`` are pattern ids in the order of the policy."""

    guard: str
    score: float
    threshold: float
    hits: tuple[str, ...]
    action: Action
    destination: str = ""
    problem: str = ""

    @property
    def fired(self) -> bool:
        return bool(self.problem) or self.score >= self.threshold


def options(*, case_sensitive: bool = False) -> Any:
    """How patterns are read: RE2 syntax, a cap on memory; prompts are searched whatever the case."""
    chosen = re2.Options()
    chosen.case_sensitive = case_sensitive
    chosen.log_errors = False
    chosen.max_mem = _MEMORY
    return chosen


def problem_of(regex: str) -> str:
    """Why a pattern cannot be used, in words; empty when it can."""
    try:
        re2.compile(regex, options())
    except re2.error as error:
        detail = error.args[0] if error.args else str(error)
        return detail.decode("utf-8", "replace") if isinstance(detail, bytes) else str(detail)
    except UnicodeEncodeError:
        return "half of a surrogate pair is not a character"
    return ""


def searchable(text: str) -> bytes:
    """A text as the engine takes it; half of a surrogate pair, which has no bytes, becomes a question mark."""
    return text.encode("utf-8", "replace")


class Scanner:
    """One guard: every pattern in one set, compiled when it is first asked for or prepared."""

    def __init__(
        self, guard: str, patterns: Sequence[Pattern], threshold: float, action: Action, destination: str = ""
    ) -> None:
        self.guard = guard
        self.patterns = tuple(patterns)
        self.threshold = threshold
        self.action = action
        self.destination = destination

    @cached_property
    def _set(self) -> Any:
        """The compiled set; None when it does not fit into its memory: it would find nothing and say nothing."""
        found = re2.Set.SearchSet(options())
        for pattern in self.patterns:
            found.Add(pattern.regex)
        found.Add(re2.escape(_SENTINEL))
        try:
            found.Compile()
        except re2.error:
            return None
        return found if found.Match(_SENTINEL) else None

    @property
    def problem(self) -> str:
        """Why the guard cannot run, in words; empty when it can."""
        return "the patterns are too large to be searched for together" if self._set is None else ""

    def prepare(self) -> None:
        """Compile the patterns now, so that no request waits for it."""
        _ = self._set

    def scan(self, texts: Sequence[str]) -> Verdict:
        """The verdict over texts, each alone and all joined by newlines; never raises for a text.

        A guard with a ``problem`` cannot run, and rejects.
        """
        if self._set is None:
            return self._verdict(())
        found: set[int] = set()
        for view in _views(texts):
            found.update(self._set.Match(searchable(view)) or ())
        found.discard(len(self.patterns))
        return self._verdict(sorted(found))

    def _verdict(self, found: Iterable[int]) -> Verdict:
        hits = [self.patterns[index] for index in found]
        # scores are decimal fractions: 0.1 + 0.7 has to reach 0.8
        score = min(1.0, round(sum(pattern.score for pattern in hits), 6))
        ids = tuple(pattern.id for pattern in hits)
        action = Action.REJECT if self.problem else self.action
        return Verdict(self.guard, score, self.threshold, ids, action, self.destination, self.problem)


def _views(texts: Sequence[str]) -> Iterable[str]:
    whole = [*texts, "\n".join(texts)] if len(texts) > 1 else texts
    for text in whole:
        yield text
        if (view := normalised(text)) is not None:
            yield view
