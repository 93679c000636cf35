"""What happened held against what was expected: rows of expected and actual, side by side.

Decides whether a rehearsal holds. A row that was not asked for is shown too, so that a failure can be
read without playing it again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from route_run.errors import Span
from route_run.policy import PlacedRehearsal
from route_run.policy.rehearsal import Expect, ExpectedAttempt, ExpectedVerdict, Scene
from route_run.rehearse.play import Played, Run

NOTHING = "–"
_SLACK = 1e-6
"""Virtual time is a sum of decimal fractions: this much is rounding."""
_SHOWN = 0.0005
"""Seconds that are shown as more than nothing."""


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the two timelines; ``expected`` empty means that anything is right."""

    label: str
    expected: str
    actual: str
    holds: bool = True
    span: Span | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """One run, row by row; ``title`` tells runs of a sequence apart."""

    title: str
    rows: tuple[Row, ...]

    @property
    def holds(self) -> bool:
        return all(row.holds for row in self.rows)


def judge(placed: PlacedRehearsal, played: Played) -> tuple[Judged, ...]:
    """Every run of a rehearsal held against its expectations, and the rehearsal as a whole."""
    scenes = placed.written.scenes
    judged: list[Judged] = []
    for number, scene in enumerate(scenes):
        runs = [run for run in played.runs if run.scene == number]
        keys = (*placed.scene_keys(number), "expect")
        title = "" if len(scenes) == 1 else f"request {number + 1}"
        for run in runs:
            rows = tuple(_Judge(placed, scene.expect, run, keys).rows())
            times = f"{title or 'request'}, time {run.number + 1}" if scene.repeat > 1 else title
            judged.append(Judged(times, rows))
        whole = tuple(_together(placed, scene, runs, keys))
        if whole:
            judged.append(Judged(f"{title or 'request'}, all {scene.repeat}".lstrip(), whole))
    whole = tuple(_exchanges(placed, played))
    if played.was_cut:
        cut = placed.written.cut_after
        where = placed.origin.span("cut_after") if "cut_after" in placed.written.written_fields else placed.span
        whole = (Row("end", f"within {seconds(cut)}", "cut: it had not ended", False, where), *whole)
    if whole:
        judged.append(Judged("the rehearsal", whole))
    return tuple(judged)


def seconds(value: float) -> str:
    """A time in words: `350 ms`, `2.5 s`."""
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.3f}".rstrip("0").rstrip(".") + " s"


def usd(value: object) -> str:
    """A cost in words; it is text in records, None where it is not known."""
    return "not known" if value is None else f"{value} USD"


def _together(placed: PlacedRehearsal, scene: Scene, runs: Sequence[Run], keys: tuple[str | int, ...]) -> Iterator[Row]:
    missing = scene.repeat - len(runs)
    if missing:
        yield Row("requests", str(scene.repeat), f"{len(runs)}: the rehearsal was cut before the others", False)
    if scene.expect.outcomes is None:
        return
    counted: dict[str, int] = {}
    for run in runs:
        outcome = run.record["outcome"] if run.record is not None else "cut"
        counted[outcome] = counted.get(outcome, 0) + 1
    wanted: dict[str, int] = {outcome: count for outcome, count in scene.expect.outcomes.items() if count}
    yield Row("outcomes", _counts(wanted), _counts(counted), wanted == counted, placed.origin.span(*keys, "outcomes"))


def _counts(counted: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in sorted(counted.items())) or "none"


def _exchanges(placed: PlacedRehearsal, played: Played) -> Iterator[Row]:
    for name, count in placed.written.exchanges.items():
        actual = played.exchanges.get(name, 0)
        span = placed.origin.span("exchanges", name)
        yield Row(f"exchanges with {name}", str(count), str(actual), count == actual, span)


