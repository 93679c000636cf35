"""`route-run diff`: which requests change behaviour between two revisions?"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from route_run.cli.main import EXIT_FINDINGS, Settings
from route_run.cli.policy import ended_by, relabelled
from route_run.errors import LedgerError
from route_run.ledger import Filter, LedgerReader, path_of
from route_run.lint.report import printable
from route_run.review.diff import Difference, Risk, difference
from route_run.review.diff.document import as_json
from route_run.review.diff.replay import MOST_RECORDS, Replayed, replay
from route_run.review.diff.report import as_markdown, as_text
from route_run.review.revision import extract
from route_run.table import Loaded, load

_ANY = "any"


@dataclass(frozen=True, slots=True)
class _Side:
    name: str
    loaded: Loaded


@click.command(
    "diff",
    epilog="Examples:\n\n\b\n  route-run diff main\n  route-run diff HEAD~1 HEAD --format markdown\n"
    "  route-run diff old-routes routes --fail-on residency-widened --fail-on injection-loosened\n"
    "  route-run diff main --replay sqlite:///ledger.sqlite3\n\n"
    "Exit codes: 0; 1 what --fail-on or --exit-code asks for, or one of the policies is invalid; 2 usage.",
)
@click.argument("base")
@click.argument("head", required=False)
@click.option(
    "--format", "form", type=click.Choice(["text", "markdown", "json"]), default="text", show_default=True,
    help="Markdown is made for the comment of a pull request.",
)  # fmt: skip
@click.option(
    "--fail-on",
    multiple=True,
    type=click.Choice([*(risk.value for risk in Risk), _ANY]),
    metavar="CLASS",
    help=f"Exit 1 for this class of risk: {', '.join(risk.value for risk in Risk)}; {_ANY} for any. Repeatable.",
)
@click.option("--exit-code", is_flag=True, help="Exit 1 when any decision changed.")
@click.option(
    "--replay", "ledger", metavar="LEDGER", help="Also ask the requests of this ledger again: sqlite:///FILE or FILE."
)
@click.option("--simulated", is_flag=True, help="With --replay: count simulated requests too.")
@click.pass_obj
def command(
    settings: Settings,
    base: str,
    head: str | None,
    form: str,
    fail_on: Sequence[str],
    exit_code: bool,
    ledger: str | None,
    simulated: bool,
) -> int:
    """Say which requests change behaviour between two policies, and how.

    BASE and HEAD are policy folders or git revisions; HEAD is the policy as it lies there when left out. What
    changes is computed from the matches: text that moves changes nothing. Sends nothing and reads no secret.
    """
    settings.json_errors = form == "json"
    with ExitStack() as stack:
        before, after = (_side(settings, named, stack) for named in (base, head))
        found = difference(before.loaded.table, after.loaded.table)
        replayed = _replayed(ledger, found, simulated=simulated) if ledger is not None else None
    names = (before.name, after.name)
    if form == "json":
        click.echo(json.dumps(as_json(found, names, replayed), ensure_ascii=False, indent=2))
    elif form == "markdown":
        click.echo(as_markdown(found, names, replayed))
    else:
        for line in as_text(found, names, replayed).splitlines():
            click.echo(printable(line))
    return EXIT_FINDINGS if _fails(found, fail_on, exit_code=exit_code) else 0


def _side(settings: Settings, named: str | None, stack: ExitStack) -> _Side:
    """The policy that an argument names; ends the command with its findings when it is invalid."""
    if named is None:
        return _checked(settings, "the working tree", load([Path(folder) for folder in settings.policy]))
    if named and Path(named).is_dir():
        return _checked(settings, named, load([Path(named)]))
    into = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="route-run-")))
    folders = extract(named, [Path(folder) for folder in settings.policy], into)
    places = {str(there): f"{named}:{here}" for there, here in zip(folders, settings.policy, strict=True)}
    return _checked(settings, named, relabelled(load(folders), places))


def _checked(settings: Settings, name: str, loaded: Loaded) -> _Side:
    if not loaded.is_valid:
        ended_by(settings, loaded, f"the policy of {name} is invalid")
    return _Side(name, loaded)


def _replayed(ledger: str, found: Difference, *, simulated: bool) -> Replayed:
    path = path_of(ledger) if ":" in ledger else Path(ledger)
    if not path.is_file():
        raise LedgerError(f"there is no ledger at {path}; {_what_there_is(path.parent)}")
    with LedgerReader(path) as reader:
        records = reader.records(Filter(), MOST_RECORDS)
    finished = [record for record in records if record["outcome"] != "unfinished"]
    chosen = [record for record in finished if simulated or not record["simulated"]]
    replayed = replay(found.before, found.after, chosen)
    replayed.simulated_left_out = len(finished) - len(chosen)
    return replayed


def _what_there_is(folder: Path) -> str:
    if not folder.is_dir():
        return f"there is no folder {folder} either"
    names = sorted(path.name for path in folder.iterdir() if path.is_file())[:8]
    return f"{folder} holds {', '.join(names) or 'no files'}"


def _fails(found: Difference, fail_on: Sequence[str], *, exit_code: bool) -> bool:
    wanted = {risk.value for risk in Risk} if _ANY in fail_on else set(fail_on)
    return any(risk.value in wanted for risk in found.risks) or (exit_code and bool(found.groups))
