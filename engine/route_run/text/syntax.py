"""Words for what a YAML parser could not read: the place, what is wrong, what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

from route_run.errors import Code, Finding, Position, Span


@dataclass(frozen=True, slots=True)
class _Hint:
    problem: str
    line: re.Pattern[str]
    message: str
    help: str


_NO_COLON = "could not find expected ':'"
_HINTS = (
    _Hint("", re.compile(r"^\s*\t"), "a tab indents this line", "indent with blanks"),
    _Hint(
        "unknown escape character",
        re.compile(""),
        "a backslash in double quotes starts an escape, and this one does not exist",
        "put regular expressions in single quotes",
    ),
    _Hint(
        "invalid Unicode character escape",
        re.compile(""),
        "this escape is not a character (half of a surrogate pair)",
        "write the character itself",
    ),
    _Hint(
        "",
        re.compile("[\u00a0\uff1a]"),
        "a no-break space or full-width colon stands in this line",
        "use a plain blank and `:`",
    ),
    _Hint(
        "did not find expected",
        re.compile(r"[:,\[{]\s*\$\{"),
        "a reference stands without quotes in flow style, where its braces are a mapping",
        'quote it: `"${NAME}"`',
    ),
    _Hint(
        "did not find expected",
        re.compile(r":\s*(\[\^|[*&!%@`])|\]\s*[+*?{]"),
        "this value starts like YAML syntax",
        "put regular expressions and special characters in single quotes",
    ),
    _Hint(
        "cannot start any token",
        re.compile(r"[@`%]"),
        "a plain value cannot start with `@`, a backtick or `%`",
        "put it in single quotes",
    ),
    _Hint(
        "mapping values are not allowed",
        re.compile(""),
        "a second `: ` stands in this line",
        "quote the value, or break the line after the key",
    ),
    _Hint(
        _NO_COLON,
        re.compile(""),
        "this is neither a field nor a part of the value above",
        "write `key: value`, or indent it to go on with a text",
    ),
)


def explain_syntax(error: Exception, path: str, text: str) -> Finding:
    """A finding for what a YAML parser raised on a text."""
    lines = text.splitlines() or [""]
    problem = str(getattr(error, "problem", None) or getattr(error, "reason", None) or error)
    mark = _mark(error, problem)
    line, column = (mark.line, mark.column) if mark is not None else _offset(error, text)
    line = min(line, len(lines) - 1)
    column = min(column, len(lines[line]))
    message, help_text = _words(problem, lines[line])
    span = Span(path, Position(line + 1, column + 1), Position(line + 1, column + 2))
    return Finding(Code.SYNTAX, span, message, help=help_text, effect="nothing after this point of the file is read")


def _mark(error: Exception, problem: str) -> Any:
    """Where to look: a missing colon is missed in the line before the one where the parser gives up."""
    marks = [getattr(error, name, None) for name in ("problem_mark", "context_mark")]
    return (marks[1] if problem == _NO_COLON else marks[0]) or marks[0] or marks[1]


def _words(problem: str, line: str) -> tuple[str, str]:
    if "control characters" in problem or "special characters" in problem:
        return "a control character stands in the text", "remove it"
    for hint in _HINTS:
        if hint.problem in problem and hint.line.search(line):
            return hint.message, hint.help
    return f"not YAML: {problem}", "check indentation, brackets and quotes up to here"


def _offset(error: Exception, text: str) -> tuple[int, int]:
    position = error.position if isinstance(error, yaml.reader.ReaderError) else 0
    # libyaml counts bytes, the pure reader characters
    before = text.encode("utf-8", "surrogatepass")[:position].decode("utf-8", "ignore")
    return before.count("\n"), len(before) - (before.rfind("\n") + 1)
