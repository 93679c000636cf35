"""`route-run lint`: is this policy valid?"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click

from route_run.cli.main import EXIT_FINDINGS, Settings
from route_run.cli.terminal import painted
from route_run.lint.report import as_json, as_text, summary
from route_run.table import load


@click.command(
    "lint",
    epilog="Examples:\n\n\b\n  route-run lint routes\n  route-run lint common env/prod --format json\n\n"
    "Exit codes: 0 the policy is valid (warnings do not count), 1 it is not, 2 usage.",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option(
    "--format",
    "style",
    type=click.Choice(["text", "json"]),
    default="text",
    help="How findings are printed. Default: text.",
)
@click.pass_obj
def command(settings: Settings, paths: Sequence[Path], style: str) -> int:
    """Check that a policy is valid: reading, schema, references, units, ambiguous routes.

    PATHs are policy folders or files, together one policy; without any, those of --policy. Every finding
    comes with its place, the right answers and the fix.
    """
    loaded = load(paths or [Path(folder) for folder in settings.policy])
    files = len(loaded.reading.documents)
    if style == "json":
        click.echo(as_json(loaded.findings, files))
    else:
        if loaded.findings:
            click.echo(
                as_text(loaded.findings, loaded.sources, lambda text, role: painted(text, role, sys.stdout)) + "\n"
            )
        click.echo(summary(loaded.findings, files))
    return 0 if loaded.is_valid else EXIT_FINDINGS
