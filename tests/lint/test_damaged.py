"""Rules on whatever could be read: no rule fails on a policy of which parts were left out."""

from __future__ import annotations

import pytest

from route_run.errors import Code
from route_run.lint.check import lint
from support import design_example
from support.reading import loaded_from

LINES = design_example.POLICY.splitlines(keepends=True)
ROUTES = "  other: {match: {tags: {desk: sales}}, precedence: 3, callable: true, upstream: main}\n"


def without(first, count):
    """The design's policy with one route more and some lines gone."""
    text = design_example.POLICY.replace("  everything-else:\n", ROUTES + "  everything-else:\n")
    lines = text.splitlines(keepends=True)
    return "".join(lines[:first] + lines[first + count :])


@pytest.mark.parametrize("count", [1, 3])
def test_no_rule_fails_whatever_lines_are_missing(count):
    for first in range(1 + count, len(LINES), 4):
        findings = lint(loaded_from({**design_example.FILES, "policy.yaml": without(first, count)}))
        assert [f.message for f in findings if f.code is Code.RULE_FAILED] == [], f"without line {first + 1}"


def test_no_rule_fails_for_a_policy_of_nothing():
    assert [f for f in lint(loaded_from("version: 1\n")) if f.code is Code.RULE_FAILED] == []
