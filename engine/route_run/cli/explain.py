"""`route-run explain`: where would this request go, and why not elsewhere?"""

from __future__ import annotations

import json
import time
from datetime import datetime

import click

from route_run.cli.main import Settings
from route_run.cli.policy import load_policy
from route_run.cli.selectors import Asked, request_options
from route_run.cli.terminal import EXIT_OF
from route_run.flow.decide import decide
from route_run.flow.snapshot import Snapshot
from route_run.lint.report import finding_as_json, printable
from route_run.review.explain import explanation
from route_run.schema.formats import instant


@click.command(
    "explain",
    epilog='Examples:\n\n\b\n  route-run explain "Where is my parcel?" --tag desk=support\n'
    '  route-run explain --json "Hello" --tag desk=sales --param temperature=1.5\n\n'
    "Exit codes: 0 it would be sent, 3 rejected, 4 refused; 1 the policy is invalid, 2 usage.",
)
@request_options
@click.option("--at", metavar="TIME", help="Plan for this moment, such as 2026-12-01T22:30:00+01:00, instead of now.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object.")
@click.pass_obj
def command(
    settings: Settings,
    asked: Asked,
    at: str | None,
    as_json: bool,
) -> int:
    """Say where a request would go, and why.

    Sends nothing, reads no secret, and knows nothing of how endpoints are doing.
    """
    settings.json_errors = as_json
    loaded = load_policy(settings)
    request = asked()
    plan = decide(loaded.table, request, Snapshot(_moment(at)))
    if as_json:
        deferred = [finding_as_json(finding) for finding in loaded.deferred]
        click.echo(json.dumps({**plan.as_json(), "deferred": deferred}, ensure_ascii=False, indent=2))
    else:
        for line in explanation(plan, loaded.table, loaded.deferred).splitlines():
            click.echo(printable(line))
    return 0 if plan.stop is None else EXIT_OF[plan.stop.outcome]


def _moment(written: str | None) -> float:
    """Seconds since 1970 of a moment as written; now when there is none."""
    if written is None:
        return time.time()
    if (problem := instant(written)) is not None:
        raise click.UsageError(f"`{written}` is not a moment: {problem}")
    return datetime.fromisoformat(written).timestamp()
