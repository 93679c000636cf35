"""The language of `-k`."""

from __future__ import annotations

import pytest

from route_run.errors import MisuseError
from route_run.rehearse.select import selector

NAME = "the backup answers when the first endpoint is Rate Limited"


@pytest.mark.parametrize(
    ("expression", "selects"),
    [
        ("backup", True),
        ("rate limited", True),
        ("limited rate", False),
        ("not backup", False),
        ("not eu", True),
        ("backup and eu", False),
        ("backup or eu", True),
        ("eu or backup and rate", True),
        ("(eu or backup) and not rate", False),
        ("not (eu or us)", True),
        ("not not backup", True),
    ],
)
def test_an_expression_selects_by_the_words_of_a_name(expression, selects):
    assert selector(expression)(NAME) is selects


@pytest.mark.parametrize("expression", ["", "and", "a and", "(a", "a)", "not", "a or or b", "a " * 300])
def test_a_malformed_expression_is_misuse(expression):
    with pytest.raises(MisuseError, match="-k"):
        selector(expression)
