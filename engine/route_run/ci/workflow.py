"""Workflow commands of GitHub Actions, which become annotations.

Decides how texts are escaped, so that nothing that is reported becomes a command of its own.
Source: GitHub's runner, ActionCommand: `%`, CR and LF in values; `:` and `,` too in properties.
"""

from __future__ import annotations

from collections.abc import Mapping

from route_run.ci.printable import printable


def command(level: str, properties: Mapping[str, str], message: str) -> str:
    """One command: `error`, `warning` or `notice`, its properties, and a message that may have several lines."""
    said = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    lines = "\n".join(printable(line) for line in message.split("\n"))
    return f"::{level} {said}::{_value(lines)}"


def _value(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _value(printable(text)).replace(":", "%3A").replace(",", "%2C")
