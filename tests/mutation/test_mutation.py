"""How many small defects the tests of the pure core notice: nine in ten at least, of everything that can be changed.

`pytest --long tests/mutation` runs it; `-k machine` one module. Survivors are printed with their lines.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from support.mutants import is_killed, mutants_of, unchanged

ROOT = Path(__file__).parents[2]
MODULES = {
    "classify": ("route_run.flow.classify", ["tests/flow/test_classify.py"]),
    "delay": ("route_run.flow.delay", ["tests/flow/test_delay.py"]),
    "machine": ("route_run.flow.machine", ["tests/flow/test_machine.py"]),
    "frames": ("route_run.wire.frames", ["tests/wire/test_frames.py"]),
}
"""Modules of the pure core, and the tests of their own."""
ENOUGH = 0.9
AT_ONCE = 2


@pytest.mark.long
@pytest.mark.timeout(0)
@pytest.mark.parametrize("name", MODULES)
def test_the_tests_notice_small_defects(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    module, tests = MODULES[name]
    path = ROOT / "engine" / Path(*module.split(".")).with_suffix(".py")
    mutants = mutants_of(path)
    files = [str(ROOT / test) for test in tests]
    assert not is_killed(module, path, unchanged(path), files), "the tests fail without any change"
    with ThreadPoolExecutor(AT_ONCE) as pool:
        killed = list(pool.map(lambda mutant: is_killed(module, path, mutant, files), mutants))
    survivors = [mutant for mutant, is_dead in zip(mutants, killed, strict=True) if not is_dead]
    score = 1 - len(survivors) / len(mutants)
    with capsys.disabled():
        sys.stdout.write(f"\n{name}: {score:.1%} of {len(mutants)} noticed\n")
        sys.stdout.writelines(f"  {path.name}:{mutant.line}: {mutant.what}\n" for mutant in survivors)
    assert score >= ENOUGH


def test_a_mutant_is_the_module_with_one_change(tmp_path: Path) -> None:
    path = tmp_path / "small.py"
    path.write_text('"""Text."""\nLIMIT = 3\n\ndef f(a: int) -> bool:\n    """Text."""\n    return a < LIMIT\n')
    found = [(mutant.line, mutant.what) for mutant in mutants_of(path)]
    assert found == [(2, "3 -> 4"), (6, "return a < LIMIT -> return None"), (6, "a < LIMIT -> a <= LIMIT")]
