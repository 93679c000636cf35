"""JUnit's XML: suites of cases that pass or fail.

Decides the shape of the document, and that it holds nothing which XML 1.0 cannot.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a case fails: in one line, its kind, and all there is to say."""

    message: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """A case with its attributes; it passes when it has no failures. ``output`` is what it says all the same."""

    attributes: Mapping[str, str]
    failures: Sequence[Failure] = ()
    output: str = ""


@dataclass(frozen=True, slots=True)
class Suite:
    """Cases under one name; ``counts`` are further attributes, such as how many there are and how many fail."""

    name: str
    counts: Mapping[str, str]
    cases: Sequence[Case]


def document(name: str, counts: Mapping[str, str], suites: Sequence[Suite]) -> str:
    """The whole document, without a line break at its end."""
    # imported here: most runs write no XML
    from xml.etree import ElementTree as ET

    root = ET.Element("testsuites", {"name": name, **counts})
    for suite in suites:
        under = ET.SubElement(root, "testsuite", _clean({"name": suite.name, **suite.counts}))
        for case in suite.cases:
            _case(under, case)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'


def _case(suite: Element, case: Case) -> None:
    from xml.etree.ElementTree import SubElement

    element = SubElement(suite, "testcase", _clean(case.attributes))
    for failure in case.failures:
        attributes = _clean({"message": failure.message, "type": failure.kind})
        SubElement(element, "failure", attributes).text = _text(failure.text)
    if case.output:
        SubElement(element, "system-out").text = _text(case.output)


def _clean(attributes: Mapping[str, str]) -> dict[str, str]:
    return {name: _text(value) for name, value in attributes.items()}


def _text(text: str) -> str:
    """A text without what XML 1.0 cannot hold."""
    return "".join(c if c in "\t\n" or (c.isprintable() and not "\ufffe" <= c <= "\uffff") else "·" for c in text)
