"""Which rehearsals `-k` selects: words in their names, with `and`, `or`, `not` and parentheses."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from route_run.errors import MisuseError

_TOKEN = re.compile(r"\s*(\(|\)|[^\s()]+)")
_OPERATORS = frozenset({"and", "or", "not"})
MOST_TOKENS = 200
"""Longest expression, in words and parentheses."""

Test = Callable[[str], bool]


def selector(expression: str) -> Test:
    """Whether a name is selected; words that stand side by side are one phrase. Raises MisuseError."""
    tokens = _TOKEN.findall(expression)
    if len(tokens) > MOST_TOKENS:
        raise MisuseError(f"-k has more than {MOST_TOKENS} words")
    parser = _Parser(tokens, expression)
    test = parser.either()
    if parser.next is not None:
        raise parser.problem(f"`{parser.next}` stands where the expression should end")
    return test


class _Parser:
    def __init__(self, tokens: Sequence[str], expression: str) -> None:
        self._tokens = tokens
        self._expression = expression
        self._at = 0

    @property
    def next(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def problem(self, words: str) -> MisuseError:
        return MisuseError(f"-k `{self._expression}`: {words}; write words with `and`, `or`, `not` and parentheses")

    def either(self) -> Test:
        tests = [self._both()]
        while self.next == "or":
            self._at += 1
            tests.append(self._both())
        return lambda name: any(test(name) for test in tests)

    def _both(self) -> Test:
        tests = [self._one()]
        while self.next == "and":
            self._at += 1
            tests.append(self._one())
        return lambda name: all(test(name) for test in tests)

    def _one(self) -> Test:
        token = self.next
        if token == "not":
            self._at += 1
            test = self._one()
            return lambda name: not test(name)
        if token == "(":
            self._at += 1
            test = self.either()
            if self.next != ")":
                raise self.problem("a parenthesis is not closed")
            self._at += 1
            return test
        return self._phrase()

    def _phrase(self) -> Test:
        words: list[str] = []
        while (token := self.next) is not None and token not in _OPERATORS and token not in "()":
            words.append(token)
            self._at += 1
        if not words:
            raise self.problem("a word is missing")
        phrase = " ".join(words).casefold()
        return lambda name: phrase in name.casefold()
