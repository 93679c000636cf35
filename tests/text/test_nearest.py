"""Which known word somebody most likely meant."""

from __future__ import annotations

import pytest

from route_run.text.nearest import listed, nearest

FIELDS = ["temperature", "top_p", "max_tokens", "stop", "seed", "presence_penalty", "frequency_penalty"]


@pytest.mark.parametrize(
    ("word", "known", "meant"),
    [
        ("temprature", FIELDS, "temperature"),
        ("temp", FIELDS, "temperature"),
        ("Temperature", FIELDS, "temperature"),
        ("max_token", FIELDS, "max_tokens"),
        ("tokens_max", FIELDS, "max_tokens"),
        ("colour", FIELDS, None),
        ("s", FIELDS, None),
        ("", FIELDS, None),
        ("x", [], None),
        ("GOLD", ["gold", "Gold"], "Gold"),
    ],
    ids=["typo", "beginning", "case", "letter-missing", "order", "far", "short", "empty", "none-known", "tie"],
)
def test_the_word_that_was_meant(word, known, meant):
    assert nearest(word, known) == meant


def test_the_order_of_known_words_does_not_matter():
    assert nearest("mian", ["main", "mean"]) == nearest("mian", ["mean", "main"])


def test_listed_words_are_quoted_and_sorted():
    assert listed(["b", "a"]) == "`a`, `b`"


def test_a_long_list_is_cut_and_the_rest_counted():
    assert listed((str(n) for n in range(10, 25)), most=3) == "`10`, `11`, `12` and 12 more"
