"""Broken policies by the thousand: whatever is done to a policy, loading and lint say so and never raise.

Three ways to break one: bytes are changed as no person would, words are swapped as people do by mistake, and the
data is changed while it stays YAML. Seeds are fixed: what fails here fails everywhere.
"""

from __future__ import annotations

import copy
import json
import random
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from route_run.errors import Finding
from route_run.lint.check import lint
from route_run.lint.report import as_text, rendered
from route_run.lint.verdict import Verdict
from route_run.table import load
from route_run.text import Kind
from support.design_example import FILES as DESIGN
from support.examples import POLICY as SMALL
from support.reading import read

ROOT = Path(__file__).parents[2]
DEFAULT_COUNT = 10_000
SEED = 4711


def texts_of(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in sorted(folder.iterdir()) if path.is_file()}


def sections_of(text: str) -> dict[str, str]:
    """The sections of a policy as they are written, by name."""
    parts = re.split(r"^(?=[a-z]+:)", text, flags=re.MULTILINE)
    return {part.partition(":")[0]: part for part in parts if not part.startswith(("#", "version"))}


def fragments_of(text: str) -> Iterator[dict[str, str]]:
    """Policies of two sections each: cheap to load, and between them every field of the language."""
    sections = sections_of(text)
    for names in ("tags bounds", "endpoints", "models upstreams", "guards", "tags routes", "webhooks ledger"):
        body = "".join(sections[name] for name in names.split() if name in sections)
        yield {"policy.yaml": f"version: 1\n{body}".replace("packs: [builtin/injection@1]", "packs: [own/words@1]")}


WHOLE: tuple[dict[str, str], ...] = (
    DESIGN,
    texts_of(ROOT / "routes"),
    texts_of(ROOT / "engine" / "route_run" / "cli" / "starter"),
    {"policy.yaml": SMALL},
)
FRAGMENTS = tuple(fragments_of(DESIGN["policy.yaml"]))
POLICIES = (*WHOLE, *FRAGMENTS)
WHOLE_EVERY = 400
"""One policy in so many is a whole one: those take most of the time."""
BROKEN_BYTES = (
    b"\x00", b"\xff", b"\t", b"\r", b"\n", b" ", b":", b": ", b"- ", b"[", b"]", b"{", b"}", b",", b"#", b"&a",
    b"*a", b"!!", b"|",
    b">", b"'", b'"', b"%", b"@", b"`", b"---\n", b"<<: ", b"? ", b"\\", b"${", b"}", b"\xc2\x85", b"\xe2\x80\xa8",
    b"\xef\xbb\xbf",
    b"\xed\xa0\x80", b"1e999", b"0x1F", b"9" * 40, b".nan", b"no", b"2024-13-45", b"\xf0\x9f\x98\x80",
    b"\xe2\x80\xae",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, 10**17, "", " ", "x", "${A}", "${A", "no", "5s", "0s", "10%", "1/min", "-",
    "\n", "a\u200bb", "(",
    "http://127.1", "https://[::1]:0/", "https://u:p@h/", "https://[", "sk-" + "aB3dE5fG7hJ9kL1mN3pQ5r", [], {},
    [[]], [{}], {"": ""},
    {"not": "x"}, {"prefix": "x"}, {"present": True}, {"min": 5, "max": 1}, {"route": "x"}, ["x", "x"], {"x": {}},
    "tags.x", "x" * 5000,
    "2026-12-01T22:00:00+01:00", "10.0.0.0/33", "0.0.0.0/0", "\\pL{1000}", "(?=x)", "a*", "a^b",
    "builtin/injection@1",
)  # fmt: skip
ODD_KEYS = ("x", "unknown", "secrets", "api_key", "match", "", "é", "a b")
WORD = re.compile(r"[A-Za-z0-9_.-]+|[:{}\[\],]")

Break = Callable[[random.Random, str], bytes]


def broken_bytes(draw: random.Random, text: str) -> bytes:
    data = bytearray(text.encode())
    for _ in range(draw.randint(1, 6)):
        at = draw.randrange(len(data) + 1)
        match draw.randrange(5):
            case 0:
                data[at:at] = draw.choice(BROKEN_BYTES)
            case 1:
                del data[at : at + draw.choice((1, 2, 8, 64))]
            case 2:
                data[at : at + 1] = bytes([draw.randrange(256)])
            case 3:
                other = draw.randrange(len(data) + 1)
                data[at:at] = data[other : other + draw.choice((4, 32, 256))]
            case _:
                del data[at:]
                data += b" "
    return bytes(data)


def swapped_words(draw: random.Random, text: str) -> bytes:
    words = list(WORD.finditer(text))
    for _ in range(draw.randint(1, 4)):
        one, other = draw.choice(words), draw.choice(words)
        word = other.group()
        match draw.randrange(4):
            case 0:
                word = "".join(draw.sample(word, len(word)))
            case 1:
                word = word[:-1]
            case 2:
                word += draw.choice(("s", "_", "-1", ":", ": x", " x"))
            case _:
                pass
        text = text[: one.start()] + word + text[one.end() :]
    return text.encode()


