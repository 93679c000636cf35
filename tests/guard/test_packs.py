"""Packs that ship with route-run: they hold to their own schema, and to every example their patterns give."""

from __future__ import annotations

import json

import pytest

from route_run import schema
from route_run.guard import Action, Scanner
from route_run.guard import packs as shipped
from route_run.guard.packs import builtin_names, find_pack
from route_run.guard.scanner import problem_of
from route_run.policy.model import Pack
from route_run.text import Kind
from support.reading import codes, loaded_from, read

NAMES = builtin_names()
PATTERNS = [pattern for name in NAMES for pattern in find_pack(name, {}).patterns]
IDS = [pattern.id for pattern in PATTERNS]


def file_of(name):
    plain, _, release = name.removeprefix("builtin/").partition("@")
    return shipped._FOLDER / f"{plain}-{release}.pack.yaml"


def test_the_pack_against_injection_ships():
    assert "builtin/injection@1" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_pack_passes_the_schema_of_packs(name):
    document, findings = read(file_of(name).read_bytes(), Kind.PACK)
    assert [*findings, *schema.check(document)] == []


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_pack_is_named_by_its_file(name):
    pack = find_pack(name, {})
    assert f"{pack.pack}@{pack.release}" == name


@pytest.mark.parametrize("name", NAMES)
def test_the_ids_of_a_shipped_pack_are_unique(name):
    ids = [pattern.id for pattern in find_pack(name, {}).patterns]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_pack_fits_into_one_scanner(name):
    scanner = Scanner("g", find_pack(name, {}).patterns, 0.8, Action.REJECT)
    assert scanner.scan(["Where is my parcel?"]).problem == ""


def test_all_shipped_packs_together_fit_into_one_scanner():
    patterns = [pattern for name in NAMES for pattern in find_pack(name, {}).patterns]
    assert Scanner("g", patterns, 0.8, Action.REJECT).problem == ""


def test_every_shipped_pattern_compiles():
    assert {pattern.id: problem for pattern in PATTERNS if (problem := problem_of(pattern.regex))} == {}


def test_every_shipped_pattern_says_why_and_gives_examples():
    assert [pattern.id for pattern in PATTERNS if not (pattern.why and pattern.must_match)] == []


@pytest.mark.parametrize("pattern", PATTERNS, ids=IDS)
def test_a_shipped_pattern_holds_to_its_examples(pattern):
    scanner = Scanner("g", [pattern], 1e-6, Action.REJECT)
    assert [text for text in pattern.must_match if not scanner.scan([text]).hits] == []
    assert [text for text in pattern.must_not_match if scanner.scan([text]).hits] == []


def test_a_pack_of_the_policy_is_found_before_those_that_ship():
    pack = Pack(version=1, pack="x", release=1, patterns=())
    assert find_pack("x@1", {"x@1": pack}) is pack


@pytest.mark.parametrize("reference", ["x@1", "builtin/injection@999", "builtin/../injection@1", "injection@1"])
def test_an_unknown_pack_is_none(reference):
    assert find_pack(reference, {}) is None


# -- guards of a policy ------------------------------------------------------------------------------

GUARD = {"version": 1, "bounds": {"all": {"match": {}, "guards": ["g"]}}}
PACK = "version: 1\npack: company/names\nrelease: 1\npatterns: [{id: zephyr, regex: zephyr, score: 1}]\n"


def with_guard(guard, **files):
    return loaded_from({"policy.yaml": json.dumps({**GUARD, "guards": {"g": guard}}), **files})


def hits(guard, text, **files):
    return with_guard(guard, **files).table.scanners["g"].scan([text]).hits


def test_a_guard_has_the_patterns_of_its_packs_and_its_own():
    guard = {"packs": ["company/names@1"], "patterns": [{"id": "own", "regex": "own", "score": 1}]}
    assert hits(guard, "own zephyr", **{"n.pack.yaml": PACK}) == ("zephyr", "own")


def test_a_pattern_of_the_guard_stands_in_for_one_of_the_same_id_in_a_pack():
    guard = {"packs": ["company/names@1"], "patterns": [{"id": "zephyr", "regex": "breeze", "score": 1}]}
    assert hits(guard, "zephyr", **{"n.pack.yaml": PACK}) == ()
    assert hits(guard, "breeze", **{"n.pack.yaml": PACK}) == ("zephyr",)


def test_an_id_in_two_packs_counts_once():
    other = PACK.replace("company/names", "company/more")
    guard = {"packs": ["company/names@1", "company/more@1"]}
    assert hits(guard, "zephyr", **{"n.pack.yaml": PACK, "m.pack.yaml": other}) == ("zephyr",)


@pytest.mark.parametrize(
    ("then", "action", "destination"),
    [("reject", Action.REJECT, ""), ("flag", Action.FLAG, ""), (None, Action.REJECT, "")],
    ids=["reject", "flag", "left-out"],
)
def test_what_a_guard_does_when_it_fires(then, action, destination):
    guard = {"patterns": [{"id": "a", "regex": "a", "score": 1}]} | ({"then": then} if then else {})
    scanner = with_guard(guard).table.scanners["g"]
    assert (scanner.action, scanner.destination, scanner.threshold) == (action, destination, 0.8)


def test_a_pattern_that_cannot_be_used_is_a_finding_at_its_regex():
    (finding,) = with_guard({"patterns": [{"id": "a", "regex": "(?=a)", "score": 1}]}).findings
    assert finding.code.value == "RR601"
    assert finding.message == "the pattern `a` cannot be used: it looks ahead (`(?=`), which RE2 does not support"
    assert "part of the pattern" in finding.help


def test_a_pattern_of_a_pack_that_cannot_be_used_is_a_finding_in_the_pack():
    pack = PACK.replace("regex: zephyr", "regex: '(a'")
    (finding,) = with_guard({"packs": ["company/names@1"]}, **{"n.pack.yaml": pack}).findings
    assert (finding.code.value, finding.span.path.rpartition("/")[2]) == ("RR601", "n.pack.yaml")


def test_all_patterns_that_cannot_be_used_are_found_at_once():
    patterns = [{"id": f"p{n}", "regex": regex, "score": 1} for n, regex in enumerate(["(a", "ok", "a{2000}"])]
    assert codes(with_guard({"patterns": patterns}).findings) == ["RR601", "RR601"]
