"""Pattern that another pack's pattern of the same id replaces

Why: A guard counts each id once. When two of its packs have a pattern of the same id, the first pack's is used and
the other is not looked for at all.

Bad:
    # file: policy.yaml
    version: 1
    guards:
      names: {packs: [company/names@1, company/projects@1]}
    # file: names.pack.yaml
    version: 1
    pack: company/names
    release: 1
    patterns: [{id: zephyr, regex: 'zephyr', score: 1}]
    # file: projects.pack.yaml
    version: 1
    pack: company/projects
    release: 1
    patterns: [{id: zephyr, regex: 'project z', score: 1}]

Good:
    # file: policy.yaml
    version: 1
    guards:
      names: {packs: [company/names@1, company/projects@1]}
    # file: names.pack.yaml
    version: 1
    pack: company/names
    release: 1
    patterns: [{id: zephyr, regex: 'zephyr', score: 1}]
    # file: projects.pack.yaml
    version: 1
    pack: company/projects
    release: 1
    patterns: [{id: project-z, regex: 'project z', score: 1}]

Effect: the second pattern is not looked for.

Fix: Give one of them an id of its own, in a new release of its pack.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Every pattern of a pack that an earlier pack of the same guard stands in for with another expression."""
    for guard in facts.guards:
        for index, pattern, used in guard.dropped:
            spots = [p.span("id") for p in (pattern, used) if p.document is not None]
            yield Finding(
                Code.PATTERN_DROPPED,
                guard.span("packs", index),
                f"the guard `{guard.name}` does not look for {pattern.source}: {used.source} has the same id",
                SEVERITY,
                labels=tuple(Label(span, "this id") for span in spots),
                help="give one of them an id of its own, in a new release of its pack",
                effect="the second pattern is not looked for",
            )
