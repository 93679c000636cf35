"""Rules on hedges, budgets, breakers, limits and crowds of matches: where each begins and ends."""

from __future__ import annotations

import pytest

from support.linted import linted, named
from support.policies import BASE

ROUTE = "routes:\n  all: {match: {}, upstream: main}\n"
UPSTREAM = "  main: {targets: [{endpoint: first, model: m}, {endpoint: second, model: m}]"


def found(code: str, *, upstream: str = "", endpoint: str = "", rest: str = ROUTE) -> list[tuple[str, str]]:
    """Severity and message of the findings of one code."""
    text = BASE.replace(UPSTREAM, f"{UPSTREAM}{upstream}").replace(
        "serves: {m: {}}}", f"serves: {{m: {{}}}}{endpoint}}}", 1
    )
    return [(finding.severity.value, finding.message) for finding in named(linted(text + rest), code)]


@pytest.mark.parametrize(
    ("after", "said"),
    [("9s", ""), ("10s", "for streamed answers"), ("60s", "the whole request is over")],
)
def test_a_hedge_has_to_come_before_the_attempt_is_given_up(after, said):
    messages = found("RR519", upstream=f", hedge: {{after: {after}}}, timeouts: {{first_content: 10s, total: 60s}}")

    assert [said in message for _, message in messages] == [True] * bool(said)


@pytest.mark.parametrize(
    ("budget", "severities"),
    [("{floor: 1, share: 0%}", []), ("{floor: 0}", ["info"]), ("{floor: 0, share: 0%}", ["warning"])],
)
def test_retries_need_a_budget(budget, severities):
    told = found("RR520", upstream=", retry: {attempts: 2}", endpoint=f", retry_budget: {budget}")

    assert [severity for severity, _ in told] == severities


def test_a_budget_of_nothing_is_no_matter_where_nothing_is_retried():
    assert found("RR520", endpoint=", retry_budget: {floor: 0, share: 0%}") == []


@pytest.mark.parametrize(
    ("breaker", "said"),
    [
        ("{}", ""),
        ("{open: 300s}", ""),
        ("{open: 301s}", "stays open for 300 s"),
        ("{ratio: 0%}", "opens at the first failure"),
        ("{ratio: 100%}", ""),
        ("{ratio: 101%}", "no share of failures is 101%"),
        ("{of: 20000}", ""),
        ("{of: 20001}", "at most 20000 do"),
        ("{of: 20001, consecutive: 1000}", "hardly ever opens"),
    ],
)
def test_a_breaker_has_to_be_in_reach(breaker, said):
    messages = found("RR522", endpoint=f", breaker: {breaker}")

    assert [said in message for _, message in messages] == [True] * bool(said)


def test_a_breaker_counts_no_more_requests_than_the_limit_lets_through():
    endpoint = ", limits: {requests: 30/min}, breaker: {of: 50}"

    assert ["at most 40 do" in message for _, message in found("RR522", endpoint=endpoint)] == [True]


@pytest.mark.parametrize(
    ("match", "said"),
    [
        ("{}", ""),
        ("{tags: {tenant: [acme, globex]}}", ""),
        ("{tags: {tenant: acme}}", "there is one counter"),
        ("{tags: {tenant: {present: false}}}", "there is one counter"),
    ],
)
def test_a_bound_counts_by_a_tag_that_its_requests_differ_in(match, said):
    bound = f"bounds:\n  b: {{match: {match}, per: tags.tenant, limits: {{requests: 60/min}}}}\n"
    messages = found("RR524", rest=f"tags: {{tenant: {{}}}}\n{bound}{ROUTE}")

    assert [said in message for _, message in messages] == [True] * bool(said)


@pytest.mark.parametrize(
    ("verified", "streamed", "count"), [("verify: {format: json}", "", 0), ("verify: {format: json}", "none", 1)]
)
def test_a_restart_is_needed_where_some_route_streams(verified, streamed, count):
    routes = f"routes:\n  all: {{match: {{}}, upstream: main, {verified}}}\n"
    if not streamed:
        routes += "  other: {match: {needs: {json: true}}, upstream: main}\n"

    assert len(found("RR525", upstream=", fallback: {after_content: restart}", rest=routes)) == count


def crowd(match: str, count: int) -> str:
    routes = "".join(f"  r{n}: {{match: {match.format(n=n)}, upstream: main}}\n" for n in range(count))
    return f"tags: {{tenant: {{}}, desk: {{}}}}\n{ROUTE}{routes}"


@pytest.mark.parametrize(
    ("match", "count", "said"),
    [
        ("{{tags: {{tenant: t{n}}}}}", 300, ""),
        ("{{tags: {{tenant: {{prefix: t{n}-}}}}}}", 99, ""),
        ("{{tags: {{tenant: {{prefix: t{n}-}}}}}}", 100, "name no exact value"),
        ("{{tags: {{tenant: t, desk: {{prefix: d{n}-}}}}}}", 101, "name `t` as the tag `tenant`"),
    ],
)
def test_matches_that_share_no_value_or_one_are_looked_through(match, count, said):
    messages = found("RR318", rest=crowd(match, count))

    assert [said in message for _, message in messages] == [True] * bool(said)
