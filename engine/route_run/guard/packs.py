"""Pattern packs: those that ship with route-run, found by name and release."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from route_run.policy.model import Pack
from route_run.text import Kind, parse

_FOLDER = Path(__file__).parent / "packs"
_FILE = re.compile(r"(?P<name>[a-z0-9-]+)-(?P<release>[0-9]+)\.pack\.yaml\Z")


def builtin_names() -> tuple[str, ...]:
    """The packs that ship with route-run, as NAME@RELEASE."""
    found = (_FILE.match(path.name) for path in sorted(_FOLDER.iterdir()))
    return tuple(f"builtin/{match['name']}@{match['release']}" for match in found if match)


def find_pack(reference: str, packs: Mapping[str, Pack]) -> Pack | None:
    """The pack a guard refers to, among the policy's own and those that ship; None when there is none."""
    if reference in packs:
        return packs[reference]
    return builtin_pack(reference) if reference in builtin_names() else None


@cache
def builtin_pack(reference: str) -> Pack:
    """A pack that ships with route-run; a test checks every one of them against the schema."""
    name, _, release = reference.removeprefix("builtin/").partition("@")
    path = _FOLDER / f"{name}-{release}.pack.yaml"
    document, _ = parse(path.read_bytes(), path=str(path), name=path.name, folder=_FOLDER, kind=Kind.PACK)
    return Pack.decode(document.data)
