"""What a policy is compiled to, and what only compiling can find wrong with it."""

from __future__ import annotations

import pytest

from route_run.policy import Dialect, Parameter, Range
from route_run.table import Deliver, Outside, from_condition
from support.policies import BASE
from support.reading import codes, fragment, loaded_from

TAGS = "tags:\n  desk: {values: [support, sales], required: true}\n  tier: {values: [gold, silver]}\n  tenant: {}\n"


def table(text, **files):
    return loaded_from(
        {"policy.yaml": BASE + text, **{f"{name}.json": content for name, content in files.items()}}
    ).table


def findings(text):
    source = BASE + TAGS + text
    return source, [finding for finding in loaded_from(source).findings if finding.is_error]


# -- matches that nothing satisfies ------------------------------------------------------------------

EMPTY = [
    ("all values excluded", "tags: {desk: {not: [support, sales]}}", "desk", "no value of the tag `desk`"),
    ("prefix of all excluded", "tags: {desk: {not: {prefix: s}}}", "desk", "no value of the tag `desk`"),
    ("required tag absent", "tags: {desk: {present: false}}", "desk", "no value of the tag `desk`"),
    ("range upside down", "prompt_tokens: {min: 10, max: 9}", "prompt_tokens", "has 10 tokens, the largest allowed 9"),
    ("smaller than any prompt", "prompt_tokens: {max: 4}", "prompt_tokens", "has 5 tokens"),
    ("smaller than any image", "prompt_tokens: {max: 1003}, needs: {images: true}", "prompt_tokens", "1004 tokens"),
]


@pytest.mark.parametrize(("match", "marked", "words"), [row[1:] for row in EMPTY], ids=[row[0] for row in EMPTY])
@pytest.mark.parametrize(
    ("section", "item"),
    [
        ("route", "routes:\n  x: {{match: {{{}}}, upstream: main}}\n"),
        ("bound", "bounds:\n  x: {{match: {{{}}}}}\n"),
        ("webhook", "webhooks:\n  x: {{match: {{{}}}, events: [failed], url: '${{URL}}'}}\n"),
    ],
    ids=["route", "bound", "webhook"],
)
def test_a_match_that_no_request_satisfies_is_refused(section, item, match, marked, words):
    source, (finding,) = findings(item.format(match))
    assert finding.code.value == "RR303"
    assert fragment(source, finding.span) == marked
    assert f"no request can match the {section} `x`" in finding.message
    assert words in finding.message


@pytest.mark.parametrize(
    "match",
    [
        "prompt_tokens: {max: 5}",
        "prompt_tokens: {max: 1004}, needs: {images: true}",
        "tags: {tier: {not: [gold, silver]}}",
        "tags: {tenant: {not: [a, b]}}",
        "requested_model: {present: false}",
    ],
)
def test_a_match_that_some_request_satisfies_is_not(match):
    assert findings(f"routes:\n  x: {{match: {{{match}}}, upstream: main}}\n")[1] == []


def test_an_empty_route_decides_nothing_and_the_others_go_on():
    routes = "routes:\n  x: {match: {prompt_tokens: {max: 4}}, upstream: main}\n  y: {match: {}, upstream: main}\n"
    assert [route.name for route in loaded_from(BASE + TAGS + routes).partial.matched] == ["y"]


# -- ranges that bounds close ------------------------------------------------------------------------


def closed(route, bound, match="{}"):
    return findings(
        f"routes:\n  r: {{match: {match}, upstream: main, parameters: {{{route}}}}}\nbounds:\n  b: {{{bound}}}\n"
    )


def test_a_range_that_no_bound_leaves_anything_of_is_refused_with_both_places():
    source, (finding,) = closed("temperature: {min: 0.8}", "match: {}, parameters: {temperature: {max: 0.5}}")
    assert finding.code.value == "RR501"
    assert "no value of temperature is left for the route `r`" in finding.message
    assert fragment(source, finding.span) == "temperature"
    assert finding.labels[0].text == "bound `b` asks for at most 0.5"
    assert fragment(source, finding.labels[0].span) == "temperature"


def test_two_bounds_that_close_a_range_are_refused_where_the_route_is():
    source, (finding,) = findings(
        "routes:\n  r: {match: {}, upstream: main}\nbounds:\n"
        "  low: {match: {}, parameters: {top_p: {max: 0.2}}}\n  high: {match: {}, parameters: {top_p: {min: 0.3}}}\n"
    )
    assert finding.code.value == "RR501"
    assert fragment(source, finding.span) == "r"
    assert sorted(label.text for label in finding.labels) == [
        "bound `high` asks for at least 0.3",
        "bound `low` asks for at most 0.2",
    ]


