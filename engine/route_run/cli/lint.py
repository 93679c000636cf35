"""`route-run lint`: is this policy well formed, sound, reachable, safe?"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import click

from route_run.cli.main import EXIT_FINDINGS, Settings
from route_run.cli.terminal import painted, write_table
from route_run.errors import Finding, Severity
from route_run.lint.baseline import Baseline, BaselineError
from route_run.lint.report import FORMATS, rendered
from route_run.lint.rule import module_names, nearest_rule
from route_run.lint.verdict import Verdict, judge
from route_run.table import load

MAX_STDIN = (1 << 20) + 1
"""Most bytes read from stdin: one more than a document may have, so that the reader can say so."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options as they are written."""

    paths: tuple[Path, ...]
    style: str
    outputs: tuple[str, ...]
    fix: bool
    unsafe_fixes: bool
    diff: bool
    fail_level: str
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    debt: bool
    baseline: Path | None
    update_baseline: bool
    stdin_filename: Path | None


@dataclass(frozen=True)
class Asked:
    """What the options ask for; ``typed`` is the document from stdin, by the path it stands for."""

    folders: tuple[Path, ...]
    typed: Mapping[Path, bytes]
    chosen: Callable[[Finding], bool]
    baseline: Baseline | None
    today: date

    def judged(self, contents: Mapping[Path, bytes]) -> Verdict:
        """The verdict on the policy with these contents in the place of what some files hold."""
        loaded = load(self.folders, {**self.typed, **contents})
        return judge(loaded, self.today, self.baseline)

    def shown(self, verdict: Verdict) -> Verdict:
        """The verdict with what was chosen; of a document from stdin what is in it or points at it."""
        paths = {str(path) for path in self.typed}
        if paths:
            own = tuple(finding for finding in verdict.findings if paths & _paths_of(finding))
            verdict = replace(verdict, findings=own)
        return verdict.only(self.chosen)


def _paths_of(finding: Finding) -> set[str]:
    return {finding.span.path, *(label.span.path for label in finding.labels)}


@click.command(
    "lint",
    epilog="Examples:\n\n\b\n  route-run lint routes\n"
    "  route-run lint common env/prod --format github --output sarif=lint.sarif\n"
    "  route-run lint --fix --diff\n  route-run lint --select RR3 --fail-level warning\n"
    "  route-run lint - --stdin-filename routes/policy.yaml < draft.yaml\n\n"
    "Exit codes: 0 the policy is valid and nothing weighs as much as --fail-level, 1 otherwise, 2 usage.",
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, allow_dash=True), metavar="[PATH]...")
@click.option(
    "--format", "style", type=click.Choice(FORMATS), default="text", help="How findings are printed. Default: text."
)
@click.option("--output", "outputs", multiple=True, metavar="F=PATH", help="Also write a report to a file; repeatable.")
@click.option("--fix", is_flag=True, help="Make the safe fixes.")
@click.option("--unsafe-fixes", is_flag=True, help="With --fix or --diff: also those that a person has to look at.")
@click.option("--diff", is_flag=True, help="Show what fixing would change; write nothing.")
@click.option(
    "--fail-level",
    type=click.Choice([severity.value for severity in Severity]),
    default="error",
    help="The least severity that makes the exit code 1. Default: error.",
)
@click.option("--select", multiple=True, metavar="CODES", help="Show only these, such as RR3,RR404; repeatable.")
@click.option("--ignore", multiple=True, metavar="CODES", help="Do not show these; repeatable.")
@click.option("--debt", is_flag=True, help="List the suppressions, with age and reason.")
@click.option("--baseline", type=click.Path(path_type=Path), help="Hide what this file lists.")
@click.option("--update-baseline", is_flag=True, help="Create that file when there is none; else only remove from it.")
@click.option("--stdin-filename", type=click.Path(path_type=Path), help="With `-`: the file that stdin stands for.")
@click.pass_obj
def command(settings: Settings, /, **options: Any) -> int:
    """Check a policy: is it valid, can every route be reached, is it safe?

    PATHs are policy folders or files, together one policy; without any, those of --policy. Every finding
    comes with its place, the right answers, the effect and often a fix; `route-run rule CODE` says more.
    """
    given = Options(**options)
    _check_together(given)
    files = _output_files(given.outputs)
    typed = _typed(given.paths, given.stdin_filename)
    if typed and given.fix and not given.diff:
        raise click.UsageError("--fix writes files; for a document from stdin use --diff")
    asked = Asked(
        folders=_folders(settings, given.paths, typed),
        typed=typed,
        chosen=_chosen(given.select, given.ignore),
        baseline=_baseline(given.baseline, is_first=given.update_baseline),
        today=date.today(),  # noqa: DTZ011  # a day in a policy is a day where the person is
    )
    if given.fix or given.diff:
        return _fix(asked, given, files)
    verdict = asked.judged({})
    if given.debt:
        return _debt(verdict, asked.today)
    if given.update_baseline and given.baseline is not None:
        return _update_baseline(verdict, asked.baseline, given.baseline)
    return _report(asked, verdict, given, files)


# -- options ---------------------------------------------------------------------------------------------


def _check_together(given: Options) -> None:
    if given.update_baseline and given.baseline is None:
        raise click.UsageError("--update-baseline needs --baseline FILE")
    if given.unsafe_fixes and not (given.fix or given.diff):
        raise click.UsageError("--unsafe-fixes goes with --fix or --diff")
    modes = [("--fix or --diff", given.fix or given.diff), ("--debt", given.debt)]
    used = [name for name, is_used in (*modes, ("--update-baseline", given.update_baseline)) if is_used]
    if len(used) > 1:
        raise click.UsageError(f"{' and '.join(used)} do not go together")


