"""Character that turns the reading direction

Why: Characters such as U+202E make an editor show a text in another order than it is read in. A review then approves
something else than what runs (CVE-2021-42574, "Trojan Source").

Bad:
    version: 1
    tags:
      tier: {values: [gold, \u202erevlis]}

Good:
    version: 1
    tags:
      tier: {values: [gold, silver]}

Effect: what a reviewer sees is not what runs.

Fix: Remove the character. Where it is really meant, write it as an escape in double quotes: `"\\u202e"`.
"""  # noqa: D301  # the example holds the character itself

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Edit, Finding, Fix, Severity
from route_run.lint.characters import DIRECTION, name_of
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.lint.texts import Places

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.PROVED

MOST_PER_FILE = 20


def check(facts: Facts) -> Iterator[Finding]:
    """Every such character in a file: keys, values and comments alike."""
    for document in facts.documents:
        if document.text.isascii():
            continue
        places = Places(document)
        for _, found in zip(range(MOST_PER_FILE), DIRECTION.finditer(document.text), strict=False):
            span = places.span(found.start(), found.end())
            yield Finding(
                Code.TEXT_DIRECTION,
                span,
                f"{name_of(found[0])} turns the reading direction of this line",
                SEVERITY,
                help=f'remove it; where it is meant, write `"\\u{ord(found[0]):04x}"` in double quotes',
                effect="what a reviewer sees is not what runs",
                fix=Fix("remove the character", (Edit(span, ""),), is_safe=False),
            )
