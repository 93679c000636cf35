"""Words for what a pattern holds that RE2 does not have, and for what to write instead."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class _Construct:
    shape: str
    name: str
    instead: str


_CLASS = r"\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]"
_CONSTRUCTS = tuple(
    _Construct(shape, name, instead)
    for shape, name, instead in (
        (r"\(\?[=!]", "looks ahead", "match what follows as part of the pattern, or divide it in two patterns"),
        (r"\(\?<[=!]", "looks behind", "match what comes before as part of the pattern"),
        (r"\\[1-9]|\\[gk][{<']?|\(\?P=", "refers back to a group", "write out what may be repeated"),
        (r"\(\?>", "has an atomic group", "write `(?:…)`: this engine never goes back, so it is not needed"),
        (r"[*+?}]\+", "has a possessive repetition", "leave the `+` out: this engine never goes back"),
        (r"\(\?\(", "has a condition", "write both cases as alternatives"),
        (r"\(\?(?:R|[0-9]+|&\w+|P>)", "calls itself", "write out as many levels as are needed"),
        (r"\(\?#", "has a comment", "say it in `why`"),
        (r"\(\?\w*x", "has the flag `x`", "write it without blanks and comments"),
        (r"\\Z", "ends in `\\Z`", "write `\\z`"),
        (r"\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}", "has a `\\u` escape", "write `\\x{00e9}`, or the character itself"),
        (r"\\[hHRXKGNe]|\\c.", "has an escape that only other engines have", "write out the characters it stands for"),
    )
)  # fmt: skip
_REPETITION = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MOST = 1000


def unsupported(regex: str, problem: str) -> tuple[str, str]:
    """What is wrong with a pattern that RE2 refuses, and what to write instead."""
    if "too large" in problem:
        return "it is too large", "use smaller repetitions and fewer classes such as `\\pL` within them"
    if "repetition size" in problem or ("repetition" in problem and _is_large(regex)):
        return f"it repeats more than {_MOST:,} times", f"repeat at most {_MOST:,} times, nested repetitions multiplied"
    without_classes = re.sub(_CLASS, "[]", re.sub(r"\\\\", "", regex))
    for construct in _CONSTRUCTS:
        if (found := re.search(construct.shape, without_classes)) is not None:
            return f"it {construct.name} (`{found[0]}`), which RE2 does not support", construct.instead
    return problem, "patterns are in RE2 syntax, without look-around and back-references"


def _is_large(regex: str) -> bool:
    return any(int(number) > _MOST for found in _REPETITION.finditer(regex) for number in found.groups() if number)
