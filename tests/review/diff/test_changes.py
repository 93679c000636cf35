"""Differences of small policies against answers worked out by hand: what changes, for whom, and its class."""

from __future__ import annotations

import re

import pytest

from route_run.review.diff import difference
from route_run.review.diff.document import as_json
from route_run.review.diff.report import MOST_MARKDOWN, as_markdown, as_text, code
from support.tables import table_of

POLICY = """\
version: 1
tags:
  desk: {values: [support, sales]}
  residency: {values: [eu, us]}
endpoints:
  one:
    {dialect: openai, base_url: "https://one.test/v1", auth: {api_key: "${ONE}"}, serves: {m: {}}, labels: {region: eu}}
  two: {dialect: openai, base_url: "https://two.test/v1", serves: {m: {}}, labels: {region: us}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}}
upstreams:
  main:
    targets: [{endpoint: one, model: m}, {endpoint: two, model: m}]
    timeouts: {total: 60s}
guards:
  words: {patterns: [{id: zephyr, regex: zephyr, score: 1}], threshold: 0.8}
bounds:
  all: {match: {}, guards: [words], limits: {requests: 60/min, spend: 20 USD/day}}
  eu: {match: {tags: {residency: {not: us}}}, targets: {region: [eu]}}
routes:
  rest: {match: {}, upstream: main, parameters: {temperature: {default: 0.3, max: 0.7}}}
  named: {callable: true, upstream: main, parameters: {max_tokens: {max: 100}}}
webhooks:
  ops: {match: {}, events: [completed], url: "https://hooks.test/a", secrets: ["${S}"]}
ledger: {retention: 30d}
"""
EVERYTHING, EU, US = "all requests", "residency: eu or absent", "residency: us"
SIZE = ", at most 9,000 prompt tokens, needs text only"
NAMED_SIZE = ", at most 9,900 prompt tokens, needs text only"
# what is replaced, by what, the change, the regions of matched requests, classes of risk
CASES = {
    "a bound lets requests into another region": (
        "region: [eu]}",
        "region: [eu, us]}",
        "targets  one/m  →  one/m, then two/m",
        [EU + SIZE],
        ["residency-widened"],
    ),
    "a bound is dropped": (
        "targets: {region: [eu]}}",
        "description: nothing}",
        "allowed label region  eu  →  none",
        None,
        ["residency-widened"],
    ),
    "a fallback is dropped": (
        ", {endpoint: two, model: m}]",
        "]",
        "targets  one/m, then two/m  →  one/m",
        [US + SIZE],
        ["fallback-removed"],
    ),
    "the order of targets": (
        "[{endpoint: one, model: m}, {endpoint: two, model: m}]",
        "[{endpoint: two, model: m}, {endpoint: one, model: m}]",
        "targets  one/m, then two/m  →  two/m, then one/m",
        [US + SIZE],
        [],
    ),
    "a threshold": (
        "threshold: 0.8",
        "threshold: 0.9",
        "guard words  reject at 0.8, 1 patterns  →  reject at 0.9, 1 patterns",
        [EVERYTHING],
        ["injection-loosened"],
    ),
    "a stricter threshold": ("threshold: 0.8", "threshold: 0.7", "guard words  reject at 0.8", [EVERYTHING], []),
    "a guard only flags": ("threshold: 0.8}", "then: flag}", "guard words", [EVERYTHING], ["injection-loosened"]),
    "a pattern is dropped for another": (
        "regex: zephyr,",
        "regex: zephyrus,",
        "guard words",
        [EVERYTHING],
        ["injection-loosened"],
    ),
    "a guard is not asked": (
        "guards: [words], ",
        "",
        "guard words  reject at 0.8, 1 patterns  →  none",
        [EVERYTHING],
        ["injection-loosened"],
    ),
    "a default": ("default: 0.3", "default: 0.4", "default temperature  0.3  →  0.4", None, ["default-changed"]),
    "a lower maximum": (
        "max: 0.7",
        "max: 0.6",
        "range temperature  at most 0.7, else refused  →  at most 0.6, else refused",
        [EVERYTHING],
        ["limit-lowered"],
    ),
    "a higher maximum": ("max: 0.7", "max: 0.8", "range temperature", [EVERYTHING], []),
    "a lower limit": (
        "60/min",
        "50/min",
        "limit requests  60/min, else reject  →  50/min, else reject",
        [EVERYTHING],
        ["limit-lowered"],
    ),
    "more may be spent": (
        "20 USD",
        "30 USD",
        "limit spend  20 USD/day, else reject  →  30 USD/day, else reject",
        [EVERYTHING],
        ["cost-ceiling-raised"],
    ),
    "a higher price": (
        "output: 2",
        "output: 3",
        "price ceiling answer  0.002 USD for the largest  →  0.003 USD for the largest",
        None,
        ["cost-ceiling-raised"],
    ),
    "a price that is not known": (
        ", price: {input: 1, output: 2}",
        "",
        "price one/m  1 in, 2 out  →  unknown",
        None,
        ["cost-ceiling-raised"],
    ),
    "a smaller window": (
        "context_window: 10000",
        "context_window: 9000",
        "model context window of one/m",
        None,
        ["limit-lowered"],
    ),
    "a timeout": ("total: 60s", "total: 50s", "upstream timeout total  60 s  →  50 s", None, []),
    "kinds of failure": (
        "timeouts: {total: 60s}",
        "fallback: {when: [timeout]}",
        "upstream falls back for",
        None,
        ["fallback-removed"],
    ),
    "a URL": (
        "https://one.test/v1",
        "https://uno.test/v1",
        "endpoint one URL  https://one.test/v1/chat/completions  →  https://uno.test",
        None,
        [],
    ),
    "a login": ("${ONE}", "${UNO}", "endpoint one login  API key ${ONE}  →  API key ${UNO}", None, []),
    "a webhook": ("events: [completed]", "events: [failed]", "webhook ops  completed  →  failed", [EVERYTHING], []),
    "the ledger": ("retention: 30d", "retention: 40d", "ledger retention  30 days  →  40 days", [EVERYTHING], []),
    "a route of its own": (
        "  named:",
        "  sales: {match: {tags: {desk: sales}}, upstream: main}\n  named:",
        "route  rest  →  sales",
        None,
        ["default-changed"],
    ),
    "a tag must be there": (
        "desk: {values: [support, sales]}",
        "desk: {values: [support, sales], required: true}",
        "outcome  sent  →  refused: not a value of the tag desk",
        None,
        ["newly-refused"],
    ),
    "a route that cannot be called any more": (
        "callable: true, ",
        "match: {tags: {desk: sales, residency: eu}}, ",
        "outcome  sent  →  refused: no route takes it",
        None,
        ["newly-refused"],
    ),
}


