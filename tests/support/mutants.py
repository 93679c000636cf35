"""Small changes to a module, each of which some test has to notice: generated from its syntax tree, run in forks.

A mutant is the module with one place changed: a comparison turned, a condition negated, a constant moved, a member
of a closed set exchanged, a statement left out. It is killed when a test fails, or does not come to an end.
"""

from __future__ import annotations

import ast
import copy
import importlib.abc
import importlib.machinery
import importlib.util
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

PATIENCE = 120
"""Seconds after which a mutant counts as one that never ends."""

_TURNED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is,
}  # fmt: skip
_EXCHANGED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.Pow: ast.Mult, ast.LShift: ast.Add,
    ast.BitOr: ast.BitAnd, ast.BitAnd: ast.BitOr,
}  # fmt: skip


@dataclass(frozen=True)
class Mutant:
    """One change: where, what it was and became, and the whole changed module."""

    line: int
    what: str
    tree: ast.Module


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of a module, in the order of its lines."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[Mutant] = []
    for number, node in enumerate(_living(tree)):
        for change in range(len(_changes(node))):
            changed = copy.deepcopy(tree)
            other = list(_living(changed))[number]
            before = ast.unparse(other)
            new = _changes(other)[change]
            _put(changed, other, new)
            after = ast.unparse(new) if isinstance(new, ast.AST) else "nothing"
            found.append(Mutant(getattr(node, "lineno", 0), f"{before} -> {after}", ast.fix_missing_locations(changed)))
    return sorted(found, key=lambda mutant: mutant.line)


def unchanged(path: Path) -> Mutant:
    """The module as it is: if a test fails with it, no mutant says anything."""
    return Mutant(0, "nothing", ast.parse(path.read_text(encoding="utf-8")))


def is_killed(module: str, path: Path, mutant: Mutant, tests: Sequence[str]) -> bool:
    """Run tests in a fork in which the module is the mutant; whether one of them failed or it never ended."""
    child = os.fork()
    if child == 0:
        _run_tests(module, path, mutant, tests)
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status) != 0
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def _run_tests(module: str, path: Path, mutant: Mutant, tests: Sequence[str]) -> None:
    code = 70  # what a mutant leaves that cannot even be imported
    try:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        for name in [name for name in sys.modules if name.split(".")[0] in ("route_run", "support", "tests")]:
            del sys.modules[name]
        sys.meta_path.insert(0, _Mutated(module, path, mutant))
        import hypothesis
        import pytest

        hypothesis.settings.register_profile("mutants", max_examples=40, database=None, derandomize=True, deadline=None)
        hypothesis.settings.load_profile("mutants")
        quietly = ["-x", "-q", "-p", "no:cacheprovider", "-W", "ignore::pytest.PytestAssertRewriteWarning"]
        code = int(pytest.main([*quietly, *tests]))
    finally:
        os._exit(code)


class _Mutated(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Gives the mutant where the module is imported."""

    def __init__(self, module: str, path: Path, mutant: Mutant) -> None:
        self._module, self._path, self._mutant = module, path, mutant

    def find_spec(self, name: str, path: Any, target: Any = None) -> importlib.machinery.ModuleSpec | None:
        if name != self._module:
            return None
        return importlib.util.spec_from_file_location(name, self._path, loader=self)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        code = compile(self._mutant.tree, str(self._path), "exec")
        exec(code, module.__dict__)


# -- what can be changed -----------------------------------------------------------------------------


def _living(tree: ast.Module) -> Iterator[ast.AST]:
    """Nodes that do something: no documentation, no annotations, no imports, no text of errors or of `__repr__`."""
    for node in ast.iter_child_nodes(tree):
        yield from _walked(node)


def _walked(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.Import | ast.ImportFrom | ast.arg | ast.Raise) or _is_text(node):
        return
    if isinstance(node, ast.FunctionDef) and node.name == "__repr__":
        return
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "decorator_list", "bases", "type_comment"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST):
                yield from _walked(child)


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _changes(node: ast.AST) -> list[Any]:
    """What a node may become; each entry is a new node."""
    match node:
        case ast.Compare(ops=[op]) if type(op) in _TURNED:
            return [ast.Compare(node.left, [_TURNED[type(op)]()], node.comparators)]
        case ast.BoolOp():
            other = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return [ast.BoolOp(other, node.values)]
        case ast.UnaryOp(op=ast.Not()):
            return [node.operand]
        case ast.BinOp(op=op) | ast.AugAssign(op=op) if type(op) in _EXCHANGED:
            changed = copy.deepcopy(node)
            changed.op = _EXCHANGED[type(op)]()
            return [changed]
        case ast.IfExp():
            return [ast.IfExp(node.test, node.orelse, node.body)]
        case ast.Constant():
            return _other_constants(node)
        case ast.Attribute(value=ast.Name(id=name)) if name in _SETS and node.attr.isupper():
            others = [member for member in _SETS[name] if member != node.attr]
            at = sum(map(ord, node.attr)) % len(others)
            return [ast.Attribute(node.value, others[at], ast.Load())]
        case ast.Return(value=value) if value is not None and not isinstance(value, ast.Constant):
            return [ast.Return(ast.Constant(None))]
        case ast.Expr(value=ast.Call()) | ast.Break() | ast.Continue():
            return [ast.Pass()]
    return []


_SETS = {
    "Action": ["NEXT", "SAME", "RECONNECT", "REFRESH", "FAIL"],
    "Health": ["NONE", "COUNT", "COOL", "OPEN", "QUOTA"],
    "Billed": ["NONE", "EXACT", "UNKNOWN"],
    "Kind": ["UNUSABLE", "UNAVAILABLE", "OVERLOADED", "TIMEOUT", "BROKEN", "RATE_LIMITED", "BAD_REQUEST", "INTERNAL"],
    "Outcome": ["FAILED", "INTERRUPTED", "OUTPUT_INVALID"],
    "_Choice": ["REFRESH", "RECONNECT", "AGAIN", "NEXT", "WAIT"],
}
"""Members of closed sets that stand for one another."""


def _other_constants(node: ast.Constant) -> list[ast.expr]:
    match node.value:
        case bool():
            return [ast.Constant(not node.value)]
        case int() | float():
            return [ast.Constant(node.value + 1)]
        case str() if node.value:
            return [ast.Constant(node.value + "x")]
        case bytes() if node.value:
            return [ast.Constant(node.value + b"x")]
    return []


def _put(tree: ast.Module, old: ast.AST, new: Any) -> None:
    """Put a node in the place of another."""
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is old:
                setattr(parent, name, ast.copy_location(new, old))
                return
            if isinstance(value, list) and any(child is old for child in value):
                value[:] = [ast.copy_location(new, old) if child is old else child for child in value]
                return
