"""What holds in every world, whatever happened: each law is a function that says what it found against itself.

A law gives the words of its violations; none is the rule. What the reader reads here is the promise of the engine:
every byte belongs to one attempt, one end, no success without the provider's own end, no bill that is hidden.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal

from route_run.flow.event import (
    AttemptEnded,
    AttemptStarted,
    Finished,
    Planned,
    Restarted,
    Text,
    ToolCallPiece,
    UsageReported,
)
from route_run.flow.failure import Action, Billed, Cause, Kind
from route_run.flow.outcome import Outcome
from route_run.flow.record import Attempt
from support.simulation.evidence import (
    answers_in,
    arguments_in,
    attempts_in,
    attempts_of,
    cause_of,
    completions_of,
    following,
    is_closed,
    is_late,
    is_source,
    meter,
    moments_of,
    pairs_of,
    record_schema,
    records_of,
    refused_tokens,
    text_in,
)
from support.simulation.held import may_be_held_back, rests
from support.simulation.scenario import EVERYBODY
from support.simulation.world import BEGAN, SECRETS, STORING, World

Law = Callable[[World], Iterator[str]]

INSTANT = 0.1
"""Seconds within which the connection to a provider is closed once the caller has left."""
SLACK = 3.0
"""Seconds that storing, closing and the end of a body may take beyond the total clock."""
BY_THE_CLOCK = frozenset({"cancelled", "total_timeout"})
"""Causes that any attempt may end with."""


def comes_to_an_end(world: World) -> Iterator[str]:
    """Every request comes to an end, and closing the engine closes its transport."""
    if world.hangs:
        yield "somebody still waits after hours"
    if not world.is_closed:
        yield "the transport was not closed"


def one_end(world: World) -> Iterator[str]:
    """A stream that was read to its end has exactly one Finished, at its end; attempts follow one another."""
    for told in world.told:
        events = [event for _, event in told.events]
        ends = [n for n, event in enumerate(events) if isinstance(event, Finished)]
        if told.result is not None and told.events and ends != [len(events) - 1]:
            yield f"caller {told.caller.number}: ends at {ends} of {len(events)}"
        if events and not isinstance(events[0], Planned):
            yield f"caller {told.caller.number}: begins with {events[0]}"
        begun: list[int] = []
        under_way: set[int] = set()
        for event in events:
            match event:
                case AttemptStarted(number):
                    if len(under_way) >= world.scenario.shape.most_live or number != len(begun) + 1:
                        yield f"attempt {number} begins after {begun}, {under_way} are open"
                    begun.append(number)
                    under_way.add(number)
                case AttemptEnded(attempt):
                    if attempt.number not in under_way:
                        yield f"attempt {attempt.number} ends, {under_way} are open"
                    under_way.discard(attempt.number)
                case Text(_, number) | ToolCallPiece(_, number) | UsageReported(_, number) | Restarted(number) if (
                    number not in under_way
                ):
                    yield f"a piece of attempt {number} while {under_way} are open"


def one_record(world: World) -> Iterator[str]:
    """A ledger that works holds one record of every request, with the outcome that its caller saw."""
    if world.is_ledger_broken or world.scenario.suspend_at is not None:
        return  # storing has a clock of its own, which an hour's sleep passes too
    found = records_of(world)
    for told in world.told:
        mine = found.get(told.caller.number, [])
        if told.refused is not None:
            yield f"caller {told.caller.number}: refused by a ledger that works"
        elif told.left_at is not None and not told.began < told.ended and not mine:
            continue  # it left before it asked
        elif len(mine) != 1:
            yield f"caller {told.caller.number}: {len(mine)} records"
        elif told.result is not None and mine[0]["outcome"] != told.result.outcome.value:
            yield f"caller {told.caller.number}: {mine[0]['outcome']} is recorded, {told.result.outcome.value} was told"
        elif told.result is None and mine[0]["outcome"] not in ("cancelled", "completed", "failed", "interrupted"):
            yield f"caller {told.caller.number} left, and {mine[0]['outcome']} is recorded"
    for records in found.values() if world.scenario.seed % 4 == 0 else ():  # the schema is slow
        for record in records:
            for error in record_schema().iter_errors(record):
                yield f"the record: {error.message}"


def each_byte_once(world: World) -> Iterator[str]:
    """What a caller was given is the beginning of what one exchange said, and all of it where it completed.

    Where it was told that an answer starts over, that holds for each beginning.
    """
    for told in world.told:
        given = answers_in(told)
        for pieces in given:
            numbers = {piece.number for piece in pieces}
            if len(numbers) > 1:
                yield f"caller {told.caller.number}: pieces of attempts {sorted(numbers)}"
        said = [(text_in(pieces), arguments_in(pieces)) for pieces in given]
        if told.result is not None:
            if told.events and said[-1][0] != told.result.text:
                yield f"caller {told.caller.number}: was given {said[-1]}, the result holds {told.result.text!r}"
            said[-1] = told.result.text, "".join(call.arguments for call in told.result.tool_calls)
        for text, arguments in said:
            if not text and not arguments:
                continue
            sources = [exchange for exchange in world.of(told.caller.number) if is_source(exchange, text, arguments)]
            # a beginning that is too short is anybody's
            is_named = re.search(r"<[0-9]+\.", text) is not None or "exchange" in arguments
            if not sources or (len(sources) > 1 and is_named):
                yield f"caller {told.caller.number}: {text!r} {arguments!r} was said by {len(sources)} exchanges"


def restarts_are_told(world: World) -> Iterator[str]:
    """An answer starts over only where policy and caller allow it, and the record counts how often."""
    for told in world.told:
        if not told.events or told.result is None:
            continue
        count = sum(isinstance(event, Restarted) for _, event in told.events)
        if count and not world.scenario.shape.restart:
            yield f"caller {told.caller.number}: started over {count} times"
        if count != told.result.record.restarts:
            yield f"caller {told.caller.number}: started over {count} times, recorded {told.result.record.restarts}"


def success_is_proved(world: World) -> Iterator[str]:
    """A completed request read its provider's own end, and holds all that was said."""
    for told, exchange in completions_of(world):
        text, arguments, is_ended = exchange.told(spare=2)
        if not is_ended:
            yield f"caller {told.caller.number}: completed without an end ({exchange.meets})"
        result = told.result
        assert result is not None
        if result.text != text:
            yield f"caller {told.caller.number}: completed with {result.text!r} of {text!r} ({exchange.meets})"
        held = [call.arguments for call in result.tool_calls if call.arguments]
        if [json.loads(written) for written in held] != ([json.loads(arguments)] if arguments else []):
            yield f"caller {told.caller.number}: tool calls {held} of {arguments!r} ({exchange.meets})"