@cache
def data_of(text: str) -> Any:
    return read(text)[0].data


def changed_data(draw: random.Random, text: str) -> bytes:
    data = copy.deepcopy(data_of(text))
    for _ in range(draw.randint(1, 4)):
        places = list(_places(data))
        if not places:
            break
        holder, key = draw.choice(places)
        _change(draw, holder, key, places)
    # JSON is YAML: what was changed is what is read
    return json.dumps(data, ensure_ascii=draw.random() < 0.5, indent=draw.choice((None, 1))).encode("utf-8", "replace")


def _change(draw: random.Random, holder: Any, key: Any, places: list[tuple[Any, Any]]) -> None:
    match draw.randrange(6):
        case 0:
            del holder[key]
        case 1:
            holder[key] = copy.deepcopy(draw.choice(ODD_VALUES))
        case 2:
            other, at = draw.choice(places)
            holder[key] = copy.deepcopy(other[at]) if at in range(len(other)) or at in other else None
        case 3 if isinstance(holder, dict):
            holder[draw.choice(("x", "unknown", "secrets", "api_key", "match", "", "é", "a b", f"{key}s"))] = (
                holder.pop(key)
            )
        case 4 if isinstance(holder, list):
            holder.append(copy.deepcopy(holder[key]))
        case _:
            holder[key] = [holder[key]] if draw.random() < 0.5 else {str(key): holder[key]}


def _places(data: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(data, dict | list):
        for key in list(data) if isinstance(data, dict) else range(len(data)):
            yield data, key
            yield from _places(data[key])


BREAKS: tuple[Break, ...] = (broken_bytes, swapped_words, changed_data)


def findings_of(folder: Path, *, reported: bool = True) -> tuple[Finding, ...]:
    loaded = load([folder])
    findings = lint(loaded)
    if reported:  # reports are made of hostile findings too
        assert as_text(findings[:5], loaded.sources) or not findings
        json.loads(rendered("json", Verdict(loaded, findings[:5]), folder))
    return findings


def broken_policies(seed: int, count: int, whole_every: int = WHOLE_EVERY) -> Iterator[str]:
    """Breaks one file of one policy at a time and yields what is wrong with what came of it: nothing, one hopes."""
    draw = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        folders = []
        for number, files in enumerate(POLICIES):
            folder = Path(place) / str(number)
            folder.mkdir()
            for name, text in files.items():
                (folder / name).write_text(text, encoding="utf-8")
            folders.append(folder)
        for index in range(count):
            is_whole = index % whole_every == 0
            which = draw.randrange(len(WHOLE)) if is_whole else draw.randrange(len(WHOLE), len(POLICIES))
            files = POLICIES[which]
            name = draw.choice([name for name in files if name.endswith(".yaml")])
            broken = draw.choice(BREAKS)(draw, files[name])
            path = folders[which] / name
            path.write_bytes(broken)
            try:
                failed = [
                    f.message for f in findings_of(folders[which], reported=index % 20 == 0) if f.code.value == "RR900"
                ]
            except Exception as error:  # noqa: BLE001  # whatever is raised is what is looked for
                failed = [repr(error)]
            if failed:
                kept = Path(tempfile.gettempdir()) / f"route-run-fuzz-{seed}-{index}.yaml"
                shutil.copy(path, kept)
                yield f"{name}, broken as in {kept} (seed {seed}, number {index}): {failed[0]}"
            if len(files) > 1:
                path.write_text(files[name], encoding="utf-8")


@pytest.mark.timeout(36_000)  # with a larger --fuzz it takes hours
def test_broken_policies_raise_nothing(pytestconfig):
    count = pytestconfig.getoption("--fuzz") or DEFAULT_COUNT
    problems = list(broken_policies(SEED, count))
    assert problems[:10] == []


@pytest.mark.long
@pytest.mark.timeout(36_000)
def test_whole_policies_broken_raise_nothing(pytestconfig):
    count = (pytestconfig.getoption("--fuzz") or DEFAULT_COUNT) // 10
    assert list(broken_policies(SEED + 1, count, whole_every=1))[:10] == []


@pytest.mark.parametrize("name", sorted({name for files in WHOLE for name in files if name.endswith(".yaml")}))
def test_a_file_that_breaks_off_anywhere_raises_nothing(name, tmp_path):
    files = next(files for files in reversed(WHOLE) if name in files)
    text = files[name].encode()
    path = tmp_path / name
    for end in range(0, len(text), max(1, len(text) // 60)):
        path.write_bytes(text[:end])
        assert "RR900" not in {finding.code.value for finding in findings_of(tmp_path)}


def test_the_ways_to_break_a_policy_break_it():
    """A fuzz test whose policies stay sound would prove nothing."""
    draw = random.Random(SEED)
    for way in BREAKS:
        broken = {way(draw, SMALL) for _ in range(20)}
        assert len(broken) > 15
    documents = [read(changed_data(draw, SMALL), Kind.POLICY)[0] for _ in range(50)]
    assert sum(document.complete for document in documents) > 40
