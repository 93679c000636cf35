"""A picture in a terminal: a table and a tree.

Decides widths and colours: those of the terminal, and where there is none a fixed width and no colours, so that
the same policy prints the same everywhere.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterator
from typing import TextIO

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from route_run.cli.terminal import wants_colour
from route_run.lint.report import printable
from route_run.review.picture import Picture
from route_run.review.picture.model import RoutePicture

_TARGETS = "targets, in order"
WIDTH = 140
"""Columns where the output is no terminal."""


def print_table(picture: Picture, file: TextIO) -> None:
    """Routes in the order in which they win, then bounds and endpoints."""
    console = _console(file)
    routes = _table("route", "requests", _TARGETS, "parameters", "answers")
    for route in picture.routes:
        name = route.name + (f"\nprecedence {route.precedence}" if route.precedence else "")
        targets = "\n".join(f"{number}. {target.name}" for number, target in enumerate(route.targets, 1))
        answers = route.deliver + (f"\n{route.verify}" if route.verify else "")
        routes.add_row(*map(_text, (name, _asked(route), targets, "\n".join(route.parameters), answers)))
    console.print(routes)
    bounds = _table("bound", "requests", "asks for")
    for bound in picture.bounds:
        bounds.add_row(*map(_text, (bound.name, bound.requests, bound.says)))
    endpoints = _table("endpoint", "dialect", "labels", "limits")
    for endpoint in picture.endpoints:
        drained = "drained, " if endpoint.drained else ""
        cells = (endpoint.name, endpoint.dialect, ", ".join(endpoint.labels), drained + ", ".join(endpoint.limits))
        endpoints.add_row(*map(_text, cells))
    for table in (bounds, endpoints):
        if table.row_count:
            console.print()
            console.print(table)
    _write(console, file)


def print_tree(picture: Picture, file: TextIO) -> None:
    """Routes, what they ask, and the targets below them."""
    tree = Tree(_text(f"policy {picture.digest[:12]}"), highlight=False)
    for route in picture.routes:
        branch = tree.add(_text(route.name, "bold"))
        for line in _about(route):
            branch.add(_text(line))
        targets = branch.add(_text(f"upstream {route.upstream}"))
        for number, target in enumerate(route.targets, 1):
            targets.add(_text(f"{number}. {target.name}: {target.window:,} tokens, {target.price}"))
    console = _console(file)
    console.print(tree)
    _write(console, file)


def _about(route: RoutePicture) -> Iterator[str]:
    yield f"takes {_asked(route)}"
    if route.precedence:
        yield f"precedence {route.precedence}"
    yield from (f"parameter {words}" for words in route.parameters)
    for bound in route.bounds:
        yield f"bound {bound.bound}{'' if bound.always else ', for some requests'}: {bound.says}"


def _asked(route: RoutePicture) -> str:
    ways = [way for way in route.ways if way != "by match"]
    return "; ".join(([route.requests] if route.requests else []) + ([", ".join(ways)] if ways else []))


def _table(*heads: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="dim")
    for head in heads:
        is_name = head == heads[0] or head == _TARGETS
        table.add_column(head, overflow="fold", no_wrap=is_name, style="bold" if head == heads[0] else None)
    return table


def _text(words: str, style: str = "") -> Text:
    return Text("\n".join(printable(line) for line in words.splitlines()), style=style)


def _write(console: Console, file: TextIO) -> None:
    """What was drawn, without the blanks that fill lines up to the width."""
    assert isinstance(console.file, io.StringIO)
    file.writelines(f"{line.rstrip()}\n" for line in console.file.getvalue().splitlines())


def _console(file: TextIO) -> Console:
    is_terminal = file.isatty()
    return Console(
        file=io.StringIO(),
        width=shutil.get_terminal_size().columns if is_terminal else WIDTH,
        force_terminal=is_terminal,
        color_system="auto" if wants_colour(file) else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