class _Judge:
    def __init__(self, placed: PlacedRehearsal, expect: Expect, run: Run, keys: tuple[str | int, ...]) -> None:
        self._placed = placed
        self._expect = expect
        self._run = run
        self._keys = keys

    def rows(self) -> Iterator[Row]:
        record = self._run.record
        if record is None:
            words = self._run.problem or "cut before it ended"
            yield Row("end", "a record", words, False, self._placed.origin.span(*self._keys))
            return
        yield from self._planned(record)
        yield from self._attempts(record["attempts"], record["started_at"])
        yield from self._answered()
        yield from self._ended(record)
        yield from self._kept(record)

    # -- the plan ------------------------------------------------------------------------------------

    def _planned(self, record: Mapping[str, Any]) -> Iterator[Row]:
        expect, plan = self._expect, self._run.plan
        assert plan is not None
        yield self._row("route", "route", expect.route, record["route"])
        if expect.bounds is not None:
            yield self._row("bounds", "bounds", ", ".join(sorted(expect.bounds)), ", ".join(record["bounds"]))
        verdicts = {verdict["guard"]: verdict for verdict in record["guards"]}
        for name, wanted in expect.guards.items():
            yield self._guard(name, wanted, verdicts.get(name))
        if expect.stopped_at is not None or plan.stop is not None:
            yield self._row("stopped_at", "stopped at", expect.stopped_at, plan.stop.stage.value if plan.stop else None)
        if expect.targets is not None:
            eligible = [planned.target.endpoint for planned in plan.eligible]
            yield self._row("targets", "targets", ", ".join(expect.targets), ", ".join(eligible))
        for name, words in expect.skipped.items():
            reasons = [reason for p in plan.targets if p.target.endpoint == name for reason in p.skipped]
            reasons += [held["why"] for held in record["held_back"] if held["endpoint"] == name]
            holds = any(words in reason for reason in reasons)
            span = self._placed.origin.span(*self._keys, "skipped", name)
            yield Row(f"{name} skipped", words, "; ".join(reasons) or "it is not", holds, span)
        if expect.parameters:
            yield from self._parameters(record)

    def _guard(self, name: str, wanted: ExpectedVerdict, verdict: Mapping[str, Any] | None) -> Row:
        span = self._placed.origin.span(*self._keys, "guards", name)
        expected = ", ".join(_verdict_words(wanted))
        if verdict is None:
            return Row(f"guard {name}", expected, "not asked", False, span)
        actual = f"{'fires' if verdict['fired'] else 'passes'}, score {verdict['score']:g}"
        actual += f", found {', '.join(verdict['hits'])}" if verdict["hits"] else ""
        holds = (
            wanted.fires in (None, verdict["fired"])
            and (wanted.hits is None or sorted(wanted.hits) == sorted(verdict["hits"]))
            and (wanted.score_at_least is None or verdict["score"] >= wanted.score_at_least)
            and (wanted.score_at_most is None or verdict["score"] <= wanted.score_at_most)
        )
        return Row(f"guard {name}", expected, actual, holds, span)

    def _parameters(self, record: Mapping[str, Any]) -> Iterator[Row]:
        plan = self._run.plan
        assert plan is not None
        answered = (record["endpoint"], record["model"])
        asked = [p for p in plan.eligible if (p.target.endpoint, p.target.model) == answered] or list(plan.eligible)
        sent = {p.value: value for p, value in asked[0].parameters.items()} if asked else {}
        for name, wanted in self._expect.parameters.items():
            value = sent.get(name)
            actual = list(value) if isinstance(value, tuple) else value
            wanted_value = list(wanted) if isinstance(wanted, tuple) else wanted
            span = self._placed.origin.span(*self._keys, "parameters", name)
            shown = "not sent" if actual is None else str(actual)
            yield Row(name, str(wanted_value), shown, actual == wanted_value, span)

    # -- attempts ------------------------------------------------------------------------------------

    def _attempts(self, attempts: Sequence[Mapping[str, Any]], started_at: float) -> Iterator[Row]:
        wanted = self._expect.attempts
        for number in range(max(len(attempts), len(wanted or ()))):
            actual = attempts[number] if number < len(attempts) else None
            label = f"attempt {number + 1}"
            began = None if actual is None else actual["started_at"] - started_at
            shown = NOTHING if actual is None else attempt_words(actual, began or 0.0)
            if wanted is None:
                yield Row(label, "", shown)
            elif number >= len(wanted):
                yield Row(label, NOTHING, shown, False, self._span("attempts"))
            else:
                span = self._placed.origin.span(*self._keys, "attempts", number)
                holds = _is_attempt(wanted[number], actual, began or 0.0)
                yield Row(label, _expected_attempt(wanted[number]), shown, holds, span)
        if wanted == () and not attempts:
            yield Row("attempts", "none", "none")
        asked = {attempt["endpoint"] for attempt in attempts}
        for number, name in enumerate(self._expect.never):
            span = self._placed.origin.span(*self._keys, "never", number)
            shown = f"{name} was asked" if name in asked else "it was not"
            yield Row("never asked", name, shown, name not in asked, span)

    # -- the answer ----------------------------------------------------------------------------------

    def _answered(self) -> Iterator[Row]:
        run, expect = self._run, self._expect
        first = run.first_content
        if expect.first_content_within is not None:
            holds = first is not None and first <= expect.first_content_within + _SLACK
            actual = NOTHING if first is None else f"after {seconds(first)}"
            span = self._span("first_content_within")
            yield Row("first content", f"within {seconds(expect.first_content_within)}", actual, holds, span)
        elif first is not None:
            yield Row("first content", "", f"after {seconds(first)}")
        if expect.text is not None:
            yield Row("text", _quoted(expect.text), _quoted(run.text), expect.text == run.text, self._span("text"))
        for number, text in enumerate(expect.text_contains):
            span = self._placed.origin.span(*self._keys, "text_contains", number)
            yield Row("text", f"has {_quoted(text)}", _quoted(run.text), text in run.text, span)
        restarts = run.record["restarts"] if run.record is not None else 0
        if expect.restarts is not None:
            holds = expect.restarts == restarts
            yield Row("restarts", str(expect.restarts), str(restarts), holds, self._span("restarts"))
        elif restarts:
            yield Row("restarts", "", str(restarts))

    def _ended(self, record: Mapping[str, Any]) -> Iterator[Row]:
        run, expect = self._run, self._expect
        yield self._row("outcome", "outcome", expect.outcome, record["outcome"])
        attempts = record["attempts"]
        if expect.failure is not None:
            yield self._row("failure", "failure", expect.failure, (attempts and attempts[-1]["failure"]) or "none")
        error = record["error"] or ""
        if expect.error_contains is not None:
            holds = expect.error_contains in error
            wanted = f"has {_quoted(expect.error_contains)}"
            yield Row("error", wanted, error or "none", holds, self._span("error_contains"))
        elif error:
            yield Row("error", "", error)
        took = run.took
        shown = "it did not end" if took is None else f"after {seconds(took)}"
        if expect.within is not None:
            holds = took is not None and took <= expect.within + _SLACK
            yield Row("end", f"within {seconds(expect.within)}", shown, holds, self._span("within"))
        else:
            yield Row("end", "", shown)
        if expect.finish_reason is not None:
            yield self._row("finish_reason", "finish reason", expect.finish_reason, record["finish_reason"])

    def _kept(self, record: Mapping[str, Any]) -> Iterator[Row]:
        expect = self._expect
        yield from self._webhooks(record["webhooks"])
        if expect.usage is not None:
            used = record["usage"] or {}
            for name in ("prompt", "completion", "cached"):
                wanted = getattr(expect.usage, name)
                if wanted is not None:
                    actual = used.get(f"{name}_tokens")
                    span = self._placed.origin.span(*self._keys, "usage", name)
                    yield Row(f"{name} tokens", str(wanted), str(actual), wanted == actual, span)
        yield from self._cost(record)
        for path, wanted in expect.record.items():
            found = field_of(record, path)
            span = self._placed.origin.span(*self._keys, "record", path)
            yield Row(f"record {path}", str(wanted), str(found), found == wanted, span)

    def _webhooks(self, told: Sequence[Mapping[str, str]]) -> Iterator[Row]:
        wanted = self._expect.webhooks
        if isinstance(wanted, Mapping):
            for name, events in wanted.items():
                actual = sorted({entry["event"] for entry in told if entry["webhook"] == name})
                span = self._placed.origin.span(*self._keys, "webhooks", name)
                yield Row(f"webhook {name}", _events(events), _events(actual), sorted(events) == actual, span)
            return
        actual = sorted({entry["event"] for entry in told})
        if wanted is not None:
            yield Row("webhooks", _events(wanted), _events(actual), sorted(wanted) == actual, self._span("webhooks"))

    def _cost(self, record: Mapping[str, Any]) -> Iterator[Row]:
        expect = self._expect
        actual = None if record["cost_usd"] is None else Decimal(record["cost_usd"])
        if "cost" in expect.written_fields:
            wanted = None if expect.cost is None else Decimal(str(expect.cost))
            yield Row("cost", usd(wanted), usd(actual), wanted == actual, self._span("cost"))
        if expect.cost_at_most is not None:
            holds = actual is not None and actual <= Decimal(str(expect.cost_at_most))
            yield Row("cost", f"at most {expect.cost_at_most} USD", usd(actual), holds, self._span("cost_at_most"))

    # -- words ---------------------------------------------------------------------------------------

    def _row(self, key: str, label: str, wanted: str | None, actual: str | None) -> Row:
        shown = actual or NOTHING
        if wanted is None:
            return Row(label, "", shown)
        return Row(label, wanted or "none", shown, wanted == (actual or ""), self._span(key))

    def _span(self, key: str) -> Span:
        return self._placed.origin.span(*self._keys, key)