def test_a_bound_around_only_some_requests_of_a_route_proves_nothing():
    _, found = closed("temperature: {min: 0.8}", "match: {tags: {tier: gold}}, parameters: {temperature: {max: 0.5}}")
    assert found == []


def test_a_bound_around_all_requests_of_a_narrow_route_closes_its_range():
    _, found = closed(
        "temperature: {min: 0.8}",
        "match: {tags: {tier: {present: true}}}, parameters: {temperature: {max: 0.5}}",
        match="{tags: {tier: gold}}",
    )
    assert codes(found) == ["RR501"]


def test_a_range_that_is_empty_by_itself_is_not_reported_again_for_its_bounds():
    _, found = closed("temperature: {min: 0.8, max: 0.2}", "match: {}, parameters: {temperature: {max: 0.5}}")
    assert codes(found) == ["RR501"]


def test_ranges_that_touch_leave_one_value():
    assert closed("temperature: {min: 0.5}", "match: {}, parameters: {temperature: {max: 0.5}}")[1] == []


def test_a_route_called_by_name_is_held_to_bounds_around_everything():
    _, found = findings(
        "routes:\n  r: {callable: true, upstream: main, parameters: {max_tokens: {min: 100}}}\n"
        "bounds:\n  b: {match: {}, parameters: {max_tokens: {max: 50}}}\n"
    )
    assert codes(found) == ["RR501"]


# -- what is compiled --------------------------------------------------------------------------------


def test_delivery_waits_for_a_check_unless_the_route_says_otherwise():
    text = (
        "routes:\n  plain: {callable: true, upstream: main}\n"
        "  checked: {callable: true, upstream: main, verify: {format: json}}\n"
        "  hasty: {callable: true, upstream: main, verify: {format: json}, deliver: streamed}\n"
    )
    routes = table(text).routes
    assert {name: route.deliver for name, route in routes.items()} == {
        "plain": Deliver.STREAMED,
        "checked": Deliver.VERIFIED,
        "hasty": Deliver.STREAMED,
    }
    assert [name for name, route in routes.items() if route.output_check is None] == ["plain"]


def test_a_check_of_the_answer_is_the_file_it_names():
    text = "routes:\n  r: {callable: true, upstream: main, verify: {json_schema: answer.json}}\n"
    check = table(text, answer='{"type": "object"}').routes["r"].output_check
    assert check.reason("[]") == "answer: not of the type object"


def test_a_check_that_cannot_be_used_is_a_finding_at_its_name():
    text = "routes:\n  r: {callable: true, upstream: main, verify: {json_schema: answer.json}}\n"
    loaded = loaded_from({"policy.yaml": BASE + text, "answer.json": '{"type": 5}'})
    (finding,) = loaded.findings
    assert (finding.code.value, fragment(BASE + text, finding.span)) == ("RR206", "answer.json")
    assert "not a JSON Schema" in finding.message


TARGETS = """\
version: 1
endpoints:
  desk:
    dialect: cognigy
    base_url: https://x.example
    serves: {big: {as: big-2026, price: {input: 7, output: 8}}, small: {}}
    labels: {region: eu}
    drain: true
  claude: {dialect: anthropic, base_url: "https://x.example", serves: {big: {}}}
models:
  big:
    context_window: 200000
    max_output_tokens: 16000
    parameters: {temperature: {min: -1, max: 1.5}}
    price: {input: 1, output: 2}
    capabilities: [json, tools]
  small: {context_window: 8000, max_output_tokens: 500}
upstreams:
  main:
    targets:
      - {endpoint: desk, model: big}
      - balance: fastest
        targets: [{endpoint: claude, model: big}, {endpoint: desk, model: small}]
    fallback: {when: [timeout]}
    retry: {attempts: 3, backoff: {first: 100ms, max: 2s}}
    timeouts: {idle: 7s, total: 90s}
routes:
  all: {match: {}, upstream: main}
"""


@pytest.fixture(scope="module")
def upstream():
    return loaded_from(TARGETS).table.routes["all"].upstream


def test_targets_keep_their_order_with_groups_in_place(upstream):
    assert [str(target) for target in upstream.targets] == ["desk/big", "claude/big", "desk/small"]


def test_a_target_is_asked_by_the_name_its_endpoint_has_for_the_model(upstream):
    assert [target.sent_as for target in upstream.targets] == ["big-2026", "big", "small"]


def test_the_price_of_an_endpoint_comes_before_that_of_the_model(upstream):
    assert [target.price and target.price.input for target in upstream.targets] == [7, 1, None]


def test_the_context_of_a_target_is_the_smaller_of_model_and_dialect(upstream):
    assert [target.context_window for target in upstream.targets] == [128_000, 200_000, 8_000]


