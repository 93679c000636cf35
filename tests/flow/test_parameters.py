"""Parameters: ranges of route and bounds judged once, then held to every target's model and dialect."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from route_run.flow.decide import decide
from route_run.flow.outcome import Outcome
from route_run.flow.plan import Stage
from route_run.flow.request import PromptRequest
from support.tables import table_of

POLICY = """\
version: 1
tags: {{tier: {{}}}}
endpoints:
{endpoints}
models:
{models}
upstreams:
  main: {{targets: [{targets}]}}
bounds:
{bounds}
routes:
  r: {{match: {{}}, upstream: main, parameters: {{{route}}}}}
"""


def policy(*, route="", bounds=(), models=({},), dialects=("openai",)):
    """One route, bounds for gold requests (so that nothing can be proved beforehand), a target per model."""
    ranges = [", ".join(f"{name}: {value}" for name, value in model.items()) for model in models]
    written = [
        f"  b{n}: {{match: {{tags: {{tier: gold}}}}, parameters: {{{bound}}}}}"
        for n, bound in enumerate(bounds, start=1)
    ]
    names = [f"e{n}" for n in range(1, len(models) + 1)]
    speaks = dialects if len(dialects) == len(models) else dialects * len(models)
    text = POLICY.format(
        endpoints="\n".join(
            f"  {name}: {{dialect: {dialect}, base_url: 'https://{name}.test', serves: {{m{n}: {{}}}}}}"
            for n, (name, dialect) in enumerate(zip(names, speaks, strict=True), start=1)
        ),
        models="\n".join(
            f"  m{n}: {{context_window: 10000, max_output_tokens: 1000, parameters: {{{written_range}}}}}"
            for n, written_range in enumerate(ranges, start=1)
        ),
        targets=", ".join(f"{{endpoint: {name}, model: m{n}}}" for n, name in enumerate(names, start=1)),
        bounds="\n".join(written),
        route=route,
    )
    return text.replace("bounds:\n\n", "").replace(", parameters: {}", "")


def plan(given=None, **parts):
    request = PromptRequest.of(prompt="Hello", tags={"tier": "gold"}, parameters=given or {})
    return decide(table_of(policy(**parts)), request)


# -- route and bounds --------------------------------------------------------------------------------

JUDGED = {
    # given, route, bounds -> what is asked of every target
    "nothing-said": ({}, "", (), {}),
    "given-without-rules": ({"temperature": 1.9}, "", (), {"temperature": 1.9}),
    "default": ({}, "temperature: {default: 0.3}", (), {"temperature": 0.3}),
    "given-beats-default": ({"temperature": 0.9}, "temperature: {default: 0.3}", (), {"temperature": 0.9}),
    "zero-is-given": ({"temperature": 0}, "temperature: {default: 0.3}", (), {"temperature": 0}),
    "a-rule-without-default-sends-nothing": ({}, "temperature: {max: 0.7, outside: clamp}", (), {}),
    "a-bound-sends-nothing": ({}, "", ("temperature: {max: 0.7, outside: clamp}",), {}),
    "at-the-upper-edge": ({"temperature": 0.7}, "temperature: {max: 0.7}", (), {"temperature": 0.7}),
    "at-the-lower-edge": ({"temperature": 0.2}, "temperature: {min: 0.2}", (), {"temperature": 0.2}),
    "clamped-down": ({"temperature": 1.9}, "temperature: {max: 0.7, outside: clamp}", (), {"temperature": 0.7}),
    "clamped-up": ({"temperature": 0}, "temperature: {min: 0.2, outside: clamp}", (), {"temperature": 0.2}),
    "clamped-by-a-bound": ({"temperature": 1}, "", ("temperature: {max: 0.5, outside: clamp}",), {"temperature": 0.5}),
    "clamped-to-the-intersection": (
        {"temperature": 2},
        "temperature: {max: 0.7, outside: clamp}",
        ("temperature: {max: 0.5, outside: clamp}", "temperature: {max: 0.6, outside: clamp}"),
        {"temperature": 0.5},
    ),
    "inside-reject-outside-clamp": (
        {"temperature": 0.6},
        "temperature: {max: 0.7}",
        ("temperature: {max: 0.5, outside: clamp}",),
        {"temperature": 0.5},
    ),
    "clamp-of-one-ends-inside-reject-of-another": (
        {"temperature": 0.9},
        "temperature: {max: 0.7, outside: clamp}",
        ("temperature: {max: 1}",),
        {"temperature": 0.7},
    ),
    "default-clamped-by-a-bound": (
        {},
        "temperature: {default: 0.9}",
        ("temperature: {max: 0.5, outside: clamp}",),
        {"temperature": 0.5},
    ),
    "whole-numbers-stay-whole": (
        {"max_tokens": 500},
        "max_tokens: {max: 100, outside: clamp}",
        (),
        {"max_tokens": 100},
    ),
    "the-range-of-max-tokens-begins-at-one": (
        {"max_tokens": 0},
        "max_tokens: {max: 100, outside: clamp}",
        (),
        {"max_tokens": 1},
    ),
    "seed-clamped": ({"seed": -5}, "seed: {min: 0, outside: clamp}", (), {"seed": 0}),
    "stop-given": ({"stop": ["END"]}, "", (), {"stop": ["END"]}),
    "stop-by-default": ({}, "stop: {default: [END, STOP]}", (), {"stop": ["END", "STOP"]}),
    "stop-given-beats-default": ({"stop": []}, "stop: {default: [END]}", (), {"stop": []}),
    "several": (
        {"temperature": 1, "seed": 3},
        "temperature: {max: 0.5, outside: clamp}, top_p: {default: 0.9}",
        (),
        {"seed": 3, "temperature": 0.5, "top_p": 0.9},
    ),
}


@pytest.mark.parametrize(("given_", "route", "bounds", "expected"), JUDGED.values(), ids=JUDGED)
def test_what_route_and_bounds_make_of_a_value(given_, route, bounds, expected):
    made = plan(given_, route=route, bounds=bounds)
    assert made.stop is None
    assert made.as_json()["parameters"] == expected
    assert made.as_json()["targets"][0]["parameters"] == expected


@pytest.mark.parametrize("parameter", ["max_tokens", "seed"])
def test_a_clamped_whole_number_is_an_integer(parameter):
    made = plan({parameter: 500}, route=f"{parameter}: {{max: 100, outside: clamp}}")
    value = made.as_json()["targets"][0]["parameters"][parameter]
    assert (value, type(value)) == (100, int)


REFUSED = {
    "outside-of-the-route": ({"temperature": 0.8}, "temperature: {max: 0.7}", (), "route `r`"),
    "below-the-route": ({"temperature": 0.1}, "temperature: {min: 0.2}", (), "route `r`"),
    "outside-of-a-bound": ({"temperature": 0.8}, "", ("temperature: {max: 0.7}",), "bound `b1`"),
    "one-bound-of-two": (
        {"temperature": 0.6},
        "",
        ("temperature: {max: 0.7}", "temperature: {max: 0.5}"),
        "bound `b2`",
    ),
    "reject-before-another-clamps": (
        {"temperature": 1.5},
        "temperature: {max: 0.7, outside: clamp}",
        ("temperature: {max: 1}",),
        "bound `b1`",
    ),
    "default-outside-of-a-bound": (
        {},
        "temperature: {default: 0.9}",
        ("temperature: {max: 0.5}",),
        "bound `b1`",
    ),
    "no-value-fits-all": (
        {"temperature": 0.6},
        "temperature: {min: 0.8, outside: clamp}",
        ("temperature: {max: 0.5, outside: clamp}",),
        "no temperature fits all of its ranges together",
    ),
    "max-tokens-below-one": ({"max_tokens": 0}, "max_tokens: {max: 100}", (), "1 to 100"),
}


@pytest.mark.parametrize(("given_", "route", "bounds", "words"), REFUSED.values(), ids=REFUSED)
def test_what_route_and_bounds_refuse(given_, route, bounds, words):
    made = plan(given_, route=route, bounds=bounds)
    assert made.stop is not None
    assert (made.stop.outcome, made.stop.stage) == (Outcome.REFUSED, Stage.PARAMETERS)
    assert words in made.stop.message


def test_ranges_that_do_not_meet_refuse_nothing_while_no_value_is_asked_for():
    made = plan(
        {}, route="temperature: {min: 0.8, outside: clamp}", bounds=("temperature: {max: 0.5, outside: clamp}",)
    )
    assert made.stop is None


def test_a_refusal_names_the_value_and_the_range():
    made = plan({"temperature": 0.8}, route="temperature: {max: 0.7}")
    assert made.stop.message == "temperature 0.8 is outside of its range (at most 0.7), says route `r`"


NOTES = {
    "default": ({}, "temperature: {default: 0.3}", ("route `r`", "temperature = 0.3 by default")),
    "clamped": (
        {"temperature": 1.9},
        "temperature: {max: 0.7, outside: clamp}",
        ("route `r`", "temperature clamped from 1.9 to 0.7"),
    ),
}


@pytest.mark.parametrize(("given_", "route", "note"), NOTES.values(), ids=NOTES)
def test_every_change_leaves_its_reason(given_, route, note):
    reasons = [(r.subject, r.text) for r in plan(given_, route=route).why if r.stage is Stage.PARAMETERS]
    assert reasons == [note]


def test_a_value_that_is_left_alone_leaves_no_reason():
    assert not [r for r in plan({"temperature": 0.5}).why if r.stage is Stage.PARAMETERS]


# -- each target -------------------------------------------------------------------------------------

COOL, MILD = {"temperature": "{max: 0.5}"}, {"temperature": "{max: 0.8}"}
CLAMP, REJECT = "temperature: {max: 1.5, outside: clamp}", "temperature: {max: 1.5}"

FITTED = {
    # given, route, bounds, models -> per target what it is sent, or None where it is skipped
    "fits": ({"temperature": 0.5}, "", (), (COOL,), [{"temperature": 0.5}]),
    "no-rule-and-too-hot": ({"temperature": 0.9}, "", (), (COOL, {}), [None, {"temperature": 0.9}]),
    "rule-rejects": ({"temperature": 0.9}, REJECT, (), (COOL, {}), [None, {"temperature": 0.9}]),
    "rule-clamps": ({"temperature": 0.9}, CLAMP, (), (COOL,), [{"temperature": 0.5}]),
    "bound-clamps": ({"temperature": 0.9}, "", (CLAMP,), (COOL,), [{"temperature": 0.5}]),
    "all-must-clamp": ({"temperature": 0.9}, CLAMP, (REJECT,), (COOL, {}), [None, {"temperature": 0.9}]),
    "never-an-earlier-clamp": (
        {"temperature": 0.9},
        CLAMP,
        (),
        (COOL, MILD, {}),
        [{"temperature": 0.5}, {"temperature": 0.8}, {"temperature": 0.9}],
    ),
    "the-judged-value-is-held": (
        {"temperature": 2},
        "temperature: {max: 0.7, outside: clamp}",
        (),
        (COOL, MILD),
        [{"temperature": 0.5}, {"temperature": 0.7}],
    ),
    "default-too-hot": (
        {},
        "temperature: {default: 0.9, max: 1, outside: clamp}",
        (),
        (COOL, {}),
        [{"temperature": 0.5}, {"temperature": 0.9}],
    ),
    "too-many-tokens": ({"max_tokens": 1001}, "", (), ({}, {}), [None, None]),
    "too-many-tokens-clamped": (
        {"max_tokens": 5000},
        "max_tokens: {max: 4000, outside: clamp}",
        (),
        ({},),
        [{"max_tokens": 1000}],
    ),
    "unlisted-is-unrestricted": ({"top_p": 17}, "", (), (COOL,), [{"top_p": 17}]),
}


@pytest.mark.parametrize(("given_", "route", "bounds", "models", "expected"), FITTED.values(), ids=FITTED)
def test_what_each_target_is_sent(given_, route, bounds, models, expected):
    made = plan(given_, route=route, bounds=bounds, models=models)
    sent = [None if target["skipped"] else target["parameters"] for target in made.as_json()["targets"]]
    assert sent == expected


def test_a_skipped_target_says_which_value_its_model_does_not_take():
    made = plan({"temperature": 0.9}, models=(COOL, {}))
    assert made.targets[0].skipped == ("temperature 0.9 is outside of at most 0.5 of the model `m1`",)


def test_a_clamp_for_a_model_leaves_its_reason():
    made = plan({"temperature": 0.9}, route=CLAMP, models=(COOL,))
    assert "temperature clamped from 0.9 to 0.5 for m1" in [r.text for r in made.why]


def test_a_clamp_for_a_model_never_leaves_the_range_of_a_bound():
    """Every matching bound holds: what the model takes and the bound allows do not meet, so the target is skipped."""
    made = plan({"temperature": 0.9}, bounds=("temperature: {min: 0.6, outside: clamp}",), models=(COOL, {}))
    assert [target.is_eligible for target in made.targets] == [False, True]


# -- dialects ----------------------------------------------------------------------------------------

DIALECTS = {
    # dialect, given, route -> what is sent, or None where the target is skipped
    "openai-carries-all": (
        "openai",
        {"seed": 1, "presence_penalty": 1, "frequency_penalty": 1, "stop": ["E"], "top_p": 0.1, "temperature": 5},
        "",
        {"seed": 1, "presence_penalty": 1, "frequency_penalty": 1, "stop": ["E"], "top_p": 0.1, "temperature": 5},
    ),
    "openai-needs-no-max-tokens": ("openai", {}, "", {}),
    "cognigy-needs-no-max-tokens": ("cognigy", {}, "", {}),
    "cognigy-carries-three": (
        "cognigy",
        {"temperature": 2, "top_p": 1, "max_tokens": 10},
        "",
        {"temperature": 2, "top_p": 1, "max_tokens": 10},
    ),
    "cognigy-temperature-too-high": ("cognigy", {"temperature": 2.1}, "", None),
    "cognigy-temperature-clamped": (
        "cognigy",
        {"temperature": 2.1},
        "temperature: {max: 3, outside: clamp}",
        {"temperature": 2},
    ),
    "cognigy-has-no-seed": ("cognigy", {"seed": 1}, "", None),
    "cognigy-drops-a-clampable-seed": ("cognigy", {"seed": 1}, "seed: {min: 0, outside: clamp}", {}),
    "cognigy-has-no-stop": ("cognigy", {"stop": ["E"]}, "", None),
    "cognigy-drops-a-clampable-stop": ("cognigy", {}, "stop: {default: [E], outside: clamp}", {}),
    "cognigy-cannot-drop-a-default": ("cognigy", {}, "stop: {default: [E]}", None),
    "anthropic-needs-max-tokens": ("anthropic", {}, "", {"max_tokens": 1000}),
    "anthropic-takes-what-is-given": ("anthropic", {"max_tokens": 10}, "", {"max_tokens": 10}),
    "anthropic-takes-the-default": ("anthropic", {}, "max_tokens: {default: 20}", {"max_tokens": 20}),
    "anthropic-temperature-too-high": ("anthropic", {"temperature": 1.1}, "", None),
    "anthropic-temperature-clamped": (
        "anthropic",
        {"temperature": 1.1},
        "temperature: {max: 3, outside: clamp}",
        {"max_tokens": 1000, "temperature": 1},
    ),
    "anthropic-has-stop": ("anthropic", {"stop": ["E"]}, "", {"max_tokens": 1000, "stop": ["E"]}),
    "anthropic-has-no-seed": ("anthropic", {"seed": 1}, "", None),
    "anthropic-has-no-penalties": ("anthropic", {"presence_penalty": 0}, "", None),
}


@pytest.mark.parametrize(("dialect", "given_", "route", "expected"), DIALECTS.values(), ids=DIALECTS)
def test_what_a_dialect_is_sent(dialect, given_, route, expected):
    made = plan(given_, route=route, dialects=(dialect,))
    (target,) = made.as_json()["targets"]
    assert (None if target["skipped"] else target["parameters"]) == expected


def test_what_a_dialect_cannot_carry_is_dropped_in_sight():
    made = plan({"seed": 1}, route="seed: {min: 0, outside: clamp}", dialects=("cognigy",))
    assert "the dialect cognigy has no field for seed: left out" in [r.text for r in made.why]


def test_what_a_dialect_cannot_carry_skips_only_its_own_targets():
    made = plan({"seed": 1}, models=({}, {}), dialects=("cognigy", "openai"))
    assert [target.is_eligible for target in made.targets] == [False, True]
    assert made.targets[0].skipped == ("the dialect cognigy has no field for seed",)


def test_the_max_tokens_that_a_dialect_demands_stays_within_bounds():
    """Every matching bound holds, also for a number that nobody asked for."""
    made = plan({}, bounds=("max_tokens: {max: 500, outside: clamp}",), dialects=("anthropic",))
    (target,) = made.as_json()["targets"]
    assert target["skipped"] or target["parameters"]["max_tokens"] <= 500


# -- properties --------------------------------------------------------------------------------------

NUMBERS = st.integers(0, 20).map(lambda n: n / 10)


@st.composite
def rules(draw) -> str:
    low, high = sorted((draw(NUMBERS), draw(NUMBERS)))
    outside = draw(st.sampled_from(["clamp", "reject"]))
    return f"{{min: {low}, max: {high}, outside: {outside}}}"


def inside(value: float, rule: str) -> bool:
    low, high = (float(part.partition(":")[2]) for part in rule.strip("{}").split(",")[:2])
    return low <= value <= high


@given(NUMBERS, rules(), rules())
def test_a_value_that_gets_through_is_inside_of_every_range_of_route_and_bounds(value, of_route, of_bound):
    made = plan({"temperature": value}, route=f"temperature: {of_route}", bounds=(f"temperature: {of_bound}",))
    for planned in made.eligible:
        (sent,) = planned.parameters.values()
        assert inside(sent, of_route)
        assert inside(sent, of_bound)


@given(NUMBERS, rules(), rules())
def test_a_value_inside_of_every_range_is_never_moved(value, of_route, of_bound):
    if not inside(value, of_route) or not inside(value, of_bound):
        return
    made = plan({"temperature": value}, route=f"temperature: {of_route}", bounds=(f"temperature: {of_bound}",))
    assert made.as_json()["parameters"] == {"temperature": value}
