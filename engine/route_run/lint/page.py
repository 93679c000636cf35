"""Rules as pages for people and as data: what `route-run rule` shows. The index is made of the rules themselves."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from route_run.lint.rule import Confidence, ExampleFile, Rule

FAMILIES = {
    "RR0": "YAML and files",
    "RR1": "fields and values",
    "RR2": "references",
    "RR3": "matches and reachability",
    "RR4": "safety",
    "RR5": "ranges, capability, limits and cost",
    "RR6": "patterns",
    "RR7": "rehearsals",
    "RR9": "suppressions and lint itself",
}
"""What the codes that start alike are about."""

_CONFIDENCE = {
    Confidence.PROVED: "proved: what it says is so",
    Confidence.LIKELY: "likely: a person has to judge the case",
    Confidence.HINT: "a hint: it may well be meant",
}


def page(rule: Rule) -> str:
    """Everything a rule says of itself."""
    return "\n".join(_page(rule)) + "\n"


def _page(rule: Rule) -> Iterator[str]:
    yield f"{rule.code.value} {rule.slug}"
    yield rule.title
    yield ""
    yield f"severity    {rule.severity.value}"
    yield f"confidence  {_CONFIDENCE[rule.confidence]}"
    yield ""
    yield _filled("Why: ", rule.why)
    for title, files in (("Bad", rule.bad_files), ("Good", rule.good_files)):
        yield ""
        yield f"{title}:"
        yield textwrap.indent(example_text(files), "    ").rstrip()
    yield ""
    yield _filled("Effect: ", rule.effect)
    yield _filled("Fix: ", rule.fix)


def _filled(title: str, text: str) -> str:
    paragraphs = [" ".join(paragraph.split()) for paragraph in text.split("\n\n")]
    first, *rest = [textwrap.fill(paragraph, 100) for paragraph in [title + paragraphs[0], *paragraphs[1:]]]
    return "\n\n".join([first, *rest])


def example_text(files: Sequence[ExampleFile]) -> str:
    """The files of an example one below the other, each under its name where it is not the only one."""
    if len(files) == 1 and files[0] == ExampleFile("policy.yaml", files[0].text):
        return files[0].text
    return "".join(f"{_heading(file)}\n{file.text}" for file in files)


def _heading(file: ExampleFile) -> str:
    if file.link_to:
        return f"# link: {file.name} to {file.link_to}"
    return f"# file: {file.name}" + ("" if file.encoding == "utf-8" else f" as {file.encoding}")


def index(rules: Sequence[Rule]) -> str:
    """Every rule in one line, by family."""
    width = max(len(rule.slug) for rule in rules)
    lines: list[str] = []
    for start, family in FAMILIES.items():
        members = [rule for rule in rules if rule.code.value.startswith(start)]
        if not members:
            continue
        lines += ["", f"{start}xx {family}"]
        lines += [
            f"  {rule.code.value}  {rule.slug.ljust(width)}  {rule.severity.value.ljust(7)}  {rule.title}"
            for rule in members
        ]
    return "\n".join(lines[1:]) + "\n"


def rule_as_json(rule: Rule) -> dict[str, Any]:
    """A rule as JSON data."""
    return {
        "code": rule.code.value,
        "slug": rule.slug,
        "title": rule.title,
        "severity": rule.severity.value,
        "confidence": rule.confidence.value,
        "checked_by": "loading" if rule.check is None else "lint",
        "why": " ".join(rule.why.split()),
        "bad": dict(rule.bad),
        "good": dict(rule.good),
        "effect": " ".join(rule.effect.split()),
        "fix": " ".join(rule.fix.split()),
    }