def _output_files(outputs: Sequence[str]) -> dict[Path, str]:
    """The format of each file to write; raises UsageError."""
    files: dict[Path, str] = {}
    for output in outputs:
        style, equals, name = output.partition("=")
        if not equals or not name or style not in FORMATS:
            raise click.UsageError(f"--output takes FORMAT=PATH with one of {', '.join(FORMATS)}, not `{output}`")
        if Path(name) in files:
            raise click.UsageError(f"--output names {name} twice")
        files[Path(name)] = style
    return files


def _typed(paths: Sequence[Path], name: Path | None) -> dict[Path, bytes]:
    if Path("-") not in paths:
        if name is not None:
            raise click.UsageError("--stdin-filename goes with `-`, which reads a document from stdin")
        return {}
    if name is None:
        raise click.UsageError("`-` reads a document from stdin: --stdin-filename says which file it stands for")
    return {name: sys.stdin.buffer.read(MAX_STDIN)}


def _folders(settings: Settings, paths: Sequence[Path], typed: Mapping[Path, bytes]) -> tuple[Path, ...]:
    """The policy folders; a document from stdin that lies in none of them is a policy of its own."""
    named = tuple(path for path in paths if path != Path("-"))
    folders = named or tuple(Path(folder) for folder in settings.policy)
    for path in typed:
        if not any(folder == path or folder in path.parents for folder in folders):
            return (*named, path)
    return folders


def _chosen(select: Sequence[str], ignore: Sequence[str]) -> Callable[[Finding], bool]:
    wanted, unwanted = _prefixes("--select", select), _prefixes("--ignore", ignore)

    def is_chosen(finding: Finding) -> bool:
        code = finding.code.value
        return (not wanted or code.startswith(wanted)) and not (unwanted and code.startswith(unwanted))

    return is_chosen


def _prefixes(option: str, values: Sequence[str]) -> tuple[str, ...]:
    """Codes, the starts of codes, or names of rules, as starts of codes; raises UsageError for anything else."""
    words = [word for value in values for word in value.replace(",", " ").split()]
    by_name = {slug.replace("_", "-"): code.upper() for code, _, slug in (n.partition("_") for n in module_names())}
    found = []
    for word in words:
        prefix = by_name.get(word.casefold(), word.upper())
        if not any(code.startswith(prefix) for code in by_name.values()) or not prefix.startswith("RR"):
            similar = nearest_rule(word)
            hint = f"; a similar one exists: `{similar}`" if similar else ""
            raise click.UsageError(f"{option}: no rule starts with `{word}`{hint}. `route-run rule` lists all.")
        found.append(prefix)
    return tuple(found)


def _baseline(path: Path | None, *, is_first: bool) -> Baseline | None:
    if path is None:
        return None
    try:
        return Baseline.parse(str(path), path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        if is_first:
            return None
        raise click.UsageError(f"{path} is not there; --update-baseline writes a first one") from error
    except (OSError, UnicodeDecodeError) as error:
        raise click.UsageError(f"{path} cannot be read: {error}") from error
    except BaselineError as error:
        raise click.UsageError(str(error)) from error


# -- what is done ------------------------------------------------------------------------------------------


def _report(asked: Asked, verdict: Verdict, given: Options, files: Mapping[Path, str]) -> int:
    shown = asked.shown(verdict)
    root = Path.cwd()
    written = {path: rendered(kind, shown, root).encode("utf-8", "replace") for path, kind in files.items()}
    _write(written)
    click.echo(rendered(given.style, shown, root, lambda text, role: painted(text, role, sys.stdout)), nl=False)
    return EXIT_FINDINGS if shown.reaches(Severity(given.fail_level)) or not verdict.loaded.is_valid else 0


def _write(contents: Mapping[Path, bytes]) -> None:
    if not contents:
        return
    from route_run.lint.write import WriteRefused, write_files

    try:
        write_files(contents)
    except WriteRefused as error:
        raise click.UsageError(str(error)) from error


def _fix(asked: Asked, given: Options, files: Mapping[Path, str]) -> int:
    from route_run.lint.difference import difference
    from route_run.lint.fix import mend
    from route_run.lint.write import WriteRefused, write_changes

    try:
        mended = mend(asked.judged, asked.chosen, asked.typed, unsafe=given.unsafe_fixes)
        if given.diff:
            click.echo(difference(mended), nl=False)
            click.echo(mended.summary(), err=True)
            return EXIT_FINDINGS if mended.changes else 0
        write_changes(mended.changes)
    except WriteRefused as error:
        raise click.UsageError(str(error)) from error
    code = _report(asked, mended.verdict, given, files)
    click.echo(mended.summary(), err=given.style != "text")
    return code


def _debt(verdict: Verdict, today: date) -> int:
    from route_run.cli.blame import written_on
    from route_run.lint.debt import HEAD, debts

    owed = debts(verdict.suppressions, today, written_on)
    if not owed:
        click.echo("no suppressions")
        return 0
    write_table(HEAD, [debt.row for debt in owed])
    return 0


def _update_baseline(verdict: Verdict, before: Baseline | None, path: Path) -> int:
    if before is None:
        after = verdict.as_baseline(str(path))
        said = f"wrote {path} with {len(after.entries)} findings; from now on it may only shrink"
    else:
        after = before.without(verdict.gone)
        said = f"removed {len(before.entries) - len(after.entries)} of {len(before.entries)} findings from {path}"
    _write({path: after.text().encode()})
    click.echo(said)
    return 0 if verdict.loaded.is_valid else EXIT_FINDINGS
