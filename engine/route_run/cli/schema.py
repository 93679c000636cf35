"""`route-run schema`: the JSON Schemas, for editors and other tools."""

from __future__ import annotations

import click

from route_run.schema import SCHEMA_NAMES, schema_text


@click.command("schema", epilog="Example:\n\n\b\n  route-run schema policy > policy.schema.json")
@click.argument("name", type=click.Choice(SCHEMA_NAMES), default="policy")
def command(name: str) -> None:
    """Print a JSON Schema: of policy files, pattern packs, rehearsals, ledger records or what lint finds."""
    click.echo(schema_text(name), nl=False)
