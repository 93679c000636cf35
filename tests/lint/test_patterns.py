"""Rules on patterns: examples that do not hold, patterns that match everything, nothing, or what others match."""

from __future__ import annotations

import random

import pytest
import re2

from route_run.guard.budget import Budget
from route_run.guard.packs import builtin_names, find_pack
from route_run.guard.scanner import options
from route_run.guard.unsupported import unsupported
from route_run.lint.everyday import EVERYDAY
from route_run.lint.regex import cannot_match
from support.linting import codes_of, found, guard, offenders


def pattern(regex: str, score: float = 1, name: str = "a", **fields: str) -> str:
    quoted = "'" + regex.replace("'", "''") + "'"
    return ", ".join([f"id: {name}, regex: {quoted}, score: {score}", *(f"{k}: {v}" for k, v in fields.items())])


def of(regex: str, **fields: str) -> list[str]:
    """The codes about one pattern, but for the one that it has no example."""
    return [code for code in codes_of(guard(pattern(regex, **fields)), "RR6") if code != "RR606"]


# -- examples ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regex", "fields", "codes"),
    [
        ("zephyr", {"must_match": '["a Zephyr"]'}, []),
        ("zephyr", {"must_match": '["a z\\u200bephyr", "ｚｅｐｈｙｒ", "zéphyr"]'}, []),
        ("zephyr", {"must_match": '["a breeze"]'}, ["RR602"]),
        ("zephyr", {"must_not_match": '["a zephyr"]', "must_match": "[zephyr]"}, ["RR602"]),
        ("zephyr", {"must_not_match": '["a zep\\u200bhyr"]', "must_match": "[zephyr]"}, ["RR602"]),
        ("(?-i:Zephyr)", {"must_match": "[zephyr]"}, ["RR602"]),
    ],
)
def test_examples_are_asked_as_a_guard_asks(regex, fields, codes):
    assert codes_of(guard(pattern(regex, **fields)), "RR6") == codes


def test_the_finding_points_at_the_example():
    text = guard(pattern("zephyr", must_match='["a zephyr", "a breeze"]'))
    assert offenders(text, "RR602") == ['"a breeze"']


def test_examples_of_packs_are_asked_too():
    pack = "version: 1\npack: own\nrelease: 1\npatterns:\n  - {id: a, regex: zephyr, score: 1, must_match: [breeze]}\n"
    assert codes_of({"own.pack.yaml": pack, "policy.yaml": "version: 1\n"}, "RR6") == ["RR602"]


def test_a_pattern_without_an_example_is_told():
    assert codes_of(guard(pattern("zephyr")), "RR6") == ["RR606"]


def test_a_pattern_that_cannot_be_used_has_no_other_finding():
    assert codes_of(guard(pattern("(?=a)"))) == ["RR601"]


def test_other_faults_of_a_guard_do_not_keep_its_patterns_from_being_asked():
    text = guard(pattern("zephyr", must_match="[breeze]"), threshhold="0.5")
    assert set(codes_of(text)) == {"RR103", "RR602"}


# -- everything and nothing -----------------------------------------------------------------------------


@pytest.mark.parametrize("regex", ["a*", "(zephyr)?", "|a", "(?:a|b*)", "x{0,3}", ".", r"[\s\S]", ".*"])
def test_a_pattern_that_every_text_matches_is_an_error(regex):
    assert of(regex) == ["RR603"]


@pytest.mark.parametrize("regex", ["^$", r"\b\B", "a+", r"^a*zephyr", r"\bzephyr\b|\bzefir\b"])
def test_a_pattern_that_asks_for_something_is_not(regex):
    assert "RR603" not in of(regex)


NOTHING = (
    "a^b", "a$b", r"project\bzephyr", r"a\Ab", r"a\zb", r"\d\b\d", r" \b ", "(?m)a^b", r"(a|b)\b(c|d)", r"(?:a+)+^",
)  # fmt: skip


@pytest.mark.parametrize("regex", NOTHING)
def test_a_pattern_that_contradicts_itself_is_an_error(regex):
    assert of(regex) == ["RR604"]


