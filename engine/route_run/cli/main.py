"""The command group, and the one place where exceptions become messages and exit codes."""

from __future__ import annotations

import gc
import importlib
import io
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import click

from route_run import __version__
from route_run.errors import LedgerError, MisuseError, PolicyError, RequestError, UnresolvedReferences

GARBAGE_THRESHOLD = 50_000
"""How many containers are made before the collector looks for cycles the next time."""

EXIT_FINDINGS = 1
EXIT_USAGE = 2
EXIT_INTERNAL = 70
EXIT_CANCELLED = 130
EXIT_BROKEN_PIPE = 141

COMMANDS = {
    "run": ("run one prompt through the policy", "run"),
    "lint": ("check that the policy is valid, reachable and safe", "lint"),
    "rule": ("explain a code of lint", "rule"),
    "explain": ("say where a request would go, and why", "explain"),
    "test": ("rehearse the policy: what happens when endpoints fail", "test"),
    "diff": ("say which requests change behaviour between two revisions", "diff"),
    "show": ("show the policy as a table, a tree or a page", "show"),
    "audit": ("look into the ledger: list, show, cost, verify", "audit"),
    "init": ("write a starter policy", "init"),
    "schema": ("print the JSON Schema of policy files", "schema"),
}
"""Every command: its line in the help, and the module of this folder that holds it."""


@dataclass(slots=True)
class Settings:
    """What the options before the command say; ``json_errors`` is set by commands that answer in JSON."""

    policy: tuple[str, ...]
    ledger: str | None
    json_errors: bool = False


class LazyGroup(click.Group):
    """Imports a command's module when the command is used: `--help` costs nothing but click."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module = importlib.import_module(f"route_run.cli.{COMMANDS[name][1]}")
        command: click.Command = module.command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            close = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean `{close[0]}`?" if close else ""
            raise click.UsageError(f"There is no command `{args[0]}`.{hint} Commands: {', '.join(COMMANDS)}.", ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, words) for name, (words, _) in COMMANDS.items()])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Examples:\n\n\b\n  route-run lint routes\n"
    '  route-run run --simulate "Where is my parcel?" --tag desk=support\n'
    '  route-run --policy common --policy env/prod explain "Hello" --tag desk=sales',
)
@click.option(
    "--policy",
    "-p",
    multiple=True,
    metavar="DIR",
    help="A policy folder; several are one policy together. Default: ROUTE_RUN_POLICY, else `routes`.",
)
@click.option(
    "--ledger",
    metavar="URL",
    help="The ledger as sqlite:///FILE. Default: ROUTE_RUN_LEDGER, else a file in your state folder.",
)
@click.version_option(__version__, prog_name="route-run")
@click.pass_context
def group(ctx: click.Context, policy: tuple[str, ...], ledger: str | None) -> None:
    """Route LLM prompts by a policy that lives in git: check it, explain it, run it."""
    from_environment = tuple(p for p in os.environ.get("ROUTE_RUN_POLICY", "").split(os.pathsep) if p)
    ctx.obj = Settings(policy or from_environment or ("routes",), ledger)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; no exception leaves it."""
    # starting makes many objects and no garbage: looking through them for cycles costs a tenth of a short command
    gc.set_threshold(GARBAGE_THRESHOLD, 20, 100)
    _open_streams()
    sys.exit(_exit_code(sys.argv[1:] if arguments is None else arguments))


def _open_streams() -> None:
    """Standard streams in UTF-8 whatever the locale; one that was closed from the start reads and writes nothing."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            mode = "r" if name == "stdin" else "w"
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123  # as long as we live
        elif isinstance(stream, io.TextIOWrapper) and name != "stdin":
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _decoded(arguments: Sequence[str]) -> list[str]:
    """Arguments as the UTF-8 they were written in, whatever the locale; raises UsageError for other bytes."""
    found = []
    for argument in arguments:
        try:
            found.append(os.fsencode(argument).decode())
        except UnicodeDecodeError as error:
            shown = argument.encode("ascii", "backslashreplace").decode()
            raise click.UsageError(f"The argument `{shown}` is not UTF-8.") from error
    return found


def _exit_code(arguments: Sequence[str]) -> int:
    try:
        ctx = group.make_context("route-run", _decoded(arguments))
        with ctx:
            code = group.invoke(ctx)
        sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as done:
        return done.exit_code
    except BrokenPipeError:
        # whoever read our output has left; what is still buffered must not fail again at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_BROKEN_PIPE
    except (KeyboardInterrupt, click.Abort):
        return EXIT_CANCELLED
    except click.ClickException as error:
        if not _wants_json(arguments):
            error.show()
            return error.exit_code
        return _report(error, wants_json=True)
    except Exception as error:  # noqa: BLE001  # the command line's edge: whatever it is, a person gets one line
        return _report(error, wants_json=_wants_json(arguments))


def _wants_json(arguments: Sequence[str]) -> bool:
    """Whether errors are to be JSON; told from the arguments, because they may be what is wrong."""
    formats = [value for option, value in pairwise(arguments) if option == "--format"]
    return "--json" in arguments or "--events" in arguments or "--format=json" in arguments or "json" in formats


def _report(error: Exception, *, wants_json: bool) -> int:
    """Say what went wrong, as one line or one JSON object, and give the exit code."""
    kind, code = _meaning(error)
    if kind == "internal" and os.environ.get("ROUTE_RUN_DEBUG"):
        raise error
    message = f"{type(error).__name__}: {error}" if kind == "internal" else str(error)
    if isinstance(error, click.ClickException):
        message = error.format_message()
    if wants_json:
        click.echo(json.dumps({"error": {"kind": kind, "message": message, **_details(error)}}, ensure_ascii=False))
        return code
    text = "".join(c if c.isprintable() or c == "\n" else "·" for c in message)
    hint = "\nThis is a defect of route-run; ROUTE_RUN_DEBUG=1 shows where." if kind == "internal" else ""
    click.echo(f"Error: {text}{hint}", err=True)
    return code


def _meaning(error: Exception) -> tuple[str, int]:
    match error:
        case PolicyError():
            return "policy", EXIT_FINDINGS
        case UnresolvedReferences():
            return "unresolved", EXIT_USAGE
        case RequestError():
            return "request", EXIT_USAGE
        case LedgerError():
            return "ledger", EXIT_USAGE
        case MisuseError() | click.ClickException():
            return "usage", EXIT_USAGE
        case _:
            return "internal", EXIT_INTERNAL


def _details(error: Exception) -> dict[str, Any]:
    if isinstance(error, UnresolvedReferences):
        return {"problems": [{"message": problem, "place": str(span)} for problem, span in error.problems]}
    if isinstance(error, PolicyError):
        from route_run.lint.report import finding_as_json

        return {"findings": [finding_as_json(finding) for finding in error.findings]}
    return {}
