"""Timeout that the total forestalls

Why: the `total` ends a whole request with all its attempts. A timeout of one attempt that is as long as the total
    or longer never fires, so an attempt that hangs leaves no time to fall back.

Bad:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}]
        timeouts: {connect: 5s, first_content: 45s, total: 30s}
    routes: {everything-else: {match: {}, upstream: main}}

Good:
    version: 1
    endpoints:
      first: {dialect: openai, base_url: "https://first.example.com/v1", serves: {m: {}}}
    models: {m: {context_window: 128000, max_output_tokens: 4096}}
    upstreams:
      main:
        targets: [{endpoint: first, model: m}]
        timeouts: {connect: 5s, first_content: 20s, total: 30s}
    routes: {everything-else: {match: {}, upstream: main}}

Effect: an attempt that hangs takes the whole request with it.

Fix: make the timeout shorter than `total`.
"""

from __future__ import annotations

from collections.abc import Iterator

from route_run.errors import Code, Finding, Label, Severity
from route_run.lint.facts import Facts
from route_run.lint.rule import Confidence

SEVERITY = Severity.WARNING
CONFIDENCE = Confidence.PROVED


def check(facts: Facts) -> Iterator[Finding]:
    """Upstreams that write a timeout of an attempt which their total never lets happen."""
    for name, upstream in sorted(facts.policy.upstreams.items()):
        times = upstream.timeouts
        for field in ("connect", "first_content", "idle", "byte_idle"):
            seconds = getattr(times, field)
            if field in times.written_fields and seconds is not None and seconds > times.total:
                origin = facts.policy.origin("upstreams", name)
                place = origin.span("timeouts", "total") if "total" in times.written_fields else origin.span("timeouts")
                yield Finding(
                    Code.TIMEOUT_BEYOND_TOTAL,
                    origin.span("timeouts", field),
                    f"`{field}` of the upstream `{name}` is {seconds:g} s and never passes: the whole request has "
                    f"{times.total:g} s",
                    severity=SEVERITY,
                    labels=(Label(place, f"`total` is {times.total:g} s"),),
                    help=f"write less than {times.total:g}s, or a longer `total`",
                    effect="an attempt that hangs takes the whole request with it",
                )
