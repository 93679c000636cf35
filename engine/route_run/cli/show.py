"""`route-run show`: what does the policy look like?"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from route_run.cli.main import Settings
from route_run.cli.policy import load_policy
from route_run.review.picture import Picture, picture

_FORMS = ("table", "tree", "mermaid", "html", "json")


@click.command(
    "show",
    epilog="Examples:\n\n\b\n  route-run show\n  route-run show --format tree\n"
    "  route-run show --format html -o policy.html\n\n"
    "Exit codes: 0; 1 the policy is invalid, 2 usage.",
)
@click.option(
    "--format", "form", type=click.Choice(_FORMS), default="table", show_default=True,
    help="HTML is one page that needs no network.",
)  # fmt: skip
@click.option(
    "--output", "-o", type=click.Path(path_type=Path, dir_okay=False), metavar="FILE", help="Write to a file instead."
)
@click.pass_obj
def command(settings: Settings, form: str, output: Path | None) -> None:
    """Show the policy as a picture: requests, routes in the order in which they win, targets, endpoints.

    Sends nothing and reads no secret.
    """
    settings.json_errors = form == "json"
    drawn = picture(load_policy(settings))
    if output is None and form in ("table", "tree"):
        from route_run.cli.drawing import print_table, print_tree  # rich is imported where something is drawn

        (print_table if form == "table" else print_tree)(drawn, sys.stdout)
        return
    text = _text(drawn, form)
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{output} cannot be written: {error.strerror}") from error
    click.echo(f"wrote {output}", err=True)


def _text(drawn: Picture, form: str) -> str:
    match form:
        case "mermaid":
            from route_run.review.picture.mermaid import as_mermaid

            return as_mermaid(drawn)
        case "html":
            from route_run.review.picture.html import as_html

            return as_html(drawn)
        case "json":
            return json.dumps(drawn.as_json(), ensure_ascii=False, indent=2) + "\n"
        case _:
            import io

            from route_run.cli.drawing import print_table, print_tree

            lines = io.StringIO()
            (print_table if form == "table" else print_tree)(drawn, lines)
            return lines.getvalue()