def test_the_largest_answer_is_the_smaller_of_model_and_dialect(upstream):
    assert [target.max_output_tokens for target in upstream.targets] == [8_192, 16_000, 500]


def test_the_ranges_of_a_target_are_the_models_within_the_dialects(upstream):
    desk, claude, small = upstream.targets
    assert desk.ranges[Parameter.TEMPERATURE] == Range(0, 1.5)
    assert claude.ranges[Parameter.TEMPERATURE] == Range(0, 1)
    assert small.ranges[Parameter.TEMPERATURE] == Range(0, 2)
    assert desk.ranges[Parameter.MAX_TOKENS] == Range(1, 8192)
    assert small.ranges[Parameter.MAX_TOKENS] == Range(1, 500)


def test_a_target_knows_what_eligibility_asks_about(upstream):
    desk, claude, _ = upstream.targets
    assert (desk.drained, claude.drained) == (True, False)
    assert (desk.labels, claude.labels) == ({"region": "eu"}, {})
    assert (desk.dialect, claude.dialect) == (Dialect.COGNIGY, Dialect.ANTHROPIC)
    assert {capability.value for capability in desk.capabilities} == {"json", "tools"}


def test_an_upstream_has_its_times_in_seconds(upstream):
    assert (upstream.attempts, upstream.backoff_first, upstream.backoff_max) == (3, 0.1, 2)
    assert (upstream.timeouts.idle, upstream.byte_idle, upstream.timeouts.total) == (7, 7, 90)
    assert upstream.timeouts.connect == 5
    assert upstream.fallback_kinds == {"timeout"}


def test_what_an_upstream_leaves_out_has_its_default():
    upstream = table("routes:\n  all: {match: {}, upstream: main}\n").routes["all"].upstream
    assert (upstream.attempts, upstream.timeouts.first_content, upstream.timeouts.total) == (1, 30, 120)
    assert "invalid_output" in upstream.fallback_kinds
    assert not {"too_long", "content_refused"} & upstream.fallback_kinds


def test_rules_say_what_they_are_of_and_what_they_do():
    text = (
        "routes:\n  r: {match: {}, upstream: main, parameters: "
        "{temperature: {default: 0.3, max: 0.7, outside: clamp}, max_tokens: {max: 50}, stop: {default: [END]}}}\n"
        "bounds:\n  b: {match: {}, parameters: {top_p: {min: 0.1}}}\n"
    )
    compiled = table(text)
    rules = compiled.routes["r"].rules
    temperature = rules[Parameter.TEMPERATURE]
    assert (temperature.source, temperature.default, temperature.range) == ("route `r`", 0.3, Range(None, 0.7))
    assert temperature.outside is Outside.CLAMP
    assert rules[Parameter.MAX_TOKENS].range == Range(1, 50)
    assert rules[Parameter.MAX_TOKENS].outside is Outside.REJECT
    assert rules[Parameter.STOP].default == ("END",)
    assert compiled.bounds[0].rules[Parameter.TOP_P].source == "bound `b`"


def test_the_table_knows_where_the_policy_says_something():
    compiled = table("routes:\n  all: {match: {}, upstream: main}\n")
    span = compiled.span("routes", "all", "upstream")
    assert (span.path.rpartition("/")[2], span.start.line, span.start.column) == ("policy.yaml", 10, 30)


def test_a_route_whose_upstream_is_missing_is_left_out_of_the_table():
    loaded = loaded_from(BASE + "routes:\n  a: {match: {}, upstream: gone}\n")
    assert (loaded.partial.routes, codes(loaded.findings)) == ({}, ["RR201"])


def test_an_upstream_with_a_target_that_cannot_be_used_is_left_out_whole():
    text = "upstreams:\n  two: {targets: [{endpoint: first, model: m}, {endpoint: gone, model: m}]}\n"
    loaded = loaded_from(
        {"a.yaml": BASE, "b.yaml": f"version: 1\n{text}routes:\n  a: {{match: {{}}, upstream: two}}\n"}
    )
    assert (loaded.partial.routes, codes(loaded.findings)) == ({}, ["RR201"])


def test_conditions_of_a_route_are_those_that_are_written():
    text = f"{BASE}{TAGS}routes:\n  r: {{match: {{tags: {{tier: gold}}}}, upstream: main}}\n"
    route = loaded_from(text).table.routes["r"]
    assert set(route.condition.values) == {"tier"}
    assert set(route.region.values) == {"tier", "desk"}
    assert route.condition.values["tier"] == from_condition(route_condition("gold"))


def route_condition(text):
    from route_run.policy import Atom, Condition

    return Condition((Atom(text),))