@pytest.mark.parametrize(
    "regex",
    [
        r"(?m)a$\n^b", "^a|b$", r"\bzephyr\b", r"a\Bb", r"\Bing\b", r"(?m)^zephyr$", r"k\bk", r"a\b|zephyr",
        r"(^|\W)zephyr($|\W)", r"a\Bb\b c|x^",
    ],
)  # fmt: skip
def test_a_pattern_that_some_text_matches_is_not(regex):
    assert "RR604" not in of(regex)
    assert not cannot_match(regex)


PIECES = [*"ak x", "\\b", "\\B", "^", "$", "\\A", "\\z", "[ab]", "[^a]", ".", "\\w", "\\W", "\\s", "\\d", "\n"]
PIECES += ["(?m)", "(?s)", "(?i)", "(?-m)"]


def some_regex(draw: random.Random, depth: int) -> str:
    kind = draw.random()
    if depth == 0 or kind < 0.5:
        return draw.choice(PIECES)
    if kind < 0.7:
        return some_regex(draw, depth - 1) + some_regex(draw, depth - 1)
    if kind < 0.8:
        return f"(?:{some_regex(draw, depth - 1)}|{some_regex(draw, depth - 1)})"
    if kind < 0.9:
        return f"({some_regex(draw, depth - 1)}){draw.choice(['*', '+', '?', '{2}', '{0,2}'])}"
    return f"{draw.choice(['(?m:', '(?:', '(?s:', '(?P<n>'])}{some_regex(draw, depth - 1)})"


def test_what_is_called_impossible_is_found_in_no_text():
    draw = random.Random(5)
    texts = ["".join(draw.choice("ak \nx1ſKé") for _ in range(draw.randrange(7))) for _ in range(500)]
    impossible = 0
    for _ in range(5000):
        regex = some_regex(draw, 5)
        if cannot_match(regex) and not Budget().problem_of(regex):
            impossible += 1
            compiled = re2.compile(regex, options())
            assert not any(compiled.search(text) for text in texts), regex
    assert impossible > 100


def test_no_pattern_that_ships_is_called_impossible():
    regexes = [pattern.regex for name in builtin_names() for pattern in find_pack(name, {}).patterns]
    assert [regex for regex in regexes if cannot_match(regex)] == []


def test_repetitions_within_repetitions_are_cheap():
    assert cannot_match("(" * 50 + "a" + "+)*" * 50 + "a^")


@pytest.mark.parametrize(
    ("scores", "threshold", "codes"),
    [((0.3, 0.4), 0.8, ["RR607"]), ((0.3, 0.5), 0.8, []), ((0.1, 0.7), 0.8, []), ((0.5,), 1, ["RR607"]), ((1,), 1, [])],
)
def test_a_guard_whose_scores_never_reach_its_threshold_is_an_error(scores, threshold, codes):
    patterns = [pattern(f"zephyr{n}", score, f"p{n}", must_match=f"[zephyr{n}]") for n, score in enumerate(scores)]
    assert codes_of(guard(*patterns, threshold=str(threshold)), "RR6") == codes


def test_a_guard_with_a_pack_that_is_not_known_is_not_judged():
    text = "version: 1\nguards: {g: {packs: [a/b@1], patterns: [{id: a, regex: z, score: 0.1, must_match: [z]}]}}\n"
    assert codes_of(text) == ["RR201"]


# -- everyday text ---------------------------------------------------------------------------------------


def test_a_pattern_that_stops_everyday_text_is_told():
    (finding,) = found(guard(pattern("parcel|order")), "RR608")
    assert "Where is my parcel?" in finding.message


def test_one_that_counts_only_together_with_others_is_not():
    text = guard(pattern("parcel", 0.5, must_match="[parcel]"), pattern("bomb", 0.5, "b", must_match="[bomb]"))
    assert codes_of(text, "RR6") == []


def test_the_pack_that_ships_stops_none_of_the_everyday_texts():
    from route_run.guard import Action, Scanner

    for name in builtin_names():
        scanner = Scanner("g", find_pack(name, {}).patterns, 0.8, Action.REJECT)
        assert [text for text in EVERYDAY if scanner.scan([text]).fired] == []


# -- patterns that others make superfluous -----------------------------------------------------------------


