"""The examples of rules, as files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from route_run.lint.rule import ExampleFile


def write_example(folder: Path, files: Sequence[ExampleFile]) -> Path:
    """Write an example of a rule into a folder of its own."""
    for file in files:
        path = folder / file.name
        path.parent.mkdir(parents=True, exist_ok=True)
        if file.link_to:
            path.symlink_to(file.link_to)
        else:
            path.write_bytes(file.text.encode(file.encoding))
    return folder
