"""`route-run init`: a starter policy."""

from __future__ import annotations

from pathlib import Path

import click

from route_run.cli.main import Settings
from route_run.schema import schema_text

_STARTER = Path(__file__).parent / "starter"
_SCHEMA_FOLDER = ".schemas"


@click.command("init", epilog="Example:\n\n\b\n  route-run init routes && route-run lint routes")
@click.argument("folder", type=click.Path(path_type=Path), required=False)
@click.pass_obj
def command(settings: Settings, folder: Path | None) -> None:
    """Write a starter policy into FOLDER (default: the policy folder), which must be empty or not exist.

    The schema goes along, so that editors complete and explain every field.
    """
    target = folder or Path(settings.policy[0])
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise click.UsageError(f"{target} exists and is not an empty folder; nothing was written")
    files = {path.name: path.read_text(encoding="utf-8") for path in sorted(_STARTER.glob("*.yaml"))}
    files |= {f"{_SCHEMA_FOLDER}/{name}.schema.json": schema_text(name) for name in ("policy", "pack", "test")}
    try:
        for name, text in files.items():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (target / name).write_text(text, encoding="utf-8")
            click.echo(f"wrote {target / name}")
    except OSError as error:
        raise click.UsageError(f"{target} cannot be written: {error.strerror}") from error
    click.echo(f'\nNext: route-run --policy {target} run "Hello" --simulate')
