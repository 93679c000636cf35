"""`route-run test`: rehearsals on virtual time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import click

from route_run.cli.main import EXIT_FINDINGS, Settings
from route_run.cli.policy import load_policy
from route_run.cli.terminal import painted
from route_run.lint.report import as_text, printable
from route_run.policy import PlacedRehearsal
from route_run.rehearse.clock import Backend, best_backend
from route_run.rehearse.rehearsed import Rehearsed, rehearse
from route_run.rehearse.report import Line, as_lines, summary
from route_run.rehearse.request import check_requests
from route_run.rehearse.select import selector
from route_run.table import Loaded

_TEST_FILE = ".test.yaml"


@click.command(
    "test",
    epilog="Examples:\n\n\b\n  route-run test\n  route-run test routes/support.test.yaml -k 'rate limited'\n"
    "\nExit codes: 0 all hold, 1 something does not (or the policy is invalid), 2 usage.",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("-k", "expression", metavar="EXPR", help="Only rehearsals named so: `rate limited and not (eu or us)`.")
@click.option("-v", "--verbose", is_flag=True, help="Also list the rehearsals that hold.")
@click.option(
    "--backend",
    type=click.Choice([backend.value for backend in Backend]),
    help="The event loop; both give the same results. Default: trio where it is installed.",
)
@click.pass_obj
def command(
    settings: Settings, paths: Sequence[Path], expression: str | None, verbose: bool, backend: str | None
) -> int:
    """Play the rehearsals of a policy on the real engine, in virtual time.

    PATHs are policy folders (instead of --policy), or `*.test.yaml` files: then only their rehearsals are played.
    """
    loaded, chosen = _loaded(settings, paths)
    on = Backend(backend) if backend else best_backend()
    rehearsals = [placed for placed in chosen if expression is None or selector(expression)(placed.name)]
    played: list[Rehearsed] = []
    for rehearsed in rehearse(loaded, rehearsals, on):
        played.append(rehearsed)
        _print(as_lines(rehearsed, verbose=verbose))
    _print([summary(played, on.value)])
    return 0 if all(rehearsed.holds for rehearsed in played) else EXIT_FINDINGS


def _loaded(settings: Settings, paths: Sequence[Path]) -> tuple[Loaded, Sequence[PlacedRehearsal]]:
    """The policy, and the rehearsals that the paths select."""
    files = [path for path in paths if path.name.endswith(_TEST_FILE)]
    folders = [path for path in paths if path not in files]
    policy = [str(path) for path in folders] or list(settings.policy)
    roots = [Path(folder).resolve() for folder in policy]
    apart = [str(file) for file in files if not any(file.resolve().is_relative_to(root) for root in roots)]
    loaded = load_policy(Settings((*policy, *apart), settings.ledger, settings.json_errors))
    problems = [*loaded.deferred, *check_requests(loaded.rehearsals)]
    if problems:
        click.echo(as_text(problems, loaded.sources, lambda text, role: painted(text, role, sys.stderr)), err=True)
        raise click.exceptions.Exit(EXIT_FINDINGS)
    if not files:
        return loaded, loaded.rehearsals
    wanted = {file.resolve() for file in files}
    return loaded, [placed for placed in loaded.rehearsals if Path(placed.span.path).resolve() in wanted]


def _print(lines: Iterable[Line]) -> None:
    for line in lines:
        text = printable(line.text)
        click.echo(painted(text, line.role) if line.role else text)
