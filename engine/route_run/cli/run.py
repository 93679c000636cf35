"""`route-run run`: one prompt through the policy."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

import click

from route_run.cli.main import EXIT_CANCELLED, Settings
from route_run.cli.policy import load_policy, pairs
from route_run.cli.selectors import Asked, request_options
from route_run.cli.terminal import EXIT_OF, note, painted, write_answer
from route_run.flow.event import (
    AttemptEnded,
    AttemptStarted,
    Event,
    Finished,
    Planned,
    Restarted,
    Result,
    Text,
    event_as_json,
)
from route_run.flow.failure import Kind
from route_run.flow.outcome import Outcome
from route_run.flow.record import Attempt
from route_run.flow.request import PromptRequest
from route_run.runtime.engine import Engine
from route_run.runtime.sync import Interrupted, run
from route_run.table import Loaded
from route_run.transport.seam import Transport
from route_run.transport.simulate import Fault, SimulatedTransport, parse_fault


@click.command(
    "run",
    epilog='Examples:\n\n\b\n  route-run run "Where is my parcel?" --tag desk=support\n'
    '  echo "Summarise this" | route-run run --document report.txt --param temperature=0.2\n'
    '  route-run run "Hello" --simulate --fault cognigy=503\n\n'
    "Exit codes: 0 completed, 3 rejected, 4 refused, 5 failed, 6 output invalid, 7 interrupted, 130 cancelled; "
    "1 the policy is invalid, 2 usage or a missing secret.",
)
@request_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with the result instead of the text.")
@click.option("--events", "as_events", is_flag=True, help="Print every event as a line of JSON.")
@click.option(
    "--allow-restart",
    is_flag=True,
    help="An answer that breaks off may start over, where its upstream says `after_content: restart`. On a terminal "
    "the text so far is marked as void; into a file or a pipe the answer is then written once it is whole.",
)
@click.option("--simulate", is_flag=True, help="Answer in this process: needs no credentials and sends nothing.")
@click.option(
    "--fault",
    "faults",
    multiple=True,
    metavar="E=KIND",
    help="Make a simulated endpoint fail: a status such as 503 or 429:2s, refuse, reset, stall, stall_mid, truncate, "
    "html, bad_json, error_event, expired_token. Repeatable.",
)
@click.option("--quiet", "-q", is_flag=True, help="Say nothing on stderr but errors.")
@click.pass_obj
def command(
    settings: Settings,
    asked: Asked,
    as_json: bool,
    as_events: bool,
    allow_restart: bool,
    simulate: bool,
    faults: Sequence[str],
    quiet: bool,
) -> int:
    """Run one prompt through the policy.

    The answer streams to stdout as it comes; the route, attempts and fallbacks go to stderr.
    """
    settings.json_errors = as_json or as_events
    if as_json and as_events:
        raise click.UsageError("--json and --events exclude each other")
    if faults and not simulate:
        raise click.UsageError("--fault needs --simulate: faults are never sent to real endpoints")
    loaded = load_policy(settings)
    request = asked().model_copy(update={"allow_restart": allow_restart})
    transport = SimulatedTransport(loaded.table, _faults(faults)) if simulate else None
    printer = _JsonPrinter() if as_json else _EventPrinter() if as_events else _TextPrinter(quiet, allow_restart)
    _log_to_stderr(quiet or settings.json_errors)
    try:
        return EXIT_OF[run(lambda: _run(settings, loaded, request, transport, printer))]
    except Interrupted:
        printer.interrupted()
        return EXIT_CANCELLED


async def _run(
    settings: Settings, loaded: Loaded, request: PromptRequest, transport: Transport | None, printer: _Printer
) -> Outcome:
    outcome = Outcome.FAILED
    async with (
        Engine.open(loaded, ledger=settings.ledger, transport=transport) as engine,
        engine.stream(request) as events,
    ):
        async for event in events:
            if isinstance(event, Planned):
                printer.request_id = event.request_id
            printer.show(event)
            if isinstance(event, Finished):
                outcome = event.result.outcome
    return outcome


def _faults(values: Sequence[str]) -> dict[str, list[Fault]]:
    found: dict[str, list[Fault]] = {}
    for endpoint, text in pairs(values, "--fault"):
        found.setdefault(endpoint, []).append(parse_fault(text))
    return found


def _log_to_stderr(errors_only: bool) -> None:
    logging.basicConfig(
        stream=sys.stderr, format="%(levelname)s: %(message)s", level=logging.ERROR if errors_only else logging.WARNING
    )


class _Printer:
    """Shows events as they come."""

    request_id: str | None = None

    def show(self, event: Event) -> None:
        raise AssertionError("every printer shows events its own way")

    def interrupted(self) -> None:
        """A signal ended the request; it has been recorded as cancelled."""


class _JsonPrinter(_Printer):
    def show(self, event: Event) -> None:
        if isinstance(event, Finished):
            click.echo(json.dumps(event.result.as_json(), ensure_ascii=False))

    def interrupted(self) -> None:
        click.echo(json.dumps({"request_id": self.request_id, "outcome": Outcome.CANCELLED.value}))


class _EventPrinter(_Printer):
    def show(self, event: Event) -> None:
        self._write(event_as_json(event))

    def interrupted(self) -> None:
        self._write({"event": "finished", "request_id": self.request_id, "outcome": Outcome.CANCELLED.value})

    def _write(self, event: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(event, ensure_ascii=False) + "\n")
        sys.stdout.flush()


class _TextPrinter(_Printer):
    """The answer on stdout, everything else on stderr.

    What has been written to a file or a pipe cannot be taken back: there an answer that may start over
    is held until it is at its end. On a terminal a line marks what is void.
    """

    def __init__(self, quiet: bool, may_restart: bool) -> None:
        self._quiet = quiet
        self._holds = may_restart and not sys.stdout.isatty()
        self._last_character = "\n"

    def show(self, event: Event) -> None:
        match event:
            case Text(text) if not self._holds:
                self._write(text)
            case Planned(_, plan) if plan.stop is None and plan.route is not None:
                skipped = len(plan.targets) - len(plan.eligible)
                more = f", {skipped} skipped" if skipped else ""
                targets = _counted(len(plan.eligible), "target")
                self._note(f"route {plan.route.name}: upstream {plan.route.upstream.name}, {targets}{more}", "quiet")
            case AttemptStarted(number, endpoint, model, after_ms, repair) if number > 1:
                waited = f" after {after_ms:.0f} ms" if after_ms else ""
                why = ", asked to correct its answer" if repair else ""
                self._note(f"attempt {number}: {endpoint}/{model}{waited}{why}", "quiet")
            case AttemptEnded(attempt) if attempt.verdict is not None and attempt.verdict.kind is not Kind.CANCELLED:
                self._end_line()
                self._note(_failed(attempt), "warning")
            case Restarted(number) if self._holds:
                self._note(f"the answer starts over with attempt {number}", "warning")
            case Restarted(number):
                self._end_line()
                click.echo(painted(f"--- void so far: the answer starts over with attempt {number} ---", "warning"))
            case Finished(result):
                if self._holds and result.text:
                    self._write(result.text)
                self._end_line()
                self._finished(result)

    def interrupted(self) -> None:
        self._end_line()
        note(f"cancelled ({self.request_id})" if self.request_id else "cancelled", "warning")

    def _finished(self, result: Result) -> None:
        for call in result.tool_calls:
            write_answer(json.dumps({"tool_call": call.model_dump()}, ensure_ascii=False) + "\n")
        if result.outcome is Outcome.COMPLETED:
            self._note(_completed(result), "good")
        else:
            note(f"{result.outcome.value}: {result.error}", "error")
            if result.advice:
                note(f"  what to do: {result.advice}")
        if result.record.simulated and result.record.webhooks:
            told = ", ".join(f"{name} of {event}" for _, name, event in result.record.webhooks)
            self._note(f"would tell webhooks: {told}", "quiet")

    def _write(self, text: str) -> None:
        write_answer(text)
        self._last_character = text[-1]

    def _end_line(self) -> None:
        if self._last_character != "\n":
            write_answer("\n")
            self._last_character = "\n"

    def _note(self, text: str, role: str) -> None:
        if not self._quiet:
            note(text, role)


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _failed(attempt: Attempt) -> str:
    assert attempt.failure is not None and attempt.verdict is not None
    status = f"{attempt.status} " if attempt.status not in (0, 200) else ""
    asked = attempt.failure.retry_after
    retry = f", retry after {asked:g} s" if asked is not None else ""
    return (
        f"attempt {attempt.number}: {attempt.endpoint}/{attempt.model} failed: {status}{attempt.verdict.kind.value} "
        f"after {attempt.latency_ms:.0f} ms{retry}: {attempt.failure.message}"
    )


def _completed(result: Result) -> str:
    record = result.record
    last = record.attempts[-1]
    words = f"completed by {last.endpoint}/{last.model} in {(record.ended_at - record.started_at) * 1000:.0f} ms"
    if record.first_content_ms is not None:
        words += f", first content after {record.first_content_ms:.0f} ms"
    if result.usage is not None:
        words += f", {result.usage.prompt} + {result.usage.completion} tokens"
    cost = record.as_json()["cost_usd"]
    words += f", cost {cost} USD" if cost is not None else ", cost unknown"
    return f"{words} ({'simulated, ' if record.simulated else ''}{result.request_id})"