def one_at_a_time(world: World) -> Iterator[str]:
    """A request has at most so many exchanges open as its policy allows: one, with hedging two."""
    for told in world.told:
        exchanges = world.of(told.caller.number)
        for count, exchange in enumerate(exchanges):
            open_then = [other for other in exchanges[:count] if not is_closed(other, exchange.at)]
            if len(open_then) >= world.scenario.shape.most_live:
                yield f"caller {told.caller.number}: {len(open_then) + 1} exchanges at once"


def nothing_left_open(world: World) -> Iterator[str]:
    """Every answer is closed; a caller who leaves closes his at once."""
    for exchange in world.exchanges:
        if exchange.closed_at is None:
            yield f"an answer of {exchange.endpoint} is still open ({exchange.meets})"
    if world.scenario.suspend_at is not None:
        return
    for told in world.told:
        for exchange in world.of(told.caller.number):
            if told.left_at is not None and exchange.closed_at and exchange.closed_at > told.left_at + INSTANT:
                more = exchange.closed_at - told.left_at
                yield f"caller {told.caller.number} left, {exchange.endpoint} was open {more:.3f} s more"


def nothing_before_its_check(world: World) -> Iterator[str]:
    """Where answers are held until they are verified, what is given is an answer that passed."""
    if not world.scenario.shape.holds:
        return
    for told in world.told:
        given = [event.number for _, event in told.events if isinstance(event, Text | ToolCallPiece)]
        is_completed = told.result is not None and told.result.outcome is Outcome.COMPLETED
        if given and not is_completed and told.left_at is None and told.refused is None:
            yield f"caller {told.caller.number}: was given what did not pass"


def success_passes_its_check(world: World) -> Iterator[str]:
    """A completed request whose route verifies holds JSON."""
    for told, exchange in completions_of(world):
        if world.scenario.shape.verify:
            assert told.result is not None
            try:
                json.loads(told.result.text)
            except ValueError:
                yield f"caller {told.caller.number}: {told.result.text!r} is no JSON ({exchange.meets})"


