"""The command line as tests run it: in this process, or as a process of its own."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from route_run.cli.main import _exit_code


@dataclass(frozen=True)
class Ran:
    """What one command came to."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, which has to be one JSON value."""
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        """What was printed, which has to be a JSON value on each line."""
        return [json.loads(line) for line in self.out.splitlines()]


class Commands:
    """Runs commands in this process, on one policy folder and one ledger."""

    def __init__(
        self, folder: Path, ledger: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        self.folder = folder
        self.ledger = ledger
        self._capsys = capsys
        self._monkeypatch = monkeypatch

    def __call__(self, *arguments: str, stdin: bytes | None = None, bare: bool = False) -> Ran:
        """Run a command; ``bare`` leaves out the options that name the policy and the ledger."""
        named = [] if bare else ["--policy", str(self.folder), "--ledger", f"sqlite:///{self.ledger}"]
        self._capsys.readouterr()
        with self._monkeypatch.context() as patched:
            patched.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stdin or b"")))
            code = _exit_code([*named, *arguments])
        printed = self._capsys.readouterr()
        assert "Traceback" not in printed.err
        return Ran(code, printed.out, printed.err)

    def environ(self) -> dict[str, str]:
        """The environment of a process on the same policy and ledger."""
        return {
            **{name: value for name, value in os.environ.items() if name != "NO_COLOR"},
            "ROUTE_RUN_POLICY": str(self.folder),
            "ROUTE_RUN_LEDGER": f"sqlite:///{self.ledger}",
            "TERM": "xterm-256color",
        }

    def process(
        self, *arguments: str, stdin: bytes = b"", environ: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as a process."""
        found = subprocess.run(
            command(*arguments),
            input=stdin,
            capture_output=True,
            env={**self.environ(), **(environ or {})},
            timeout=60,
            check=False,
        )
        return subprocess.CompletedProcess(
            found.args, found.returncode, found.stdout.decode(), found.stderr.decode("utf-8", "backslashreplace")
        )

    def started(self, *arguments: str, **more: Any) -> subprocess.Popen[str]:
        """Start a command as a process whose output can be followed."""
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **more}
        return subprocess.Popen(command(*arguments), text=True, env=self.environ(), **streams)


def command(*arguments: str) -> Sequence[str]:
    """A command line as a process takes it."""
    return [sys.executable, "-m", "route_run", *arguments]
