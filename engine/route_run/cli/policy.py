"""The policy of a command: loaded, and refused with all of its findings when it is invalid."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import click

from route_run.cli.main import EXIT_FINDINGS, Settings
from route_run.cli.terminal import painted
from route_run.errors import PolicyError, Span
from route_run.lint.report import as_text, printable, summary
from route_run.table import Loaded, load
from route_run.text.nearest import listed, nearest


def load_policy(settings: Settings) -> Loaded:
    """The policy that the options name; ends the command with its findings when it is invalid."""
    loaded = load([Path(folder) for folder in settings.policy])
    if not loaded.is_valid:
        ended_by(settings, loaded, "the policy is invalid")
    return loaded


def ended_by(settings: Settings, loaded: Loaded, words: str) -> NoReturn:
    """End the command with the errors of an invalid policy."""
    errors = [finding for finding in loaded.findings if finding.is_error]
    if settings.json_errors:
        raise PolicyError(errors)
    click.echo(as_text(errors, loaded.sources, lambda text, role: painted(text, role, sys.stderr)), err=True)
    click.echo(f"\n{printable(words)}: {summary(errors, len(loaded.reading.documents))}", err=True)
    raise click.exceptions.Exit(EXIT_FINDINGS)


def relabelled(loaded: Loaded, places: Mapping[str, str]) -> Loaded:
    """A loaded policy whose paths start elsewhere: by the start that each had, the one that people know."""

    def path(old: str) -> str:
        start = next((start for start in places if old == start or old.startswith(f"{start}/")), None)
        return old if start is None else places[start] + old.removeprefix(start)

    def span(old: Span) -> Span:
        return replace(old, path=path(old.path))

    findings = tuple(
        replace(f, span=span(f.span), labels=tuple(replace(label, span=span(label.span)) for label in f.labels))
        for f in loaded.findings
    )
    documents = tuple(replace(document, path=path(document.path)) for document in loaded.reading.documents)
    return replace(loaded, findings=findings, reading=replace(loaded.reading, documents=documents))


def known(name: str, names: Iterable[str], what: str, option: str) -> None:
    """Raises UsageError, with the names there are, when one that an option gives is not among them."""
    found = list(names)
    if name not in found:
        similar = nearest(name, found)
        hint = f"did you mean `{similar}`? " if similar else ""
        raise click.UsageError(f"{option}: there is no {what} `{name}`; {hint}known: {listed(found) or 'none'}")


def pairs(values: Sequence[str], option: str) -> list[tuple[str, str]]:
    """`name=value` options as pairs; raises UsageError for one without `=`."""
    found = []
    for value in values:
        name, equals, text = value.partition("=")
        if not equals or not name:
            raise click.UsageError(f"{option} takes NAME=VALUE, not `{value}`")
        found.append((name, text))
    return found