def the_bill_is_known_or_unknown(world: World) -> Iterator[str]:
    """A cost that is recorded is what the provider's meter says; what nobody knows is not shown as a number."""
    if world.is_ledger_broken:
        return
    for number, records in records_of(world).items():
        exchanges = world.of(number)
        sent = [attempt for attempt in attempts_in(world, number) if attempt["cause"] is None or attempt["status"]]
        for record in records:
            billed = sum((meter(exchange) for exchange in exchanges), Decimal(0))
            if record["cost_usd"] is not None and Decimal(record["cost_usd"]) != billed:
                yield f"caller {number}: costs {record['cost_usd']}, the meter says {billed}; {sent}"
        for attempt, exchange in pairs_of(world, number):
            if attempt.billed is Billed.NONE and exchange.script.is_billed and attempt.failure is not None:
                yield f"caller {number}: attempt {attempt.number} is said to be free ({exchange.meets})"
            if attempt.billed is Billed.UNKNOWN and attempt.cost == 0:
                yield f"caller {number}: attempt {attempt.number} is unknown and shown as 0"


def stored_before_sent(world: World) -> Iterator[str]:
    """The start of every attempt is in the ledger before its request is on the wire."""
    if world.is_ledger_broken:
        return
    for told in world.told:
        for count, exchange in enumerate(world.of(told.caller.number), start=1):
            if exchange.stored_before < count:
                yield f"caller {told.caller.number}: exchange {count} is sent, {exchange.stored_before} are stored"


def a_refusing_ledger_stops(world: World) -> Iterator[str]:
    """A ledger that refuses ends the request where the policy says so, and nowhere else."""
    for told in world.told:
        if told.refused is not None and world.scenario.shape.on_failure == "continue":
            yield f"caller {told.caller.number}: refused although the policy goes on without a record"


def few_exchanges(world: World) -> Iterator[str]:
    """At most one exchange more than there are targets, beside one refresh and one reconnect."""
    shape = world.scenario.shape
    for told in world.told:
        exchanges = world.of(told.caller.number)
        extra = int(any(e.is_refused_token or e.meets == "401" for e in exchanges))
        extra += int(any(e.meets == "a stale connection" for e in exchanges))
        if len(exchanges) > len(shape.names) + 1 + extra:
            yield f"caller {told.caller.number}: {len(exchanges)} exchanges for {len(shape.names)} targets"


def causes_are_named(world: World) -> Iterator[str]:
    """An attempt ends with the cause that its fault has, or because a clock or its caller ended it."""
    shape = world.scenario.shape
    for told in world.told:
        for attempt, exchange in pairs_of(world, told.caller.number):
            label = cause_of(attempt)
            if exchange.is_refused_token:
                allowed = frozenset({"401"})
            else:
                allowed = exchange.kind.causes if exchange.kind else frozenset({"ok"})
            if label in allowed | BY_THE_CLOCK or is_late(label, attempt, exchange, shape):
                continue
            if world.scenario.suspend_at is not None and "timeout" in label:
                continue
            yield f"caller {told.caller.number}: {exchange.meets!r} ended as {label}, not {sorted(allowed)}"


def failed_only_where_nothing_was_left(world: World) -> Iterator[str]:
    """A request is lost by a kind that does not fall back, by time, after content, or where no target was left.

    A target is left unless it was asked, or there is something for which it could be held back.
    """
    shape = world.scenario.shape
    for told in world.told:
        result = told.result
        if result is None or result.outcome is Outcome.COMPLETED:
            continue
        asked = {attempt.endpoint for attempt in result.attempts}
        left = [name for name in shape.names if name not in asked and not may_be_held_back(world, name, told)]
        is_over = told.ended - told.began >= shape.total - 0.001
        last = result.attempts[-1] if result.attempts else None
        if last is None:
            if left and not is_over:
                yield f"caller {told.caller.number}: {result.outcome.value} without an attempt: {result.error}"
            continue
        assert last.verdict is not None
        falls_back = last.verdict.kind.value in shape.when and not any(map(_is_refused_by_all, result.attempts))
        had_content = result.outcome is Outcome.INTERRUPTED and not shape.restart
        had_content |= shape.verify and not shape.holds
        if falls_back and left and not is_over and not had_content:
            yield f"caller {told.caller.number}: {result.outcome.value} at {last.endpoint} ({cause_of(last)})"


def _is_refused_by_all(attempt: Attempt) -> bool:
    """Whether what an attempt met is what every target would have said."""
    is_own = attempt.failure is not None and attempt.failure.cause is not Cause.CANCELLED
    return is_own and attempt.verdict is not None and attempt.verdict.action is Action.FAIL


