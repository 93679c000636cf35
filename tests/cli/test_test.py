"""`route-run test`: rehearsals, exploration, coverage, mutation; what is printed and with which exit code."""

from __future__ import annotations

import json
from xml.etree import ElementTree as ET

import pytest

HOLDS = """\
version: 1
rehearsals:
  - name: all is well
    request: {prompt: "Hello"}
    expect: {outcome: completed, attempts: [first]}
  - name: the second answers when the first is down
    request: {prompt: "Hello", tags: {desk: support}}
    down: [first]
    expect: {route: support, attempts: [first, second]}
"""
FAILS = HOLDS.replace("attempts: [first]}", "attempts: [second]}")


@pytest.fixture
def rehearsed(cli):
    """Commands on the policy with rehearsals that hold."""
    (cli.folder / "cases.test.yaml").write_text(HOLDS)
    return cli


@pytest.fixture
def failing(cli):
    """Commands on the policy with one rehearsal that fails."""
    (cli.folder / "cases.test.yaml").write_text(FAILS)
    return cli


@pytest.mark.parametrize("backend", [(), ("--backend", "asyncio"), ("--backend", "trio")])
def test_rehearsals_that_hold_are_counted(rehearsed, backend):
    ran = rehearsed("test", *backend)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("2 rehearsals in 1 file: all hold  (2 requests, 0 ms of virtual time, ")


def test_verbose_lists_them(rehearsed):
    assert rehearsed("test", "-v").out.startswith("holds  all is well  (0 ms)\nholds  the second answers")


def test_one_that_fails_shows_its_timelines_and_the_line(failing):
    ran = failing("test")
    assert ran.code == 1
    assert "FAILS  all is well" in ran.out
    assert f"≠ attempt 1      second     first/m answers after 0 ms  {failing.folder}/cases.test.yaml:5" in ran.out
    assert "2 rehearsals in 1 file: 1 of them fails" in ran.out


def test_k_selects_by_name(failing):
    assert failing("test", "-k", "second answers").code == 0
    assert failing("test", "-k", "all is well").code == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-k", "nothing"), "selects none of 2 rehearsals"),
        (("-k", "(a"), "a parenthesis is not closed"),
        (("--budget", "5"), "is not a duration such as `30s`"),
        (("--depth", "9"), "--depth"),
        (("--fail-under", "101"), "--fail-under"),
        (("--format", "xml"), "--format"),
        (("no-such.test.yaml",), "does not exist"),
    ],
)
def test_misuse_is_said(rehearsed, arguments, words):
    ran = rehearsed("test", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert words in ran.err


def test_a_policy_without_rehearsals_is_misuse_not_success(cli):
    ran = cli("test")
    assert ran.code == 2
    assert "The policy has no rehearsals" in ran.err


@pytest.mark.parametrize("style", ["text", "json", "junit", "github"])
def test_a_mistake_in_a_rehearsal_is_a_finding_in_its_place(cli, style):
    (cli.folder / "cases.test.yaml").write_text(HOLDS.replace("down: [first]", "down: [frist]"))
    ran = cli("test", "--format", style)
    assert ran.code == 1
    if style == "json":
        (finding,) = ran.json["findings"]
        assert (finding["code"], finding["line"]) == ("RR701", 8)
    else:
        assert "error[RR701] there is no endpoint `frist`" in ran.err
        assert "cases.test.yaml:8:12" in ran.err


def test_a_request_that_nobody_could_make_is_a_finding(cli):
    (cli.folder / "cases.test.yaml").write_text(HOLDS.replace('{prompt: "Hello"}', '{prompt: " "}'))
    ran = cli("test")
    assert ran.code == 1
    assert "error[RR703] this is no request: the prompt is empty" in ran.err


def test_a_policy_that_the_engine_refuses_is_not_rehearsed(rehearsed):
    policy = rehearsed.folder / "policy.yaml"
    policy.write_text(
        policy.read_text().replace("guards: [codename]}", "guards: [codename], limits: {requests: 5/min}}")
    )
    ran = rehearsed("test")
    assert ran.code == 1
    assert "RR110" in ran.err


def test_files_select_their_rehearsals(failing):
    (failing.folder / "more.test.yaml").write_text(HOLDS.replace("name: ", "name: also, "))
    assert failing("test", str(failing.folder / "more.test.yaml")).code == 0
    assert failing("test", str(failing.folder / "cases.test.yaml")).code == 1
    assert failing("test", str(failing.folder), bare=True).code == 1


def test_a_file_beside_the_policy_is_played_on_it(cli, tmp_path):
    (tmp_path / "apart.test.yaml").write_text(HOLDS)
    ran = cli("test", str(tmp_path / "apart.test.yaml"))
    assert (ran.code, ran.out[:12]) == (0, "2 rehearsals")


# -- coverage, exploration, mutation -------------------------------------------------------------------


def test_coverage_paints_and_says_where_to_start(rehearsed):
    ran = rehearsed("test", "--coverage")
    assert ran.code == 0
    assert "not rehearsed: route slow" in ran.out
    assert "start from:" in ran.out
    assert "request: {prompt: Hello, route: slow}" in ran.out


def test_coverage_needs_no_rehearsal(cli):
    ran = cli("test", "--coverage")
    assert (ran.code, ran.out.splitlines()[-1][:4]) == (0, "0 % ")


@pytest.mark.parametrize(("percent", "code"), [("10", 0), ("99", 1)])
def test_too_little_coverage_fails(rehearsed, percent, code):
    ran = rehearsed("test", "--fail-under", percent)
    assert ran.code == code
    assert ("is under 99 %" in ran.err) is (code == 1)


def test_exploration_needs_no_rehearsal_and_prints_the_worst(cli):
    ran = cli("test", "--explore", "--depth", "1")
    assert ran.code == 0
    assert "worst case" in ran.out
    assert "not explored: route data: its schema has no example that an endpoint could answer" in ran.out
    assert "0 violations" in ran.out.splitlines()[-1]


def test_a_violation_fails_with_a_script_that_shows_it(cli):
    policy = cli.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("timeouts: {first", "fallback: {when: [timeout]}, timeouts: {first"))
    ran = cli("test", "--explore", "--depth", "1")
    assert ran.code == 1
    assert "VIOLATION  route everything: a healthy target answers" in ran.out
    start = ran.out.index("    - name:", ran.out.index("route everything"))
    script = ran.out[start : ran.out.index("\n\n", start)]
    (cli.folder / "pasted.test.yaml").write_text("version: 1\nrehearsals:\n" + script + "\n")
    assert cli("test").code == 1
    policy.write_text(policy.read_text().replace("fallback: {when: [timeout]}, ", ""))
    assert cli("test").code == 0


