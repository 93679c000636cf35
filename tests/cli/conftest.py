"""What the tests of the command line share: a policy in a folder, and commands that run on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.commands import Commands
from support.policies import write_policy

POLICY = """\
version: 1
tags:
  desk: {values: [support, sales]}
  tenant: {}
endpoints:
  first: {dialect: openai, base_url: "https://first.test/v1", auth: {api_key: "${FIRST_KEY}"}, serves: {m: {}, own: {}}}
  second: {dialect: anthropic, base_url: "${SECOND_URL}", auth: {api_key: "${SECOND_KEY}"}, serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}}
  own: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}}
upstreams:
  main: {targets: [{endpoint: first, model: m}, {endpoint: second, model: m}], timeouts: {first_content: 1s, idle: 1s}}
  patient: {targets: [{endpoint: first, model: own}]}
guards:
  codename: {patterns: [{id: zephyr, regex: 'project zephyr', score: 1.0, must_match: [project zephyr]}], then: reject}
bounds:
  baseline: {match: {}, guards: [codename]}
routes:
  everything: {match: {}, upstream: main, parameters: {temperature: {max: 1}}}
  support: {match: {tags: {desk: support}}, upstream: main, callable: true}
  data: {upstream: main, callable: true, verify: {json_schema: answer.json}}
  slow: {upstream: patient, callable: true}
webhooks:
  ops: {match: {}, events: [completed], url: "${HOOK_URL}", secrets: ["${HOOK_SECRET}"]}
"""
SCHEMA = '{"type": "object", "required": ["answer"]}'


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Commands:
    """Commands on a policy of two endpoints, four routes, a guard and a webhook."""
    folder = write_policy(tmp_path / "routes", {"policy.yaml": POLICY, "answer.json": SCHEMA})
    return Commands(folder, tmp_path / "ledger.sqlite3", capsys, monkeypatch)


@pytest.fixture
def cli_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Commands]:
    """Commands on a policy that a test writes."""

    def made(files: str | dict[str, str]) -> Commands:
        folder = write_policy(tmp_path / "own", files)
        return Commands(folder, tmp_path / "ledger.sqlite3", capsys, monkeypatch)

    return made
