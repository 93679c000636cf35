"""Values and places of a document as findings show them: short, and without credentials."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

USER_INFO = re.compile(r"//\S*@")
"""Credentials in a URL: found by the check, so never to be shown by it. A password may hold a `/`."""


def shown(value: Any) -> str:
    """A value in a few words."""
    match value:
        case None:
            return "nothing (null)"
        case dict():
            return "a mapping" if value else "an empty mapping"
        case list():
            return "a list" if value else "an empty list"
        case bool():
            return f"`{str(value).lower()}`"
        case _:
            text = USER_INFO.sub("//***@", str(value))
            return f"`{text[:59]}…`" if len(text) > 60 else f"`{text}`"


def dotted(keys: Iterable[str | int]) -> str:
    """A key path as people write it: ``upstreams.main.targets[0]``."""
    text = ""
    for key in keys:
        text += f"[{key}]" if isinstance(key, int) else (f".{key}" if text else key)
    return text
