"""Name or value that looks like another

Why: The Cyrillic `а` and the Latin `a` are drawn alike. A tag value, label or model name that holds the wrong one
matches nothing, or is a second name that a reviewer takes for the first.

Bad:
    version: 1
    tags:
      tier: {values: [gold, gоld]}

Good:
    version: 1
    tags:
      tier: {values: [gold, silver]}

Effect: the text is compared letter by letter and is not the one that a reader sees.

Fix: Write it in letters of one script.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.characters import foreign_letters, mixed_scripts, name_of, skeleton
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence
from route_run.lint.texts import PROSE, SAMPLES, Text
from route_run.schema.shown import dotted

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.LIKELY


def check(facts: Facts) -> Iterator[Finding]:
    """Every compared text that mixes scripts, and every one that looks like another of the policy."""
    compared = [text for text in facts.texts if text.field not in PROSE | SAMPLES]
    odd = [text for text in compared if not text.content.isascii()]
    if not odd:
        return
    plain = {text.content: text for text in reversed(compared) if text.content.isascii()}
    for text in odd:
        twin = plain.get(skeleton(text.content))
        mixed = mixed_scripts(text.content)
        foreign = foreign_letters(text.content)
        if facts.found_within(text.span) or not (mixed or (twin is not None and foreign)):
            continue
        letters = ", ".join(name_of(c) for c in foreign[:3])
        yield Finding(
            Code.LOOKALIKE,
            text.span,
            _message(text, mixed, twin),
            SEVERITY,
            labels=(Label(twin.span, "looks the same"),) if twin is not None else (),
            help=f"write it in letters of one script; these look Latin: {letters}"
            if letters
            else "write it in one script",
            effect="texts are compared letter by letter, and this is not the one that a reader sees",
        )


def _message(text: Text, mixed: tuple[str, str, str] | None, twin: Text | None) -> str:
    where = dotted(text.keys)
    if mixed is not None:
        word, first, second = mixed
        return f"`{word}` in `{where}` mixes {first} and {second} letters"
    return f"`{text.content}` in `{where}` looks like `{twin.content if twin else ''}` and is another text"
