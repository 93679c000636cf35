"""Reference inside of a text

Why: A reference is the whole value of a field that takes one. Inside of a longer text, or in a field that takes
none, `${NAME}` stays as it stands: nothing is put in its place.

Bad:
    version: 1
    tags:
      tenant: {values: ["acme-${STAGE}", other]}

Good:
    version: 1
    tags:
      tenant: {values: [acme-test, other]}

Effect: the text is used as it stands, with `${` and `}`.

Fix: Write the text out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.lint.texts import PROSE, SAMPLES
from route_run.policy.reference import is_reference
from route_run.schema.shown import dotted

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED

_REFERENCE = re.compile(r"\$\{(?:[A-Za-z_][A-Za-z0-9_]*|file:/[^{}]+)\}")


def check(facts: Facts) -> Iterator[Finding]:
    """Every reference that is not the whole value, and every one that is a key."""
    for text in facts.texts:
        if text.field in PROSE | SAMPLES or "${" not in text.content:
            continue
        found = _REFERENCE.search(text.content)
        if found is None or (is_reference(text.content) and not text.is_key) or facts.found_within(text.span):
            continue
        yield Finding(
            Code.REFERENCE_IN_TEXT,
            text.span,
            f"`{found[0]}` in `{dotted(text.keys)}` is not replaced by anything",
            SEVERITY,
            help="write the text out; a reference is the whole value of a field that takes one",
            effect="the text is used as it stands",
        )
