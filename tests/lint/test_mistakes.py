"""Policies as people get them wrong: what they are told, and that they are told it once."""

from __future__ import annotations

import pytest

from support.linted import linted

SOUND = """\
version: 1
tags:
  desk: {values: [support, billing, sales], required: true}
endpoints:
  frankfurt:
    dialect: openai
    base_url: https://eu.models.example.com/v1
    auth: {api_key: "${EU_KEY}"}
    serves: {large: {}}
    labels: {region: eu, vendor: alpha}
  dublin:
    dialect: openai
    base_url: https://eu.models.example.net/v1
    auth: {api_key: "${US_KEY}"}
    serves: {large: {}}
    labels: {region: eu, vendor: beta}
models:
  large: {context_window: 128000, max_output_tokens: 4096, price: {input: 1, output: 3}}
upstreams:
  main:
    targets:
      - {endpoint: frankfurt, model: large}
      - {endpoint: dublin, model: large}
    timeouts: {connect: 5s, first_content: 10s, total: 60s}
bounds:
  baseline: {match: {tags: {desk: sales}}, limits: {requests: 60/min}}
routes:
  support:
    match: {tags: {desk: support}, prompt_tokens: {max: 100}}
    upstream: main
  everything-else:
    match: {}
    upstream: main
"""

MISTAKES = {
    "fields that are not indented": (
        "  support:\n    match: {tags: {desk: support}, prompt_tokens: {max: 100}}\n    upstream: main\n",
        "  support:\n  match: {}\n  upstream: main\n",
        ["RR101 `match`, `upstream` stand beside it: indent them further", "RR102 ", "RR101 "],
    ),
    "nothing": ("version: 1", "version: 1", []),
    "minutes or milliseconds": ("total: 60s", "total: 1m", ["RR107 write `1min` for minutes, `1ms` for milliseconds"]),
    "served model misspelt": ("serves: {large: {}}", "serves: {lagre: {}}", ["RR201 did you mean `large`?"]),
    "served models as a list": ("serves: {large: {}}", "serves: [large]", ["RR101 Write it like `{"]),
    "operator above the tag": ("{tags: {desk: support}", "{tags: {not: support}", ["RR203 `TAG: {not: …}`"]),
    "tag without tags": ("match: {tags: {desk: support}", "match: {desk: support", ["RR103 stand under `tags`"]),
    "targets as one mapping": (
        "    targets:\n      - {endpoint: frankfurt, model: large}\n      - {endpoint: dublin, model: large}\n",
        "    targets: {endpoint: frankfurt, model: large}\n",
        ["RR101 Write it like `[{"],
    ),
    "targets as names": (
        "    targets:\n      - {endpoint: frankfurt, model: large}\n      - {endpoint: dublin, model: large}\n",
        "    targets: [frankfurt]\n",
        ['RR101 Write it like `{"endpoint": '],
    ),
    "hedge as a time": ("    timeouts:", "    hedge: 2s\n    timeouts:", ['RR101 Write it like `{"after": "2s"}`']),
    "local time": (
        "    labels: {region: eu, vendor: beta}",
        '    maintenance: [{from: 2026-12-01 22:00, to: "2026-12-01T23:00:00Z"}]\n    labels: {region: eu}',
        ["RR106 such as `2026-12-01T22:00:00+01:00`"],
    ),
    "URL with its path": (
        "https://eu.models.example.com/v1",
        "https://eu.models.example.com/v1/chat/completions",
        ["RR528 write `https://eu.models.example.com/v1`; `/chat/completions` comes behind it"],
    ),
    "secret pasted": ('"${EU_KEY}"', "sk-proj-4711aB3dE5fG7hJ9kL1mN3pQ5r", ["RR108 write `${NAME}`"]),
    "secret named like a shell does": ('"${EU_KEY}"', "$EU_KEY", ["RR108 write `${NAME}`"]),
    "spend as prose": ("requests: 60/min", "spend: $20/day", ["RR107 write `20 USD/day`"]),
    "endpoint and model swapped": (
        "{endpoint: frankfurt, model: large}",
        "{endpoint: large, model: frankfurt}",
        ["RR201 known: `dublin`, `frankfurt`", "RR201 known: `large`"],
    ),
    "two mistakes in one route": (
        "{desk: support}, prompt_tokens: {max: 100}}\n    upstream: main",
        "{desk: Support}, prompt_tokens: {max: lots}}\n    upstream: mian",
        ["RR204 did you mean `support`?", "RR101 ", "RR201 did you mean `main`?"],
    ),
    "weights in a plain list": (
        "{endpoint: frankfurt, model: large}",
        "{endpoint: frankfurt, model: large, weight: 9}",
        ["RR527 balance: weighted"],
    ),
    "breaker that stays open for an hour": (
        "    labels: {region: eu, vendor: beta}",
        "    breaker: {open: 1h}\n    labels: {region: eu, vendor: beta}",
        ["RR522 the defaults are"],
    ),
    "share above everything": (
        "    labels: {region: eu, vendor: beta}",
        "    breaker: {ratio: 500%}\n    labels: {region: eu, vendor: beta}",
        ["RR522 the defaults are"],
    ),
    "wait without waiting": (
        "{requests: 60/min}",
        "{requests: 60/min, wait_at_most: 5s}",
        ["RR523 write `when_exceeded: wait`"],
    ),
    "a retry budget that nothing asks for": (
        "    labels: {region: eu, vendor: beta}",
        "    retry_budget: {floor: 0}\n    labels: {region: eu, vendor: beta}",
        [],
    ),
    "hedge after the attempt": (
        "    timeouts:",
        "    hedge: {after: 30s}\n    timeouts:",
        ["RR519 write an `after` below both times"],
    ),
}


@pytest.mark.parametrize(("right", "wrong", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_told_once_and_with_what_would_be_right(right: str, wrong: str, told: list[str]):
    assert right in SOUND
    findings = linted(SOUND.replace(right, wrong, 1))

    said = [(finding.code.value, finding.help) for finding in findings]
    assert [code for code, _ in said] == [expected[:5] for expected in told], said
    for (_, help_text), expected in zip(said, told, strict=True):
        assert expected[6:] in help_text