def found_for(old, new):
    assert POLICY.count(old) == 1, old
    return difference(table_of(POLICY), table_of(POLICY.replace(old, new)))


@pytest.mark.parametrize("case", CASES)
def test_a_change_is_found_for_just_the_requests_that_it_touches(case):
    old, new, change, regions, risks = CASES[case]
    found = found_for(old, new)
    lines = [f"{c.topic}  {c.before_text}  →  {c.after_text}" for group in found.groups for c in group.changes]
    assert any(line.startswith(change) for line in lines), lines
    assert {risk.value for risk in found.risks} >= set(risks)
    if not risks:
        assert found.risks == ()
    if regions is not None:
        words = [
            found.words(region)
            for group in found.groups
            if any(f"{c.topic}  {c.before_text}  →  {c.after_text}".startswith(change) for c in group.changes)
            for requests in group.requests
            if str(requests.way) == "matched"
            for region in requests.regions
        ]
        assert words == regions


REST = "  rest: {match: {}, upstream: main, parameters: {temperature: {default: 0.3, max: 0.7}}}\n"
MOVED = {
    "comments": POLICY + "# the end\n",
    "the order of sections": "".join(sorted(re.split(r"(?m)^(?=\w)", POLICY))),
    "the order of routes": POLICY.replace(REST, "").replace("webhooks:", f"{REST}webhooks:"),
    "descriptions": POLICY.replace("match: {}, upstream", "description: all the others, match: {}, upstream"),
    "the name of an upstream": POLICY.replace("upstream: main", "upstream: first").replace("  main:", "  first:"),
    "the name of a bound": POLICY.replace("  eu: {match", "  stays: {match"),
    "a longer way to say the same": POLICY.replace("residency: {not: us}", "residency: {not: [us]}"),
    "a value that is the default": POLICY.replace("{total: 60s}", "{total: 60s, connect: 5s}"),
}


