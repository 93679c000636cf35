"""Hostile files: each costs little, and is a finding.

Every file is linted in a process of its own that has linted a policy before: what counts is what the hostile one
costs on top, in processor time and memory.
"""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import pytest

from support.design_example import FILES
from support.policies import write_policy

CPU = 0.1
"""Seconds that one file may cost."""
MEMORY = 64
"""MiB that one file may take."""

V = "version: 1\n"


def patterns(count: int, regex: str, rest: str = "") -> str:
    each = (f"      - {{id: p{n}, regex: '{regex}', score: 1{rest}}}\n" for n in range(count))
    return f"{V}guards:\n  g:\n    patterns:\n{''.join(each)}"


def bomb(first: str, line: str) -> str:
    names = [f"n{index}" for index in range(21)]
    lines = (line.format(name=now, before=before) for before, now in pairwise(names))
    return f"n0: {first}\n" + "".join(lines)


HOSTILE: dict[str, str | bytes] = {
    "deep lists": "a: " + "[" * 25_000,
    "deep lists of a million": "[" * 1_000_000,
    "deep mappings": "{a: " * 20_000,
    "deep blocks": "".join(f"{' ' * n}a:\n" for n in range(1_200)),
    "alias bomb": bomb("&n0 [x, x]", "{name}: &{name} [*{before}, *{before}, *{before}]\n"),
    "merge bomb": bomb("&n0 {k: v}", "{name}: &{name} {{<<: [*{before}, *{before}, *{before}]}}\n"),
    "many aliases": "a: &a x\nb: [" + "*a, " * 50_000 + "]",
    "number of 5,000 digits": f"{V}owner: {'9' * 5_000}\n",
    "number of 500,000 digits": f"{V}owner: {'9' * 500_000}\n",
    "bad date": f"{V}owner: 2024-13-45\n",
    "lone surrogate": f'{V}owner: "\\ud83d"\n',
    "lone surrogate in bytes": f"{V}owner: ".encode() + b"\xed\xa0\xbd\n",
    "nul": f"{V}owner: a\0b\n",
    "100 MB": b"",
    "100,000 keys": "".join(f"k{n}: 1\n" for n in range(100_000)),
    "100,000 keys in one line": "{" + ", ".join(f"k{n}: 1" for n in range(90_000)) + "}",
    "one key 100,000 times": f"{V}tags:\n" + "  a: {}\n" * 100_000,
    "300,000 items": f"{V}owner: [" + "1," * 300_000 + "]",
    "complex keys": V + "? " * 20_000,
    "200,000 documents": "---\n" * 200_000,
    "not utf-8": b"\xff" * 1_000_000,
    "utf-16": f"\ufeff{V}".encode("utf-16"),
    "tabs": V + "\t" * 900_000,
    "python objects": f'{V}owner: !!python/object/apply:os.system ["true"]\n',
    "hidden line breaks": f"{V}# " + "\u2028" * 300_000,
    "direction and invisible characters": f"{V}# " + "\u202e\u200b" * 150_000,
    "beginnings of keys": f"{V}# " + "sk-" * 300_000,
    "beginnings of web tokens": f"{V}# " + "eyJ" * 300_000,
    "regex of a million repetitions": patterns(1, "((a{100}){100}){100}"),
    "regex of a large class": patterns(1, r"\pL{1000}"),
    "regex of nested repetitions": patterns(1, "(" * 400 + "a" + "+)" * 400),
    "regex that others choke on": patterns(1, "(a+)+$", f", must_match: [{'a' * 3_000}b]"),
    "huge example": patterns(1, "a", f", must_match: [\"{'a b' * 300_000}\"]"),
    "huge example to be normalised": patterns(1, "a", f', must_match: ["{"é" * 400_000}"]'),
    "look-alike of a url": f"{V}endpoints: {{e: {{base_url: \"http://{'0x7f.' * 10_000}1\"}}}}\n",
}  # fmt: skip

