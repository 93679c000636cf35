"""Small policies for tests."""

from __future__ import annotations

from pathlib import Path

BASE = """\
version: 1
endpoints:
  first: {dialect: openai, base_url: "http://127.0.0.1:9/v1", allow_networks: [loopback], serves: {m: {}}}
  second: {dialect: openai, base_url: "http://127.0.0.1:9/v1", allow_networks: [loopback], serves: {m: {}}}
models:
  m: {context_window: 10000, max_output_tokens: 1000, price: {input: 1, output: 2}, capabilities: [json, tools, images]}
upstreams:
  main: {targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]}
"""
"""Two endpoints, one model, one upstream of both; a test adds tags, bounds and routes."""


def write_policy(folder: Path, files: str | dict[str, str]) -> Path:
    """Write a policy into a folder: one document, or files by name."""
    for name, text in ({"policy.yaml": files} if isinstance(files, str) else files).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder
