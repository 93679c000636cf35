"""Many documents are one policy: names are unique, what is faulty keeps its name, one fault is one finding."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.policies import BASE
from support.reading import codes, loaded_from

ROUTE = "routes:\n  all: {match: {}, upstream: main}\n"
PACK = "version: 1\npack: company/names\nrelease: 1\npatterns: [{id: a, regex: zephyr, score: 1}]\n"


def errors(files):
    return [f"{f.code.value} {Path(f.span.path).name}" for f in loaded_from(files).findings if f.is_error]


def test_documents_are_one_policy():
    loaded = loaded_from({"a.yaml": BASE, "b.yaml": "version: 1\n" + ROUTE, "c/d.yaml": "version: 1\ntags: {t: {}}\n"})
    policy = loaded.partial.policy
    assert loaded.findings == ()
    assert (set(policy.routes), set(policy.tags), set(policy.models)) == ({"all"}, {"t"}, {"m"})


SECTIONS = {
    "tags": "{values: [a]}",
    "endpoints": "{dialect: openai, base_url: 'https://x.example', serves: {m: {}}}",
    "models": "{context_window: 9, max_output_tokens: 9}",
    "upstreams": "{targets: [{endpoint: first, model: m}]}",
    "guards": "{packs: [builtin/injection@1]}",
    "bounds": "{match: {}}",
    "routes": "{upstream: main, callable: true}",
    "webhooks": "{match: {}, events: [failed], url: '${URL}'}",
}


@pytest.mark.parametrize("section", SECTIONS)
def test_a_name_that_is_defined_twice_points_at_both_places(section):
    item = f"version: 1\n{section}:\n  x: {SECTIONS[section]}\n"
    (finding,) = loaded_from({"base.yaml": BASE, "p.yaml": item, "q.yaml": item}).findings
    assert finding.code.value == "RR202"
    assert f"`x` is defined a second time in `{section}`" in finding.message
    assert (Path(finding.span.path).name, finding.span.start.line) == ("q.yaml", 3)
    assert [(Path(label.span.path).name, label.text) for label in finding.labels] == [("p.yaml", "first here")]


def test_the_same_name_in_two_sections_is_no_fault():
    text = "version: 1\ntags: {x: {}}\nbounds: {x: {match: {}}}\nroutes: {x: {match: {}, upstream: main}}\n"
    assert errors({"base.yaml": BASE, "more.yaml": text}) == []


def test_a_second_ledger_points_at_both():
    (finding,) = loaded_from({"a.yaml": BASE + "ledger: {}\n", "b.yaml": "version: 1\nledger: {}\n"}).findings
    assert finding.code.value == "RR205"
    assert (Path(finding.span.path).name, Path(finding.labels[0].span.path).name) == ("b.yaml", "a.yaml")


def test_a_policy_without_a_ledger_has_the_defaults():
    ledger = loaded_from(BASE).partial.policy.ledger
    assert (ledger.capture, ledger.durability, ledger.retention) == ("none", "grouped", None)


def test_every_document_says_its_version():
    assert errors({"a.yaml": BASE, "b.yaml": ROUTE}) == ["RR102 b.yaml"]


# -- packs -------------------------------------------------------------------------------------------


def test_a_pack_is_known_by_its_name_and_release():
    guard = "guards:\n  g: {packs: [company/names@1]}\n"
    assert errors({"a.yaml": BASE + guard, "n.pack.yaml": PACK}) == []


def test_two_releases_of_a_pack_stand_side_by_side():
    second = PACK.replace("release: 1", "release: 2")
    loaded = loaded_from({"a.yaml": BASE, "n1.pack.yaml": PACK, "n2.pack.yaml": second})
    assert loaded.findings == ()
    assert set(loaded.partial.policy.packs) == {"company/names@1", "company/names@2"}


def test_a_release_that_is_defined_twice_is_a_finding():
    (finding,) = loaded_from({"a.yaml": BASE, "m.pack.yaml": PACK, "n.pack.yaml": PACK}).findings
    assert finding.code.value == "RR202"
    assert "a released pack never changes" in finding.help


def test_the_name_of_a_builtin_pack_is_not_taken():
    (finding,) = loaded_from({"a.yaml": BASE, "n.pack.yaml": PACK.replace("company/", "builtin/")}).findings
    assert finding.code.value == "RR106"
    assert "`builtin/`" in finding.message


def test_a_pattern_id_twice_in_a_pack_is_a_finding():
    text = PACK.replace("[{", "[{id: a, regex: b, score: 1}, {")
    (finding,) = loaded_from({"a.yaml": BASE, "n.pack.yaml": text}).findings
    assert (finding.code.value, finding.help) == ("RR202", "ids are unique within a pack")


PACK_FAULTS = {
    "description": ("description: 5", "RR101"),
    "owner": ("owner: [a]", "RR101"),
    "unknown-field": ("colour: red", "RR103"),
    "version": ("version: 2", "RR104"),
}


@pytest.mark.parametrize(("line", "code"), PACK_FAULTS.values(), ids=PACK_FAULTS)
def test_a_faulty_pack_is_one_finding_wherever_the_fault_stands(line, code):
    text = PACK.replace("version: 1\n", "") if line.startswith("version") else PACK
    files = {"a.yaml": f"{BASE}guards:\n  g: {{packs: [company/names@1]}}\n", "n.pack.yaml": f"{text}{line}\n"}
    assert errors(files) == [f"{code} n.pack.yaml"]


# -- what is faulty keeps its name -------------------------------------------------------------------

FAULTY = {
    "tags": ("tags:\n  t: {values: 5}\nbounds:\n  b: {match: {tags: {t: x}}, per: tags.t}\n", "RR101"),
    "endpoints": (
        (
            "endpoints:\n  e: {dialect: x, base_url: 'https://x.example', serves: {m: {}}}\n"
            "upstreams:\n  u: {targets: [{endpoint: e, model: m}]}\n"
        ),
        "RR104",
    ),
    "models": (
        (
            "models:\n  n: {context_window: 0, max_output_tokens: 9}\nendpoints:\n"
            "  e: {dialect: openai, base_url: 'https://x.example', serves: {n: {}}}\n"
            "upstreams:\n  u: {targets: [{endpoint: e, model: n}]}\n"
        ),
        "RR105",
    ),
    "upstreams": ("upstreams:\n  u: {targets: []}\nroutes:\n  r: {match: {}, upstream: u}\n", "RR105"),
    "guards": (
        ("guards:\n  g: {packs: [builtin/injection@1], threshold: 5}\nbounds:\n  b: {match: {}, guards: [g]}\n"),
        "RR105",
    ),
    "routes": (
        (
            "routes:\n  r: {match: {}, upstream: main, precedence: x}\n"
            "guards:\n  g: {packs: [builtin/injection@1], then: {route: r}}\n"
        ),
        "RR101",
    ),
    "destination": (
        (
            "routes:\n  q: {upstream: main}\n"
            "guards:\n  g: {packs: [builtin/injection@1], then: {route: q}, threshold: 5}\n"
        ),
        "RR105",
    ),
    "value-of-a-tag": (
        ("tags:\n  t: {values: [a, 5]}\nroutes:\n  r: {match: {tags: {t: zz}}, upstream: main}\n"),
        "RR101",
    ),
    "reference-for-a-file": ("routes:\n  r: {match: {}, upstream: main, verify: {json_schema: '${X}'}}\n", "RR106"),
    "refused-scalar": ("routes:\n  r: {match: {}, upstream: main, callable: yes}\n", "RR004"),
    "alias": ("routes:\n  r: {match: *m, upstream: main}\n", "RR006"),
    "repeated-key": ("routes:\n  r: {match: {}, upstream: main, upstream: other}\n", "RR003"),
}


@pytest.mark.parametrize(("text", "code"), FAULTY.values(), ids=FAULTY)
def test_what_refers_to_a_faulty_item_is_not_blamed(text, code):
    assert errors({"base.yaml": BASE, "faulty.yaml": f"version: 1\n{text}"}) == [f"{code} faulty.yaml"]


def test_a_faulty_item_leaves_its_neighbours_alone():
    text = "version: 1\nroutes:\n  a: {match: {}, upstream: main}\n  b: {upstream: 5}\n"
    policy = loaded_from({"base.yaml": BASE, "more.yaml": text}).partial.policy
    assert set(policy.routes) == {"a"}
    assert policy.names["routes"] == {"a", "b"}


def test_a_warning_leaves_an_item_in():
    text = "version: 1\ntags:\n  t: {values: [2024-08-06]}\n"
    assert "t" in loaded_from({"base.yaml": BASE, "more.yaml": text}).partial.policy.tags


# -- files that are broken or refused ---------------------------------------------------------------

BROKEN = {
    "in-a-section": "tags:\n  t: {}\nroutes:\n  q: {upstream: main}\n broken: [\n",
    "in-an-item": "endpoints:\n  e:\n    dialect: openai\n    base_url: https://x.example\n   serves: {m: {}}\n",
    "in-a-match": "routes:\n  narrow:\n    upstream: main\n    match: {tags: {t: x\n  other: {upstream: main}\n",
    "in-an-empty-match": "routes:\n  narrow:\n    upstream: main\n    match: {\n",
    "in-an-open-list": "routes:\n  q:\n    upstream: main\n    match:\n      tags: [\n",
    "in-the-targets": "upstreams:\n  u:\n    targets:\n      - {endpoint: first\n",
    "before-anything": "\troutes: {}\n",
    "in-the-ledger": "ledger:\n  retention: 5d\n  capture: [\n",
    "in-the-limits": "bounds:\n  b:\n    match: {}\n    parameters: {temperature: {min: 1, max: [\n",
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_a_syntax_error_is_one_finding(text):
    files = {"base.yaml": BASE + ROUTE, "z.yaml": f"version: 1\n{text}"}
    assert errors(files) == ["RR002 z.yaml"]


def test_a_syntax_error_before_the_version_is_one_finding():
    assert errors({"base.yaml": BASE, "z.yaml": "routes: {\nversion: 1\n"}) == ["RR002 z.yaml"]


def test_what_a_broken_file_may_define_is_not_missed():
    text = "version: 1\nroutes:\n  q: {match: {tags: {t: x}}, upstream: u}\nbounds:\n  b: {match: {}, guards: [g]}\n"
    files = {"base.yaml": BASE, "more.yaml": text, "z.yaml": "version: 1\na: [\n"}
    assert "RR201 more.yaml" not in errors(files)
    assert "RR203 more.yaml" not in errors(files)


def test_a_broken_pack_keeps_its_name():
    text = PACK.replace("score: 1}]", "score: [")
    files = {"base.yaml": f"{BASE}guards:\n  g: {{packs: [company/names@1]}}\n", "n.pack.yaml": text}
    assert errors(files) == ["RR002 n.pack.yaml"]


def test_what_a_refused_file_may_define_is_not_missed():
    text = "version: 1\nroutes:\n  q: {match: {}, upstream: u}\n"
    files = {"base.yaml": BASE, "more.yaml": text, "z.yml": "version: 1\nupstreams: {}\n"}
    assert errors(files) == ["RR012 z.yml"]


@pytest.mark.parametrize("text", ["", "- a\n", "hello\n", "version: 1\nroutes: [a]\n", "version: 1\ntags: 5\n"])
def test_a_document_that_holds_no_items_is_one_finding(text):
    assert len(codes(loaded_from({"base.yaml": BASE, "z.yaml": text}).findings)) == 1


def test_the_place_of_every_item_is_known():
    loaded = loaded_from({"a.yaml": BASE + ROUTE})
    origin = loaded.partial.policy.origin("routes", "all")
    assert (str(origin.span()).rpartition("/")[2], origin.span("upstream").start.column) == ("a.yaml:10:3", 30)
    with pytest.raises(KeyError):
        loaded.partial.policy.origin("routes", "nothing")
