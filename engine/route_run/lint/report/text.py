"""Findings as text for people.

Decides what a person sees of a mistake: place, source line, the offender underlined, second places, the
right answers, the effect, the fix a program can make, and where to read more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

from route_run.ci import printable
from route_run.errors import Finding, Fix, Severity, Span
from route_run.lint.report.excerpt import Excerpts, Paint, plain, secrets_in
from route_run.lint.rule import Confidence, rule_of
from route_run.lint.verdict import Verdict

__all__ = ["Paint", "as_text", "counts", "effect_of", "plain", "report", "summary"]


def report(verdict: Verdict, paint: Paint = plain) -> str:
    """All findings in full and the summary."""
    shown = as_text(verdict.findings, verdict.sources, paint, verdict.secrets)
    return (f"{shown}\n\n" if shown else "") + summary_of(verdict) + "\n"


def as_text(
    findings: Sequence[Finding], sources: Mapping[str, str], paint: Paint = plain, secrets: Iterable[Span] | None = None
) -> str:
    """Findings in full, each with its source line, in the order given.

    ``secrets`` are spans to blot out; by default those of the findings themselves.
    """
    excerpts = Excerpts(sources, secrets_in(findings) if secrets is None else secrets)
    return "\n\n".join("\n".join(_lines(finding, excerpts, paint)) for finding in findings)


def summary_of(verdict: Verdict) -> str:
    """How many findings of which weight, what of them can be fixed, and what is not shown."""
    fixes = Counter(finding.fix.is_safe for finding in verdict.findings if finding.fix is not None)
    parts = [
        f"{fixes[True]} can be fixed with --fix" if fixes[True] else "",
        f"{fixes[False]} with --unsafe-fixes" if fixes[False] else "",
        f"{len(verdict.suppressed)} suppressed" if verdict.suppressed else "",
        f"{verdict.known} in the baseline" if verdict.known else "",
        f"{verdict.unseen} not shown" if verdict.unseen else "",
    ]
    beside = "; ".join(part for part in parts if part)
    return summary(verdict.findings, verdict.files) + (f" ({beside})" if beside else "")


def summary(findings: Sequence[Finding], files: int) -> str:
    """How many findings of which weight, in one line."""
    counted = [
        f"{count} {severity}{'' if count == 1 or severity == 'info' else 's'}"
        for severity, count in counts(findings).items()
        if count
    ]
    in_files = f"{files} file{'' if files == 1 else 's'}"
    return f"{', '.join(counted) or 'no findings'} in {in_files}"


def counts(findings: Sequence[Finding]) -> dict[str, int]:
    """How many findings there are of each severity."""
    counted = Counter(finding.severity for finding in findings)
    return {severity.value: counted[severity] for severity in Severity}


def effect_of(finding: Finding) -> str:
    """What happens if it ships: what the finding says, else what its rule says."""
    if finding.effect:
        return finding.effect
    first, _, _ = " ".join(rule_of(finding.code).effect.split()).partition(". ")
    return first.removesuffix(".")


def _lines(finding: Finding, excerpts: Excerpts, paint: Paint) -> Iterator[str]:
    severity = finding.severity.value
    yield f"{paint(f'{severity}[{finding.code.value}]', severity)} {printable(finding.message)}"
    yield f"  {paint('-->', 'quiet')} {paint(printable(str(finding.span)), 'place')}"
    yield from excerpts.of(finding.span, "^", paint, severity)
    for label in finding.labels:
        yield f"  {paint('-->', 'quiet')} {paint(printable(str(label.span)), 'place')} {printable(label.text)}"
        yield from excerpts.of(label.span, "-", paint, "quiet")
    for name, text in _notes(finding):
        yield f"  {paint(f'= {name}:', 'quiet')} {printable(text)}"


def _notes(finding: Finding) -> Iterator[tuple[str, str]]:
    if finding.help and (finding.fix is None or finding.fix.title != finding.help):
        yield "help", finding.help
    yield "effect", effect_of(finding)
    if finding.fix is not None:
        yield "fix", _fix_note(finding.fix)
    if (confidence := rule_of(finding.code).confidence) is not Confidence.PROVED:
        yield "confidence", confidence.value
    yield "more", f"route-run rule {finding.code.value}"


def _fix_note(fix: Fix) -> str:
    return f"{fix.title} (safe: --fix)" if fix.is_safe else f"{fix.title} (look first: --unsafe-fixes)"
