"""Every example of the README runs and prints what the README shows."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
_VARYING = (
    (re.compile(r"\b(req|msg)_[0-9a-z]{26}\b"), r"\1_00000000000000000000000000"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\b"), "2026-01-01 00:00:00"),
    (re.compile(r"\b\d+ ms\b"), "0 ms"),
    (re.compile(r"(?<=  )\d+(?=  +\d+$)", re.MULTILINE), "0"),
    (re.compile(r" {2,}"), "  "),
)


@dataclass(frozen=True)
class Example:
    command: str
    output: str


def _blocks(language: str) -> list[str]:
    text = README.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _examples() -> list[Example]:
    found: list[Example] = []
    for block in _blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append(Example(command, output))
    return found


def _environment(home: Path) -> dict[str, str]:
    scripts = str(Path(sys.executable).parent)
    return {"PATH": f"{scripts}{os.pathsep}{os.environ['PATH']}", "HOME": str(home), "LC_ALL": "C.UTF-8"}


def _normal(output: str) -> str:
    for pattern, replacement in _VARYING:
        output = pattern.sub(replacement, output)
    return output


def _copy(folder: Path) -> Path:
    for name in ("routes", "schemas"):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def test_the_tour_prints_what_it_shows(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    folder = _copy(tmp_path / "clone")
    shown: list[str] = []
    for example in _examples():
        done = subprocess.run(
            ["bash", "-c", example.command],
            cwd=folder,
            env=_environment(tmp_path),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
        )
        shown.append(done.stdout)
    if request.config.getoption("--update-goldens"):
        _write_back(shown)
    for example, output in zip(_examples(), shown, strict=True):
        assert _normal(output) == _normal(example.output), example.command


def _write_back(outputs: list[str]) -> None:
    text = README.read_text(encoding="utf-8")
    left = iter(outputs)

    def rewritten(block: re.Match[str]) -> str:
        commands = [part.partition("\n")[0] for part in re.split(r"^\$ ", block[1], flags=re.MULTILINE)[1:]]
        return "```console\n" + "".join(f"$ {command}\n{next(left)}" for command in commands) + "```"

    text = re.sub(r"^```console\n(.*?)^```", rewritten, text, flags=re.MULTILINE | re.DOTALL)
    README.write_text(text, encoding="utf-8")


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_program_runs(tmp_path: Path, backend: str) -> None:
    (program,) = _blocks("python")
    program = program.replace("anyio.run(main)", f"anyio.run(main, backend={backend!r})")
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=_copy(tmp_path / "clone"),
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Simulated answer from cognigy.\ncompleted by cognigy\n"


def test_there_are_just_two_commands_to_begin_with() -> None:
    install, tests = _blocks("sh")
    assert install.count("\n") == 1
    assert tests.count("\n") == 1
    assert "route-run run" in install
    assert "pytest" in tests


def test_the_install_command_runs_the_main_job(tmp_path: Path) -> None:
    command = _blocks("sh")[0].partition("&&")[2].partition("&&")[2].strip()
    done = subprocess.run(
        ["bash", "-c", command.replace(".venv/bin/route-run", "route-run")],
        cwd=_copy(tmp_path / "clone"),
        env=_environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "Simulated answer from cognigy-backup.\n"
