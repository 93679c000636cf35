"""What only the whole policy can tell: names, tags, ranges. Each finding underlines its offender."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from support.policies import BASE
from support.reading import codes, fragment, loaded_from

TAGS = """\
tags:
  desk: {values: [support, billing], required: true}
  region: {values: [eu-west, eu-east, us]}
  tenant: {}
"""
ROUTE = "routes:\n  all: {match: {}, upstream: main}\n"


@dataclass(frozen=True)
class Fault:
    """``text`` joins a sound policy; the one finding underlines ``marked`` and says ``words``."""

    name: str
    text: str
    code: str
    marked: str
    words: tuple[str, ...]


NAMES = [
    Fault(
        "endpoint of a target",
        "upstreams:\n  other: {targets: [{endpoint: frist, model: m}]}\n",
        "RR201",
        "frist",
        ("there is no endpoint `frist`", "did you mean `first`?", "known: `first`, `second`"),
    ),
    Fault(
        "model of a target",
        "upstreams:\n  other: {targets: [{endpoint: first, model: n}]}\n",
        "RR201",
        "n",
        ("there is no model `n`", "known: `m`"),
    ),
    Fault(
        "target of a balance group",
        "upstreams:\n  other: {targets: [{balance: fastest, targets: [{endpoint: third, model: m}]}]}\n",
        "RR201",
        "third",
        ("there is no endpoint `third`",),
    ),
    Fault(
        "model an endpoint does not serve",
        "models:\n  large: {context_window: 9, max_output_tokens: 9}\n"
        "upstreams:\n  other: {targets: [{endpoint: first, model: large}]}\n",
        "RR208",
        "large",
        ("endpoint `first` does not serve the model `large`", "it serves `m`", "`serves`"),
    ),
    Fault(
        "served model",
        "endpoints:\n  third: {dialect: openai, base_url: 'https://x.example', serves: {n: {}}}\n",
        "RR201",
        "n",
        ("there is no model `n`",),
    ),
    Fault(
        "upstream of a route",
        "routes:\n  all: {match: {}, upstream: mian}\n",
        "RR201",
        "mian",
        ("there is no upstream `mian`", "did you mean `main`?"),
    ),
    Fault(
        "guard of a bound",
        "bounds:\n  b: {match: {}, guards: [injection]}\n",
        "RR201",
        "injection",
        ("there is no guard `injection`", "the policy has no `guards`"),
    ),
    Fault(
        "route of a guard",
        ROUTE + "guards:\n  g: {packs: [builtin/injection@1], then: {route: al}}\n",
        "RR201",
        "al",
        ("there is no route `al`", "known: `all`"),
    ),
    Fault(
        "pack of a guard",
        "guards:\n  g: {packs: [builtin/injectoin@1]}\n",
        "RR201",
        "builtin/injectoin@1",
        ("there is no pattern pack", "did you mean `builtin/injection@1`?"),
    ),
    Fault(
        "release of a pack",
        "guards:\n  g: {packs: [builtin/injection@99]}\n",
        "RR201",
        "builtin/injection@99",
        ("there is no pattern pack", "known: `builtin/injection@1`"),
    ),
]
TAGGED = [
    Fault(
        "tag of a match",
        "routes:\n  a: {match: {tags: {dsek: support}}, upstream: main}\n",
        "RR203",
        "dsek",
        ("the tag `dsek` is not declared", "did you mean `desk`?", "`tenant`"),
    ),
    Fault(
        "tag of a bound",
        "bounds:\n  b: {match: {tags: {floor: x}}}\n",
        "RR203",
        "floor",
        ("not declared", "declared: `desk`, `region`, `tenant`"),
    ),
    Fault(
        "tag of a webhook",
        "webhooks:\n  w: {match: {tags: {floor: x}}, events: [failed], url: '${URL}'}\n",
        "RR203",
        "floor",
        ("not declared",),
    ),
    Fault(
        "tag of per",
        "bounds:\n  b: {match: {}, per: tags.tennant, limits: {requests: 1/s}}\n",
        "RR203",
        "tags.tennant",
        ("`tennant` is not declared", "did you mean `tenant`?"),
    ),
    Fault(
        "tag of hash_on",
        "upstreams:\n  other:\n    targets:\n"
        "      [{balance: fastest, hash_on: tags.floor, targets: [{endpoint: first, model: m}]}]\n",
        "RR203",
        "tags.floor",
        ("`floor` is not declared",),
    ),
    Fault(
        "value of a tag",
        "routes:\n  a: {match: {tags: {desk: suport}}, upstream: main}\n",
        "RR204",
        "suport",
        ("`suport` is not a declared value of the tag `desk`", "did you mean `support`?", "declared:"),
    ),
    Fault(
        "value in a list",
        "routes:\n  a: {match: {tags: {desk: [support, sales]}}, upstream: main}\n",
        "RR204",
        "sales",
        ("`sales` is not a declared value", "`billing`, `support`"),
    ),
    Fault(
        "value behind not",
        "bounds:\n  b: {match: {tags: {region: {not: usa}}}}\n",
        "RR204",
        "usa",
        ("`usa` is not a declared value", "did you mean `us`?"),
    ),
    Fault(
        "prefix of no value",
        "bounds:\n  b: {match: {tags: {region: {prefix: ap-}}}}\n",
        "RR204",
        "ap-",
        ("`ap-…` is not a declared value",),
    ),
    Fault(
        "case of a value",
        "bounds:\n  b: {match: {tags: {region: US}}}\n",
        "RR204",
        "US",
        ("`US` is not a declared value", "did you mean `us`?"),
    ),
    Fault(
        "exception for no value",
        "bounds:\n  b: {match: {}, per: tags.desk, limits: {requests: 1/s}, except: {sales: {requests: 2/s}}}\n",
        "RR204",
        "sales",
        ("`sales` is not a declared value of the tag `desk`",),
    ),
]
RULES = [
    Fault(
        "exceptions without per",
        "bounds:\n  b: {match: {}, limits: {requests: 1/s}, except: {acme: {requests: 2/s}}}\n",
        "RR102",
        "except",
        ("the bound has no `per`", "per: tags.NAME"),
    ),
    Fault(
        "guard without patterns",
        "guards:\n  g: {threshold: 0.5}\n",
        "RR102",
        "g",
        ("neither `packs` nor `patterns`", "could never fire", "builtin/injection@1"),
    ),
    Fault(
        "route without a way in",
        "routes:\n  a: {upstream: main}\n",
        "RR207",
        "a",
        ("no request can come to the route `a`", "`match: {}`", "`callable: true`"),
    ),
    Fault(
        "second pattern of one id",
        "guards:\n  g: {patterns: [{id: a, regex: x, score: 1}, {id: a, regex: y, score: 1}]}\n",
        "RR202",
        "a",
        ("a second pattern has the id `a`", "unique within a guard"),
    ),
    Fault(
        "window that ends before it starts",
        "endpoints:\n  third:\n    dialect: openai\n    base_url: https://x.example\n    serves: {m: {}}\n"
        "    maintenance: [{from: '2026-12-01T22:00:00Z', to: '2026-12-01T22:30:00+01:00'}]\n",
        "RR105",
        "'2026-12-01T22:30:00+01:00'",
        ("ends before it starts", "`to` comes after `from`"),
    ),
    Fault(
        "empty range of a model",
        "models:\n  n: {context_window: 9, max_output_tokens: 9, parameters: {top_p: {min: 1, max: 0}}}\n",
        "RR501",
        "top_p",
        ("no value of top_p fits", "from 1.0 to 0.0", "`min` is at most `max`"),
    ),
    Fault(
        "empty range of a bound",
        "bounds:\n  b: {match: {}, parameters: {temperature: {min: 0.9, max: 0.2}}}\n",
        "RR501",
        "temperature",
        ("no value of temperature fits",),
    ),
    Fault(
        "max_tokens below one",
        "bounds:\n  b: {match: {}, parameters: {max_tokens: {max: 0}}}\n",
        "RR501",
        "max_tokens",
        ("no value of max_tokens fits",),
    ),
    Fault(
        "default above its range",
        "routes:\n  a: {match: {}, upstream: main, parameters: {temperature: {default: 0.9, max: 0.7}}}\n",
        "RR502",
        "0.9",
        ("the default of temperature is 0.9", "at most 0.7"),
    ),
    Fault(
        "default of max_tokens below one",
        "routes:\n  a: {match: {}, upstream: main, parameters: {max_tokens: {default: 0}}}\n",
        "RR502",
        "0",
        ("the default of max_tokens is 0", "at least 1"),
    ),
    Fault(
        "file that is not there",
        "routes:\n  a: {match: {}, upstream: main, verify: {json_schema: answer.json}}\n",
        "RR206",
        "answer.json",
        ("the file `answer.json` cannot be used", "no such file"),
    ),
    Fault(
        "file outside of the folder",
        "endpoints:\n  third: {dialect: openai, base_url: 'https://x.example', serves: {m: {}}, ca_file: ../ca.pem}\n",
        "RR206",
        "../ca.pem",
        ("cannot be used", "inside the policy folder"),
    ),
    Fault(
        "file of a webhook",
        "webhooks:\n  w: {match: {}, events: [failed], url: '${URL}', ca_file: /etc/ca.pem}\n",
        "RR206",
        "/etc/ca.pem",
        ("cannot be used",),
    ),
]


@pytest.mark.parametrize("fault", [*NAMES, *TAGGED, *RULES], ids=lambda fault: fault.name.replace(" ", "-"))
def test_fault(fault):
    tags = TAGS if fault in TAGGED else ""
    files = {"base.yaml": BASE + tags, "fault.yaml": "version: 1\n" + fault.text}
    (finding,) = [finding for finding in loaded_from(files).findings if finding.is_error]
    assert finding.code.value == fault.code
    assert fragment(files["fault.yaml"], finding.span) == fault.marked
    for word in fault.words:
        assert word in f"{finding.message} | {finding.help}"


SOUND = [
    (
        "route of a guard",
        ("routes:\n  q: {upstream: main}\nguards:\n  g: {packs: [builtin/injection@1], then: {route: q}}\n"),
    ),
    ("callable route", "routes:\n  q: {upstream: main, callable: true}\n"),
    ("any value of an open tag", "routes:\n  q: {match: {tags: {tenant: [acme, {prefix: x}]}}, upstream: main}\n"),
    ("prefix of a value", "routes:\n  q: {match: {tags: {region: {prefix: eu-}}}, upstream: main}\n"),
    ("presence", "routes:\n  q: {match: {tags: {region: {present: false}}}, upstream: main}\n"),
    ("range of one value", "bounds:\n  b: {match: {}, parameters: {temperature: {min: 0.5, max: 0.5}}}\n"),
    ("any requested model", "routes:\n  q: {match: {requested_model: [gpt, {prefix: x}]}, upstream: main}\n"),
    (
        "default at the end of its range",
        ("routes:\n  q: {match: {}, upstream: main, parameters: {temperature: {default: 0.7, max: 0.7}}}\n"),
    ),
    ("stop texts", "routes:\n  q: {match: {}, upstream: main, parameters: {stop: {default: [END]}}}\n"),
]


@pytest.mark.parametrize("text", [text for _, text in SOUND], ids=[name.replace(" ", "-") for name, _ in SOUND])
def test_what_is_sound_has_no_finding(text):
    loaded = loaded_from({"base.yaml": BASE + TAGS, "more.yaml": "version: 1\n" + text})
    assert loaded.findings == ()


def test_all_faults_are_found_at_once():
    faults = [fault for fault in RULES if fault.code in ("RR102", "RR105", "RR206")]
    files = {f"{n}.yaml": f"version: 1\n{fault.text}" for n, fault in enumerate(faults)}
    found = loaded_from({"base.yaml": BASE, **files}).findings
    assert len(faults) > 4
    assert {fault.code for fault in faults} <= set(codes(found))
