"""A loaded policy to everything lint has to say of it.

Decides that one broken rule never silences the others: its crash is a finding of its own. What a crash
says is not repeated, because it may hold what the policy keeps secret; its place in the code is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path

from route_run.errors import Code, Finding, Span
from route_run.lint.facts import Facts
from route_run.lint.rule import Check, checks
from route_run.table import Loaded


def lint(
    loaded: Loaded, looked_for: Sequence[tuple[Code, Check]] | None = None, today: date | None = None
) -> tuple[Finding, ...]:
    """What loading found and what the rules find, in the order of their places; suppressions not yet applied.

    ``looked_for`` are the rules to check, by default all; ``today`` is the day for what depends on it.
    """
    facts = Facts(loaded, today)
    wanted = checks() if looked_for is None else looked_for
    found = [finding for code, check in wanted for finding in _checked(code, check, facts)]
    return tuple(sorted(dict.fromkeys((*loaded.findings, *found)), key=lambda finding: finding.order))


def _checked(code: Code, check: Check, facts: Facts) -> Iterator[Finding]:
    try:
        yield from check(facts)
    except Exception as error:  # noqa: BLE001  # whatever a rule trips over, the other rules still report
        documents = facts.loaded.reading.documents
        yield Finding(
            Code.RULE_FAILED,
            Span.of_file(documents[0].path if documents else "."),
            f"the rule `{code.value}` failed with `{type(error).__name__}` at {_place_of(error)}",
            help="this is a defect of route-run, not of the policy; all other rules have been checked",
            effect=f"what {code.value} would find is not known",
        )


def _place_of(error: Exception) -> str:
    """The innermost place of the code that an error came from."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{Path(trace.tb_frame.f_code.co_filename).name}:{trace.tb_lineno}" if trace is not None else "unknown"