def nobody_pays_twice_for_a_bad_request(world: World) -> Iterator[str]:
    """After a failure of a kind that does not fall back no other target is asked."""
    shape = world.scenario.shape
    for told in world.told:
        pairs = pairs_of(world, told.caller.number)
        for refused, exchange in pairs:
            later = [one for one, _ in pairs if one.number > refused.number]
            is_over = exchange.meets == "400 malformed" and exchange.closed_at is not None
            if is_over and any(moments_of(world, one)[0] >= (exchange.closed_at or 0.0) for one in later):
                yield f"caller {told.caller.number}: asked again after a bad request: {[e.meets for _, e in pairs]}"
        for before, after in following(world, told):
            assert before.verdict is not None
            is_same = before.endpoint == after.endpoint
            if not is_same and before.verdict.kind.value not in shape.when:
                yield f"caller {told.caller.number}: {before.verdict.kind.value} went on to {after.endpoint}"
            if before.verdict.kind in (Kind.BAD_REQUEST, Kind.INTERNAL, Kind.CANCELLED):
                yield f"caller {told.caller.number}: {before.verdict.kind.value} was tried again"


def after_content_nothing_is_sent(world: World) -> Iterator[str]:
    """Once a caller was given content, no other attempt begins, but where an answer may start over."""
    for told in world.told if not world.scenario.shape.restart else ():
        given = False
        for _, event in told.events:
            if given and isinstance(event, AttemptStarted):
                yield f"caller {told.caller.number}: attempt {event.number} after content"
            given = given or isinstance(event, Text | ToolCallPiece)


def waits_are_kept(world: World) -> Iterator[str]:
    """Where a server says how long to wait, it is not asked again by the same request before that."""
    for told in world.told:
        pairs = pairs_of(world, told.caller.number)
        for name in world.scenario.shape.names:
            mine = [pair for pair in pairs if pair[1].endpoint == name]
            for (attempt, before), (_, after) in itertools.pairwise(mine):
                asked = attempt.failure.retry_after if attempt.failure else None
                if asked and (before.closed_at or 0) + asked > after.at + 0.001:
                    passed = after.at - before.at
                    yield f"caller {told.caller.number}: {after.endpoint} asked for {asked} s, it was {passed:.3f}"


_ROUNDED = 1e-6
"""Seconds by which the end of an attempt may differ from what its rounded latency says."""


def who_rests_is_left_alone(world: World) -> Iterator[str]:
    """No attempt begins at an endpoint that asked to be left alone, or whose breaker is open while others are well."""
    shape = world.scenario.shape
    for name, since, until, why in rests(world, shape):
        for told in world.told:
            for attempt in attempts_of(told):
                began, _ = moments_of(world, attempt)
                if attempt.endpoint == name and since + STORING < began < until - _ROUNDED:
                    yield (
                        f"caller {told.caller.number}: attempt {attempt.number} at {name} begins "
                        f"{began - since:.3f} s after {why}"
                    )


def limits_hold(world: World) -> Iterator[str]:
    """No endpoint has more exchanges at once, or more in a minute, than its policy allows."""
    shape = world.scenario.shape
    for name, limits in shape.limits.items():
        exchanges = world.exchanges if name == EVERYBODY else world.exchanges_at(name)
        for count, exchange in enumerate(exchanges):
            others = [other for other in exchanges[:count] if not is_closed(other, exchange.at)]
            live = {other.caller for other in (*others, exchange)}
            if limits.concurrent is not None and len(live) > limits.concurrent:
                yield f"{name}: {len(live)} requests at once, {limits.concurrent} are allowed"
            # a bucket of N a minute lets 2 N through in one minute at the very most
            recent = [other for other in exchanges[: count + 1] if other.at > exchange.at - 60]
            most = 2 * limits.requests if limits.requests is not None else len(recent)
            counted = len({other.caller for other in recent}) if name == EVERYBODY else len(recent)
            if counted > most:
                yield f"{name}: {counted} requests in a minute, {limits.requests} are allowed"


def nothing_is_left_behind(world: World) -> Iterator[str]:
    """Once nobody asks any more, every permit, seat and place in a queue has been given back."""
    if world.left_behind:
        yield world.left_behind


def the_total_clock_holds(world: World) -> Iterator[str]:
    """A request whose caller keeps reading ends with its total clock at the latest."""
    if world.scenario.suspend_at is not None:
        return
    for told in world.told:
        if not told.caller.reads_every and told.ended - told.began > world.scenario.shape.total + SLACK:
            yield f"caller {told.caller.number}: took {told.ended - told.began:.1f} s"


