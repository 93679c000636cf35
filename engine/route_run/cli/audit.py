"""`route-run audit`: what happened, what did it cost, is the ledger whole?"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, TypeVar

import click

from route_run.cli.main import EXIT_FINDINGS, Settings
from route_run.cli.terminal import painted, write_table
from route_run.flow.outcome import Outcome
from route_run.ledger import Filter, LedgerReader, default_url, path_of
from route_run.ledger.reader import COST_GROUPS, CostRow
from route_run.lint.report import printable
from route_run.policy import units

_F = TypeVar("_F", bound=Callable[..., Any])
_OUTCOMES = [*(outcome.value for outcome in Outcome), "unfinished"]


@click.group("audit", epilog="Example:\n\n\b\n  route-run audit list --since 24h")
def command() -> None:
    """Look into the ledger: what happened, what it cost, whether it is whole."""


def filter_options(function: _F) -> _F:
    """Adds --since, --outcome, --at-route and --endpoint to a command."""
    for decorate in (
        click.option(
            "--since",
            metavar="TIME",
            help="Only requests since then: a duration such as 24h, or a date such as 2026-11-01.",
        ),
        click.option("--outcome", type=click.Choice(_OUTCOMES), help="Only requests that ended so."),
        click.option("--route", metavar="R", help="Only requests of this route."),
        click.option("--endpoint", metavar="E", help="Only requests that this endpoint answered."),
    ):
        function = decorate(function)
    return function


@command.command("list", epilog="Example:\n\n\b\n  route-run audit list --since 24h --outcome failed")
@filter_options
@click.option(
    "-n", "most", type=click.IntRange(1, 100_000), default=20, show_default=True, help="How many, newest first."
)
@click.option("--json", "as_json", is_flag=True, help="Print each record as a line of JSON.")
@click.pass_obj
def list_command(
    settings: Settings,
    since: str | None,
    outcome: str | None,
    route: str | None,
    endpoint: str | None,
    most: int,
    as_json: bool,
) -> None:
    """List requests, newest first."""
    settings.json_errors = as_json
    with _reader(settings) as reader:
        records = reader.records(Filter(_since(since), outcome, route, endpoint), most)
    if as_json:
        for record in records:
            click.echo(json.dumps(record, ensure_ascii=False, sort_keys=True))
        return
    head = ("started (UTC)", "request", "outcome", "route", "answered by", "attempts", "tokens", "ms", "cost USD")
    write_table(head, [_row(record) for record in records], numbers=(5, 6, 7, 8))


@command.command("show", epilog="Example:\n\n\b\n  route-run audit show req_01ja7b")
@click.argument("request_id")
@click.option("--json", "as_json", is_flag=True, help="Print all entries of the request as one JSON list.")
@click.pass_obj
def show_command(settings: Settings, request_id: str, as_json: bool) -> int:
    """Show one request whole; the start of its id will do."""
    settings.json_errors = as_json
    with _reader(settings) as reader:
        entries = reader.entries_of(request_id)
    if not entries:
        raise click.UsageError(f"there is no request `{request_id}` in this ledger; `route-run audit list` shows them")
    if as_json:
        click.echo(json.dumps(entries, ensure_ascii=False, sort_keys=True, indent=2))
    else:
        for line in _described(entries):
            click.echo(printable(line))
    return 0


@command.command("cost", epilog="Example:\n\n\b\n  route-run audit cost --by tags.tenant --since 2026-11-01")
@filter_options
@click.option(
    "--by",
    "group_by",
    default="model",
    show_default=True,
    metavar="GROUP",
    help=f"Sum by {', '.join(COST_GROUPS)} or tags.NAME.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the sums as one JSON list.")
@click.pass_obj
def cost_command(
    settings: Settings,
    since: str | None,
    outcome: str | None,
    route: str | None,
    endpoint: str | None,
    group_by: str,
    as_json: bool,
) -> None:
    """Sum what requests cost. Simulated requests are left out; a cost that is not known is counted, never guessed."""
    settings.json_errors = as_json
    if group_by not in COST_GROUPS and not group_by.startswith("tags."):
        raise click.UsageError(f"--by takes {', '.join(COST_GROUPS)} or tags.NAME, not `{group_by}`")
    with _reader(settings) as reader:
        rows = reader.costs(Filter(_since(since), outcome, route, endpoint, simulated=False), group_by)
    if as_json:
        click.echo(json.dumps([_cost_json(row) for row in rows], ensure_ascii=False, indent=2))
        return
    head = (group_by, "requests", "prompt tokens", "completion tokens", "cost USD", "cost unknown")
    cells = [_cost_row(row) for row in (*rows, _total(rows))]
    write_table(head, cells, numbers=(1, 2, 3, 4, 5))


@command.command("verify", epilog="Example:\n\n\b\n  route-run audit verify")
@click.pass_obj
def verify_command(settings: Settings) -> int:
    """Check that no entry of the ledger was changed, dropped or reordered."""
    with _reader(settings) as reader:
        broken = list(reader.broken_links())
        count = reader.count()
    for seq, why in broken:
        click.echo(f"{painted('entry', 'error')} {seq}: {why}")
    click.echo(f"{count} entries, {len(broken)} broken" if broken else f"{count} entries, the chain is whole")
    return EXIT_FINDINGS if broken else 0


def _reader(settings: Settings) -> LedgerReader:
    return LedgerReader(path_of(settings.ledger or default_url(os.environ)))


def _since(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return datetime.now(UTC).timestamp() - units.duration(text)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise click.UsageError(
            f"--since takes a duration such as 24h or a date such as 2026-11-01, not `{text}`"
        ) from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _row(record: dict[str, Any]) -> tuple[str, ...]:
    usage = record["usage"]
    answered = f"{record['endpoint']}/{record['model']}" if record["endpoint"] else "–"
    return (
        _time(record["started_at"]),
        record["request_id"],
        record["outcome"] + (" (simulated)" if record["simulated"] else ""),
        record["route"] or "–",
        answered,
        str(len(record["attempts"])),
        f"{usage['prompt_tokens']}+{usage['completion_tokens']}" if usage else "–",
        f"{record['latency_ms']:.0f}" if record["latency_ms"] is not None else "–",
        record["cost_usd"] if record["cost_usd"] is not None else "unknown",
    )


def _described(entries: list[dict[str, Any]]) -> list[str]:
    """One request in words, for people."""
    records = [entry["body"] for entry in entries if entry["kind"] == "record"]
    if not records:
        first = entries[0]["body"]
        return [
            f"request     {first['request_id']}",
            f"started     {_time(first['started_at'])} UTC",
            "outcome     unfinished: its end was never stored",
        ]
    record = records[0]
    tags = ", ".join(f"{k}={v}" for k, v in record["attributes"]["tags"].items()) or "–"
    lines = [
        f"request     {record['request_id']}" + (" (simulated)" if record["simulated"] else ""),
        f"started     {_time(record['started_at'])} UTC, took {record['latency_ms']:.0f} ms",
        f"outcome     {record['outcome']}" + (f": {record['error']}" if record["error"] else ""),
        f"policy      {record['policy']}" + (f", git {record['git_revision']}" if record["git_revision"] else ""),
        f"route       {record['route'] or '–'}; bounds: {', '.join(record['bounds']) or '–'}",
        f"attributes  {tags}; {record['attributes']['prompt_tokens']} estimated prompt tokens",
    ]
    lines += [
        f"guard       {g['guard']}: score {g['score']:g} of {g['threshold']:g}, {', '.join(g['hits']) or 'no hits'}"
        for g in record["guards"]
    ]
    lines += [_attempt_line(attempt) for attempt in record["attempts"]]
    lines += [
        f"held back   {held['endpoint']}/{held['model']} after attempt {held['after']}: {held['why']}"
        for held in record.get("held_back", ())
    ]
    if record.get("restarts"):
        lines.append(f"restarts    {record['restarts']}: what the caller was given before became void")
    lines.append(f"sizes       prompt {record['prompt_bytes']} bytes, answer {record['completion_bytes']} bytes")
    lines.append(f"cost        {record['cost_usd'] + ' USD' if record['cost_usd'] is not None else 'unknown'}")
    lines += [f"webhook     {w['webhook']}: {w['event']} ({w['id']})" for w in record["webhooks"]]
    deliveries = [entry["body"] for entry in entries if entry["kind"] == "delivery"]
    lines += [f"delivery    {d['id']}: {d['outcome']} after {d['tries']} tries" for d in deliveries]
    return lines


def _attempt_line(attempt: dict[str, Any]) -> str:
    repair = " (repair)" if attempt.get("repair") else ""
    where = f"attempt {attempt['number']}   {attempt['endpoint']}/{attempt['model']}{repair}: "
    how = f"{attempt['failure']} ({attempt['message']})" if attempt["failure"] else "answered"
    first = (
        f", first content after {attempt['first_content_ms']:.0f} ms" if attempt["first_content_ms"] is not None else ""
    )
    cost = f"cost {attempt['cost_usd']} USD" if attempt["cost_usd"] is not None else "cost unknown"
    return f"{where}{how} in {attempt['latency_ms']:.0f} ms{first}; {cost}"


def _cost_json(row: CostRow) -> dict[str, Any]:
    return {
        "group": row.group,
        "requests": row.requests,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cost_usd": format(row.cost, "f") if row.is_known else None,
        "cost_unknown": row.unpriced,
    }


def _cost_row(row: CostRow) -> tuple[str, ...]:
    return (
        row.group,
        str(row.requests),
        str(row.prompt_tokens),
        str(row.completion_tokens),
        format(row.cost, "f") if row.is_known else "unknown",
        str(row.unpriced),
    )


def _total(rows: Sequence[CostRow]) -> CostRow:
    return CostRow(
        "all",
        sum(row.requests for row in rows),
        sum(row.prompt_tokens for row in rows),
        sum(row.completion_tokens for row in rows),
        sum((row.cost for row in rows), Decimal(0)),
        sum(row.unpriced for row in rows),
    )
