"""Rules: one module of `rules/` each, whose docstring is what a person reads about it.

Decides how such a module is read. A rule that the phases of loading report themselves (reading, schema,
references, compiling) is a docstring alone; a rule of lint has a ``check`` beside it.

The form of a module named ``rr301_unreachable_route.py``::

    \"\"\"Route that no request reaches

    Why: a paragraph on what the rule is for.

    Bad:
        one or more files; one policy.yaml, or each after a line `# file: NAME`

    Good:
        the same, mended

    Effect: what happens if the bad one ships.

    Fix: what to do.
    \"\"\"

    SEVERITY = Severity.ERROR
    CONFIDENCE = Confidence.PROVED

    def check(facts: Facts) -> Iterator[Finding]: ...
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache

from route_run.errors import Code, Finding, Severity
from route_run.lint import rules as home
from route_run.lint.facts import Facts

Check = Callable[[Facts], Iterator[Finding]]
_SECTION = re.compile(r"^(Why|Bad|Good|Effect|Fix):[ \n]", re.MULTILINE)


class Confidence(Enum):
    """How sure a rule can be of what it says."""

    PROVED = "proved"
    LIKELY = "likely"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its code, what it says of itself, and its check where lint runs one.

    ``bad`` and ``good`` are policies: the text of each file by its name.
    """

    code: Code
    slug: str
    title: str
    severity: Severity
    confidence: Confidence
    why: str
    bad: Mapping[str, str]
    good: Mapping[str, str]
    effect: str
    fix: str
    check: Check | None


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of their codes."""
    names = sorted(module.name for module in pkgutil.iter_modules(home.__path__))
    return tuple(_read(name) for name in names)


def rule_of(code: Code) -> Rule:
    """The rule with a code; every code has one."""
    return next(rule for rule in rules() if rule.code is code)


def _read(name: str) -> Rule:
    module = importlib.import_module(f"{home.__name__}.{name}")
    number, _, slug = name.partition("_")
    title, _, body = inspect.cleandoc(module.__doc__ or "").partition("\n")
    parts = _SECTION.split(body)[1:]
    said = dict(zip(parts[::2], parts[1::2], strict=True))
    return Rule(
        code=Code(number.upper()),
        slug=slug.replace("_", "-"),
        title=title,
        severity=module.SEVERITY,
        confidence=module.CONFIDENCE,
        why=said["Why"].strip(),
        bad=_files(said["Bad"]),
        good=_files(said["Good"]),
        effect=said["Effect"].strip(),
        fix=said["Fix"].strip(),
        check=getattr(module, "check", None),
    )


def _files(block: str) -> Mapping[str, str]:
    """The files of an example: `# file: NAME` starts each, one alone is policy.yaml."""
    parts = re.split(r"^# file: (\S+)\n", inspect.cleandoc("\n" + block) + "\n", flags=re.MULTILINE)
    files = dict(zip(parts[1::2], parts[2::2], strict=True))
    return files or {"policy.yaml": parts[0]}