def two(first: str, second: str, score: float = 1, **fields: str) -> list[tuple[str, str]]:
    text = guard(pattern(first, score, "first"), pattern(second, 1, "second"), **fields)
    return [(f.code.value, f.message.split("`")[1]) for f in found(text, "RR605")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("zephyr", "project zephyr"),
        ("zephyr", r"\bproject zephyr\b"),
        (r"\bzephyr\b", "a zephyr b"),
        (r"\bproject zephyr\b", r"\bproject zephyr\b"),
        (r"zeph\w+", "zephyrs"),
        ("(?:project|plan) zephyr", "my plan zephyr"),
    ],
)
def test_a_pattern_inside_of_another_adds_nothing(first, second):
    assert two(first, second) == [("RR605", "second")]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (r"\bzephyr\b", "zephyr"),  # also found in zephyrs
        ("^zephyr", "zephyr"),
        ("zephyr$", "zephyr"),
        ("(?-i:Zephyr)", "zephyr"),
        ("zephyr .", "zephyr "),  # the dot lies outside of the words
        ("project zephyr", "zephyr"),
        ("zephyr", "zep[h]yr"),  # not plain words: not proved
    ],
)
def test_what_is_not_proved_to_be_inside_is_not_told(first, second):
    assert ("RR605", "second") not in two(first, second)


def test_a_wider_pattern_that_does_not_decide_alone_makes_nothing_superfluous():
    assert two("zephyr", "project zephyr", score=0.5) == []


def test_a_pattern_that_the_shipped_pack_has_already_adds_nothing():
    text = guard(pattern(r"\bignore all previous instructions\b"), packs="[builtin/injection@1]")
    (finding,) = found(text, "RR605")
    assert "of the pack `builtin/injection@1`" in finding.message


def test_examples_that_another_pattern_finds_too_are_a_hint():
    text = guard(
        pattern("zephyr", must_match="[zephyr]"),
        pattern("zephyr.{0,9}plan", 1, "b", must_match='["zephyr plan", "zephyr: a plan"]'),
    )
    assert codes_of(text, "RR6") == ["RR609"]
    assert codes_of(text.replace('"zephyr: a plan"', '"z-plan"').replace("zephyr.{0,9}", "z.{0,9}"), "RR609") == []


def test_a_pattern_of_a_second_pack_with_a_taken_id_is_dropped_aloud():
    pack = "version: 1\npack: {}\nrelease: 1\npatterns: [{{id: a, regex: {}, score: 1}}]\n"
    policy = "version: 1\nguards: {g: {packs: [one@1, two@1]}}\n"
    files = {
        "policy.yaml": policy,
        "1.pack.yaml": pack.format("one", "zephyr"),
        "2.pack.yaml": pack.format("two", "bora"),
    }
    (finding,) = found(files, "RR610")
    assert "does not look for `a` of the pack `two@1`" in finding.message
    assert finding.span.path.endswith("policy.yaml")


# -- what the engine does not support ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("regex", "words"),
    [
        ("(?=a)b", "looks ahead (`(?=`)"),
        ("a(?!b)", "looks ahead (`(?!`)"),
        ("(?<=a)b", "looks behind (`(?<=`)"),
        ("(?<!a)b", "looks behind (`(?<!`)"),
        (r"(a)\1", r"refers back to a group (`\1`)"),
        (r"(?P<n>a)(?P=n)", "refers back to a group (`(?P=`)"),
        ("(?>a)b", "has an atomic group (`(?>`)"),
        ("a++b", "has a possessive repetition (`++`)"),
        ("(a)?(?(1)b|c)", "has a condition (`(?(`)"),
        (r"(a(?R)?b)", "calls itself"),
        ("(?#x)a", "has a comment"),
        ("(?x) a", "has the flag `x`"),
        (r"a\Z", r"ends in `\Z`"),
        (r"\u00e9", r"has a `\u` escape"),
        (r"a\Kb", "has an escape that only other engines have"),
        ("a{1001}", "repeats more than 1,000 times"),
        ("((a{100}){100}){100}", "repeats more than 1,000 times"),
        (r"\pL{1000}", "is too large"),
        ("a(b", "missing )"),
        ("[b-a]", "invalid character class range"),
        (r"[(?=]\\1(", "missing )"),
    ],
)
def test_what_the_engine_does_not_support_is_named(regex, words):
    problem = Budget().problem_of(regex)
    assert problem
    reason, instead = unsupported(regex, problem)
    assert words in reason
    assert instead