def attempt_words(attempt: Mapping[str, Any], began: float = 0.0) -> str:
    """One attempt of a record, in a line; ``began`` counts from the beginning of its request."""
    took = seconds(attempt["latency_ms"] / 1000)
    who = f"{attempt['endpoint']}/{attempt['model']}"
    who += ", to repair," if attempt["repair"] else ""
    since = f", begun at {seconds(began)}" if began >= _SHOWN else ""
    if attempt["failure"] is None:
        return f"{who} answers after {took}{since}"
    status = f" ({attempt['status']})" if attempt["status"] else ""
    return f"{who} fails after {took}: {attempt['failure']}{status}{since}"


def field_of(record: Mapping[str, Any], path: str) -> Any:
    """A field of a record by its dotted name; None where there is none."""
    value: Any = record
    for part in path.split("."):
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, Sequence) and not isinstance(value, str) and part.isdigit() and int(part) < len(value):
            value = value[int(part)]
        else:
            return None
    return value


def _expected_attempt(wanted: ExpectedAttempt) -> str:
    who = wanted.endpoint if wanted.model is None else f"{wanted.endpoint}/{wanted.model}"
    more = []
    if wanted.failure is not None:
        more.append("answers" if wanted.failure == "none" else f"fails: {wanted.failure}")
    if wanted.status is not None:
        more.append(f"status {wanted.status}")
    if wanted.within is not None:
        more.append(f"within {seconds(wanted.within)}")
    if wanted.begins_after is not None:
        more.append(f"begins after {seconds(wanted.begins_after)}")
    if wanted.begins_within is not None:
        more.append(f"begins within {seconds(wanted.begins_within)}")
    if wanted.repair is not None:
        more.append("to repair" if wanted.repair else "not to repair")
    return f"{who} {', '.join(more)}" if more else who


