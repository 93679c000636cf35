"""A loaded policy to everything lint has to say of it.

Decides that one broken rule never silences the others: its crash is a finding of its own.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Span
from route_run.lint.facts import Facts
from route_run.lint.rule import Rule, rules
from route_run.table import Loaded


def lint(loaded: Loaded) -> tuple[Finding, ...]:
    """What loading found and what the rules find, in the order of their places."""
    facts = Facts(loaded)
    found = [finding for rule in rules() for finding in _checked(rule, facts)]
    return tuple(sorted(dict.fromkeys((*loaded.findings, *found)), key=lambda finding: finding.order))


def _checked(rule: Rule, facts: Facts) -> Iterator[Finding]:
    if rule.check is None:
        return
    try:
        yield from rule.check(facts)
    except Exception as error:  # noqa: BLE001  # whatever a rule trips over, the other rules still report
        documents = facts.loaded.reading.documents
        yield Finding(
            Code.RULE_FAILED,
            Span.of_file(documents[0].path if documents else "."),
            f"the rule {rule.code.value} ({rule.slug}) failed: {type(error).__name__}: {error}",
            help="this is a defect of route-run, not of the policy; all other rules have been checked",
            effect=f"what {rule.code.value} would find is not known",
        )
