"""A difference for people: as text, and as Markdown for the comment of a pull request.

Decides how much is shown. In Markdown everything that comes from a policy stands in code with every character
that could mean something written as an entity, so that no name in a policy can forge a verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from route_run.flow.plan import Plan
from route_run.review.diff.difference import Difference, Group, Way
from route_run.review.diff.replay import Replayed
from route_run.review.diff.risk import MEANING
from route_run.review.sample import options

MOST_GROUPS = 40
MOST_REGIONS = 6
MOST_MESSAGE = 200
MOST_MARKDOWN = 60_000
"""Longest comment, in characters; hosts of repositories refuse more than 65,536."""
_PLAIN = frozenset(" .,-")
_NOTHING = "no decision changed"


def as_text(found: Difference, names: tuple[str, str], replayed: Replayed | None = None) -> str:
    """The difference as lines of text."""
    return "\n".join(_text(found, names, replayed))


def headline(found: Difference) -> str:
    """What was found, in one line."""
    if not found.groups:
        return _NOTHING if found.is_complete else "nothing found, but not everything could be compared"
    count = len(found.groups)
    at_least = "" if found.is_complete else "at least "
    return f"{at_least}{count} group{'' if count == 1 else 's'} of requests change{'s' if count == 1 else ''}"


def _text(found: Difference, names: tuple[str, str], replayed: Replayed | None) -> Iterator[str]:
    yield f"{headline(found)} from {names[0]} to {names[1]}"
    if found.risks:
        yield f"risks: {', '.join(risk.value for risk in found.risks)}"
    for number, group in enumerate(found.groups[:MOST_GROUPS], 1):
        yield ""
        yield from _group(number, group, found)
    if len(found.groups) > MOST_GROUPS:
        yield f"\nand {len(found.groups) - MOST_GROUPS} more groups; --format json holds all"
    if replayed is not None:
        yield ""
        yield from replayed.lines()


def _group(number: int, group: Group, found: Difference) -> Iterator[str]:
    risks = f"  [{', '.join(risk.value for risk in group.risks)}]" if group.risks else ""
    head, *more = _requests(group, found)
    yield f"{number}. {head}{risks}"
    yield from (f"   {line}" for line in more)
    width = max(len(str(change.topic)) for change in group.changes)
    for change in group.changes:
        yield f"     {change.topic!s:<{width}}  {change.before_text}  →  {change.after_text}"
    yield f"   such as {_asked(group)}"
    yield f"     was   {_outcome(group.witness.before)}"
    yield f"     is    {_outcome(group.witness.after)}"


def _requests(group: Group, found: Difference) -> Iterator[str]:
    for requests in group.requests:
        way = "" if requests.way == Way() else f"{requests.way}: "
        shown = requests.regions[:MOST_REGIONS]
        yield from (f"{way}{found.words(region)}" for region in shown)
        if len(requests.regions) > len(shown):
            yield f"{way}and {len(requests.regions) - len(shown)} more regions"


def _asked(group: Group) -> str:
    witness = group.witness
    called = " ".join(options(witness.attributes, witness.way.called))
    size = f"a prompt of {witness.attributes.prompt_tokens:,} tokens"
    needs = [f"needs {need.value}" for need in sorted(witness.attributes.needs, key=lambda need: need.value)]
    return ", ".join([*([called] if called else []), size, *needs])


def _outcome(plan: Plan | None) -> str:
    if plan is None:
        return "no prompt is made up for these; see what changes above"
    if plan.stop is not None:
        message = plan.stop.message
        cut = message if len(message) <= MOST_MESSAGE else f"{message[: MOST_MESSAGE - 1]}…"
        return f"{plan.stop.outcome.value}: {cut}"
    assert plan.route is not None
    return f"{plan.route.name} → {', then '.join(str(planned.target) for planned in plan.eligible)}"


# -- Markdown ----------------------------------------------------------------------------------------


def as_markdown(found: Difference, names: tuple[str, str], replayed: Replayed | None = None) -> str:
    """The difference as a comment, at most ``MOST_MARKDOWN`` characters."""
    head = [f"### Routing policy: {headline(found)}", "", f"From {code(names[0])} to {code(names[1])}."]
    if found.risks:
        head += ["", "| risk | meaning |", "|---|---|"]
        head += [f"| **{risk.value}** | {MEANING[risk]} |" for risk in found.risks]
    tail = ["", *(code(line) + "  " for line in replayed.lines())] if replayed is not None else []
    lines, left = head, MOST_MARKDOWN - sum(len(line) + 1 for line in (*head, *tail))
    for number, group in enumerate(found.groups):
        block = ["", *_block(group, found)]
        left -= sum(len(line) + 1 for line in block)
        if left < 100 or number >= MOST_GROUPS:
            lines += ["", f"… and {len(found.groups) - number} more groups; `--format json` holds all."]
            break
        lines += block
    return "\n".join([*lines, *tail])


def _block(group: Group, found: Difference) -> Sequence[str]:
    risks = "".join(f" **{risk.value}**" for risk in group.risks)
    head, *more = _requests(group, found)
    rows = [f"| {code(str(c.topic))} | {code(c.before_text)} | {code(c.after_text)} |" for c in group.changes]
    return [
        f"#### {code(head)}{risks}",
        *(f"- {code(line)}" for line in more),
        "",
        "| what | before | after |",
        "|---|---|---|",
        *rows,
        "",
        f"<details><summary>such as {code(_asked(group))}</summary>",
        "",
        f"- was {code(_outcome(group.witness.before))}",
        f"- is {code(_outcome(group.witness.after))}",
        "",
        "</details>",
    ]


def code(text: str, most: int = 600) -> str:
    """Any text as Markdown that shows just it: code, capped, with no character left that could mean something."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    printable = "".join(c if c.isprintable() else "·" for c in cut)
    escaped = "".join(c if c.isalnum() or c in _PLAIN or ord(c) > 0x7F else f"&#{ord(c)};" for c in printable)
    return f"<code>{escaped}</code>"