PROGRAM = """\
import gc, json, os, sys, time
from pathlib import Path
from route_run.lint.check import lint
from route_run.table import load

def memory(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) / 1024

def measured(path):
    Path("/proc/self/clear_refs").write_text("5")
    before, began = memory("VmRSS"), time.process_time()
    findings = lint(load([path]))
    cpu = time.process_time() - began
    return cpu, memory("VmHWM") - before, sorted({finding.code.value for finding in findings})

warm, *hostile = [Path(argument) for argument in sys.argv[1:]]
lint(load([warm]))
gc.collect()
for path in hostile:
    if (child := os.fork()) == 0:
        print(json.dumps([path.parent.name, *measured(path)]), flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@dataclass(frozen=True)
class Cost:
    cpu: float
    memory: float
    codes: list[str]


def hostile_file(folder: Path, name: str) -> Path:
    path = folder / name / "hostile.yaml"
    path.parent.mkdir()
    content = HOSTILE[name]
    if name == "100 MB":
        with path.open("wb") as file:
            for _ in range(100):
                file.write(b"# " + b"x" * (1 << 20))
    else:
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture(scope="module")
def costs(tmp_path_factory) -> dict[str, Cost]:
    """What each file costs in a process that is forked from a warm one; the better of three measurements."""
    folder = tmp_path_factory.mktemp("hostile")
    warm = folder / "warm"
    warm.mkdir()
    write_policy(warm, FILES)
    paths = [hostile_file(folder, name) for name in HOSTILE]
    command = [sys.executable, "-c", PROGRAM, str(warm), *(str(path) for path in paths * 3)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    found: dict[str, Cost] = {}
    for line in done.stdout.splitlines():
        name, cpu, memory, codes = json.loads(line)
        # a machine that does other things at the same time makes single measurements too long
        best = min(cpu, found[name].cpu) if name in found else cpu
        found[name] = Cost(best, memory, codes)
    return found


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_file_costs_little_and_is_a_finding(name, costs):
    cost = costs[name]
    assert cost.codes
    assert "RR900" not in cost.codes
    assert cost.cpu < CPU
    assert cost.memory < MEMORY


# Mistakes that the validator of a common gateway lets pass, in the words of this language.
SEEDED = {
    "top-level typo": ("routes:\n", "rouets:\n"),
    "fallback to a missing endpoint": ("{endpoint: second, model: m}", "{endpoint: secnd, model: m}"),
    "fallback from a missing model": ("{endpoint: first, model: m}", "{endpoint: first, model: mm}"),
    "wrong type of fallback": ("fallback: {after_content: fail}", "fallback: yes-please"),
    "unknown strategy": ("retry: {attempts: 2}", "retry: {attempts: 2, strategy: clever}"),
    "typo in an endpoint": ("base_url: https://first", "base_ur: https://first"),
    "typo in the ledger": ("retention: 30d", "retantion: 30d"),
    "temperature out of range": ("temperature: {default: 0.5", "temperature: {default: 9"),
    "weight below nothing": ("{endpoint: second, model: m}", "{endpoint: second, model: m, weight: -3}"),
    "fallback to itself": ("patterns: [", "then: {route: everything}\n    patterns: ["),
    "environment name where none is read": ("owner: support", "owner: ${TEAM}"),
    "duplicate key": ("retention: 30d", "retention: 30d, retention: 31d"),
    "unit left out": ("retention: 30d", "retention: 30"),
    "unknown provider": ("dialect: openai", "dialect: openia"),
    "broken guard": ("regex: zephyr", "regex: '(zephyr'"),
    "unknown router setting": ("timeouts: {total: 60s}", "timeouts: {total: 60s, overall: 90s}"),
}
SOUND = """\
version: 1
owner: support
endpoints:
  first:
    dialect: openai
    base_url: https://first.example.com/v1
    auth: {api_key: "${FIRST_KEY}"}
    serves: {m: {}}
  second:
    dialect: anthropic
    base_url: https://second.example.com
    auth: {api_key: "${SECOND_KEY}"}
    serves: {m: {}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}, parameters: {temperature: {max: 1}}}
upstreams:
  main:
    targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    fallback: {after_content: fail}
    retry: {attempts: 2}
    timeouts: {total: 60s}
guards:
  names:
    patterns: [{id: a, regex: zephyr, score: 1, must_match: [zephyr]}]
bounds:
  baseline: {match: {}, guards: [names]}
routes:
  everything:
    match: {}
    upstream: main
    parameters: {temperature: {default: 0.5, max: 1}}
ledger: {capture: full, retention: 30d}
"""


def findings_of(text: str) -> set[tuple[str, str]]:
    from support.linting import linted

    return {(finding.code.value, finding.message) for finding in linted(text)}


@pytest.mark.parametrize(("before", "after"), SEEDED.values(), ids=SEEDED)
def test_a_mistake_that_others_let_pass_is_a_finding(before, after):
    assert SOUND.count(before) >= 1
    assert findings_of(SOUND.replace(before, after, 1)) - findings_of(SOUND)
