"""The house keeps its own rules: public things say what they are, files stay small."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "engine" / "route_run"
FILES = sorted(path for path in ENGINE.rglob("*.py"))
LONGEST = 400
DESCRIBED_BY_THE_SCHEMA = {"policy/model.py"}
"""One class per shape of the JSON Schema, which holds title, description and example of each."""


def _name(path: Path) -> str:
    return path.relative_to(ENGINE).as_posix()


def _undocumented(tree: ast.Module) -> Iterator[str]:
    if ast.get_docstring(tree) is None:
        yield "the file itself"
    for node in tree.body:
        is_defined = isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        if is_defined and not node.name.startswith("_") and ast.get_docstring(node) is None:
            yield node.name


@pytest.mark.parametrize("path", [f for f in FILES if _name(f) not in DESCRIBED_BY_THE_SCHEMA], ids=_name)
def test_what_is_public_has_a_docstring(path: Path) -> None:
    assert list(_undocumented(ast.parse(path.read_text(encoding="utf-8")))) == []


@pytest.mark.parametrize("path", FILES, ids=_name)
def test_a_file_holds_one_idea(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST
