"""`route-run rule`: what a code of a finding means."""

from __future__ import annotations

import json

import click

from route_run.lint.page import index, page, rule_as_json
from route_run.lint.rule import nearest_rule, rule_named, rules


@click.command(
    "rule",
    epilog="Examples:\n\n\b\n  route-run rule RR103\n  route-run rule unknown-field\n  route-run rule --json",
)
@click.argument("code", required=False, metavar="[CODE or NAME]")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: one rule, or the list of all.")
def command(code: str | None, as_json: bool) -> None:
    """Explain a rule: why it is there, a bad and a good example, the effect and the fix.

    Without a CODE, list all rules.
    """
    if code is None:
        every = rules()
        listed = json.dumps([rule_as_json(rule) for rule in every], ensure_ascii=False, indent=2) + "\n"
        click.echo(listed if as_json else index(every), nl=False)
        return
    rule = rule_named(code)
    if rule is None:
        similar = nearest_rule(code)
        hint = f" A similar one exists: `{similar}`." if similar else ""
        raise click.UsageError(f"There is no rule `{code}`.{hint} `route-run rule` lists all.")
    click.echo(json.dumps(rule_as_json(rule), ensure_ascii=False, indent=2) + "\n" if as_json else page(rule), nl=False)
