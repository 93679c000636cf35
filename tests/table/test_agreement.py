"""Two tables agree when nothing that is decided differs; else a request shows where."""

from __future__ import annotations

import pytest

from route_run.table import agreement
from support.reading import loaded_from

BASE = """version: 1
# {comment}
tags: {{desk: {{values: [support, sales]}}}}
endpoints:
  main: {{dialect: openai, base_url: "https://models.example.com/v1", serves: {{small: {{}}}}{endpoint}}}
models:
  small: {{context_window: 32000, max_output_tokens: 4096}}
upstreams:
  main: {{targets: [{{endpoint: main, model: small}}], timeouts: {{total: {total}}}}}
guards:
  words: {{patterns: [{{id: a, regex: '{regex}', score: 1}}]}}
bounds:
  calm: {{match: {{}}, guards: [words], parameters: {{temperature: {{max: {most}}}}}}}
routes:
  support: {{match: {{tags: {{desk: {desk}}}}}, upstream: main}}
  rest: {{match: {{}}, upstream: main, description: "{words}"}}
"""
SAID = {
    "comment": "", "endpoint": "", "total": "30s", "regex": "a", "most": 1, "desk": "support", "words": "",
}  # fmt: skip


def table(**changed):
    return loaded_from(BASE.format(**{**SAID, **changed})).table


BEFORE = table()


@pytest.mark.parametrize("changed", [{}, {"comment": "another"}, {"words": "another"}, {"total": "30000ms"}])
def test_what_is_not_decided_from_changes_nothing(changed):
    assert agreement(BEFORE, table(**changed)).is_proved


@pytest.mark.parametrize(
    ("changed", "count"),
    [({"total": "31s"}, 2), ({"regex": "b"}, 2), ({"most": 0.5}, 2), ({"desk": "sales"}, 2)],
    ids=str,
)
def test_what_is_decided_otherwise_is_shown_by_requests(changed, count):
    found = agreement(BEFORE, table(**changed))

    assert not found.is_proved
    assert len(found.changed) == count
    assert found.is_complete


def test_an_endpoint_that_changes_is_no_proof_of_agreement_though_decisions_are_the_same():
    found = agreement(BEFORE, table(endpoint=", headers: {x-team: a}"))

    assert (found.is_proved, found.changed) == (False, ())
    assert found.asked == 2