def test_mutation_lists_what_nobody_notices(rehearsed):
    ran = rehearsed("test", "--mutate")
    assert ran.code == 0
    assert "nobody notices: codename: only flag what it finds" in ran.out
    assert "nobody notices: main: ask second/m before first/m" not in ran.out


def test_mutation_waits_until_rehearsals_hold(failing):
    assert "not changed while rehearsals fail" in failing("test", "--mutate").out


# -- for machines --------------------------------------------------------------------------------------

ALL = ("--coverage", "--explore", "--depth", "0", "--mutate")


def test_json_is_one_object_and_the_same_every_time(failing):
    one, other = (failing("test", "--format", "json", "--coverage", "--explore", "--depth", "0") for _ in range(2))
    assert one.code == 1
    assert one.out == other.out
    report = one.json
    assert report["summary"] == {"rehearsals": 2, "failing": 1, "backend": "trio"}
    (bad,) = [r for part in report["rehearsals"][0]["parts"] for r in part["rows"] if not r["holds"]]
    assert (bad["what"], bad["expected"], bad["line"]) == ("attempt 1", "second", 5)
    assert {gap["name"] for gap in report["coverage"]["gaps"]} >= {"route slow"}
    assert report["explored"]["violations"] == []
    assert "mutated" not in report


def test_json_of_everything(rehearsed):
    report = rehearsed("test", "--format", "json", *ALL).json
    assert set(report) == {"version", "summary", "rehearsals", "coverage", "explored", "mutated"}
    assert report["mutated"]["tried"] == report["mutated"]["total"]


def test_junit_counts_cases_and_failures(failing):
    root = ET.fromstring(failing("test", "--format", "junit", "--explore", "--depth", "0").out)
    cases, explored = root.findall("testsuite")
    assert (cases.get("tests"), cases.get("failures")) == ("2", "1")
    (failure,) = root.iter("failure")
    assert "cases.test.yaml:5" in failure.text
    assert explored.get("name") == "exploration"


def test_github_annotates_the_lines(failing):
    ran = failing("test", "--format", "github", "--coverage")
    errors = [line for line in ran.out.splitlines() if line.startswith("::error ")]
    assert len(errors) == 1
    assert ",line=5," in errors[0]
    assert any(
        line.startswith("::warning ") and "no rehearsal's request comes to it" in line for line in ran.out.splitlines()
    )


def test_what_a_policy_says_cannot_forge_a_command(cli):
    name = '"a%0A::error::x\\n::set-output name=a::b"'
    (cli.folder / "cases.test.yaml").write_text(FAILS.replace("all is well", name))
    out = cli("test", "--format", "github").out
    assert [line.partition(" ")[0] for line in out.splitlines()] == ["::error"]
    ET.fromstring(cli("test", "--format", "junit").out)
    json.loads(cli("test", "--format", "json").out)


def test_nothing_is_stored(rehearsed):
    rehearsed("test", *ALL)
    assert not rehearsed.ledger.exists()
