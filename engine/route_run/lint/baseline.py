"""The baseline: findings that were there when lint was introduced, by fingerprint. It may only shrink.

Decides what a baseline hides, and what becomes of it when findings go. What makes a policy invalid is
never hidden by one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from route_run.errors import Code, Finding, Severity, Span


class BaselineError(ValueError):
    """Raised when a text is not a baseline; says why."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """``entries`` are what was there, by fingerprint: the code and the place in words, for people."""

    path: str
    entries: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, path: str, text: str) -> Baseline:
        """The baseline that a file holds; raises BaselineError."""
        try:
            data = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise BaselineError(f"{path} is not JSON: {error}") from error
        entries = data.get("findings") if isinstance(data, dict) and data.get("version") == 1 else None
        if not isinstance(entries, dict) or not all(isinstance(said, str) for said in entries.values()):
            raise BaselineError(f"{path} is not a baseline of route-run: it has no `version: 1` with `findings`")
        return cls(path, entries)

    def text(self) -> str:
        """The file's text: one line for each finding, in order, so that git merges it well."""
        return json.dumps({"version": 1, "findings": dict(sorted(self.entries.items()))}, indent=2) + "\n"

    def without(self, gone: Sequence[str]) -> Baseline:
        """The baseline without what is gone; nothing is ever added."""
        return Baseline(self.path, {print_: said for print_, said in self.entries.items() if print_ not in set(gone)})


def first_baseline(path: str, found: Mapping[str, Finding]) -> Baseline:
    """The baseline of everything found now, by fingerprint."""
    return Baseline(path, {print_: f"{f.code.value} {f.span.path}" for print_, f in found.items()})


def stale(baseline: Baseline, gone: Sequence[str]) -> Finding:
    """The finding that entries of a baseline are not needed any more."""
    count = f"{len(gone)} finding{'' if len(gone) == 1 else 's'}"
    return Finding(
        Code.STALE_BASELINE,
        Span.of_file(baseline.path),
        f"the baseline lists {count} that {'is' if len(gone) == 1 else 'are'} gone",
        Severity.WARNING,
        help="run `route-run lint` with --update-baseline and commit the file",
        effect="it would hide the same mistake when it comes back",
    )
