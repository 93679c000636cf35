"""Text that looks like a secret

Why: Secrets slip into places that no schema marks: a fixed header, a description, a comment that was to be removed
again. Providers give their keys shapes that are easy to know, and random letters look like nothing else.

Bad:
    version: 1
    endpoints:
      cloud:
        dialect: openai
        base_url: https://models.example.com/v1
        headers: {X-Gateway-Key: 4711-correct-horse}
        serves: {small: {}}
    models:
      small: {context_window: 8192, max_output_tokens: 1024}

Good:
    version: 1
    endpoints:
      cloud:
        dialect: openai
        base_url: https://models.example.com/v1
        headers: {X-Gateway-Key: "${GATEWAY_KEY}"}
        serves: {small: {}}
    models:
      small: {context_window: 8192, max_output_tokens: 1024}

Effect: the secret is in git for ever; treat a real one as leaked and replace it.

Fix: Write `${NAME}` or `${file:/path}` where the field takes references, and remove it everywhere else.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from route_run.errors import Code, Finding, Severity, Span
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.lint.secrets import SHORTEST, known_shapes, random_stretches
from route_run.lint.texts import SAMPLES, Places, Text
from route_run.policy.reference import is_reference
from route_run.schema.shown import dotted

SEVERITY = Severity.ERROR
CONFIDENCE = Confidence.LIKELY
IS_SECRET = True

_SECRET_HEADER = re.compile(r"(?:^|[-_])(?:auth|token|secret|password|credentials?|key|apikey)\Z", re.IGNORECASE)


MOST_PER_FILE = 50


def check(facts: Facts) -> Iterator[Finding]:
    """Known shapes anywhere in a file, comments included; random letters and header values where they are text."""
    told: dict[str, list[Span]] = {}
    for finding in (*_shapes(facts), *_texts(facts)):
        spans = told.setdefault(finding.span.path, [])
        is_told = any(_covers(finding.span, other) for other in spans) or facts.found_within(finding.span)
        if len(spans) < MOST_PER_FILE and not is_told:
            spans.append(finding.span)
            yield finding


def _texts(facts: Facts) -> Iterator[Finding]:
    told: Counter[str] = Counter()
    for text in facts.texts:
        path = text.document.path
        if told[path] < MOST_PER_FILE and (what := _looks_like(text)):
            told[path] += 1
            yield _finding(text.span, f"`{dotted(text.keys)}` looks like {what}")


def _shapes(facts: Facts) -> Iterator[Finding]:
    for document in facts.documents:
        stretches = known_shapes(document.text)[:MOST_PER_FILE]
        places = Places(document) if stretches else None
        for stretch in stretches:
            assert places is not None
            yield _finding(places.span(stretch.start, stretch.end), f"this looks like {stretch.looks_like}")


def _looks_like(text: Text) -> str:
    if text.is_key or text.field in SAMPLES or is_reference(text.content):
        return ""
    if len(text.keys) == 4 and text.keys[2] == "headers" and _SECRET_HEADER.search(str(text.keys[3])):
        return "a secret that is sent as a header"
    if len(text.content) < SHORTEST:
        return ""
    return next((stretch.looks_like for stretch in random_stretches(text.content)), "")


def _finding(span: Span, message: str) -> Finding:
    return Finding(
        Code.SECRET_IN_TEXT,
        span,
        message,
        SEVERITY,
        help="put it into the environment or a file and refer to it: `${NAME}` or `${file:/path}`",
        effect="the secret is in git for ever; treat a real one as leaked and replace it",
    )


def _covers(whole: Span, part: Span) -> bool:
    return whole.path == part.path and whole.start <= part.start and part.end <= whole.end