def _is_attempt(wanted: ExpectedAttempt, actual: Mapping[str, Any] | None, began: float) -> bool:
    return (
        actual is not None
        and wanted.endpoint == actual["endpoint"]
        and wanted.model in (None, actual["model"])
        and wanted.failure in (None, actual["failure"] or "none")
        and wanted.status in (None, actual["status"])
        and (wanted.within is None or actual["latency_ms"] <= wanted.within * 1000 + _SLACK)
        and (wanted.begins_after is None or began >= wanted.begins_after - _SLACK)
        and (wanted.begins_within is None or began <= wanted.begins_within + _SLACK)
        and wanted.repair in (None, actual["repair"])
    )


def _verdict_words(wanted: ExpectedVerdict) -> Iterator[str]:
    if wanted.fires is not None:
        yield "fires" if wanted.fires else "passes"
    if wanted.hits is not None:
        yield f"finds {', '.join(sorted(wanted.hits)) or 'nothing'}"
    if wanted.score_at_least is not None:
        yield f"score at least {wanted.score_at_least:g}"
    if wanted.score_at_most is not None:
        yield f"score at most {wanted.score_at_most:g}"


def _events(events: Sequence[str]) -> str:
    return ", ".join(sorted(events)) or "none"


def _quoted(text: str) -> str:
    return f'"{text[:200]}…"' if len(text) > 200 else f'"{text}"'
