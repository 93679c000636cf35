"""Rehearsals for tests: a small policy, and rehearsals written as a test file writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from route_run.policy import PlacedRehearsal
from route_run.rehearse.clock import Backend
from route_run.rehearse.play import Run, play
from route_run.rehearse.rehearsed import Rehearsed, rehearse_one
from route_run.table import Loaded, load
from support.policies import write_policy

SMALL = """\
version: 1
tags: {desk: {values: [support, sales]}, home: {values: [eu, us]}}
endpoints:
  first: {dialect: openai, base_url: "${FIRST}", auth: {api_key: "${KEY}"}, serves: {m: {}}, labels: {region: eu}}
  second: {dialect: openai, base_url: 'https://second.test/v1', serves: {m: {}}, labels: {region: us}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}, capabilities: [json, tools]}
upstreams:
  main:
    targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]
    timeouts: {connect: 2s, first_content: 5s, idle: 4s, total: 30s}
guards:
  words: {patterns: [{id: zephyr, regex: zephyr, score: 1, must_match: [zephyr]}], then: reject}
bounds:
  all: {match: {}, guards: [words], parameters: {temperature: {max: 1, outside: clamp}}}
  eu: {match: {tags: {home: eu}}, targets: {region: [eu]}}
routes:
  support: {match: {tags: {desk: support}}, upstream: main}
  rest: {match: {}, upstream: main}
webhooks:
  ops: {match: {}, events: [completed, failed, rejected, fell_back], url: "${HOOK}"}
"""


class _Plain(yaml.SafeDumper):
    """Writes what stands twice twice: a policy has no aliases."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def loaded_with(folder: Path, rehearsals: list[dict[str, Any]], policy: str = SMALL) -> Loaded:
    """A policy with rehearsals beside it, loaded; it has to be valid."""
    written = yaml.dump({"version": 1, "rehearsals": rehearsals}, Dumper=_Plain, sort_keys=False)
    loaded = load([write_policy(folder / "policy", {"policy.yaml": policy, "cases.test.yaml": written})])
    assert loaded.is_valid, [f"{finding.span}: {finding.message}" for finding in loaded.findings]
    return loaded


def rehearsal(**fields: Any) -> dict[str, Any]:
    """A rehearsal that expects little, unless told otherwise."""
    if "sequence" in fields:
        return {"name": "tried", **fields}
    return {"name": "tried", "request": {"prompt": "Hello"}, "expect": {"within": "1d"}, **fields}


def played(folder: Path, backend: Backend = Backend.TRIO, policy: str = SMALL, **fields: Any) -> Run:
    """The one run of a rehearsal."""
    loaded = loaded_with(folder, [rehearsal(**fields)], policy)
    (run,) = play(loaded, loaded.rehearsals[0].written, backend).runs
    assert run.record is not None, run.problem
    return run


def judged(folder: Path, policy: str = SMALL, backend: Backend = Backend.TRIO, **fields: Any) -> Rehearsed:
    """A rehearsal played and judged."""
    loaded = loaded_with(folder, [rehearsal(**fields)], policy)
    return rehearse_one(loaded, loaded.rehearsals[0], backend)


def failing(rehearsed: Rehearsed) -> list[str]:
    """What does not hold, by the labels of the rows."""
    return [row.label for row in rehearsed.failures]


def only(loaded: Loaded) -> PlacedRehearsal:
    """The one rehearsal of a policy."""
    (placed,) = loaded.rehearsals
    return placed


def failures(run: Run) -> list[tuple[str, str | None, str | None, int | None]]:
    """Per attempt of a run: endpoint, kind and cause of the failure, status."""
    assert run.record is not None
    return [(a["endpoint"], a["failure"], a["cause"], a["status"]) for a in run.record["attempts"]]
