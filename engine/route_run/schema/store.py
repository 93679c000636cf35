"""Finds the schemas, in a wheel and in a checkout alike."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

SCHEMA_NAMES = ("policy", "pack", "test", "record", "findings")
"""The schemas of language version 1, by name."""

_PACKAGED = Path(__file__).parents[1] / "schemas"
_CHECKOUT = Path(__file__).parents[3] / "schemas"


def schema_text(name: str, version: int = 1) -> str:
    """The text of one schema file; raises KeyError for a name that is not in ``SCHEMA_NAMES``."""
    if name not in SCHEMA_NAMES:
        raise KeyError(name)
    root = _PACKAGED if _PACKAGED.is_dir() else _CHECKOUT
    return (root / f"v{version}" / f"{name}.schema.json").read_text(encoding="utf-8")


@cache
def schema(name: str, version: int = 1) -> Any:
    """One schema as data; treat it as read-only."""
    return json.loads(schema_text(name, version))
