"""Rules: one module of `rules/` each, whose docstring is what a person reads about it.

Decides how such a module is read. A rule of lint has a ``check`` beside its docstring; one that is checked
elsewhere (by reading, schema, references, compiling, suppressions) is its docstring alone, in `rules/elsewhere/`.

The form of a module named ``rr301_unreachable_route.py``::

    \"\"\"Route that no request reaches

    Why: a paragraph on what the rule is for.

    Bad:
        one or more files: one policy.yaml, or each after a line `# file: NAME`, `# file: NAME as latin-1`
        or `# link: NAME to NAME`

    Good:
        the same, mended

    Effect: what happens if the bad one ships.

    Fix: what to do.
    \"\"\"

    SEVERITY = Severity.ERROR
    CONFIDENCE = Confidence.PROVED

    def check(facts: Facts) -> Iterator[Finding]: ...

``IS_SECRET = True`` beside them says that findings point at something that no report may show.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cache
from inspect import cleandoc
from types import ModuleType

from route_run.errors import Code, Finding, Severity
from route_run.lint import rules as home
from route_run.lint.facts import Facts
from route_run.lint.rules import elsewhere
from route_run.text.nearest import nearest

Check = Callable[[Facts], Iterator[Finding]]
_SECTION = re.compile(r"^(Why|Bad|Good|Effect|Fix):[ \n]", re.MULTILINE)
_FILE = re.compile(r"^# (?:file: (\S+)(?: as (\S+))?|link: (\S+) to (\S+))\n", re.MULTILINE)
_HERE = home.__name__


class Confidence(Enum):
    """How sure a rule can be of what it says."""

    PROVED = "proved"
    LIKELY = "likely"
    HINT = "hint"


@dataclass(frozen=True, slots=True)
class ExampleFile:
    """One file of an example: its text in an encoding, or the name it is a symbolic link to."""

    name: str
    text: str
    encoding: str = "utf-8"
    link_to: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: its code, what it says of itself, and its check where lint runs one.

    ``bad`` and ``good`` are policies: the text of each file by its name; ``bad_files`` and
    ``good_files`` the same with encodings and links.
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
    is_secret: bool = False
    bad_files: tuple[ExampleFile, ...] = ()
    good_files: tuple[ExampleFile, ...] = ()


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule, in the order of their codes."""
    return tuple(_read(name) for name in module_names())


@cache
def rule_of(code: Code) -> Rule:
    """The rule with a code; every code has one."""
    start = f"{code.value.lower()}_"
    return _read(next(name for name in module_names() if name.startswith(start)))


@cache
def checks() -> tuple[tuple[Code, Check], ...]:
    """The codes that lint looks for itself, each with its check; their texts are not read."""
    here = [(name, _module(name)) for name, place in sorted(_modules().items()) if place == _HERE]
    return tuple((_code(name), module.check) for name, module in here if hasattr(module, "check"))


def rule_named(word: str) -> Rule | None:
    """The rule with this code or slug, in whatever case; None when there is none."""
    wanted = word.strip().casefold().replace("_", "-")
    for name in module_names():
        number, _, slug = name.partition("_")
        if wanted in (number, slug.replace("_", "-")):
            return _read(name)
    return None


def nearest_rule(word: str) -> str | None:
    """The code or slug that was most likely meant by a word that is neither."""
    names = [name.partition("_") for name in module_names()]
    known = [*(number.upper() for number, _, _ in names), *(slug.replace("_", "-") for _, _, slug in names)]
    return nearest(word.strip().replace("_", "-"), known)


@cache
def module_names() -> tuple[str, ...]:
    """The modules of all rules, in the order of their codes."""
    return tuple(sorted(_modules()))


@cache
def _modules() -> Mapping[str, str]:
    """The package of every rule's module, by the module's name."""
    return {
        module.name: package.__name__
        for package in (home, elsewhere)
        for module in pkgutil.iter_modules(package.__path__)
        if not module.ispkg
    }


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{_modules()[name]}.{name}")


def _code(name: str) -> Code:
    return Code(name.partition("_")[0].upper())


@cache
def _read(name: str) -> Rule:
    module = _module(name)
    title, _, body = cleandoc(module.__doc__ or "").partition("\n")
    parts = _SECTION.split(body)[1:]
    said = dict(zip(parts[::2], parts[1::2], strict=True))
    bad, good = _files(said["Bad"]), _files(said["Good"])
    return Rule(
        code=_code(name),
        slug=name.partition("_")[2].replace("_", "-"),
        title=title,
        severity=module.SEVERITY,
        confidence=module.CONFIDENCE,
        why=said["Why"].strip(),
        bad={file.name: file.text for file in bad},
        good={file.name: file.text for file in good},
        effect=said["Effect"].strip(),
        fix=said["Fix"].strip(),
        check=getattr(module, "check", None),
        is_secret=getattr(module, "IS_SECRET", False),
        bad_files=bad,
        good_files=good,
    )


def _files(block: str) -> tuple[ExampleFile, ...]:
    """The files of an example: a line of its own starts each, one alone is policy.yaml."""
    first, *parts = _FILE.split(cleandoc("\n" + block) + "\n")
    if not parts:
        return (ExampleFile("policy.yaml", first),)
    return tuple(
        ExampleFile(name or link, text, encoding or "utf-8", target or "")
        for name, encoding, link, target, text in zip(*(iter(parts),) * 5, strict=True)
    )
