"""What the laws look at: records, attempts and exchanges of a world, brought together."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache
from typing import Any

from route_run.flow.event import AttemptEnded, Restarted, Text, ToolCallPiece
from route_run.flow.failure import Cause
from route_run.flow.outcome import Outcome
from route_run.flow.record import Attempt
from route_run.ledger import EntryKind
from route_run.schema import schema_text
from support.simulation.scenario import Shape
from support.simulation.world import STORING, Exchange, Told, World


def records_of(world: World) -> dict[int, list[dict[str, Any]]]:
    """Records by the number of their caller."""
    found: dict[int, list[dict[str, Any]]] = {}
    for entry in world.entries:
        if entry.kind is EntryKind.RECORD:
            found.setdefault(int(entry.body["attributes"]["tags"]["n"]), []).append(dict(entry.body))
    return found


def attempts_in(world: World, number: int) -> list[Mapping[str, Any]]:
    return [attempt for record in records_of(world).get(number, []) for attempt in record["attempts"]]


def attempts_of(told: Told) -> list[Attempt]:
    if told.result is not None:
        return list(told.result.attempts)
    return [event.attempt for _, event in told.events if isinstance(event, AttemptEnded)]


def refused_tokens(world: World, endpoint: str) -> set[str]:
    return {
        exchange.token
        for exchange in world.exchanges
        if exchange.endpoint == endpoint and (exchange.is_refused_token or exchange.meets == "401")
    }


def moments_of(world: World, attempt: Attempt) -> tuple[float, float]:
    """When an attempt began and ended, by the loop's clock; the end may be `STORING` later."""
    began = world.moment(attempt.started_at)
    return began, began + attempt.latency_ms / 1000


def pairs_of(world: World, number: int) -> list[tuple[Attempt, Exchange]]:
    """Attempts with the exchanges they made, by number; one that ended before anything was sent has none."""
    exchanges = list(world.of(number))
    attempts = [attempt for attempt in attempts_of(world.told[number]) if not _was_never_sent(attempt)]
    found = []
    # one that lost a race may have sent nothing: it has what the others leave
    for attempt in sorted(attempts, key=lambda attempt: (cause_of(attempt) == Cause.CANCELLED.value, attempt.number)):
        began, ended = moments_of(world, attempt)
        for exchange in exchanges:
            if exchange.endpoint == attempt.endpoint and began - _HAIR <= exchange.at <= ended + STORING:
                exchanges.remove(exchange)
                found.append((attempt, exchange))
                break
    return sorted(found, key=lambda pair: pair[0].number)


def _was_never_sent(attempt: Attempt) -> bool:
    return attempt.failure is not None and attempt.failure.at_token


_HAIR = 0.0015
"""Seconds by which moments that are kept in whole milliseconds may differ."""


def completions_of(world: World) -> Iterator[tuple[Told, Exchange]]:
    """Requests that were answered, with the exchange that answered them."""
    for told in world.told:
        if told.result is not None and told.result.outcome is Outcome.COMPLETED:
            pairs = pairs_of(world, told.caller.number)
            yield told, next(exchange for attempt, exchange in reversed(pairs) if attempt.failure is None)


def following(world: World, told: Told) -> Iterator[tuple[Attempt, Attempt]]:
    """Attempts in the order of their ends, each with the next that began once it was over."""
    late = 2 * STORING + told.caller.reads_every
    for before, after in itertools.pairwise(attempts_of(told)):
        (since, until), (then, _) = moments_of(world, before), moments_of(world, after)
        hedge = world.scenario.shape.hedge
        # a hedge that began is at it, even where the other ends at this moment; a slow caller delays what is sent
        sent = (since, *(exchange.at for exchange in world.exchanges_at(before.endpoint)))
        is_hedge = hedge is not None and any(-STORING <= then - at - hedge <= late for at in sent)
        # one that lost says nothing of its target, which may be asked again
        has_lost = hedge is not None and cause_of(before) == Cause.CANCELLED.value
        if not is_hedge and not has_lost and until <= then + _HAIR:
            yield before, after


def answers_in(told: Told) -> list[list[Text | ToolCallPiece]]:
    """What a caller was given: one list, and one more for each time that the answer started over."""
    found: list[list[Text | ToolCallPiece]] = [[]]
    for _, event in told.events:
        if isinstance(event, Restarted):
            found.append([])
        elif isinstance(event, Text | ToolCallPiece):
            found[-1].append(event)
    return found


def text_in(pieces: list[Text | ToolCallPiece]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Text))


def arguments_in(pieces: list[Text | ToolCallPiece]) -> str:
    return "".join(piece.piece.arguments for piece in pieces if isinstance(piece, ToolCallPiece))


def is_source(exchange: Exchange, text: str, arguments: str) -> bool:
    said, parts, _ = exchange.told(spare=2)
    if exchange.script.body and "".join(p.text for p in exchange.script.pieces) and not said.startswith(text):
        return False
    return said.startswith(text) and (parts.startswith(arguments) or _is_same_json(parts, arguments))


def _is_same_json(one: str, other: str) -> bool:
    try:
        return bool(json.loads(one) == json.loads(other))
    except ValueError:
        return False


def is_closed(exchange: Exchange, at: float) -> bool:
    return exchange.closed_at is not None and exchange.closed_at <= at


def meter(exchange: Exchange) -> Decimal:
    if not exchange.script.is_billed:
        return Decimal(0)
    return (Decimal(exchange.said.prompt) + 2 * Decimal(exchange.said.completion)) / 1_000_000


def cause_of(attempt: Attempt) -> str:
    if attempt.failure is None:
        return "ok"
    return str(attempt.failure.status) if attempt.failure.cause is Cause.STATUS else attempt.failure.cause.value


def is_late(label: str, attempt: Attempt, exchange: Exchange, shape: Shape) -> bool:
    """Whether a clock ended what was slow: the head, a token before it, or the waits between its bytes."""
    longest = {"byte_idle_timeout": shape.byte_idle or shape.idle, "idle_timeout": shape.idle}
    if label == "first_content_timeout":
        return attempt.latency_ms >= shape.first_content * 1000 - 1
    return label in longest and exchange.script.waits >= longest[label]


@cache
def record_schema() -> Any:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(json.loads(schema_text("record")))
