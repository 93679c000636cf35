"""Character that nobody sees

Why: `gold` and `gold` with a zero-width space look the same and are two values. Such characters come along with
copied text, or are put there so that a review does not see them.

Bad:
    version: 1
    tags:
      tier: {values: [gold\u200b, silver]}

Good:
    version: 1
    tags:
      tier: {values: [gold, silver]}

Effect: the text is not the one a reader sees; comparisons with it fail, or instructions hide in it.

Fix: Remove the character. Where it is meant, as in an example of a pattern, write it as an escape: `"\\u200b"`.
"""  # noqa: D301  # the example holds the character itself

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Edit, Finding, Fix, Severity
from route_run.lint.characters import INVISIBLE, is_needed, name_of
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.lint.texts import Places
from route_run.text import Document

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED

MOST_PER_FILE = 20


def check(facts: Facts) -> Iterator[Finding]:
    """Every stretch of such characters in a file, those apart that an emoji or a script needs."""
    for document in facts.documents:
        if not document.text.isascii():
            places = Places(document)
            for _, (start, end) in zip(range(MOST_PER_FILE), _stretches(document), strict=False):
                character, count = document.text[start], end - start
                span = places.span(start, end)
                yield Finding(
                    Code.INVISIBLE_CHARACTER,
                    span,
                    f"{name_of(character)} cannot be seen"
                    + (f"; {count} such characters stand here" if count > 1 else ""),
                    SEVERITY,
                    help="remove it; where it is meant, write it as an escape in double quotes",
                    effect="the text is not the one that a reader sees",
                    fix=Fix("remove what cannot be seen", (Edit(span, ""),), is_safe=False),
                )


def _stretches(document: Document) -> Iterator[tuple[int, int]]:
    text = document.text
    start = end = -1
    for found in INVISIBLE.finditer(text):
        if is_needed(text, found.start()):
            continue
        if found.start() != end:
            if start >= 0:
                yield start, end
            start = found.start()
        end = found.end()
    if start >= 0:
        yield start, end
