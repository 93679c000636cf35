"""`route-run test`: rehearsals on virtual time."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import click

from route_run.cli.main import EXIT_FINDINGS, Settings
from route_run.cli.terminal import painted
from route_run.errors import Finding, MisuseError
from route_run.lint.report import as_text, printable, rendered
from route_run.lint.report import summary as findings_summary
from route_run.lint.verdict import Verdict
from route_run.policy import PlacedRehearsal, units
from route_run.rehearse import coverage_report, explore_report, machine_report
from route_run.rehearse.clock import Backend, best_backend
from route_run.rehearse.coverage import measure
from route_run.rehearse.covered import Gap
from route_run.rehearse.explore import explore
from route_run.rehearse.machine_report import Report
from route_run.rehearse.mutate import mutate
from route_run.rehearse.rehearsed import rehearse
from route_run.rehearse.report import Line, as_lines, summary
from route_run.rehearse.request import check_requests
from route_run.rehearse.select import selector
from route_run.rehearse.suggest import Suggestion, suggestion
from route_run.table import Loaded, load

_TEST_FILE = ".test.yaml"
_MACHINE = {"json": machine_report.as_json, "junit": machine_report.as_junit, "github": machine_report.as_github}


def _seconds(ctx: click.Context, option: click.Parameter, value: str) -> float:
    try:
        return units.duration(value)
    except ValueError as error:
        raise click.BadParameter(f"`{value}` is not a duration such as `30s`") from error


@click.command(
    "test",
    epilog="Examples:\n\n\b\n  route-run test\n  route-run test routes/support.test.yaml -k 'rate limited'\n"
    "  route-run test --coverage --fail-under 100\n  route-run test --explore --depth 3 --budget 2min\n"
    "\nExit codes: 0 all hold, 1 something does not, 2 usage.",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[PATH]...")
@click.option("-k", "expression", metavar="EXPR", help="Only rehearsals named so: `rate limited and not (eu or us)`.")
@click.option("--explore", "explores", is_flag=True, help="Try combinations of failures that nobody scripted.")
@click.option(
    "--depth", type=click.IntRange(0, 5), default=2, help="Failures in a row that exploration tries. Default: 2."
)
@click.option(
    "--budget", metavar="TIME", default="30s", callback=_seconds,
    help="Real time for --explore and for --mutate each. Default: 30s.",
)  # fmt: skip
@click.option("--coverage", "covers", is_flag=True, help="Paint what of the policy no rehearsal exercises, and why.")
@click.option("--fail-under", type=click.FloatRange(0, 100), metavar="P", help="Fail when coverage is below P percent.")
@click.option("--mutate", "mutates", is_flag=True, help="List small changes of the policy that no rehearsal notices.")
@click.option(
    "--format", "style", type=click.Choice(["text", *_MACHINE]), default="text",
    help="How the result is printed. Default: text.",
)  # fmt: skip
@click.option("-v", "--verbose", is_flag=True, help="Also list the rehearsals that hold.")
@click.option(
    "--backend",
    type=click.Choice([backend.value for backend in Backend]),
    help="The event loop; both give the same results. Default: trio where it is installed.",
)
@click.pass_obj
def command(  # noqa: PLR0913  # click gives every option by its name
    settings: Settings,
    *,
    paths: Sequence[Path],
    expression: str | None,
    explores: bool,
    depth: int,
    budget: float,
    covers: bool,
    fail_under: float | None,
    mutates: bool,
    style: str,
    verbose: bool,
    backend: str | None,
) -> int:
    """Play the rehearsals of a policy on the real engine, in virtual time.

    PATHs are policy folders (instead of --policy), or `*.test.yaml` files: then only their rehearsals are played.
    """
    loaded, chosen = _loaded(settings, paths, style)
    on = _backend(backend)
    rehearsals = _selected(chosen, expression)
    if not rehearsals and not explores and not covers:
        raise click.UsageError("The policy has no rehearsals; --explore needs none, --coverage says where to begin.")
    is_text = style == "text"
    report = Report(loaded.table, on.value, [], lambda gap: _suggested(loaded, gap, on))
    played = []
    for rehearsed in rehearse(loaded, rehearsals, on):
        played.append(rehearsed)
        if is_text:
            _print(as_lines(rehearsed, verbose=verbose))
    report = replace(report, rehearsed=played)
    if is_text and played:
        _print([summary(played, on.value)])
    if covers or fail_under is not None:
        report = replace(report, coverage=measure(loaded.table, [rehearsed.played for rehearsed in played]))
    if is_text and report.coverage is not None:
        _print([Line(""), *coverage_report.as_lines(report.coverage, loaded.sources, report.suggest)])
    if explores:
        report = replace(report, explored=explore(loaded, on, depth, budget))
    if is_text and report.explored is not None:
        _print([Line(""), *explore_report.explored_lines(report.explored, loaded.table)])
    if mutates and not report.failing:
        report = replace(report, mutated=mutate(replace(loaded, rehearsals=tuple(rehearsals)), on, budget))
    if is_text and mutates:
        _print([Line(""), *_mutation(report)])
    if not is_text:
        click.echo(_MACHINE[style](report))
    return _exit(report, fail_under)


def _mutation(report: Report) -> Iterable[Line]:
    if report.mutated is None:
        return [Line("the policy is not changed while rehearsals fail", "warning")]
    return explore_report.mutated_lines(report.mutated)


def _exit(report: Report, fail_under: float | None) -> int:
    is_broken = bool(report.failing) or (report.explored is not None and bool(report.explored.violations))
    is_under = (
        fail_under is not None and report.coverage is not None and report.coverage.share * 100 < fail_under - 1e-9
    )
    if is_under and report.coverage is not None:
        share = coverage_report.percent(report.coverage.share)
        click.echo(painted(f"{share} rehearsed is under {fail_under:g} %", "error", sys.stderr), err=True)
    return EXIT_FINDINGS if is_broken or is_under else 0


def _backend(name: str | None) -> Backend:
    if name is None:
        return best_backend()
    backend = Backend(name)
    if backend is Backend.TRIO and best_backend() is not Backend.TRIO:
        raise MisuseError("trio is not installed: `pip install trio`, or leave --backend out")
    return backend


def _selected(chosen: Sequence[PlacedRehearsal], expression: str | None) -> Sequence[PlacedRehearsal]:
    if expression is None:
        return chosen
    is_selected = selector(expression)
    selected = [placed for placed in chosen if is_selected(placed.name)]
    if not selected:
        raise click.UsageError(f"-k `{expression}` selects none of {len(chosen)} rehearsals.")
    return selected


def _suggested(loaded: Loaded, gap: Gap, backend: Backend) -> Suggestion | None:
    if gap.witness is None:
        return None
    also = {"quota": gap.quota} if gap.quota else {}
    return suggestion(loaded, gap.item.words, gap.witness, gap.acts, backend, also)


def _loaded(settings: Settings, paths: Sequence[Path], style: str) -> tuple[Loaded, Sequence[PlacedRehearsal]]:
    """The policy, and the rehearsals that the paths select; ends the command with what is wrong with them."""
    files = [path for path in paths if path.name.endswith(_TEST_FILE)]
    policy = [path for path in paths if path not in files] or [Path(folder) for folder in settings.policy]
    roots = [folder.resolve() for folder in policy]
    apart = [file for file in files if not any(file.resolve().is_relative_to(root) for root in roots)]
    loaded = load([*policy, *apart])
    errors = [finding for finding in loaded.findings if finding.is_error]
    if problems := [*errors, *loaded.deferred, *check_requests(loaded.rehearsals)]:
        _refuse(sorted(problems, key=lambda finding: finding.order), loaded, style)
    if not files:
        return loaded, loaded.rehearsals
    wanted = {file.resolve() for file in files}
    return loaded, [placed for placed in loaded.rehearsals if Path(placed.span.path).resolve() in wanted]


def _refuse(problems: Sequence[Finding], loaded: Loaded, style: str) -> NoReturn:
    documents = len(loaded.reading.documents)
    if style == "json":
        click.echo(rendered("json", Verdict(loaded, tuple(problems)), Path.cwd()), nl=False)
    else:
        click.echo(as_text(problems, loaded.sources, lambda text, role: painted(text, role, sys.stderr)), err=True)
        click.echo(f"\nthe policy cannot be rehearsed: {findings_summary(problems, documents)}", err=True)
    raise click.exceptions.Exit(EXIT_FINDINGS)


def _print(lines: Iterable[Line]) -> None:
    for line in lines:
        text = printable(line.text)
        click.echo(painted(text, line.role) if line.role else text)
