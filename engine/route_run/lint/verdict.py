"""What lint says in the end: findings after suppressions, baseline and the choice of rules.

Decides the order of the sieves: suppressions first, then the baseline, then what a person chose to see,
so that a suppression is never called stale because its rule was not chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property

from route_run.errors import Code, Finding, Severity, Span
from route_run.lint.baseline import Baseline, first_baseline, stale
from route_run.lint.check import lint
from route_run.lint.fingerprint import fingerprints
from route_run.lint.rule import Check, rule_of
from route_run.lint.suppression import Suppressed, Suppression, sift
from route_run.table import Loaded

_WEIGHT = {Severity.ERROR: 2, Severity.WARNING: 1, Severity.INFO: 0}


@dataclass(frozen=True)
class Verdict:
    """Everything a report shows. ``secrets`` are spans that no excerpt may show, shown findings or not.

    ``known`` counts what the baseline hides, ``unseen`` what was not chosen; ``gone`` are the
    fingerprints that the baseline does not need any more.
    """

    loaded: Loaded
    findings: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...] = ()
    suppressions: tuple[Suppression, ...] = ()
    secrets: tuple[Span, ...] = ()
    known: int = 0
    unseen: int = 0
    gone: tuple[str, ...] = ()

    @cached_property
    def fingerprints(self) -> tuple[str, ...]:
        """A fingerprint of each finding, in their order."""
        return fingerprints(self.findings, self.loaded.reading.documents)

    @property
    def files(self) -> int:
        return len(self.loaded.reading.documents)

    @property
    def sources(self) -> Mapping[str, str]:
        return self.loaded.sources

    def reaches(self, level: Severity) -> bool:
        """Whether some finding weighs at least as much as a level."""
        return any(_WEIGHT[finding.severity] >= _WEIGHT[level] for finding in self.findings)

    def only(self, wanted: Callable[[Finding], bool]) -> Verdict:
        """The verdict with the findings that are wanted; the others are counted."""
        kept = tuple(finding for finding in self.findings if wanted(finding))
        return replace(self, findings=kept, unseen=self.unseen + len(self.findings) - len(kept))

    def as_baseline(self, path: str) -> Baseline:
        """A first baseline: all that is found now and can be hidden at all."""
        fatal = _fatal(self.loaded)
        found = zip(self.fingerprints, self.findings, strict=True)
        return first_baseline(path, {print_: f for print_, f in found if f not in fatal})


def judge(
    loaded: Loaded,
    today: date,
    baseline: Baseline | None = None,
    looked_for: Sequence[tuple[Code, Check]] | None = None,
) -> Verdict:
    """Everything lint has to say of a policy on a day; ``looked_for`` are the rules to check, by default all."""
    found = lint(loaded, looked_for, today)
    fatal = _fatal(loaded)
    sifted = sift(found, loaded.reading.documents, today, fatal.__contains__)
    secrets = tuple(finding.span for finding in found if rule_of(finding.code).is_secret)
    verdict = Verdict(loaded, sifted.kept, sifted.suppressed, sifted.suppressions, secrets)
    return verdict if baseline is None else _without_known(verdict, baseline)


def _fatal(loaded: Loaded) -> frozenset[Finding]:
    """What makes the policy invalid: neither a comment nor a baseline can set it aside."""
    return frozenset(finding for finding in loaded.findings if finding.is_error)


def _without_known(verdict: Verdict, baseline: Baseline) -> Verdict:
    fatal = _fatal(verdict.loaded)
    paired = list(zip(verdict.fingerprints, verdict.findings, strict=True))
    gone = tuple(sorted(baseline.entries.keys() - set(verdict.fingerprints)))
    kept = [f for print_, f in paired if print_ not in baseline.entries or f in fatal]
    # while a policy is invalid, rules have not seen all of it: nothing is called gone
    if gone and not fatal:
        kept.append(stale(baseline, gone))
    ordered: Sequence[Finding] = sorted(kept, key=lambda finding: finding.order)
    known = sum(print_ in baseline.entries and f not in fatal for print_, f in paired)
    return replace(verdict, findings=tuple(ordered), known=known, gone=() if fatal else gone)
