"""Linting texts: what the rules say of a policy that stands in a test."""

from __future__ import annotations

import tempfile
from pathlib import Path

from route_run.errors import Finding
from route_run.lint.check import lint
from route_run.lint.report import as_text
from route_run.table import load
from support.policies import write_policy
from support.reading import fragment

MODELS = "models: {m: {context_window: 10000, max_output_tokens: 1000}}\n"


def linted(files: str | dict[str, str]) -> tuple[Finding, ...]:
    """All findings of a policy, those of loading included, with paths inside of its folder."""
    with tempfile.TemporaryDirectory() as folder:
        return lint(load([write_policy(Path(folder), files)]))


def found(files: str | dict[str, str], code: str) -> list[Finding]:
    """The findings with one code."""
    return [finding for finding in linted(files) if finding.code.value == code]


def offenders(text: str, code: str) -> list[str]:
    """The stretches of a policy of one file that findings with a code point at."""
    return [fragment(text, finding.span) for finding in found(text, code)]


def codes_of(files: str | dict[str, str], *prefixes: str) -> list[str]:
    """The codes of findings that start with one of the prefixes."""
    return [f.code.value for f in linted(files) if f.code.value.startswith(prefixes or ("RR",))]


def shown(files: str | dict[str, str]) -> str:
    """All that a person gets to read about a policy, without its excerpts."""
    return as_text(linted(files), {})


def endpoint(**fields: str) -> str:
    """A policy with one endpoint; arguments are fields as they are written, dashes for underscores."""
    known = {"dialect": "openai", "base_url": "https://models.example.com/v1", "serves": "{m: {}}", **fields}
    return "version: 1\n" + MODELS + "endpoints:\n  e:\n" + "".join(f"    {k}: {v}\n" for k, v in known.items())


def webhook(**fields: str) -> str:
    """A policy with one webhook, signed unless told otherwise."""
    known = {"match": "{}", "events": "[failed]", "url": "${WEBHOOK_URL}", "secrets": '["${WEBHOOK_SECRET}"]', **fields}
    return "version: 1\nwebhooks:\n  w:\n" + "".join(f"    {k}: {v}\n" for k, v in known.items() if v)


def guard(*patterns: str, **fields: str) -> str:
    """A policy with one guard of these patterns, each as it is written in flow style without its braces."""
    rest = "".join(f"    {k}: {v}\n" for k, v in fields.items())
    return "version: 1\nguards:\n  g:\n" + rest + "    patterns:\n" + "".join(f"      - {{{p}}}\n" for p in patterns)
