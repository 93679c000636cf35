"""Bad documents beside the report that people get to see of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from route_run import schema
from route_run.lint.report import as_text
from route_run.lint.report.text import effect_of
from route_run.text import Kind
from support.reading import read

CASES = sorted((Path(__file__).parent / "cases").glob("*.yaml"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_report(case, golden):
    kinds = {".pack": Kind.PACK, ".test": Kind.TEST}
    kind = next((kind for end, kind in kinds.items() if case.stem.endswith(end)), Kind.POLICY)
    document, findings = read(case.read_bytes(), kind, path=f"cases/{case.name}")
    found = sorted([*findings, *schema.check(document)], key=lambda finding: finding.order)
    golden(_told(found, document) + "\n", case.with_suffix(".out"))


def _told(found, document):
    """The report without what the rule of each code adds to it."""
    of_rules = {f"  = effect: {effect_of(finding)}" for finding in found if not finding.effect}
    lines = as_text(found, {document.path: document.text}).split("\n")
    return "\n".join(line for line in lines if line not in of_rules and not line.startswith("  = more: "))


def test_no_golden_is_left_without_its_case():
    outputs = {path.with_suffix(".yaml") for path in CASES[0].parent.glob("*.out")}
    assert outputs == set(CASES)
