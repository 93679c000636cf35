"""Comments that set findings aside: `# route-run: ignore[RR301] because <reason>, until 2027-01-31`.

Decides which findings a comment covers, and what is wrong with the comment itself. It stands on the line
of the finding, or alone on a line above it. A reason is mandatory; after the day it names it has expired.
What makes a policy invalid cannot be set aside: the engine refuses such a policy whatever its comments say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from route_run.errors import Code, Edit, Finding, Fix, Position, Severity, Span
from route_run.lint.rule import nearest_rule, rule_named
from route_run.text import Comment, Document, comments_of

_MEANT = re.compile(r"route-run\s*:|route[-_ ]?run\s+(?:ignore|disable|allow)\b", re.IGNORECASE)
_BEHIND = re.compile(r"\s*(?:ignore)?\s*\[")
_FORM = re.compile(r"route-run:\s*ignore\[(?P<codes>[^\]]*)\]\s+because\s+(?P<reason>\S.*)\Z")
_UNTIL = re.compile(r"\s*,\s*until\s+(?P<day>\S+)\Z")
_CODE = re.compile(r"[^\s,]+")
HOW = "write `# route-run: ignore[RR301] because <reason>`, and `, until 2027-01-31` at its end if it is to expire"
"""The form of a suppression, in words."""

_OF_SUPPRESSIONS = "RR9"


@dataclass(frozen=True, slots=True)
class Suppression:
    """One well-formed suppression: what it covers on which line, why, and to the end of which day.

    ``removal`` is the span to delete with it: the blanks before it, or its whole line.
    """

    span: Span
    covers: int
    codes: tuple[tuple[str, Span], ...]
    reason: str
    until: date | None
    removal: Span

    def is_expired(self, today: date) -> bool:
        return self.until is not None and today > self.until


@dataclass(frozen=True, slots=True)
class Suppressed:
    """A finding that is set aside, and by what."""

    finding: Finding
    by: Suppression


@dataclass(frozen=True, slots=True)
class Sifted:
    """What is left of findings, those of the suppressions themselves included, and what is set aside."""

    kept: tuple[Finding, ...]
    suppressed: tuple[Suppressed, ...]
    suppressions: tuple[Suppression, ...]


def sift(
    findings: Sequence[Finding],
    documents: Sequence[Document],
    today: date,
    makes_invalid: Callable[[Finding], bool],
) -> Sifted:
    """Set aside what comments suppress; ``makes_invalid`` says which findings no comment can touch."""
    written = [read for document in documents for read in _read(document)]
    suppressions = [entry for entry in written if isinstance(entry, Suppression)]
    own = [entry for entry in written if isinstance(entry, Finding)]
    kept, suppressed, idle = _applied(findings, suppressions, today, makes_invalid)
    is_whole = not any(makes_invalid(finding) for finding in findings)
    failed = any(finding.code is Code.RULE_FAILED for finding in findings)
    untouched = [finding for finding in kept if makes_invalid(finding)]
    for suppression in suppressions:
        own += _faults(suppression, today, untouched, idle[id(suppression)] if is_whole and not failed else ())
    ordered = sorted((*kept, *own), key=lambda finding: finding.order)
    return Sifted(tuple(ordered), tuple(suppressed), tuple(suppressions))


def _applied(
    findings: Sequence[Finding],
    suppressions: Sequence[Suppression],
    today: date,
    makes_invalid: Callable[[Finding], bool],
) -> tuple[list[Finding], list[Suppressed], dict[int, set[str]]]:
    """Findings that stay, those set aside, and per suppression the codes that nothing needed."""
    by_place: dict[tuple[str, int, str], list[Suppression]] = {}
    idle = {id(suppression): {code for code, _ in suppression.codes} for suppression in suppressions}
    for suppression in suppressions:
        for code, _ in suppression.codes:
            by_place.setdefault((suppression.span.path, suppression.covers, code), []).append(suppression)
    kept: list[Finding] = []
    suppressed: list[Suppressed] = []
    for finding in findings:
        code = finding.code.value
        covering = by_place.get((finding.span.path, finding.span.start.line, code), [])
        working = [suppression for suppression in covering if not suppression.is_expired(today)]
        if not working or makes_invalid(finding) or code.startswith(_OF_SUPPRESSIONS):
            kept.append(finding)
            continue
        suppressed.append(Suppressed(finding, working[0]))
        for suppression in working:
            idle[id(suppression)].discard(code)
    return kept, suppressed, idle


# -- reading -------------------------------------------------------------------------------------------


def _read(document: Document) -> Iterator[Suppression | Finding]:
    if "route" not in document.text.casefold():
        return
    comments = list(comments_of(document))
    alone = {comment.span.start.line for comment in comments if comment.is_alone}
    for comment in comments:
        meant = _MEANT.search(comment.text)
        if meant is not None and (meant.start() == 0 or _BEHIND.match(comment.text, meant.end())):
            yield _suppression(document, comment, alone)


def _suppression(document: Document, comment: Comment, alone: Collection[int]) -> Suppression | Finding:
    form = _FORM.match(comment.text)
    if form is None:
        return _malformed(comment, _complaint(comment.text))
    reason, until = form["reason"].strip(), None
    if (ending := _UNTIL.search(reason)) is not None:
        try:
            until = date.fromisoformat(ending["day"])
        except ValueError:
            return _malformed(comment, f"`{ending['day']}` is not a day")
        reason = reason[: ending.start()].strip()
    words = list(_CODE.finditer(form["codes"]))
    if not words or not reason.strip(" ,.-"):
        return _malformed(comment, "it names no code" if not words else "it gives no reason")
    covers = comment.span.start.line
    while comment.is_alone and covers in alone:
        covers += 1
    line = document.text.splitlines()[comment.span.start.line - 1]
    offset = line.index(comment.text, comment.span.start.column - 1) + form.start("codes")
    codes = tuple((word[0], _within(comment.span, offset + word.start(), offset + word.end())) for word in words)
    return Suppression(comment.span, covers, codes, reason, until, _removal(comment, line))


def _removal(comment: Comment, line: str) -> Span:
    number = comment.span.start.line
    if comment.is_alone:
        return Span(comment.span.path, Position(number, 1), Position(number + 1, 1))
    blanks = len(line[: comment.span.start.column - 1].rstrip())
    return Span(comment.span.path, Position(number, blanks + 1), comment.span.end)


def _within(span: Span, start: int, end: int) -> Span:
    line = span.start.line
    return Span(span.path, Position(line, start + 1), Position(line, end + 1))


def _complaint(text: str) -> str:
    if not text.startswith("route-run:"):
        return "a suppression starts its comment, with `route-run:`"
    if not re.match(r"route-run:\s*ignore\b", text):
        return "the one thing a comment for route-run can say is `ignore`"
    if not re.match(r"route-run:\s*ignore\[[^\]]*\]", text):
        return "it names no code in brackets"
    return "it gives no reason"


def _malformed(comment: Comment, complaint: str) -> Finding:
    return Finding(
        Code.MALFORMED_SUPPRESSION,
        comment.span,
        f"this suppression is not understood: {complaint}",
        help=HOW,
        effect="it suppresses nothing",
    )


# -- what is wrong with suppressions ---------------------------------------------------------------------


def _faults(
    suppression: Suppression, today: date, untouched: Sequence[Finding], idle: Collection[str]
) -> Iterator[Finding]:
    known = {code.value for code in Code}
    for code, span in suppression.codes:
        if code not in known:
            yield _unknown(code, span)
    if suppression.is_expired(today):
        yield _expired(suppression, today)
        return
    refused = {f.code.value for f in untouched if (f.span.path, f.span.start.line) == _place(suppression)}
    for code, span in suppression.codes:
        if code in refused or (code in known and code.startswith(_OF_SUPPRESSIONS)):
            yield _not_suppressible(code, span)
    stale = [code for code, _ in suppression.codes if code in idle and code in known - refused]
    if stale := [code for code in stale if not code.startswith(_OF_SUPPRESSIONS)]:
        yield _stale(suppression, stale)


def _place(suppression: Suppression) -> tuple[str, int]:
    return suppression.span.path, suppression.covers


def _unknown(code: str, span: Span) -> Finding:
    rule = rule_named(code)
    if rule is not None:
        fix = Fix(f"write `{rule.code.value}`", (Edit(span, rule.code.value),), is_safe=True)
        help_text = f"a suppression names the code: write `{rule.code.value}`"
    else:
        similar = nearest_rule(code)
        fix = None
        help_text = f"a similar one exists: `{similar}`" if similar else "`route-run rule` lists all codes"
    message = f"there is no code `{code}`"
    return Finding(Code.UNKNOWN_SUPPRESSION, span, message, help=help_text, effect="it suppresses nothing", fix=fix)


def _expired(suppression: Suppression, today: date) -> Finding:
    assert suppression.until is not None
    days = (today - suppression.until).days
    return Finding(
        Code.EXPIRED_SUPPRESSION,
        suppression.span,
        f"this suppression expired on {suppression.until}, {days} day{'' if days == 1 else 's'} ago",
        help="mend what it set aside, or give it a new date and the reason for it",
        effect="it suppresses nothing any more",
    )


def _not_suppressible(code: str, span: Span) -> Finding:
    is_own = code.startswith(_OF_SUPPRESSIONS)
    why = "it is about suppressions and lint itself" if is_own else "it makes the policy invalid"
    return Finding(
        Code.NOT_SUPPRESSIBLE,
        span,
        f"`{code}` cannot be suppressed: {why}",
        help="mend the finding and remove the suppression",
        effect="it suppresses nothing: the finding stays",
    )


def _stale(suppression: Suppression, stale: Sequence[str]) -> Finding:
    left = [code for code, _ in suppression.codes if code not in stale]
    named = " and ".join(f"`{code}`" for code in stale)
    if left:
        first, last = suppression.codes[0][1], suppression.codes[-1][1]
        edit = Edit(Span(first.path, first.start, last.end), ", ".join(left))
        fix = Fix(f"take {named} out of it", (edit,), is_safe=True)
    else:
        fix = Fix("remove the comment", (Edit(suppression.removal, ""),), is_safe=True)
    return Finding(
        Code.STALE_SUPPRESSION,
        suppression.span,
        f"this suppression of {named} suppresses nothing",
        Severity.WARNING,
        help="remove it" if not left else f"take {named} out of it",
        effect="it would hide a finding of that kind tomorrow",
        fix=fix,
    )
