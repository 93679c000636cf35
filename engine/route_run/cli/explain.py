"""`route-run explain`: where would this request go, and why not elsewhere?"""

from __future__ import annotations

import json

import click

from route_run.cli.main import Settings
from route_run.cli.policy import known, load_policy
from route_run.cli.selectors import Asked, request_options
from route_run.cli.terminal import EXIT_OF
from route_run.flow.decide import decide
from route_run.flow.plan import Snapshot
from route_run.lint.report import finding_as_json, printable
from route_run.review.effective import effective
from route_run.review.explain import explanation
from route_run.review.why_not import why_not


@click.command(
    "explain",
    epilog='Examples:\n\n\b\n  route-run explain "Where is my parcel?" --tag desk=support\n'
    '  route-run explain --json "Hello" --tag desk=sales --param temperature=1.5\n'
    '  route-run explain "Hello" --why-not confidential --down cognigy\n\n'
    "Exit codes: 0 it would be sent, 3 rejected, 4 refused; 1 the policy is invalid, 2 usage.",
)
@request_options
@click.option(
    "--why-not",
    "unreached",
    metavar="ROUTE",
    help="Also say why the request does not go to this route, and the nearest request that would.",
)
@click.option("--down", multiple=True, metavar="ENDPOINT", help="Take this endpoint to be down; repeatable.")
@click.option("--json", "as_json", is_flag=True, help="Print the plan as one JSON object.")
@click.pass_obj
def command(
    settings: Settings,
    asked: Asked,
    unreached: str | None,
    down: tuple[str, ...],
    as_json: bool,
) -> int:
    """Say where a request would go, and why; where each value that holds for it is written.

    Sends nothing and reads no secret.
    """
    settings.json_errors = as_json
    loaded = load_policy(settings)
    table = loaded.table
    for endpoint in down:
        known(endpoint, table.policy.endpoints, "endpoint", "--down")
    if unreached is not None:
        known(unreached, table.routes, "route", "--why-not")
    request = asked()
    plan = decide(table, request, Snapshot(down=frozenset(down)))
    answer = why_not(table, request, plan, unreached) if unreached is not None else None
    if as_json:
        document = plan.as_json() | {
            "effective": [value.as_json() for value in effective(table, plan)],
            "deferred": [finding_as_json(finding) for finding in loaded.deferred],
            **({"why_not": answer.as_json()} if answer is not None else {}),
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=2))
    else:
        for line in explanation(plan, table, loaded.deferred, answer).splitlines():
            click.echo(printable(line))
    return 0 if plan.stop is None else EXIT_OF[plan.stop.outcome]
