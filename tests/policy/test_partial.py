"""Items with several mistakes: all of them are found at once, and none is told twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import pytest

from route_run.policy.partial import STAND_INS
from route_run.policy.policy import SECTIONS
from route_run.policy.shape import Model, fields_of
from support.policies import BASE
from support.reading import fragment, loaded_from

TAGS = "tags:\n  desk: {values: [support, billing], required: true}\n  tenant: {}\n"


@dataclass(frozen=True)
class Faulty:
    """One item; ``found`` are the code and the offender of each of its mistakes, in their order."""

    name: str
    text: str
    found: tuple[tuple[str, str], ...]


MANY = [
    Faulty(
        "route",
        "routes:\n  r: {match: {tags: {desk: suport, dsek: billing}}, upstream: mian, precedence: x}\n",
        (("RR204", "suport"), ("RR203", "dsek"), ("RR201", "mian"), ("RR101", "x")),
    ),
    Faulty(
        "route without its upstream",
        "routes:\n  r: {match: {tags: {desk: [suport, 5]}}, parameters: {temperature: {min: 2, max: 1}}}\n",
        (("RR102", "r"), ("RR204", "suport"), ("RR101", "5"), ("RR501", "temperature")),
    ),
    Faulty(
        "route that nobody can come to",
        "routes:\n  r: {upstream: main, deliver: sometimes}\n",
        (("RR207", "r"), ("RR104", "sometimes")),
    ),
    Faulty(
        "route with a file",
        "routes:\n  r: {match: {}, upstream: main, verfy: {}, precedence: 1, verify: {json_schema: no.json}}\n",
        (("RR103", "verfy"), ("RR206", "no.json")),
    ),
    Faulty(
        "upstream",
        "upstreams:\n  u:\n    targets:\n      - {endpoint: frist, model: m, weight: 0}\n"
        "      - {endpoint: second, mdoel: m}\n      - {endpoint: second, model: n}\n    timeouts: {total: 60}\n",
        (("RR201", "frist"), ("RR105", "0"), ("RR103", "mdoel"), ("RR201", "n"), ("RR107", "60")),
    ),
    Faulty(
        "balance group",
        "upstreams:\n  u: {targets: [{balance: quickest, hash_on: tags.tenat, targets: [{endpoint: x, model: m}]}]}\n",
        (("RR104", "quickest"), ("RR203", "tags.tenat"), ("RR201", "x")),
    ),
    Faulty(
        "endpoint",
        "endpoints:\n  e:\n    dialect: opnai\n    serves: {n: {}, m: null}\n    maintenance:\n"
        '      - {from: "2027-01-02T00:00:00Z", to: "2027-01-01T00:00:00Z"}\n',
        (("RR102", "e"), ("RR104", "opnai"), ("RR201", "n"), ("RR101", "null"), ("RR105", '"2027-01-01T00:00:00Z"')),
    ),
    Faulty(
        "model",
        "models:\n  l: {context_window: 0, max_output_tokens: 9, parameters: {temperature: {min: 1, max: 0}}}\n",
        (("RR105", "0"), ("RR501", "temperature")),
    ),
    Faulty(
        "guard",
        "guards:\n  g: {packs: [builtin/injecton@1], threshold: 5, then: {route: nowhere}, patterns: "
        "[{id: a, regex: '(?=x)', score: 1, must_match: [x]}, {id: a, regex: y, score: 1, must_match: [y]}]}\n",
        (("RR201", "builtin/injecton@1"), ("RR105", "5"), ("RR201", "nowhere"), ("RR601", "'(?=x)'"), ("RR202", "a")),
    ),
    Faulty(
        "bound",
        "bounds:\n  b: {match: {tags: {desk: {not: biling}}}, guards: [g, 5], targets: {region: eu},\n"
        "      per: tags.desk, limits: {requests: 5}, except: {suport: {requests: 5/min}}}\n",
        (("RR204", "biling"), ("RR201", "g"), ("RR101", "5"), ("RR101", "eu"), ("RR107", "5"), ("RR204", "suport")),
    ),
    Faulty(
        "webhook",
        "webhooks:\n  w: {match: {tags: {dsek: a}, need: {}}, events: [compleeted], url: 'https://h.example'}\n",
        (("RR203", "dsek"), ("RR103", "need"), ("RR104", "compleeted")),
    ),
    Faulty(
        "match that nothing satisfies",
        "routes:\n  r: {match: {tags: {desk: {not: [support, billing]}}}, upstream: mian}\n",
        (("RR303", "desk"), ("RR201", "mian")),
    ),
]


def found(text: str) -> list[tuple[str, str]]:
    faulty = f"version: 1\n{text}"
    loaded = loaded_from({"base.yaml": f"{BASE}{TAGS}", "faulty.yaml": faulty})
    errors = [finding for finding in loaded.findings if finding.is_error]
    assert {finding.span.path.rpartition("/")[2] for finding in errors} <= {"faulty.yaml"}
    return [(finding.code.value, fragment(faulty, finding.span)) for finding in errors]


@pytest.mark.parametrize("item", MANY, ids=lambda item: item.name)
def test_all_mistakes_of_one_item_are_found_at_once(item: Faulty):
    assert found(item.text) == list(item.found)


ALONE = {
    "misspelt match": ("routes:\n  r: {macth: {}, upstream: main}\n", "RR103"),
    "match of another shape": ("routes:\n  r: {match: [desk], upstream: main}\n", "RR101"),
    "match of nothing": ("routes:\n  r: {match: , upstream: main}\n", "RR101"),
    "misspelt callable": ("routes:\n  r: {calable: true, upstream: main}\n", "RR103"),
    "misspelt packs": ("guards:\n  g: {pakcs: [builtin/injection@1]}\n", "RR103"),
    "patterns of another shape": ("guards:\n  g: {patterns: x}\n", "RR101"),
    "misspelt per": (
        "bounds:\n  b: {match: {}, pre: tags.desk, limits: {requests: 1/min}, except: {x: {requests: 5/min}}}\n",
        "RR103",
    ),
    "misspelt serves": (
        (
            "endpoints:\n  e: {dialect: openai, base_url: 'https://x.example', srves: {m: {}}}\n"
            "upstreams:\n  u: {targets: [{endpoint: e, model: m}]}\n"
        ),
        "RR103",
    ),
    "name of a served model": (
        "endpoints:\n  e: {dialect: openai, base_url: 'https://x.example', serves: {m: {}, 'no name': {}}}\n",
        "RR106",
    ),
    "faulty then": (
        "guards:\n  g: {packs: [builtin/injection@1], then: {rout: q}}\nroutes:\n  q: {upstream: main}\n",
        "RR103",
    ),
    "tag of unknown values": (
        "tags:\n  t: {vlaues: [a]}\nroutes:\n  r: {match: {tags: {t: zz}}, upstream: main}\n",
        "RR103",
    ),
    "required that is no truth value": (
        (
            "tags:\n  t: {values: [a, b], required: 5}\n"
            "routes:\n  r: {match: {tags: {t: {not: a}}}, upstream: main}\n"
            "  q: {match: {tags: {t: {not: b}}}, upstream: main}\n"
        ),
        "RR101",
    ),
    "empty atom": ("routes:\n  r: {match: {tags: {desk: ['']}}, upstream: main}\n", "RR204"),
    "condition of nothing": ("routes:\n  r: {match: {tags: {desk: {}}}, upstream: main}\n", "RR105"),
    "prefix that is no text": ("bounds:\n  b: {match: {tags: {desk: {prefix: {}}}}, guards: []}\n", "RR101"),
    "presence that is no truth value": (
        "routes:\n  r: {match: {tags: {desk: {present: {}}}}, upstream: main}\n",
        "RR101",
    ),
    "two conditions at once": (
        "routes:\n  r: {match: {tags: {desk: {not: support, present: true}}}, upstream: main}\n",
        "RR109",
    ),
    "targets of another shape": ("upstreams:\n  u: {targets: main}\n", "RR101"),
    "target that is a name": ("upstreams:\n  u: {targets: [first]}\n", "RR101"),
    "group without targets": ("upstreams:\n  u: {targets: [{balance: fastest}]}\n", "RR102"),
    "window without its end": (
        (
            "endpoints:\n  e: {dialect: openai, base_url: 'https://x.example', serves: {m: {}}, "
            'maintenance: [{from: "2027-01-02T00:00:00Z"}]}\n'
        ),
        "RR102",
    ),
    "whole item of another shape": ("routes:\n  r: main\n", "RR101"),
}


@pytest.mark.parametrize(("text", "code"), ALONE.values(), ids=ALONE)
def test_one_mistake_is_told_once(text: str, code: str):
    assert [told for told, _ in found(text)] == [code]


def models_within(model: type[Model]) -> set[type[Model]]:
    """A model and all that it is made of."""
    known = {model}
    waiting = [field.kind for field in fields_of(model).values()]
    while waiting:
        kind = waiting.pop()
        if isinstance(kind, type) and issubclass(kind, Model):
            if kind not in known:
                known |= models_within(kind)
        else:
            waiting += get_args(kind)
    return known


@pytest.mark.parametrize("section", SECTIONS)
def test_something_stands_in_for_every_field_that_is_required(section: str):
    required = {
        field.key for model in models_within(SECTIONS[section]) for field in fields_of(model).values() if field.required
    }

    assert required - STAND_INS.keys() == set()