@pytest.mark.parametrize("what", MOVED)
def test_text_that_moves_changes_no_decision(what):
    assert MOVED[what] != POLICY
    found = difference(table_of(POLICY), table_of(MOVED[what]))
    assert found.groups == ()
    assert as_text(found, ("a", "b")) == "no decision changed from a to b"


def test_requests_called_by_name_are_told_apart_from_matched_ones():
    found = found_for("max_tokens: {max: 100}", "max_tokens: {max: 50}")
    ways = {str(requests.way) for group in found.groups for requests in group.requests}
    assert ways == {"called by name, `named`"}
    for group in found.groups:
        assert group.witness.after is not None
        assert group.witness.after.route is not None
        assert group.witness.after.route.name == "named"


def test_a_difference_of_too_many_cells_says_that_there_may_be_more():
    before, after = table_of(POLICY), table_of(POLICY.replace("total: 60s", "total: 50s"))
    found = difference(before, after, most=2)
    assert found.is_complete is False
    assert "at least" in as_text(found, ("a", "b")) or "not everything" in as_text(found, ("a", "b"))


def test_the_same_difference_prints_the_same():
    texts = {as_text(found_for("region: [eu]}", "region: [eu, us]}"), ("a", "b")) for _ in range(3)}
    assert len(texts) == 1


def test_json_holds_every_region_as_data():
    data = as_json(found_for("events: [completed]", "events: [failed]"), ("a", "b"))
    (group,) = data["groups"]
    assert data["changed"] is True
    assert data["complete"] is True
    assert group["changes"] == [{"area": "webhook", "item": "ops", "before": "completed", "after": "failed"}]
    assert group["requests"][0]["regions"][0]["words"] == EVERYTHING
    assert group["witness"]["before"]["targets"] == ["one/m"]


def test_secrets_and_headers_are_named_and_never_shown():
    old = "serves: {m: {}}, labels: {region: us}"
    after = POLICY.replace(old, 'headers: {x-team: "canary-4711", x-key: "${KEY}"}, ' + old)
    text = as_text(difference(table_of(POLICY), table_of(after)), ("a", "b"))
    assert "x-team: (set)" in text
    assert "${KEY}" in text
    assert "canary" not in text


HOSTILE = "a|b`<script>alert(1)</script>@all #1 https://evil.test [x](y) **bold** \x1b[31m"


def test_markdown_shows_hostile_names_as_just_that():
    shown = code(HOSTILE)
    inner = shown.removeprefix("<code>").removesuffix("</code>")
    for forbidden in "|`<>@[]*\x1b()":
        assert forbidden not in inner
    assert "https:" not in inner


def test_a_comment_stays_below_what_hosts_accept():
    def many(step):
        routes = (
            f"  r{n}: {{match: {{tags: {{tenant: t{n}}}}}, upstream: main,"
            f" parameters: {{temperature: {{max: {0.1 + (n + 1) * step:g}}}}}}}\n"
            for n in range(60)
        )
        return POLICY.replace("tags:\n", "tags:\n  tenant: {}\n", 1).replace("routes:\n", "routes:\n" + "".join(routes))

    text = as_markdown(difference(table_of(many(0.01)), table_of(many(0.011))), ("main", "a|b"))
    assert len(text) <= MOST_MARKDOWN
    assert "more groups; `--format json` holds all." in text
    assert "a&#124;b" in text