def tokens_are_fetched_once(world: World) -> Iterator[str]:
    """Never two fetches at once; two within a second only where a token was refused in between."""
    for name in world.scenario.shape.names:
        fetches = [fetch for fetch in world.fetches if fetch.endpoint == name]
        for before, after in itertools.pairwise(fetches):
            if before.ended_at is None or after.at < before.ended_at:
                yield f"{name}: two fetches at once"
            is_refused = before.token in refused_tokens(world, name) or any(
                exchange.token in refused_tokens(world, name) and before.at <= exchange.at <= after.at
                for exchange in world.exchanges_at(name)
            )
            if after.at - before.at < 0.999 and not is_refused:
                yield f"{name}: fetched again after {after.at - before.at:.3f} s"


def refused_tokens_cost_one_fetch(world: World) -> Iterator[str]:
    """However many requests are refused with one token, there is at most one fetch more for it."""
    if world.scenario.token_life < 3600 or world.scenario.suspend_at is not None:
        return
    for name in world.scenario.shape.names:
        fetches = [fetch for fetch in world.fetches if fetch.endpoint == name]
        refused = refused_tokens(world, name)
        without = sum(not fetch.token or fetch.kind is not None for fetch in fetches)
        if len(fetches) > 1 + len(refused) + without:
            yield f"{name}: {len(fetches)} fetches for {len(refused)} refused tokens, {without} without a life"


def secrets_stay_secret(world: World) -> Iterator[str]:
    """No secret and no token is in anything that is kept or told."""
    kept = [json.dumps(dict(entry.body), default=str) for entry in world.entries]
    told = [str(told.result.error) for told in world.told if told.result is not None]
    if world.scenario.seed % 4 == 0:  # repr of everything is slow
        told += [repr(event) for told in world.told for _, event in told.events]
    for text in (*kept, *told):
        for secret in ("canary", *(value for name, value in SECRETS.items() if name != "ID")):
            if secret in text:
                yield f"{secret!r} is in {text[:200]}"


def errors_are_in_words(world: World) -> Iterator[str]:
    """A result has an error exactly when it is not completed; no defect of ours hides in one."""
    for told in world.told:
        if told.result is None:
            continue
        if (told.result.error is None) != (told.result.outcome is Outcome.COMPLETED):
            yield f"caller {told.caller.number}: {told.result.outcome.value} with the error {told.result.error}"
        if any(attempt.failure and attempt.failure.cause is Cause.INTERNAL for attempt in told.result.attempts):
            yield f"caller {told.caller.number}: {told.result.error}"


def the_time_of_day_changes_nothing_but_dates(world: World) -> Iterator[str]:
    """Moments that are recorded are the clock's own; durations are not taken from it."""
    scenario = world.scenario
    furthest = abs(scenario.skew) + abs(scenario.jump) + 3 * 3600 + 100
    for told in world.told:
        for attempt in attempts_of(told):
            if abs(attempt.started_at - BEGAN) > furthest or attempt.latency_ms < 0:
                yield f"attempt {attempt.number}: began at {attempt.started_at}, took {attempt.latency_ms} ms"
            if attempt.latency_ms > (told.ended - told.began + 0.01) * 1000:
                yield f"attempt {attempt.number}: took {attempt.latency_ms} ms of {told.ended - told.began:.3f} s"


LAWS: tuple[Law, ...] = (
    comes_to_an_end,
    one_end,
    one_record,
    each_byte_once,
    restarts_are_told,
    success_is_proved,
    one_at_a_time,
    nothing_left_open,
    nothing_before_its_check,
    success_passes_its_check,
    the_bill_is_known_or_unknown,
    stored_before_sent,
    a_refusing_ledger_stops,
    few_exchanges,
    causes_are_named,
    failed_only_where_nothing_was_left,
    nobody_pays_twice_for_a_bad_request,
    after_content_nothing_is_sent,
    waits_are_kept,
    who_rests_is_left_alone,
    limits_hold,
    nothing_is_left_behind,
    the_total_clock_holds,
    tokens_are_fetched_once,
    refused_tokens_cost_one_fetch,
    secrets_stay_secret,
    errors_are_in_words,
    the_time_of_day_changes_nothing_but_dates,
)


def violations(world: World) -> list[str]:
    """Every law that does not hold, in words."""
    return [f"{law.__name__}: {found}" for law in LAWS for found in law(world)]
